import DRConvert
import DRShardFormat
import Foundation
import Testing

/// Four tars of five samples each: `a.tar` to `d.tar`.
private func writeSet(_ folder: String) throws {
    for (number, name) in ["a", "b", "c", "d"].enumerated() {
        try writeTar(folder + "/\(name).tar", try (1...5).map { try SampleMembers(5 * number + $0) })
    }
}

/// The report of a folder, without what differs from run to run.
private func report(_ folder: String) throws -> NSDictionary {
    let object = try JSONSerialization.jsonObject(with: Data(readFile(folder + "/report.json")))
    let report = try #require(
        object as? NSMutableDictionary ?? (object as? NSDictionary)?.mutableCopy() as? NSMutableDictionary)
    report.removeObject(forKey: "seconds")
    return report
}

private func expectSameShards(_ a: String, _ b: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let shards = names(a).filter { $0.hasSuffix(".drs") }
    #expect(!shards.isEmpty && shards == names(b).filter { $0.hasSuffix(".drs") }, sourceLocation: sourceLocation)
    for name in shards {
        #expect(
            try readFile(a + "/" + name) == readFile(b + "/" + name), "\(name)", sourceLocation: sourceLocation)
    }
}

@Suite struct ConversionTests {
    @Test func anyNumberOfJobsMakesTheSameShardsAndTheSameReport() throws {
        try withFolder { folder in
            try writeSet(folder)
            for jobs in ["1", "2", "5"] {
                let outcome = try drshard(
                    "convert", folder, "--output", folder + "/out" + jobs, "--jobs", jobs, "--verify")
                #expect(outcome.status == 0, "\(outcome.error)")
                #expect(outcome.output.contains("20 rows were read again"))
                try expectSameShards(folder + "/out1", folder + "/out" + jobs)
                #expect(try report(folder + "/out1") == report(folder + "/out" + jobs))
            }
        }
    }

    @Test func ofTwoSamplesOfOneUIDThatOfTheLaterInputIsLeftOutWhateverTheJobs() throws {
        try withFolder { folder in
            try writeSet(folder)
            try writeTar(folder + "/b.tar", try [6, 2, 7].map { try SampleMembers($0) })
            let failed = try drshard("convert", folder, "--output", folder + "/stop", "--jobs", "4")
            #expect(failed.status == 1 && failed.error.contains("was in an input before"), "\(failed.error)")
            #expect(failed.error.contains("b.tar") && !names(folder + "/stop").contains("b.drs"))
            for jobs in ["1", "4"] {
                let out = folder + "/skip" + jobs
                let outcome = try drshard(
                    "convert", folder, "--output", out, "--jobs", jobs, "--on-error", "skip", "--json", "--verify")
                #expect(outcome.status == 0, "\(outcome.error)")
                #expect(try outcome.json["rows"] as? Int == 17)
                let skipped = try #require(outcome.json["skipped"] as? [[String: String]])
                #expect(skipped.map { $0["what"] } == ["\(folder)/b.tar: sample \(try SampleMembers(2).uid)"])
                try expectSameShards(folder + "/skip1", out)
            }
        }
    }

    @Test func aStoppedConversionGoesOnAndTrustsNothingHalfWritten() throws {
        try withFolder { folder in
            try writeSet(folder)
            let (whole, out) = (folder + "/whole", folder + "/out")
            try #require(try drshard("convert", folder, "--output", whole).status == 0)
            try #require(try drshard("convert", folder, "--output", out).status == 0)
            // Half a shard under the name of an unfinished one, one shard missing.
            try FileManager.default.removeItem(atPath: out + "/b.drs")
            try writeFile(out + "/b.drs.part", try readFile(whole + "/b.drs").prefix(3000))
            try FileManager.default.removeItem(atPath: out + "/d.drs")
            let again = try drshard("convert", folder, "--output", out)
            #expect(again.status == 3 && again.error.contains("exists already"), "\(again.error)")
            let resumed = try drshard("convert", folder, "--output", out, "--resume", "--jobs", "2", "--json")
            #expect(resumed.status == 0, "\(resumed.error)")
            #expect(try resumed.json["resumedShards"] as? Int == 2)
            #expect(try resumed.json["rows"] as? Int == 20 && resumed.json["crops"] as? Int == 40)
            try expectSameShards(whole, out)
            #expect(!names(out).contains { $0.hasSuffix(".part") })
        }
    }

