import Foundation
import Testing

@Suite struct PipelineTests {
    @Test func aSampleIsConvertedVerifiedAndShown() throws {
        try withFolder { folder in
            let shards = try convertedSample(
                in: folder,
                converting: [
                    "--teacher", "first:0:16:100", "--teacher", "second:16:16", "--captioner", "nobody", "--licence",
                    "made up=none",
                ])
            #expect(names(shards) == ["00000000.drs", "00000001.drs", "report.json"])

            let verify = try drshard("verify", "--decode", shards)
            #expect(verify.status == 0 && verify.error.isEmpty)
            #expect(verify.output == "\(shards)/00000000.drs: sound\n\(shards)/00000001.drs: sound\n")

            let inspect = try drshard("inspect", shards, "--json").json
            #expect(inspect["rows"] as? Int == 12)
            let files = try #require(inspect["shards"] as? [[String: Any]])
            #expect(files.map { $0["rows"] as? Int } == [6, 6])
            #expect(files.allSatisfy { $0["formatVersion"] as? String == "1.0" })

            let schema = try drshard("schema", shards, "--json").json
            let columns = try #require(schema["columns"] as? [[String: Any]]).compactMap { $0["name"] as? String }
            #expect(
                columns == [
                    "uid", "sha256", "url", "original_size", "image", "augmentation", "image_emb", "text", "text_emb",
                    "syn_text", "syn_text_emb",
                ])
            let teachers = try #require(schema["teachers"] as? [[String: Any]])
            #expect(teachers.map { $0["name"] as? String } == ["first", "second"])
            #expect(teachers.map { $0["normalised"] as? String } == ["yes", "yes"])
            #expect(teachers[0]["logitScale"] as? Double == 100 && teachers[1]["logitScale"] == nil)

            let stats = try drshard("stats", shards, "--json").json
            let list = try #require(stats["columns"] as? [[String: Any]])
            #expect(list.compactMap { $0["name"] as? String } == columns)
            let embeddings = try #require(list[6]["total"] as? [String: Any])
            #expect(embeddings["cells"] as? Int == 36 && embeddings["plainBytes"] as? Int == 36 * 64)

            let head = try drshard(
                "head", shards, "--rows", "1", "--skip", "11", "--column", "image_emb", "--variant", "2")
            #expect(head.lines.count == 2 && head.lines[0] == "row 11")
            #expect(head.lines[1].hasPrefix("  image_emb[2]: bf16 [") && head.lines[1].hasSuffix("32 in all]"))
        }
    }

    @Test func dumpHasALineForEveryCell() throws {
        try withFolder { folder in
            let shards = try convertedSample(in: folder)
            let dump = try drshard("dump", shards + "/00000000.drs")
            #expect(dump.status == 0 && dump.error.isEmpty)
            #expect(dump.lines.first == "drshard-dump 1" && dump.lines.contains("rows 6"))
            // 5 columns of the sample, 3 of one view each, of real captions 2, of synthetic ones 2.
            #expect(dump.lines.filter { $0.hasPrefix("cell ") }.count == 6 * (5 + 2 * 3 + 2 + 2 * 5))
        }
    }

    @Test func theSameInputGivesTheSameBytes() throws {
        try withFolder { folder in
            let shards = try convertedSample(in: folder)
            let again = try drshard(
                "convert", folder + "/in/reinforced", "--captions", folder + "/in/captions", "--output",
                folder + "/again")
            #expect(again.status == 0)
            for name in ["/00000000.drs", "/00000001.drs"] {
                #expect(try readFile(shards + name) == readFile(folder + "/again" + name))
            }
        }
    }

    @Test func nothingIsSaidOnStandardErrorWhereItIsNoTerminal() throws {
        try withFolder { folder in
            let shards = try convertedSample(in: folder)
            let converted = try drshard("convert", folder + "/in/reinforced", "--output", folder + "/other")
            #expect(converted.status == 0 && converted.error.isEmpty)
            #expect(converted.lines.count == 1 && converted.output.hasPrefix("12 rows in 2 shards, "))
            for command in ["verify", "inspect", "schema", "stats", "head"] {
                let outcome = try drshard(command, shards)
                #expect(outcome.status == 0 && outcome.error.isEmpty && !outcome.output.isEmpty, "\(command)")
            }
        }
    }

    @Test func floatsAreRoundedUnlessTheyAreKept() throws {
        try withFolder { folder in
            let kept = try convertedSample(in: folder, "--format", "float32", converting: ["--keep-f32"])
            let rounded = folder + "/rounded"
            #expect(try drshard("convert", folder + "/in/reinforced", "--output", rounded).status == 0)
            for (shards, element) in [(kept, "f32"), (rounded, "bf16")] {
                let columns = try #require(try drshard("schema", shards, "--json").json["columns"] as? [[String: Any]])
                let found = columns.first { $0["name"] as? String == "text_emb" }?["element"] as? String
                #expect(found == element)
            }
        }
    }

    @Test func imagesAreStoredOrLocatedOrLeftOut() throws {
        try withFolder { folder in
            _ = try convertedSample(in: folder)
            for (images, type) in [("store", "binary"), ("locate", "locator"), ("none", nil)] {
                let shards = folder + "/" + images
                let outcome = try drshard(
                    "convert", folder + "/in/reinforced", "--captions", folder + "/in/captions", "--images", images,
                    "--output", shards)
                #expect(outcome.status == 0)
                let columns = try #require(try drshard("schema", shards, "--json").json["columns"] as? [[String: Any]])
                #expect(columns.first { $0["name"] as? String == "image" }?["type"] as? String == type)
            }
        }
    }

    @Test func verifyFindsAByteThatWasChanged() throws {
        try withFolder { folder in
            let path = try convertedSample(in: folder) + "/00000001.drs"
            try damageUnit(path, column: "image")
            let outcome = try drshard("verify", folder + "/shards")
            #expect(outcome.status == 1)
            #expect(outcome.output.contains("00000000.drs: sound\n"))
            #expect(
                outcome.output.contains(
                    /00000001\.drs, row group 0, column "\w+", variant \d.*, byte \d+: checksum mismatch/))
            let data = Data(try drshard("verify", "--json", path).output.utf8)
            let results = try #require(try JSONSerialization.jsonObject(with: data) as? [[String: Any]])
            #expect((results[0]["findings"] as? [Any])?.isEmpty == false)
        }
    }

    @Test func aClosedPipeIsNoCrashAndAFullDeviceIsExitCode3() throws {
        try withFolder { folder in
            let shards = try convertedSample(in: folder)
            let closed = try run(
                "/bin/sh", ["-c", "\"$0\" dump \"$1\" | head -n 1; true", program, shards + "/00000000.drs"])
            #expect(closed.output == "drshard-dump 1\n" && closed.error.isEmpty)
            guard FileManager.default.fileExists(atPath: "/dev/full") else { return }
            let full = try run("/bin/sh", ["-c", "\"$0\" dump \"$1\" > /dev/full", program, shards + "/00000000.drs"])
            #expect(full.status == 3 && full.error.contains("cannot write to standard output"))
        }
    }
}
