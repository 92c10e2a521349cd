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
