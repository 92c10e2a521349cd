import DRConvert
import DRShardFormat
import Foundation
import Testing

/// Converts `folder/in` into `folder/out`.
func convertArrays(_ folder: String, _ arguments: String..., output: String = "out") throws -> Outcome {
    try drshard(["convert", folder + "/in", "--output", folder + "/" + output] + arguments)
}

/// The arrays of the shards in a folder, as `export` writes them.
private func exported(_ shards: String, to folder: String) throws -> [String: [UInt8]] {
    let outcome = try drshard("export", shards, "--to", "npy", "--output", folder)
    try #require(outcome.status == 0, "\(outcome.error)")
    var arrays: [String: [UInt8]] = [:]
    for shard in names(folder) {
        for name in names(folder + "/" + shard) { arrays[name] = try readFile("\(folder)/\(shard)/\(name)") }
    }
    return arrays
}

private func expectEqual(_ a: String, _ b: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let outcome = try drshard("diff", a, b, "--full")
    #expect(outcome.status == 0, "\(outcome.output)\(outcome.error)", sourceLocation: sourceLocation)
}

@Suite struct ArrayConversionTests {
    @Test(
        arguments: [
            ["npy"], ["npy", "--bf16-as", "u16"], ["npz"], ["npz", "--bf16-as", "u16"], ["safetensors"],
            ["safetensors", "--element", "f32"],
        ])
    func whatWasExportedIsReadBackBitForBit(to format: [String]) throws {
        try withFolder { folder in
            let shards = try convertedSample(in: folder, "--shards", "2", converting: ["--images", "none"])
            let export = try drshard(
                ["export", shards, "--output", folder + "/arrays", "--with-jsonl", "--to"] + format)
            try #require(export.status == 0, "\(export.error)")
            let outcome = try drshard(
                "convert", folder + "/arrays", "--output", folder + "/again", "--verify", "--jobs", "2")
            #expect(outcome.status == 0, "\(outcome.error)")
            try expectEqual(shards, folder + "/again")
        }
    }

    @Test func float32StaysAsItIsWhereItIsKept() throws {
        try withFolder { folder in
            let options = ["--images", "none", "--keep-f32"]
            let shards = try convertedSample(in: folder + "/of", "--format", "float32", converting: options)
            _ = try drshard("export", shards, "--output", folder + "/in", "--with-jsonl", "--to", "npz")
            let kept = try convertArrays(folder, "--keep-f32", "--verify")
            #expect(kept.status == 0, "\(kept.error)")
            try expectEqual(shards, folder + "/out")
            let rounded = try convertArrays(folder, output: "rounded")
            #expect(rounded.output.contains("bfloat16 cost all dimensions"))
            #expect(try drshard("diff", shards, folder + "/rounded").status == 1)
        }
    }

    @Test func aFolderOfArraysBecomesAShardOfItsNameWithEveryNumberInIt() throws {
        try withFolder { folder in
            let sample = try ArraySample()
            try sample.write(folder + "/in/mine")
            let outcome = try convertArrays(folder, "--keep-f32")
            #expect(outcome.status == 0, "\(outcome.error)")
            #expect(names(folder + "/out") == ["mine.drs", "report.json"])
            let arrays = try exported(folder + "/out", to: folder + "/back")
            for name in ["image_emb", "text_emb", "syn_text_emb"] {
                #expect(arrays[name + ".npy"] == sample.arrays[name], "\(name)")
            }
            let lines = try drshard("export", folder + "/out", "--to", "jsonl", "--output", folder + "/lines")
            #expect(lines.status == 0)
            let first = String(decoding: try readFile(folder + "/lines/mine.jsonl"), as: UTF8.self).split(
                separator: "\n")[0]
            for part in [#""text": "a cat 0""#, #""syn_text": ["one", "two"]"#, #""original_height": 9"#] {
                #expect(first.contains(part), "\(first)")
            }
        }
    }

    @Test func aDeflatedNpzGivesTheShardsOfTheSameFolder() throws {
        try withFolder { folder in
            let sample = try ArraySample()
            try sample.write(folder + "/in/a")
            try sample.writeNpz(folder + "/a")
            #expect(try convertArrays(folder).status == 0)
            let outcome = try drshard("convert", folder + "/a.npz", "--output", folder + "/npz", "--verify")
            #expect(outcome.status == 0, "\(outcome.error)")
            try expectEqual(folder + "/out", folder + "/npz")
        }
    }