    @Test(arguments: [["--images", "none"], ["--encoding", "plain"], ["--rows-per-group", "2"], ["--keep-f32"]])
    func shardsOfOtherOptionsAreNotTakenForFinished(_ options: [String]) throws {
        try withFolder { folder in
            try writeSet(folder)
            let arguments = ["convert", folder, "--output", folder + "/out", "--resume"]
            try #require(try drshard(arguments).status == 0)
            let outcome = try drshard(arguments + options)
            #expect(outcome.status == 1 && outcome.error.contains("with other options"), "\(outcome.error)")
        }
    }

    @Test func aDamagedShardIsNotTakenForFinished() throws {
        try withFolder { folder in
            try writeSet(folder)
            let arguments = ["convert", folder, "--output", folder + "/out", "--resume"]
            try #require(try drshard(arguments).status == 0)
            let path = folder + "/out/c.drs"
            try writeFile(path, try readFile(path).dropLast(10))
            let outcome = try drshard(arguments)
            #expect(outcome.status == 1 && outcome.error.contains("c.drs"), "\(outcome.error)")
        }
    }

    @Test func aDryRunSaysWhatWouldBeMadeAndWritesNothing() throws {
        try withFolder { folder in
            try writeSet(folder)
            let outcome = try drshard("convert", folder, "--output", folder + "/out", "--dry-run", "--json")
            #expect(outcome.status == 0, "\(outcome.error)")
            let json = try outcome.json
            #expect(json["inputs"] as? Int == 4 && json["probedRows"] as? Int == 5)
            let rows = try #require(json["estimatedRows"] as? Int)
            #expect((18...30).contains(rows), "\(rows)")
            #expect(json["schema"] is [String: Any] && json["freeBytes"] is NSNumber)
            #expect(!names(folder).contains("out"))
            let text = try drshard("convert", folder, "--output", folder + "/out", "--dry-run")
            #expect(text.output.contains("image_emb") && text.output.contains("4 inputs"))
        }
    }

    @Test func inputsAreListsPatternsAndFoldersOfFolders() throws {
        try withFolder { folder in
            try writeSet(folder)
            try FileManager.default.createDirectory(
                atPath: folder + "/set/00", withIntermediateDirectories: true)
            for name in ["c", "d"] {
                try FileManager.default.moveItem(
                    atPath: folder + "/\(name).tar", toPath: folder + "/set/00/\(name).tar")
            }
            try writeFile(folder + "/list", Array("\(folder)/a.tar\n\n\(folder)/set/*/c.tar\n".utf8))
            for (inputs, expected) in [
                (["@\(folder)/list"], ["a.drs", "c.drs"]), (["\(folder)/[ab].tar"], ["a.drs", "b.drs"]),
                (["\(folder)/set"], ["c.drs", "d.drs"]), ([folder], ["a.drs", "b.drs", "c.drs", "d.drs"]),
            ] {
                let out = folder + "/\(UUID().uuidString)"
                let outcome = try drshard(["convert"] + inputs + ["--output", out])
                #expect(outcome.status == 0, "\(outcome.error)")
                #expect(names(out) == expected + ["report.json"])
            }
            #expect(try drshard("convert", folder + "/x*.tar", "--output", folder + "/none").status == 3)
        }
    }

