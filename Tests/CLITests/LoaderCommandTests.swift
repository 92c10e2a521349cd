import Foundation
import Testing

/// plan, load and explain as the built program.
@Suite struct LoaderCommandTests {
    private func load(_ arguments: [String]) throws -> [String: Any] {
        let outcome = try drshard(["load", "--json"] + arguments)
        try #require(outcome.status == 0, "\(outcome.error)")
        let epochs = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [[String: Any]]
        return try #require(epochs?.first)
    }

    private func sample(in folder: String) throws -> String {
        try convertedSample(in: folder, "--samples", "120", "--shards", "2", converting: ["--encoding", "plain"])
    }

    @Test func planSaysWhatLoadThenMeasures() throws {
        try withFolder { folder in
            let shards = try sample(in: folder)
            for order in ["blocks", "global", "none"] {
                let common = [shards, "--batch-size", "16", "--order", order, "--content", "embeddings,tokens"]
                let plan = try drshard(["plan", "--json"] + common).json
                let measured = try load(common)
                #expect(plan["samples"] as? Int == 112 && measured["samples"] as? Int == 112)
                #expect(plan["deliveredBytes"] as? Int == measured["deliveredBytes"] as? Int)
                #expect(plan["order"] as? String == order)
            }
            let text = try drshard("plan", shards, "--batch-size", "16")
            #expect(text.status == 0 && text.output.contains("note: the set has few blocks"), "\(text.output)")
        }
    }

    @Test func equalStreamsHaveEqualDigestsAndStatesGoOn() throws {
        try withFolder { folder in
            let shards = try sample(in: folder)
            let common = [shards, "--batch-size", "16", "--block-rows", "8", "--tail", "short", "--digest"]
            let digest = try #require(try load(common)["digest"] as? String)
            for other in [["--threads", "1"], ["--mapped"], ["--prefetch-mib", "0", "--read-ahead-mib", "0"]] {
                #expect(try load(common + other)["digest"] as? String == digest)
            }
            #expect(try load(common + ["--seed", "1"])["digest"] as? String != digest)
            let state = folder + "/state.json"
            let first = try load(common + ["--state", state, "--steps", "3"])
            #expect(first["samples"] as? Int == 48 && first["isCut"] as? Bool == true)
            #expect(try load(common + ["--state", state])["samples"] as? Int == 72)
            // At the end of an epoch comes the next.
            #expect(try load(common + ["--state", state])["epoch"] as? Int == 1)
            let other = try drshard(["load"] + common + ["--state", state, "--lanes", "4"])
            #expect(other.status == 2 && other.error.contains("number of lanes is 8, here it is 4"), "\(other.error)")
            try writeFile(state, Array("{}".utf8))
            #expect(try drshard(["load"] + common + ["--state", state]).status == 1)
        }
    }

    @Test func explainNamesShardRowViewAndCaption() throws {
        try withFolder { folder in
            let shards = try sample(in: folder)
            let common = [shards, "--batch-size", "16", "--step", "2"]
            let text = try drshard(["explain"] + common)
            #expect(text.status == 0 && text.lines.count == 17, "\(text.error)")
            #expect(text.lines.first?.contains("row there") == true)
            let outcome = try drshard(["explain", "--json"] + common)
            let samples = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [[String: Any]]
            #expect(samples?.count == 16 && samples?.allSatisfy { $0["shard"] is String && $0["view"] != nil } == true)
            #expect(try drshard("explain", shards, "--batch-size", "16", "--step", "99").status == 2)
        }
    }

    @Test func damagedRowsAreListedSubstitutedAndLeftOut() throws {
        try withFolder { folder in
            let shards = try sample(in: folder)
            let path = shards + "/00000001.drs"
            var bytes = try readFile(path)
            for at in stride(from: bytes.count / 4, to: bytes.count / 4 + 200, by: 7) { bytes[at] ^= 0x55 }
            try writeFile(path, bytes)
            let list = folder + "/bad.txt"
            // What is damaged are images.
            let common = [shards, "--batch-size", "16", "--tail", "short", "--content", "images,embeddings"]
            let verify = try drshard("verify", shards, "--quarantine", list)
            #expect(verify.status == 1 && verify.error.contains("cannot be read; they stand in"), "\(verify.error)")
            let failed = try drshard(["load"] + common)
            #expect(failed.status == 1 && failed.error.contains("drshard-quarantine 1 "), "\(failed.error)")
            let listed = try drshard(["load"] + common + ["--quarantine", list])
            #expect(listed.status == 0 && listed.output.contains("rows substituted"), "\(listed.error)")
            let found = folder + "/found.txt"
            let substituted = try drshard(
                ["load"] + common + ["--substitute", "50", "--write-quarantine", found])
            #expect(substituted.status == 0, "\(substituted.error)")
            #expect(substituted.error.contains("substituting a row of"), "\(substituted.error)")
            let rows = try String(contentsOfFile: found, encoding: .utf8).split(separator: "\n")
            let all = try String(contentsOfFile: list, encoding: .utf8).split(separator: "\n")
            #expect(rows.count > 1 && rows[0] == all[0] && Set(rows).isSubset(of: all))
            let again = try drshard(["load"] + common + ["--quarantine", found, "--quarantine", list])
            #expect(again.status == 0, "\(again.error)")
            #expect(try drshard(["load"] + common + ["--substitute", "0"]).status == 1)
            // A list of other rows.
            try writeFile(list, Array("drshard-quarantine 1 \(String(repeating: "0", count: 32))\n1\n".utf8))
            #expect(try drshard(["load"] + common + ["--quarantine", list]).status == 1)
        }
    }

    @Test func subsetsAndMixesAreSaidAtTheCommandLine() throws {
        try withFolder { folder in
            let shards = try sample(in: folder)
            let uids = try drshard("head", shards, "--rows", "30", "--column", "uid")
            #expect(uids.status == 0)
            let train = try load([shards, "--batch-size", "8", "--tail", "short", "--split", "s:0-80/100"])
            let rest = try load([shards, "--batch-size", "8", "--tail", "short", "--split", "s:80-100/100"])
            #expect((train["samples"] as? Int ?? 0) + (rest["samples"] as? Int ?? 0) == 120)
            let mixed = try load([shards, shards, "--weights", "3,1", "--batch-size", "16", "--epoch-steps", "5"])
            #expect(mixed["samples"] as? Int == 80)
            for bad in [
                ["--split", "s"], ["--split", "s:9-3/10"], ["--weights", "1,2"], ["--content", "everything"],
                ["--views", "view:0"], ["--views", "nothing"], ["--tokens", "f32"], ["--embeddings", "i32"],
                ["--ranks", "3"], ["--tail", "wrap"], ["--threads", "0"], ["--only", folder + "/nothing"],
            ] {
                let outcome = try drshard(["load", shards, "--batch-size", "16"] + bad)
                #expect([2, 3].contains(outcome.status) && !outcome.error.isEmpty, "\(bad): \(outcome.error)")
            }
        }
    }
}
