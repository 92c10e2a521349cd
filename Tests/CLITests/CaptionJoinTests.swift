import DRConvert
import Foundation
import Testing

/// A folder `captions` with a tar for each list of numbers: `a.tar`, `b.tar` and so on.
private func writeCaptions(_ folder: String, _ tars: [[Int]]) throws {
    try FileManager.default.createDirectory(atPath: folder + "/captions", withIntermediateDirectories: false)
    for (name, numbers) in zip("abcdef", tars) {
        var list = captions(of: try numbers.map { try SampleMembers($0) })
        for i in list.indices {
            list[i].members["txt"] = Array("caption \(numbers[i])".utf8)
            list[i].members["png"] = Array("image \(numbers[i])".utf8)
        }
        try writeTar(folder + "/captions/\(name).tar", list)
    }
}

/// The values of a column of text, of all shards.
private func texts(_ shards: String, _ column: String = "text") throws -> [String] {
    let head = try drshard("head", shards, "--rows", "100", "--column", column)
    try #require(head.status == 0, "\(head.error)")
    return head.lines.filter { $0.hasPrefix("  ") }.map { String($0.drop { $0 != ":" }.dropFirst(2)) }
}

@Suite struct CaptionJoinTests {
    @Test func aCaptionIsFoundInATarOfAnotherInputWhateverTheOrder() throws {
        try withFolder { folder in
            try writeCaptions(folder, [[1, 2, 3], [4, 5, 6]])
            // The third of one tar is in the captions of the other.
            try writeTar(folder + "/a.tar", try [1, 2, 6].map { try SampleMembers($0) })
            try writeTar(folder + "/b.tar", try [4, 5, 3].map { try SampleMembers($0) })
            for (order, onError) in [("ab", "stop"), ("ba", "stop"), ("ab", "skip"), ("ba", "skip")] {
                let out = folder + "/" + order + onError
                let outcome = try drshard(
                    ["convert"] + order.map { "\(folder)/\($0).tar" } + [
                        "--captions", folder + "/captions", "--output", out, "--on-error", onError, "--json",
                    ])
                #expect(outcome.status == 0, "\(outcome.error)")
                let report = try outcome.json
                #expect(report["rows"] as? Int == 6 && report["captionsMissing"] as? Int == 0, "\(report)")
                #expect(report["unpairedCaptions"] as? Int == 0)
                let found = try texts(out)
                #expect(found.count == 6)
                for (text, number) in zip(found, [1, 2, 6, 4, 5, 3]) { #expect(text.contains("caption \(number)")) }
                #expect(try drshard("verify", "--decode", out).status == 0)
            }
        }
    }

    @Test func aUIDInTwoCaptionTarsNoneOfWhichIsTheInputsOwnIsAnErrorThatNamesBoth() throws {
        try withFolder { folder in
            // The second is in the input's own tar too, which counts.
            try writeCaptions(folder, [[1, 2], [2, 3], [3]])
            try writeTar(folder + "/a.tar", try [1, 2, 3].map { try SampleMembers($0) })
            let arguments = [
                "convert", folder + "/a.tar", "--captions", folder + "/captions", "--output", folder + "/out",
            ]
            let outcome = try drshard(arguments)
            #expect(outcome.status == 1)
            for text in ["captions/b.tar", "captions/c.tar", try SampleMembers(3).uid, "--on-error skip"] {
                #expect(outcome.error.contains(text), "\(outcome.error)")
            }
            #expect(names(folder + "/out").isEmpty)
            let skipping = try drshard(arguments + ["--on-error", "skip", "--json"])
            #expect(skipping.status == 0)
            #expect(try skipping.json["rows"] as? Int == 2)
            #expect((try skipping.json["skipped"] as? [Any])?.count == 1)
        }
    }

    @Test func rowsWithoutACaptionAreKeptOnlyIfThatIsAllowed() throws {
        try withFolder { folder in
            try writeCaptions(folder, [[1, 2]])
            try writeTar(folder + "/a.tar", try [1, 2, 3].map { try SampleMembers($0) })
            let arguments = ["convert", folder + "/a.tar", "--captions", folder + "/captions", "--json", "--output"]
            let skipping = try drshard(arguments + [folder + "/skip", "--on-error", "skip"])
            #expect(try skipping.json["rows"] as? Int == 2)
            #expect(try skipping.json["captionsMissing"] as? Int == 1)
            #expect(try skipping.json["rowsWithoutCaption"] as? Int == 0)
            #expect((try skipping.json["skipped"] as? [Any])?.count == 1)
            for more in [[], ["--on-error", "skip"]] {
                let out = folder + "/allow\(more.count)"
                let allowing = try drshard(arguments + [out, "--allow-missing-captions"] + more)
                #expect(allowing.status == 0, "\(allowing.error)")
                #expect(try allowing.json["rows"] as? Int == 3)
                #expect(try allowing.json["rowsWithoutCaption"] as? Int == 1)
                #expect(try texts(out).last == "not present")
                #expect(try drshard("verify", "--decode", out).status == 0)
            }
            let useless = try drshard("convert", folder + "/a.tar", "--output", "x", "--allow-missing-captions")
            #expect(useless.status == 2)
        }
    }
}

/// A PNG of this size as far as its header.
private func pngHeader(_ width: Int, _ height: Int) -> [UInt8] {
    func big(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) } }
    return [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + big(13) + Array("IHDR".utf8) + big(width) + big(height)
        + [8, 2, 0, 0, 0, 0, 0, 0, 0]
}

