import Foundation
import Testing

@Suite struct RepackTests {
    private func dump(_ path: String) throws -> [Substring] {
        try drshard("dump", path).lines.filter { !$0.hasPrefix("features") }
    }

    @Test(arguments: ["plain", "fast", "balanced", "archive"]) func aFolderIsPackedAgain(encoding: String) throws {
        try withFolder { folder in
            // Later options count: cells that are large enough to shrink.
            let shards = try convertedSample(in: folder, "--dims", "512")
            let target = folder + "/again"
            let repack = try drshard(
                "repack", shards, target, "--encoding", encoding, "--storage", "syn_text=lz4", "--rows-per-group", "4",
                "--jobs", "2", "--json")
            #expect(repack.status == 0 && repack.error.isEmpty, "\(repack.error)")
            let report = try #require(try repack.json["shards"] as? [[String: Any]])
            #expect(report.map { $0["rows"] as? Int } == [6, 6])
            #expect(names(target) == ["00000000.drs", "00000001.drs"])
            for name in names(target) {
                let old = try dump("\(shards)/\(name)")
                let new = try dump("\(target)/\(name)")
                #expect(
                    old.filter { !$0.hasPrefix("rows_per_group") } == new.filter { !$0.hasPrefix("rows_per_group") })
            }
            #expect(try drshard("verify", "--decode", target).status == 0)
            let stats = try drshard("stats", target, "--json").json
            let columns = try #require(stats["columns"] as? [[String: Any]])
            let embedding = try #require(columns.first { $0["name"] as? String == "image_emb" })
            let stored = try #require(embedding["storedAs"] as? [String])
            #expect(stored.allSatisfy { $0.hasPrefix(encoding) }, "\(stored)")
            let ratios = try #require(embedding["sampleRatios"] as? [String: Double])
            #expect(Set(ratios.keys) == ["plain", "zstd", "lz4", "fast", "balanced", "archive"])
            #expect(embedding["floorBits"] as? Double ?? 0 > 8)
        }
    }

    @Test func columnsAndVariantsAreLeftOut() throws {
        try withFolder { folder in
            let shards = try convertedSample(in: folder, "--dims", "64")
            let target = folder + "/fewer"
            let repack = try drshard(
                "repack", shards, target, "--views", "2", "--captions", "1", "--drop", "image", "--drop", "sha256",
                "--page-bytes", "4096", "--level", "19", "--rows-per-group", "4")
            #expect(repack.status == 0 && repack.error.isEmpty, "\(repack)")
            #expect(try drshard("verify", "--decode", target).status == 0)
            let schema = try drshard("schema", target, "--json").json
            let columns = try #require(schema["columns"] as? [[String: Any]]).compactMap { $0["name"] as? String }
            let before = try #require(try drshard("schema", shards, "--json").json["columns"] as? [[String: Any]])
            let names = before.compactMap { $0["name"] as? String }
            #expect(columns == names.filter { $0 != "image" && $0 != "sha256" })
            // Every cell that remains is that of the source, by column's name.
            func cells(_ folder: String, _ names: [String]) throws -> Set<String> {
                Set(
                    try dump(folder + "/00000001.drs").filter { $0.hasPrefix("cell ") }.compactMap { line in
                        let words = line.split(separator: " ", maxSplits: 4)
                        guard let column = Int(words[2]) else { return nil }
                        return "\(words[1]) \(names[column]) \(words[3]) \(words[4])"
                    })
            }
            let old = try cells(shards, names)
            let new = try cells(target, columns)
            #expect(new.isSubset(of: old) && new.count == 6 * (2 * 2 + 2 * 1 + columns.count - 4))
            let diff = try drshard("diff", shards, target, "--json").json
            let compared = try #require(diff["columns"] as? [[String: Any]])
            #expect(compared.count == columns.count - 1 && compared.allSatisfy { $0["differing"] as? Int == 0 })
            let notes = try dump(target + "/00000001.drs").filter { $0.hasPrefix("note ") }
            #expect(
                notes.first == #"""
                    note "from" "00000001.drs, 2 of 3 variants of axis view, 1 of 5 variants of axis synthetic, without sha256, image"
                    """#, "\(notes)")
        }
    }

    @Test func aSingleShardIsPackedAgainAndNothingIsOverwritten() throws {
        try withFolder { folder in
            let shard = try convertedSample(in: folder) + "/00000000.drs"
            let target = folder + "/one.drs"
            let first = try drshard("repack", shard, target, "--encoding", "fast")
            #expect(first.status == 0 && first.output.hasPrefix("6 rows in 1 shards"), "\(first.output)")
            let bytes = try readFile(target)
            let second = try drshard("repack", shard, target)
            #expect(second.status == 3 && second.error.contains(target), "\(second.error)")
            #expect(try readFile(target) == bytes)
        }
    }

    @Test func whatCannotBeIsRefused() throws {
        try withFolder { folder in
            let shards = try convertedSample(in: folder)
            for wrong in [
                ["--encoding", "zstd"], ["--encoding", "dense"], ["--storage", "image_emb"], ["--jobs", "0"],
                ["--storage", "text=balanced"], ["--storage", "nobody=plain"], ["--rows-per-group", "0"],
                ["--page-bytes", "0"], ["--page-bytes", "1073741825"], ["--level", "0"], ["--level", "23"],
                ["--views", "0"], ["--captions", "0"], ["--drop", "uid"], ["--drop", "nobody"],
                ["--drop", "text", "--storage", "text=plain"],
            ] {
                let outcome = try drshard(["repack", shards, folder + "/again"] + wrong)
                #expect(outcome.status == 2, "\(wrong): \(outcome.status), \(outcome.error)")
            }
            #expect(try drshard("repack", shards, shards).status == 2)
            #expect(try drshard("repack", folder + "/nowhere", folder + "/again").status == 3)
            #expect(names(folder + "/again").isEmpty)
        }
    }

    @Test func aDamagedShardIsNotPackedAgain() throws {
        try withFolder { folder in
            let shard = try convertedSample(in: folder, converting: ["--encoding", "plain"]) + "/00000000.drs"
            try damageUnit(shard, column: "image_emb")
            let outcome = try drshard("repack", shard, folder + "/again.drs")
            #expect(outcome.status == 1 && outcome.error.contains(shard), "\(outcome.error)")
            #expect(names(folder).allSatisfy { !$0.hasPrefix("again") })
        }
    }
}
