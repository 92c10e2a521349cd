import DRConvert
import DRShardFormat
import Foundation
import Testing

/// One kind of bad input: what is done to the second of three samples, and what the error must say.
struct BadInput: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let says: [String]
    var code: Int32 = 1
    let spoil: @Sendable (inout SampleMembers) throws -> Void

    static let all: [BadInput] = [
        .init(testDescription: "truncated gzip", says: ["pth.gz", "truncated"]) { sample in
            let torch = try TorchWriter.write([("image_emb", matrix(2)), ("text_emb", matrix(3))])
            sample.members["npz"] = nil
            sample.members["pth.gz"] = Array(try Deflate.compress(torch, as: .gzip).dropLast(20))
        },
        .init(testDescription: "truncated zip", says: ["npz", "truncated"]) { sample in
            sample.members["npz"] = Array(try #require(sample.members["npz"]).dropLast(30))
        },
        .init(testDescription: "pickle that calls a function", says: ["pth.gz", "os.system"]) { sample in
            var zip = ZipWriter(style: .torch)
            try zip.add("archive/data.pkl", Array("cos\nsystem\n(S'touch /tmp/drshard-was-here'\ntR.".utf8))
            try zip.add("archive/version", Array("3\n".utf8))
            sample.members["npz"] = nil
            sample.members["pth.gz"] = try Deflate.compress(zip.finish(), as: .gzip)
        },
        .init(testDescription: "NaN", says: ["image_emb: row 1, dimension 2 is NaN or infinite"]) { sample in
            try sample.setEmbeddings(image: matrix(2, changing: 6, to: .nan), text: matrix(3))
        },
        .init(testDescription: "infinity", says: ["text_emb: row 2, dimension 3 is NaN or infinite"]) { sample in
            try sample.setEmbeddings(image: matrix(2), text: matrix(3, changing: 11, to: -.infinity))
        },
        .init(testDescription: "NaN in rounding", says: ["text_emb: row 0, dimension 0 is NaN or infinite"]) { sample in
            try sample.setEmbeddings(image: matrix(2), text: matrix(3, changing: 0, to: Float(bitPattern: 0x7FFF_FFFF)))
        },
        .init(testDescription: "wrong element type", says: ["image_emb is i64, expected float"]) { sample in
            try sample.setEmbeddings(image: matrix(2, element: .i64), text: matrix(3, element: .i64))
        },
        .init(
            testDescription: "another element type", says: ["embeddings of f16, where the set's first sample has f32"]
        ) { sample in
            try sample.setEmbeddings(image: matrix(2, element: .f16), text: matrix(3, element: .f16))
        },
        .init(testDescription: "wrong rank", says: ["image_emb has shape [8], expected [rows, dims]"]) { sample in
            try sample.setEmbeddings(image: .init(element: .f32, shape: [8], bytes: matrix(2).bytes), text: matrix(3))
        },
        .init(testDescription: "wrong dims", says: ["dims of image_emb: 2, where the set's first sample has 4"]) {
            sample in
            try sample.setEmbeddings(image: matrix(2, dims: 2), text: matrix(3, dims: 2))
        },
        .init(testDescription: "too few views", says: ["param_aug has 2 entries, image_emb has 1 rows"]) { sample in
            try sample.setEmbeddings(image: matrix(1), text: matrix(3))
        },
        .init(
            testDescription: "too many text rows",
            says: ["text_emb has 4 rows, where the set's first sample has 3"]
        ) { sample in
            try sample.setEmbeddings(image: matrix(2), text: matrix(4))
        },
        .init(testDescription: "missing uid", says: [".json", "there is no \"uid\""]) { sample in
            sample.members["json"] = Array("{}".utf8)
        },
        .init(testDescription: "another uid", says: ["uid \"0\" differs from the sample's name"]) { sample in
            sample.members["json"] = Array(#"{"uid": "0"}"#.utf8)
        },
        .init(testDescription: "missing member", says: ["has no paug.json"]) { $0.members["paug.json"] = nil },
        .init(testDescription: "missing embeddings", says: ["has none of npz, pth.gz, pth"]) {
            $0.members["npz"] = nil
        },
        .init(testDescription: "damaged JSON", says: ["syn.json"]) {
            $0.members["syn.json"] = Array(#"{"syn_text": ["#.utf8)
        },
        .init(testDescription: "empty crop", says: ["param_aug[0][0][2]: 0"]) { sample in
            sample.members["paug.json"] = Array(#"{"param_aug": [[[0,0,0,8],[]],[[1,1,4,4],[]]]}"#.utf8)
        },
        .init(testDescription: "caption that is not UTF-8", says: ["url.txt", "not UTF-8"]) {
            $0.members["url.txt"] = [0xFF]
        },
    ]
}

/// Three samples, the second of them spoilt.
private func samples(_ bad: BadInput) throws -> [SampleMembers] {
    var samples = try (1...3).map { try SampleMembers($0) }
    try bad.spoil(&samples[1])
    return samples
}

/// A conversion failed as it should: nothing under the final name, nothing unfinished.
private func expectNothing(_ folder: String, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(names(folder).isEmpty, sourceLocation: sourceLocation)
}

@Suite struct BadInputTests {
    @Test(arguments: BadInput.all) func badSampleEndsTheConversion(_ bad: BadInput) throws {
        try withFolder { folder in
            try writeTar(folder + "/a.tar", try samples(bad))
            let outcome = try drshard("convert", folder + "/a.tar", "--output", folder + "/out")
            #expect(outcome.status == bad.code, "\(outcome.error)")
            #expect(outcome.output.isEmpty)
            // What, where, what to do.
            let second = try SampleMembers(2).uid
            for text in bad.says + ["a.tar", second, "byte ", "--on-error skip"] {
                #expect(outcome.error.contains(text), "\(text) is not in: \(outcome.error)")
            }
            #expect(outcome.error.split(separator: "\n").count == 1)
            expectNothing(folder + "/out")
        }
    }

    @Test(arguments: BadInput.all) func badSampleIsSkippedAndListed(_ bad: BadInput) throws {
        try withFolder { folder in
            try writeTar(folder + "/a.tar", try samples(bad))
            let outcome = try drshard(
                "convert", folder + "/a.tar", "--output", folder + "/out", "--on-error", "skip", "--json")
            #expect(outcome.status == 0, "\(outcome.error)")
            #expect(try outcome.json["rows"] as? Int == 2)
            let report = try #require(
                try JSONSerialization.jsonObject(with: Data(readFile(folder + "/out/report.json"))) as? [String: Any])
            let skipped = try #require(report["skipped"] as? [[String: String]])
            #expect(skipped.count == 1)
            #expect(skipped.first?["what"] == "\(folder)/a.tar: sample \(try SampleMembers(2).uid)")
            for text in bad.says { #expect(skipped.first?["why"]?.contains(text) == true, "\(skipped)") }
            #expect(names(folder + "/out") == ["a.drs", "report.json"])
            #expect(try drshard("verify", "--decode", folder + "/out").status == 0)
        }
    }

    @Test func aPickleIsNeverExecuted() { #expect(!FileManager.default.fileExists(atPath: "/tmp/drshard-was-here")) }

    @Test(arguments: BadInput.all) func badFirstSampleDoesNotStopSkipping(_ bad: BadInput) throws {
        // The set's shape comes from the first sample that can be read.
        try withFolder { folder in
            var list = try (1...3).map { try SampleMembers($0) }
            try bad.spoil(&list[0])
            try writeTar(folder + "/a.tar", list)
            let outcome = try drshard("convert", folder + "/a.tar", "--output", folder + "/out", "--on-error", "skip")
            #expect(outcome.status >= 0 && outcome.status <= 3, "\(outcome.error)")
            #expect(names(folder + "/out").allSatisfy { !$0.hasSuffix(".part") })
        }
    }

    @Test func truncatedTarIsNotConverted() throws {
        try withFolder { folder in
            try writeTar(folder + "/a.tar", try (1...3).map { try SampleMembers($0) })
            let bytes = try readFile(folder + "/a.tar")
            for count in [0, 100, 512, 700, bytes.count / 2, bytes.count / 2 + 512] {
                try writeFile(folder + "/a.tar", bytes.prefix(count))
                let outcome = try drshard("convert", folder + "/a.tar", "--output", folder + "/out")
                #expect(outcome.status == 1, "\(count) bytes: \(outcome.error)")
                #expect(
                    outcome.error.contains("a.tar") && outcome.error.contains("--on-error skip"), "\(outcome.error)")
                expectNothing(folder + "/out")
            }
        }
    }

    @Test func whatIsWholeInATruncatedTarIsKeptUnderSkip() throws {
        try withFolder { folder in
            try writeTar(folder + "/a.tar", try (1...8).map { try SampleMembers($0) })
            try writeFile(folder + "/a.tar", try readFile(folder + "/a.tar").prefix(20_000))
            let outcome = try drshard(
                "convert", folder + "/a.tar", "--output", folder + "/out", "--on-error", "skip", "--json")
            #expect(outcome.status == 0)
            let report = try outcome.json
            let rows = try #require(report["rows"] as? Int)
            #expect((1...7).contains(rows))
            let skipped = try #require(report["skipped"] as? [[String: String]])
            #expect(skipped.map { $0["what"] } == ["the rest of \(folder)/a.tar, after \(rows) samples"])
        }
    }

    @Test func duplicateUIDIsFoundInATarAndBetweenTars() throws {
        try withFolder { folder in
            let list = try [1, 2, 1, 3].map { try SampleMembers($0) }
            try writeTar(folder + "/a.tar", list)
            try writeTar(folder + "/b.tar", Array(list[1...1]) + [try SampleMembers(4)])
            let inOne = try drshard("convert", folder + "/a.tar", "--output", folder + "/out")
            #expect(inOne.status == 1 && inOne.error.contains("\"\(list[0].uid)\" comes a second time"))
            expectNothing(folder + "/out")
            let skipping = try drshard(
                "convert", folder + "/a.tar", folder + "/b.tar", "--output", folder + "/out", "--on-error", "skip",
                "--json")
            #expect(skipping.status == 0)
            #expect(try skipping.json["rows"] as? Int == 4)
            let why = try #require(skipping.json["skipped"] as? [[String: String]]).compactMap { $0["why"] }
            #expect(
                why.count == 2 && why[0].contains("comes a second time") && why[1].contains("this uid was there before")
            )
        }
    }

    @Test func aSampleWithoutItsCaptionIsBadInputAndACaptionWithoutItsSampleIsCounted() throws {
        try withFolder { folder in
            let list = try (1...3).map { try SampleMembers($0) }
            try FileManager.default.createDirectory(atPath: folder + "/captions", withIntermediateDirectories: false)
            try writeTar(folder + "/captions/a.tar", captions(of: Array(list[0...1])))
            try writeTar(folder + "/a.tar", list)
            let arguments = ["convert", folder + "/a.tar", "--captions", folder + "/captions", "--output"]
            let outcome = try drshard(arguments + [folder + "/missing"])
            #expect(outcome.status == 1)
            for text in ["there is no caption for it", list[2].uid, "--on-error skip"] {
                #expect(outcome.error.contains(text), "\(outcome.error)")
            }
            expectNothing(folder + "/missing")
            let skipping = try drshard(arguments + [folder + "/missing", "--on-error", "skip", "--json"])
            #expect(skipping.status == 0)
            #expect(try skipping.json["captionsMissing"] as? Int == 1)
            #expect(try skipping.json["rows"] as? Int == 2)
            try writeTar(folder + "/captions/a.tar", captions(of: list))
            try writeTar(folder + "/a.tar", Array(list.prefix(2)))
            let unpaired = try drshard(arguments + [folder + "/unpaired", "--json"])
            #expect(unpaired.status == 0, "\(unpaired.error)")
            #expect(try unpaired.json["unpairedCaptions"] as? Int == 1)
            #expect(try unpaired.json["rows"] as? Int == 2)
        }
    }

    @Test func badCaptionsEndTheConversionOrAreListed() throws {
        try withFolder { folder in
            let list = try (1...3).map { try SampleMembers($0) }
            try FileManager.default.createDirectory(atPath: folder + "/captions", withIntermediateDirectories: false)
            try writeTar(folder + "/a.tar", list)
            var texts = captions(of: list)
            texts[1].members["txt"] = [0xFF, 0xFE]
            try writeTar(folder + "/captions/a.tar", texts)
            let arguments = [
                "convert", folder + "/a.tar", "--captions", folder + "/captions", "--output", folder + "/out",
            ]
            let outcome = try drshard(arguments)
            #expect(outcome.status == 1)
            for text in ["captions/a.tar", list[1].uid, "not UTF-8", "--on-error skip"] {
                #expect(outcome.error.contains(text))
            }
            expectNothing(folder + "/out")
            texts.append(texts[0])
            try writeTar(folder + "/captions/a.tar", texts)
            let twice = try drshard(arguments)
            #expect(twice.status == 1 && twice.error.contains("comes a second time"), "\(twice.error)")
            expectNothing(folder + "/out")
            // The duplicate, and the row without its caption.
            let skipping = try drshard(arguments + ["--on-error", "skip", "--json"])
            #expect(skipping.status == 0, "\(skipping.error)")
            let report = try skipping.json
            #expect(report["rows"] as? Int == 2 && report["captionsMissing"] as? Int == 1)
            #expect((report["skipped"] as? [[String: String]])?.count == 2, "\(report)")
        }
    }

    @Test func outputThatExistsIsNotTouchedAndFoundBeforeAnyWork() throws {
        try withFolder { folder in
            try writeTar(folder + "/a.tar", [try SampleMembers(1)])
            try writeTar(folder + "/b.tar", [try SampleMembers(2)])
            try FileManager.default.createDirectory(atPath: folder + "/out", withIntermediateDirectories: false)
            for (name, says) in [
                ("b.drs", "exists already; remove it"),
                ("a.drs.part", "an unfinished file is there; resume it or remove it"),
            ] {
                try writeFile(folder + "/out/" + name, [1, 2, 3])
                let outcome = try drshard("convert", folder + "/a.tar", folder + "/b.tar", "--output", folder + "/out")
                #expect(outcome.status == 3)
                #expect(outcome.error.contains("/out/" + name) && outcome.error.contains(says), "\(outcome.error)")
                #expect(names(folder + "/out") == [name])
                #expect(try readFile(folder + "/out/" + name) == [1, 2, 3])
                try FileManager.default.removeItem(atPath: folder + "/out/" + name)
            }
        }
    }

    @Test func outputThatCannotBeMadeIsExitCode3() throws {
        try withFolder { folder in
            try writeTar(folder + "/a.tar", [try SampleMembers(1)])
            // A folder below a file can be made by nobody.
            let outcome = try drshard("convert", folder + "/a.tar", "--output", folder + "/a.tar/out")
            #expect(outcome.status == 3)
            #expect(outcome.error.contains(folder + "/a.tar/out"))
        }
    }

    @Test func inputThatCannotBeReadIsExitCode3() throws {
        try withFolder { folder in
            let out = folder + "/out"
            for input in [folder + "/missing.tar", folder] {
                let outcome = try drshard("convert", input, "--output", out)
                #expect(outcome.status == 3 && outcome.error.contains(input))
                expectNothing(out)
            }
            try writeTar(folder + "/a.tar", [try SampleMembers(1)])
            let vocabulary = try drshard(
                "convert", folder + "/a.tar", "--output", out, "--tokenizer", folder + "/none.gz")
            #expect(vocabulary.status == 3 && vocabulary.error.contains("none.gz"))
            let wrong = try drshard("convert", folder + "/a.tar", "--output", out, "--tokenizer", folder + "/a.tar")
            #expect(wrong.status == 1 && wrong.error.contains("a.tar"), "\(wrong.error)")
            expectNothing(out)
        }
    }

    @Test func twoInputsOfOneNameAreWrongUsage() throws {
        try withFolder { folder in
            try writeTar(folder + "/a.tar", [try SampleMembers(1)])
            let outcome = try drshard("convert", folder + "/a.tar", folder + "/a.tar", "--output", folder + "/out")
            #expect(outcome.status == 2 && outcome.error.contains("two inputs have this name"))
            expectNothing(folder + "/out")
        }
    }

    /// A limit on the size of files stands for a full disk.
    @Test(arguments: ["stop", "skip"]) func aFullDiskLeavesNothingBehind(_ onError: String) throws {
        try withFolder { folder in
            try #require(try drshard("sample", folder + "/in", "--samples", "40", "--shards", "1").status == 0)
            let script =
                "trap '' XFSZ; ulimit -f 100; exec \"$0\" convert \"$1/in/reinforced\" --output \"$1/out\" --rows-per-group 4 --on-error \"$2\""
            let outcome = try run("/bin/bash", ["-c", script, program, folder, onError])
            #expect(outcome.status == 3, "\(outcome.error)")
            #expect(outcome.error.contains("cannot write") && outcome.error.contains("00000000.drs.part"))
            expectNothing(folder + "/out")
        }
    }
}
