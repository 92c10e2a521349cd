import DRConvert
import DRShardFormat
import Foundation
import Testing

/// Sets that grow, shards that do not belong together, and tars of which nothing is left.
@Suite struct SetTests {
    @Test func aTarOfWhichNothingIsLeftGetsNoShard() throws {
        try withFolder { folder in
            try writeTar(folder + "/a.tar", [try SampleMembers(1)])
            try writeFile(folder + "/b.tar", [1, 2, 3])
            let outcome = try drshard(
                "convert", folder + "/a.tar", folder + "/b.tar", "--output", folder + "/out", "--on-error", "skip",
                "--json")
            #expect(outcome.status == 0, "\(outcome.error)")
            #expect(try outcome.json["shards"] as? [String] == ["a.drs"])
            #expect(names(folder + "/out") == ["a.drs", "report.json"])
        }
    }

    @Test func aPartialShardSaysSoInItsNotes() throws {
        try withFolder { folder in
            var list = try (1...4).map { try SampleMembers($0) }
            list[1].members["syn.json"] = nil
            list[2].members["npz"] = nil
            try writeTar(folder + "/a.tar", list)
            #expect(
                try drshard("convert", folder + "/a.tar", "--output", folder + "/out", "--on-error", "skip").status == 0
            )
            let shards = try #require(
                try drshard("inspect", folder + "/out", "--json").json["shards"] as? [[String: Any]])
            let notes = try #require(shards[0]["notes"] as? [[String: String]])
            #expect(
                notes.map { $0["key"] } == [
                    "source", "source_bytes", "source_fingerprint", "options", "conversion", "left_out",
                ])
            let value = try #require(notes.last?["value"])
            #expect(
                value.hasPrefix("2, the first: ") && value.contains("no syn.json") && !value.contains(folder),
                "\(value)")
        }
    }

    @Test func separateRunsOfOneRecipeGiveOneSchema() throws {
        try withFolder { folder in
            for seed in ["1", "2"] {
                let input = folder + "/in" + seed
                try #require(
                    try drshard(
                        "sample", input, "--samples", "2", "--shards", "1", "--views", "1", "--dims", "8", "--seed",
                        seed
                    ).status == 0)
                try FileManager.default.moveItem(
                    atPath: input + "/reinforced/00000000.tar", toPath: input + "/reinforced/\(seed).tar")
                #expect(try drshard("convert", input + "/reinforced", "--output", folder + "/out").status == 0)
            }
            let inspect = try drshard("inspect", folder + "/out", "--json")
            #expect(inspect.status == 0, "\(inspect.error)")
            let schema = try drshard("schema", folder + "/out", "--json").json
            let operations = try #require(schema["operations"] as? [[String: Any]])
            #expect(
                operations.map { ($0["magnitudes"] as? [Double])?.count } == [1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1])
        }
    }

    @Test func anExistingShardsSchemaIsTaken() throws {
        try withFolder { folder in
            try writeTar(folder + "/a.tar", [try SampleMembers(1)])
            // Without magnitudes of its own, and of a teacher that is not normalised here.
            var other = try SampleMembers(2)
            other.members["paug.json"] = Array(#"{"param_aug": [[[0,0,8,8],[[1,0.625]]],[[1,1,4,4],[[0,0.0]]]]}"#.utf8)
            try writeTar(folder + "/b.tar", [other])
            let out = ["--output", folder + "/out"]
            let teacher = ["--teacher", "one:0:4", "--rows-per-group", "8"]
            #expect(try drshard(["convert", folder + "/a.tar"] + out + teacher).status == 0)
            let taken = ["convert", folder + "/b.tar", "--schema-from", folder + "/out/a.drs"]
            #expect(try drshard(taken + out + ["--teacher", "one:0:4"]).status == 2)
            let outcome = try drshard(taken + out)
            #expect(outcome.status == 0, "\(outcome.error)")
            #expect(try drshard("inspect", folder + "/out", "--json").json["rows"] as? Int == 2)
            #expect(try drshard("verify", "--decode", folder + "/out").status == 0)

            let wide = try drshard(taken + ["--output", folder + "/wide", "--keep-f32"])
            #expect(wide.status == 1 && wide.error.contains("out/a.drs"), "\(wide.error)")
            #expect(wide.error.contains("schema mismatch: column \"image_emb\": "), "\(wide.error)")
            #expect(names(folder + "/wide").isEmpty)
        }
    }

    @Test func verifyPrintsEverythingAndFindsShardsThatDoNotBelongTogether() throws {
        try withFolder { folder in
            for (name, more) in [("a", []), ("b", ["--keep-f32"])] {
                try writeTar(folder + "/\(name).tar", [try SampleMembers(1)])
                #expect(
                    try drshard(["convert", "\(folder)/\(name).tar", "--output", folder + "/out"] + more).status == 0)
            }
            let damaged = repositoryFile("Spec/vectors/invalid/footer-damaged.drs")
            for arguments in [[folder + "/out"], [damaged, folder + "/out", "/nowhere"]] {
                let outcome = try drshard(["verify", "--json"] + arguments)
                #expect(outcome.status == 1, "\(outcome.error)")
                let results = try #require(
                    try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [[String: Any]])
                let set = try #require(results.first { $0["path"] as? String == folder + "/out" })
                #expect((set["findings"] as? [[String: Any]])?.first?["code"] as? String == "schema mismatch")
                #expect(results.count == (arguments.count == 1 ? 3 : 5))
            }
            let text = try drshard("verify", folder + "/out")
            #expect(text.status == 1 && text.lines.count == 4 && text.error.isEmpty, "\(text.output)")
            #expect(try drshard("verify", folder + "/out/a.drs", folder + "/out/b.drs").status == 0)
            #expect(try drshard("verify", folder + "/out/a.drs", "/nowhere").status == 3)
        }
    }

    @Test func aSetMayHaveMoreShardsThanTheSoftLimitOfFiles() throws {
        try withFolder { folder in
            #expect(
                try drshard(
                    "sample", folder + "/in", "--samples", "40", "--shards", "40", "--views", "1", "--captions", "1",
                    "--dims", "4"
                ).status == 0)
            #expect(try drshard("convert", folder + "/in/reinforced", "--output", folder + "/out").status == 0)
            func inspect(_ limit: String) throws -> Outcome {
                try run("/bin/sh", ["-c", "\(limit); exec \"$0\" inspect \"$1\"", program, folder + "/out"])
            }
            let soft = try inspect("ulimit -Sn 24")
            #expect(soft.status == 0 && soft.output.hasPrefix("40 rows in 40 shards"), "\(soft.error)")
            let hard = try inspect("ulimit -n 24")
            #expect(hard.status == 3 && hard.error.contains("too many open files: raise `ulimit -n`"), "\(hard.error)")
        }
    }
}