    @Test func anArrayWithoutAnAxisIsOfOneViewOrCaption() throws {
        try withFolder { folder in
            var sample = try ArraySample()
            sample.arrays["image_emb"] = try sample.embeddings([])
            sample.arrays["text_emb"] = try sample.embeddings([])
            sample.arrays["syn_text_emb"] = nil
            sample.lines = (0..<5).map { #"{"text": "\#($0)"}"# }
            try sample.write(folder + "/in")
            let outcome = try convertArrays(folder, "--json")
            #expect(outcome.status == 0, "\(outcome.error)")
            let text = try drshard("inspect", folder + "/out").output
            #expect(text.contains("image_emb") && !text.contains("syn_text"), "\(text)")
        }
    }

    @Test func jobsAndAStoppedRunMakeTheSameShards() throws {
        try withFolder { folder in
            for (number, name) in ["a", "b", "c"].enumerated() {
                try ArraySample(first: 5 * number).write(folder + "/in/" + name)
            }
            try #require(try convertArrays(folder).status == 0)
            try #require(try convertArrays(folder, "--jobs", "3", "--verify", output: "jobs").status == 0)
            try FileManager.default.removeItem(atPath: folder + "/jobs/b.drs")
            let resumed = try convertArrays(folder, "--resume", "--json", output: "jobs")
            #expect(resumed.status == 0, "\(resumed.error)")
            #expect(try resumed.json["resumedShards"] as? Int == 2)
            for name in ["a.drs", "b.drs", "c.drs"] {
                #expect(try readFile("\(folder)/out/\(name)") == readFile("\(folder)/jobs/\(name)"), "\(name)")
            }
            // Of a changed input the shard is not taken over.
            try ArraySample(rows: 4, first: 20).write(folder + "/in/a")
            let changed = try convertArrays(folder, "--resume", output: "jobs")
            #expect(changed.status == 1 && changed.error.contains("another input"), "\(changed.error)")
        }
    }

    @Test func aDryRunSaysWhatWouldBeMadeAndWritesNothing() throws {
        try withFolder { folder in
            try ArraySample().write(folder + "/in/a")
            let outcome = try convertArrays(folder, "--dry-run", "--json")
            #expect(outcome.status == 0, "\(outcome.error)")
            #expect(try outcome.json["estimatedRows"] as? Int == 5)
            #expect(names(folder) == ["in"])
        }
    }

    // MARK: What the inputs are

    @Test func aFolderOfTarsAndArraysIsNotGuessedAt() throws {
        try withFolder { folder in
            try ArraySample(first: 8).write(folder + "/in/a")
            try writeTar(folder + "/in/b.tar", [SampleMembers(1)])
            let outcome = try convertArrays(folder)
            #expect(outcome.status == 2 && outcome.error.contains("--from arrays"), "\(outcome.error)")
            #expect(try convertArrays(folder, "--from", "arrays", output: "a").status == 0)
            #expect(names(folder + "/a") == ["a.drs", "report.json"])
            #expect(try convertArrays(folder, "--from", "datacompdr", output: "b").status == 0)
            #expect(names(folder + "/b") == ["b.drs", "report.json"])
            let both = try drshard("convert", folder + "/in/a", folder + "/in/b.tar", "--output", folder + "/c")
            #expect(both.status == 2 && both.error.contains("one after the other"), "\(both.error)")
        }
    }

    @Test func whatIsForArraysIsRefusedForTars() throws {
        try withFolder { folder in
            try writeTar(folder + "/in.tar", [SampleMembers(1)])
            let outcome = try drshard("convert", folder + "/in.tar", "--output", folder + "/out", "--hash-ids")
            #expect(outcome.status == 2 && outcome.error.contains("for arrays"), "\(outcome.error)")
            let empty = try drshard("convert", folder, "--output", folder + "/out", "--from", "arrays")
            #expect(empty.status == 3 && empty.error.contains("image_emb.npy"), "\(empty.error)")
        }
    }

    // MARK: Names

    @Test func thePrintedExampleConvertsWhatItDescribes() throws {
        try withFolder { folder in
            let example = try drshard("convert", "--print-columns-example")
            try #require(example.status == 0)
            try writeFile(folder + "/columns.json", example.output.utf8)
            var sample = try ArraySample(rows: 2, dims: 768)
            let captions = ["1", "2", "3", "4", "5"].map { "\"\($0)\"" }.joined(separator: ", ")
            sample.arrays = [
                "ids": try ArraySample.uids(0..<2), "clip_image": try sample.embeddings([2]),
                "captions": try sample.embeddings([6]), "labels": try ArraySample.array(.i32, [1], [1, 0, 0, 0]),
            ]
            sample.lines = (0..<2).map {
                #"{"id": "\#(ArraySample.uid($0))", "caption": "a", "synthetic_captions": [\#(captions)], "score": 1}"#
            }
            try sample.write(folder + "/in/a")
            let arguments = ["--columns", folder + "/columns.json", "--captioner", "another"]
            let outcome = try drshard(["convert", folder + "/in", "--output", folder + "/out"] + arguments)
            #expect(outcome.status == 0, "\(outcome.error)")
            let text = try drshard("inspect", folder + "/out").output
            for part in ["ViT-L-14:openai", "my captions", "CC-BY-4.0"] { #expect(text.contains(part), "\(text)") }
            // An option counts before the file.
            #expect(text.contains("another") && !text.contains("coca_ViT-L-14"), "\(text)")
        }
    }

    @Test(
        arguments: [
            (#"{"array": {}}"#, "known are arrays, fields, ignore"), (#"{"arrays": {"images": "x"}}"#, "image_emb"),
            (#"{"fields": {"caption": "x"}}"#, "original_width"), (#"{"arrays": {"uids": ""}}"#, "not empty"),
            (#"{"arrays": {"uids": "a", "uid": "a"}}"#, "twice"), (#"{"text_rows": "real"}"#, "real=0,syn=1-5"),
            (#"{"text_rows": 1}"#, "expected a string"), (#"{"teachers": [{"name": "a"}]}"#, "a name and a count"),
            (#"{"teachers": [{"names": "a"}]}"#, "logit_scale"), (#"{"teachers": {}}"#, "expected an array"),
            (#"{"captioners": {"text": "a"}}"#, "syn_text"), (#"{"ignore": [1]}"#, "ignore[0]"), ("[]", "an object"),
            (#"{"ignore": ["a"], "arrays": {"uids": "a"}}"#, "among the arrays"), (#"{"arrays": "#, "JSON ends"),
            (#"{"ignore": [], "ignore": []}"#, "twice"),
        ])
    func aColumnsFileThatIsWrongSaysWhatWouldBeRight(text: String, expected: String) throws {
        try withFolder { folder in
            try ArraySample().write(folder + "/in/a")
            try writeFile(folder + "/columns.json", text.utf8)
            let outcome = try convertArrays(folder, "--columns", folder + "/columns.json")
            #expect(outcome.status == 1 && outcome.error.contains(expected), "\(outcome.error)")
            #expect(outcome.error.contains("columns.json") && names(folder + "/out").isEmpty)
        }
    }

    @Test func namesThatAreMappedToNothingAreMistakes() throws {
        try withFolder { folder in
            try ArraySample().write(folder + "/in/a")
            for (text, expected) in [
                (#"{"fields": {"text": "captoin"}}"#, "\"captoin\""), (#"{"arrays": {"sha256": "sum"}}"#, "\"sum\""),
            ] {
                try writeFile(folder + "/columns.json", text.utf8)
                let outcome = try convertArrays(folder, "--columns", folder + "/columns.json")
                #expect(outcome.status == 1 && outcome.error.contains(expected), "\(outcome.error)")
            }
        }
    }

    @Test func anArrayOfAnotherNameIsLeftOutOnlyByThoseWhoSaySo() throws {
        try withFolder { folder in
            var sample = try ArraySample()
            sample.arrays["labels"] = try ArraySample.array(.u8, [5], [1, 2, 3, 4, 5])
            sample.arrays["labels_state"] = sample.arrays["labels"]
            try sample.write(folder + "/in/a")
            let refused = try convertArrays(folder)
            #expect(refused.status == 1 && refused.error.contains("--ignore-array labels"), "\(refused.error)")
            #expect(try convertArrays(folder, "--ignore-array", "labels").status == 0)
        }
    }

    // MARK: Ids

    @Test func idsOfPeopleBecomeUIDsOnlyWhenThatIsAskedForAndTheSchemaSaysSo() throws {
        try withFolder { folder in
            var sample = try ArraySample()
            sample.arrays["uids"] = nil
            sample.lines = (0..<5).map { ArraySample.line($0, uid: "cat-\($0)") }
            try sample.write(folder + "/in/a")
            let refused = try convertArrays(folder)
            #expect(refused.status == 1 && refused.error.contains("line 1") && refused.error.contains("--hash-ids"))
            let outcome = try convertArrays(folder, "--hash-ids")
            #expect(outcome.status == 0, "\(outcome.error)")
            let lines = try drshard("head", folder + "/out", "--rows", "1", "--column", "uid").output
            // printf cat-0 | sha256sum
            #expect(lines.contains(hash("cat-0")), "\(lines)")
            #expect(try drshard("inspect", folder + "/out").output.contains("SHA-256 of each id's text"))
        }
    }

    private func hash(_ text: String) -> String {
        SHA256.digest(Array(text.utf8)).prefix(16).map { String(format: "%02x", $0) }.joined()
    }

    @Test func numbersAreIdsOnlyWhenTheyAreHashedAndAsTheirDecimals() throws {
        try withFolder { folder in
            var sample = try ArraySample(rows: 2)
            sample.arrays["uids"] = nil
            sample.arrays["uid"] = try ArraySample.array(.i32, [2], [0xFE, 0xFF, 0xFF, 0xFF, 7, 0, 0, 0])
            sample.lines = []
            try sample.write(folder + "/in/a")
            let refused = try convertArrays(folder)
            #expect(refused.status == 1 && refused.error.contains("--hash-ids"), "\(refused.error)")
            #expect(try convertArrays(folder, "--hash-ids").status == 0)
            let dump = try drshard("head", folder + "/out", "--rows", "2", "--column", "uid").output
            #expect(dump.contains(hash("-2")) && dump.contains(hash("7")), "\(dump)")
        }
    }

    @Test func uidsThatNumPyPacksAsPairsAndBytesAreTheSame() throws {
        try withFolder { folder in
            var sample = try ArraySample(rows: 1)
            sample.lines = []
            let pair = Array(repeating: UInt8(0x10), count: 7) + [0xAB] + [1, 2, 3, 4, 5, 6, 7, 8]
            let header = "{'descr': [('f0', '<u8'), ('f1', '<u8')], 'fortran_order': False, 'shape': (1,), }\n"
            sample.arrays["uids"] =
                [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count), 0] + Array(header.utf8) + pair
            try sample.write(folder + "/in/a")
            #expect(try convertArrays(folder).status == 0)
            let uid = "ab10101010101010" + "0807060504030201"
            #expect(try drshard("head", folder + "/out", "--column", "uid").output.contains(uid))
            sample.arrays["uids"] = nil
            sample.arrays["uid"] = try ArraySample.array(
                .u8, [1, 16], pair[..<8].reversed() + pair[8...].reversed())
            try FileManager.default.removeItem(atPath: folder + "/in")
            try sample.write(folder + "/in/a")
            #expect(try convertArrays(folder, output: "bytes").status == 0)
            try expectEqual(folder + "/out", folder + "/bytes")
            let useless = try convertArrays(folder, "--hash-ids", output: "hashed")
            #expect(useless.status == 1 && useless.error.contains("leave it out"), "\(useless.error)")
        }
    }

    // MARK: Texts

    @Test func rowsOfTextEmbAreWhatCaptionsSayTheyAreAndElseNothing() throws {
        try withFolder { folder in
            var sample = try ArraySample()
            sample.arrays["syn_text_emb"] = nil
            sample.arrays["text_emb"] = try sample.embeddings([3])
            try sample.write(folder + "/in/a")
            #expect(
                try convertArrays(folder, "--keep-f32", "--text-rows", "real=0,syn=1-2", output: "said").status == 0)
            #expect(try convertArrays(folder, "--keep-f32").status == 0)
            try expectEqual(folder + "/out", folder + "/said")
            let other = try convertArrays(folder, "--text-rows", "real=0,syn=1", output: "other")
            #expect(other.status == 1 && other.error.contains("there are 2 captions"), "\(other.error)")

            // Without captions nobody knows.
            sample.lines = []
            try FileManager.default.removeItem(atPath: folder + "/in")
            try sample.write(folder + "/in/a")
            let unknown = try convertArrays(folder, output: "unknown")
            #expect(unknown.status == 1 && unknown.error.contains("--text-rows"), "\(unknown.error)")
            #expect(try convertArrays(folder, "--text-rows", "real=1,syn=2+0", output: "told").status == 0)
            let text = try drshard("inspect", folder + "/told").output
            #expect(text.contains("syn_text_emb") && !text.contains("utf8"), "\(text)")
        }
    }

    @Test func countsOfCaptionsThatDoNotFitAreRefused() throws {
        try withFolder { folder in
            var sample = try ArraySample()
            sample.arrays["syn_text_emb"] = try sample.embeddings([3])
            try sample.write(folder + "/in/a")
            let outcome = try convertArrays(folder)
            #expect(outcome.status == 1 && outcome.error.contains("2 captions \"syn_text\" and 3"), "\(outcome.error)")
            sample.arrays["syn_text_emb"] = nil
            sample.arrays["text_emb"] = nil
            try FileManager.default.removeItem(atPath: folder + "/in")
            try sample.write(folder + "/in/a")
            let none = try convertArrays(folder)
            #expect(none.status == 1 && none.error.contains("no syn_text_emb"), "\(none.error)")
        }
    }

    @Test func aTextThatIsNullIsAnAbsentCell() throws {
        try withFolder { folder in
            var sample = try ArraySample()
            sample.lines[2] = sample.lines[2].replacingOccurrences(of: "\"a cat 2\"", with: "null")
            sample.lines[3] = sample.lines[3].replacingOccurrences(of: "\"two\"", with: "null")
            try sample.write(folder + "/in/a")
            let outcome = try convertArrays(folder, "--json", "--verify")
            #expect(outcome.status == 0, "\(outcome.error)")
            #expect(try outcome.json["rowsWithoutCaption"] as? Int == 1)
            let out = folder + "/lines"
            #expect(try drshard("export", folder + "/out", "--to", "jsonl", "--output", out).status == 0)
            let lines = String(decoding: try readFile(out + "/a.jsonl"), as: UTF8.self).split(separator: "\n")
            #expect(lines[2].contains(#""text": null"#) && lines[3].contains(#"["one", null]"#), "\(lines)")
        }
    }

    @Test func tokensAreAcceptedOnlyWhenTheTextsGiveThem() throws {
        try withFolder { folder in
            let vocabulary = try Deflate.compress(Array("v\na b</w>\nt h\nth e</w>\n".utf8), as: .gzip)
            try writeFile(folder + "/vocabulary.gz", vocabulary)
            try ArraySample().write(folder + "/in/a")
            let tokenizer = ["--tokenizer", folder + "/vocabulary.gz"]
            let shards = folder + "/out"
            _ = try drshard(["convert", folder + "/in", "--output", shards] + tokenizer)
            let export = folder + "/export"
            try #require(
                try drshard("export", shards, "--to", "npy", "--output", export, "--with-jsonl").status == 0)
            let again = try drshard(["convert", export, "--output", folder + "/again"] + tokenizer)
            #expect(again.status == 0, "\(again.error)")
            try expectEqual(shards, folder + "/again")

            let without = try drshard("convert", export, "--output", folder + "/without")
            #expect(without.status == 1 && without.error.contains("--ignore-array syn_tokens"), "\(without.error)")
            let left = ["--ignore-array", "tokens", "--ignore-array", "syn_tokens"]
            #expect(try drshard(["convert", export, "--output", folder + "/left"] + left).status == 0)

            var tokens = try readFile(export + "/a/tokens.npy")
            // The second token of the first text.
            tokens[128 + 8] ^= 1
            try writeFile(export + "/a/tokens.npy", tokens)
            let other = try drshard(["convert", export, "--output", folder + "/other"] + tokenizer)
            #expect(other.status == 1 && other.error.contains("not those that the tokenizer makes"), "\(other.error)")
            try FileManager.default.removeItem(atPath: export + "/a.jsonl")
            let textless = try drshard(["convert", export, "--output", folder + "/textless"] + tokenizer)
            #expect(textless.status == 1 && textless.error.contains("lines with the texts"), "\(textless.error)")
        }
    }
}