    @Test func whatRoundingToBFloat16CostIsReportedForEachTeacher() throws {
        try withFolder { folder in
            try writeTar(folder + "/a.tar", try (1...3).map { try SampleMembers($0) })
            // Two elements each: 1, 2, 3 … are exact in bfloat16 up to 256.
            var sample = try SampleMembers(4)
            let image = matrix(2, changing: 0, to: 1.001)
            try sample.setEmbeddings(image: image, text: matrix(3))
            try writeTar(folder + "/b.tar", [sample])
            let outcome = try drshard(
                "convert", folder, "--output", folder + "/out", "--json", "--teacher", "one:0:2", "--teacher", "two:2:2"
            )
            let costs = try #require(outcome.json["precision"] as? [[String: Any]])
            #expect(costs.map { $0["name"] as? String } == ["one", "two"])
            #expect(costs.allSatisfy { $0["embeddings"] as? Int == 20 })
            // (1.001, 2) became (1, 2).
            let (a, b) = (Double(Float(1.001)), 2.0)
            let expected = 1 - (a + 2 * b) / ((a * a + b * b) * 5).squareRoot()
            let largest = try #require(costs[0]["maxCosineError"] as? Double)
            #expect(abs(largest - expected) < 1e-14 && expected > 1e-8, "\(largest) \(expected)")
            #expect(abs((costs[0]["meanCosineError"] as? Double ?? 0) - expected / 20) < 1e-14)
            #expect(abs(costs[1]["maxCosineError"] as? Double ?? 1) < 1e-14)
            let exact = try drshard("convert", folder, "--output", folder + "/f32", "--json", "--keep-f32")
            #expect((try exact.json["precision"] as? [Any])?.isEmpty == true)
        }
    }

    @Test func membersThatSamplesMayLackBecomeAbsentCells() throws {
        try withFolder { folder in
            var list = try (1...4).map { try SampleMembers($0) }
            list[1].members["paug.json"] = nil
            list[2].members["url.txt"] = nil
            list[3].members["json"] = nil
            try writeTar(folder + "/a.tar", list)
            let arguments = ["convert", folder + "/a.tar", "--output", folder + "/out", "--json"]
            #expect(try drshard(arguments).status == 1)
            let outcome = try drshard(
                arguments + ["--optional", "paug.json", "--optional", "url.txt", "--optional", "json", "--verify"])
            #expect(outcome.status == 0, "\(outcome.error)")
            let head = try drshard("head", folder + "/out", "--rows", "9")
            #expect(head.output.components(separatedBy: "not present").count - 1 == 2 + 1 + 1, "\(head.output)")
            #expect(try drshard("convert", "x", "--output", "y", "--optional", "npz").status == 2)
        }
    }
}

@Suite struct ConversionReviewTests {
    @Test func theErrorOfAnInputIsItsOwnWhateverTheJobs() throws {
        try withFolder { folder in
            // The first takes longest, the last is damaged.
            try writeTar(folder + "/a.tar", try (1...400).map { try SampleMembers($0) })
            try writeTar(folder + "/b.tar", try (401...402).map { try SampleMembers($0) })
            var bytes = try readFile(folder + "/b.tar")
            for i in 100..<160 { bytes[i] ^= 0x55 }
            try writeFile(folder + "/b.tar", bytes)
            for jobs in ["1", "2", "3"] {
                let outcome = try drshard("convert", folder, "--output", folder + "/out" + jobs, "--jobs", jobs)
                #expect(outcome.status == 1 && outcome.error.contains("b.tar"), "\(outcome.error)")
                #expect(!outcome.error.contains("another input") && names(folder + "/out" + jobs) == ["a.drs"])
            }
        }
    }

    @Test func otherCaptionsAndOtherTarsOfTheSameSizeAreNotTakenForFinished() throws {
        try withFolder { folder in
            try FileManager.default.createDirectory(atPath: folder + "/in", withIntermediateDirectories: false)
            let list = try (1...3).map { try SampleMembers($0) }
            try writeTar(folder + "/in/a.tar", list)
            for (name, text) in [("one", "a cat"), ("two", "a dog")] {
                try FileManager.default.createDirectory(
                    atPath: folder + "/" + name, withIntermediateDirectories: false)
                var samples = captions(of: list)
                for i in samples.indices { samples[i].members["txt"] = Array(text.utf8) }
                try writeTar(folder + "/\(name)/a.tar", samples)
            }
            let arguments = ["convert", folder + "/in", "--output", folder + "/out", "--resume", "--captions"]
            try #require(try drshard(arguments + [folder + "/one"]).status == 0)
            #expect(try drshard(arguments + [folder + "/one"]).status == 0)
            let other = try drshard(arguments + [folder + "/two"])
            #expect(other.status == 1 && other.error.contains("made of another input"), "\(other.error)")
            let optional = try drshard(arguments + [folder + "/one", "--optional", "url.txt"])
            #expect(optional.status == 1 && optional.error.contains("other options"), "\(optional.error)")
            try writeTar(folder + "/in/a.tar", try (4...6).map { try SampleMembers($0) })
            let changed = try drshard(arguments + [folder + "/one", "--allow-missing-captions"])
            #expect(changed.status == 1, "\(changed.output)")
        }
    }