/// What `head` shows of a column, without its name.
private func cells(_ shards: String, _ column: String) throws -> [String] { try texts(shards, column) }

@Suite struct ImageJoinTests {
    @Test func tarsThatWereJoinedGiveTheirOwnImagesAndCaptions() throws {
        try withFolder { folder in
            let list = try (1...3).map { number in
                var sample = try SampleMembers(number)
                sample.members["txt"] = Array("caption \(number)".utf8)
                if number != 2 { sample.members["jpg"] = Array("image \(number)".utf8) }
                return sample
            }
            try writeTar(folder + "/a.tar", list)
            let outcome = try drshard("convert", folder + "/a.tar", "--output", folder + "/out", "--json", "--verify")
            #expect(outcome.status == 0, "\(outcome.error)")
            #expect(try outcome.json["imagesMissing"] as? Int == 1)
            #expect(try texts(folder + "/out").map { $0.contains("caption") } == [true, true, true])
            #expect(try cells(folder + "/out", "image") == ["7 bytes", "not present", "7 bytes"])
        }
    }

    /// A downloader's folder: numbered files, the uid in their json.
    @Test func looseFilesAreFoundByTheirNameOrByTheUIDInTheirJSON() throws {
        try withFolder { folder in
            let loose = folder + "/loose"
            try FileManager.default.createDirectory(atPath: loose + "/00000", withIntermediateDirectories: true)
            let list = try (1...3).map { try SampleMembers($0) }
            try writeFile(loose + "/\(list[0].uid).txt", Array("caption 1".utf8))
            try writeFile(loose + "/\(list[0].uid).JPG", Array("image".utf8))
            try writeFile(
                loose + "/00000/000000017.json",
                Array(#"{"uid": "\#(list[1].uid)", "original_width": 20, "original_height": 10}"#.utf8))
            try writeFile(loose + "/00000/000000017.txt", Array("caption 2".utf8))
            try writeFile(loose + "/00000/000000017.png", pngHeader(20, 10))
            try writeFile(loose + "/00000/000000018.txt", Array("nobody's".utf8))
            try writeTar(folder + "/a.tar", Array(list.prefix(2)))
            let arguments = ["convert", folder + "/a.tar", "--captions", loose, "--json", "--output"]
            let failed = try drshard(arguments + [folder + "/stop"])
            #expect(failed.status == 1 && failed.error.contains("000000018"), "\(failed.error)")
            let outcome = try drshard(arguments + [folder + "/out", "--on-error", "skip", "--verify"])
            #expect(outcome.status == 0, "\(outcome.error)")
            #expect(try outcome.json["rows"] as? Int == 2)
            #expect(try texts(folder + "/out").enumerated().allSatisfy { $1.contains("caption \($0 + 1)") })
            #expect(try cells(folder + "/out", "image") == ["5 bytes", "33 bytes"])
            let located = try drshard(
                arguments + [folder + "/located", "--on-error", "skip", "--images", "locate"])
            #expect(located.status == 0, "\(located.error)")
            #expect(try cells(folder + "/located", "image").last?.contains("00000/000000017.png") == true)
        }
    }

    @Test func onlyTheTarOfTheInputsNameIsLookedAtIfThatIsAsked() throws {
        try withFolder { folder in
            try writeCaptions(folder, [[1], [2]])
            try writeTar(folder + "/a.tar", try [1, 2].map { try SampleMembers($0) })
            let arguments = ["convert", folder + "/a.tar", "--captions", folder + "/captions", "--output"]
            #expect(try drshard(arguments + [folder + "/all"]).status == 0)
            let outcome = try drshard(arguments + [folder + "/paired", "--captions-by-name"])
            #expect(outcome.status == 1 && outcome.error.contains("there is no caption for it"), "\(outcome.error)")
        }
    }

    @Test func cropsOfImagesThatWereResizedAreReportedAndMovedOnlyIfThatIsAsked() throws {
        try withFolder { folder in
            var sample = try SampleMembers(1)
            // Of an original of 40 x 20 that is 20 x 10 now.
            sample.members["paug.json"] = Array(
                #"{"param_aug": [[[0,0,20,40],[[1,0.5]]],[[3,5,1,30],[[0,0.0]]]]}"#.utf8)
            sample.members["json"] = Array(
                #"{"uid": "\#(sample.uid)", "original_width": 40, "original_height": 20}"#.utf8)
            sample.members["png"] = pngHeader(20, 10)
            try writeTar(folder + "/a.tar", [sample])
            let arguments = ["convert", folder + "/a.tar", "--json", "--output"]
            let reported = try drshard(arguments + [folder + "/as-is"])
            #expect(reported.status == 0, "\(reported.error)")
            #expect(try reported.json["resizedImages"] as? Int == 1)
            #expect(try reported.json["cropsOutsideImage"] as? Int == 2)
            #expect((try reported.json["warnings"] as? [String])?.first?.contains("--rescale-crops") == true)
            #expect(try cells(folder + "/as-is", "augmentation")[1].contains("top 3 left 5 height 1 width 30"))
            let moved = try drshard(arguments + [folder + "/moved", "--rescale-crops", "--verify"])
            #expect(try moved.json["cropsRescaled"] as? Int == 2)
            let boxes = try cells(folder + "/moved", "augmentation")
            // 3 * 0.5 rounds to 2, and a box keeps a pixel.
            #expect(boxes[0].contains("top 0 left 0 height 10 width 20"), "\(boxes)")
            #expect(boxes[1].contains("top 2 left 3 height 1 width 15"), "\(boxes)")
            #expect(
                try cells(folder + "/moved", "original_size") == ["20 10"]
                    || cells(folder + "/moved", "original_size")[0].contains("20"))
            #expect(
                try drshard("schema", folder + "/moved").output.contains("crops: moved from pixels of the original"))
            // Without the original's size nobody knows.
            sample.members["json"] = nil
            try writeTar(folder + "/b.tar", [sample])
            let unknown = try drshard(
                "convert", folder + "/b.tar", "--output", folder + "/no", "--rescale-crops", "--optional", "json")
            #expect(unknown.status == 1 && unknown.error.contains("original_width"), "\(unknown.error)")
        }
    }
}