    @Test func shardsThatAreThereAreVerifiedToo() throws {
        try withFolder { folder in
            try writeSet(folder)
            try writeTar(folder + "/b.tar", try [6, 2, 7].map { try SampleMembers($0) })
            let arguments = ["convert", folder, "--output", folder + "/out", "--on-error", "skip", "--json"]
            try #require(try drshard(arguments).status == 0)
            let again = try drshard(arguments + ["--resume", "--verify"])
            #expect(again.status == 0, "\(again.error)")
            #expect(try again.json["verifiedRows"] as? Int == 17 && again.json["resumedShards"] as? Int == 4)
            // The middle of a tar is changed: what is stored is not the source's any more.
            var list = try (1...5).map { try SampleMembers($0) }
            let big = Array(#"{"syn_text": ["a cat", "two cats"]}"#.utf8) + Array(repeating: 0x20, count: 2 << 20)
            for i in list.indices { list[i].members["syn.json"] = big }
            try writeTar(folder + "/a.tar", list)
            try FileManager.default.removeItem(atPath: folder + "/out/a.drs")
            try #require(try drshard(arguments + ["--resume"]).status == 0)
            list[2].members["syn.json"] = Array(#"{"syn_text": ["a cow", "two cats"]}"#.utf8) + big.dropFirst(35)
            try writeTar(folder + "/a.tar", list)
            try writeFile(folder + "/out/a.drs.rejected", [1])
            let wrong = try drshard(arguments + ["--resume", "--verify"])
            #expect(wrong.status == 1 && wrong.error.contains("is not the source's"), "\(wrong.error)")
            #expect(wrong.error.contains("a.drs") && wrong.error.contains("syn_text"))
            #expect(!names(folder + "/out").contains("a.drs") && names(folder + "/out").contains("a.drs.rejected"))
        }
    }

    @Test func oneOddSampleInFrontIsNotWhatTheSetIsLike() throws {
        try withFolder { folder in
            var list = try (1...20).map { try SampleMembers($0) }
            try list[0].setEmbeddings(image: matrix(3), text: matrix(3))
            list[0].members["paug.json"] = Array(
                #"{"param_aug": [[[0,0,8,8],[]],[[1,1,4,4],[]],[[1,1,4,4],[]]]}"#.utf8)
            try writeTar(folder + "/a.tar", list)
            let outcome = try drshard(
                "convert", folder + "/a.tar", "--output", folder + "/out", "--on-error", "skip", "--json")
            #expect(try outcome.status == 0 && outcome.json["rows"] as? Int == 19, "\(outcome.error)")
        }
    }

    @Test func aRunThatLeavesEverythingOutFails() throws {
        try withFolder { folder in
            let list = try (1...3).map { try SampleMembers($0) }
            try writeTar(folder + "/a.tar", list)
            try FileManager.default.createDirectory(atPath: folder + "/captions", withIntermediateDirectories: false)
            try writeTar(folder + "/captions/a.tar", captions(of: try (7...9).map { try SampleMembers($0) }))
            let outcome = try drshard(
                "convert", folder + "/a.tar", "--captions", folder + "/captions", "--output", folder + "/out",
                "--on-error", "skip")
            #expect(outcome.status == 1 && outcome.error.contains("all samples were left out"), "\(outcome.error)")
        }
    }

    @Test func anEmptyListOfCaptionsIsNoTrap() throws {
        try withFolder { folder in
            let list = try (1...4).map { number in
                var sample = try SampleMembers(number)
                sample.members["syn.json"] = Array(#"{"syn_text": [], "syn_text_b": ["p", "q"]}"#.utf8)
                if number == 3 { sample.members["syn.json"] = Array(#"{"syn_text": ["x"], "syn_text_b": []}"#.utf8) }
                sample.members["npz"] = try NpzWriter.write([
                    ("image_emb", matrix(2)), ("text_emb", matrix(1)), ("syn_text_b_emb", matrix(2)),
                ])
                return sample
            }
            try writeTar(folder + "/a.tar", list)
            let outcome = try drshard(
                "convert", folder + "/a.tar", "--output", folder + "/out", "--on-error", "skip", "--json")
            #expect(try outcome.status == 0 && outcome.json["rows"] as? Int == 3, "\(outcome.error)")
        }
    }

    @Test func imagesWithAnotherHashThanTheSampleAreCounted() throws {
        try withFolder { folder in
            let list = try (1...3).map { try SampleMembers($0) }
            try writeTar(folder + "/a.tar", list)
            var other = captions(of: list)
            let hash = String(repeating: "cd", count: 32)
            other[1].members["json"] = Array(#"{"uid": "\#(list[1].uid)", "sha256": "\#(hash)"}"#.utf8)
            try FileManager.default.createDirectory(atPath: folder + "/captions", withIntermediateDirectories: false)
            try writeTar(folder + "/captions/a.tar", other)
            let outcome = try drshard(
                "convert", folder + "/a.tar", "--captions", folder + "/captions", "--output", folder + "/out", "--json")
            #expect(try outcome.json["imageHashesDiffer"] as? Int == 1, "\(outcome.error)")
        }
    }

    @Test func linkedFoldersAreEnteredAndUnreadableOnesAreAnError() throws {
        try withFolder { folder in
            for name in ["up", "elsewhere"] {
                try FileManager.default.createDirectory(
                    atPath: folder + "/" + name, withIntermediateDirectories: false)
            }
            try writeTar(folder + "/up/a.tar", [try SampleMembers(1)])
            try writeTar(folder + "/elsewhere/b.tar", [try SampleMembers(2)])
            let files = FileManager.default
            try files.createSymbolicLink(atPath: folder + "/up/01", withDestinationPath: folder + "/elsewhere")
            try files.createSymbolicLink(atPath: folder + "/elsewhere/loop", withDestinationPath: folder + "/up")
            let outcome = try drshard("convert", folder + "/up", "--output", folder + "/out", "--json")
            #expect(try outcome.json["rows"] as? Int == 2, "\(outcome.error)")
            // The doctor looks at the same tars.
            let doctor = try drshard("doctor", folder + "/up", "--json")
            #expect(doctor.output.contains("up/a.tar") && doctor.output.contains("01/b.tar"), "\(doctor)")
        }
    }

    @Test func twoCaptionTarsOfOneNameAreRefused() throws {
        try withFolder { folder in
            let list = try (1...2).map { try SampleMembers($0) }
            try writeTar(folder + "/a.tar", list)
            for name in ["x", "y"] {
                try FileManager.default.createDirectory(
                    atPath: folder + "/captions/" + name, withIntermediateDirectories: true)
                try writeTar(folder + "/captions/\(name)/a.tar", captions(of: list))
            }
            let outcome = try drshard(
                "convert", folder + "/a.tar", "--captions", folder + "/captions", "--output", folder + "/out")
            #expect(outcome.status == 2 && outcome.error.contains("captions/y/a.tar"), "\(outcome.error)")
        }
    }

    @Test(.timeLimit(.minutes(1))) func aPipeWhereAFileShouldBeIsRefusedAndNotWaitedFor() throws {
        try withFolder { folder in
            let pipe = try run("/usr/bin/mkfifo", [folder + "/a.tar"])
            try #require(pipe.status == 0)
            #expect(try drshard("convert", folder + "/a.tar", "--output", folder + "/out").status == 3)
            #expect(try drshard("inspect", folder + "/a.tar").status == 3)
        }
    }

    @Test func manyRowsOfTextAreNotComparedWithEachOther() throws {
        try withFolder { folder in
            var sample = try SampleMembers(1)
            try sample.setEmbeddings(image: matrix(2), text: matrix(20_000))
            try writeTar(folder + "/a.tar", [sample])
            let outcome = try drshard("convert", folder + "/a.tar", "--output", folder + "/out")
            #expect(outcome.status == 1 && outcome.error.contains("20000 rows"), "\(outcome.error)")
        }
    }
}
