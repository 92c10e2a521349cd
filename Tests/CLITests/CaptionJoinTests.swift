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

    @Test func aUIDInTwoCaptionTarsIsAnErrorThatNamesBoth() throws {
        try withFolder { folder in
            try writeCaptions(folder, [[1, 2], [2, 3]])
            try writeTar(folder + "/a.tar", try [1, 2, 3].map { try SampleMembers($0) })
            let arguments = [
                "convert", folder + "/a.tar", "--captions", folder + "/captions", "--output", folder + "/out",
            ]
            let outcome = try drshard(arguments)
            #expect(outcome.status == 1)
            for text in ["captions/a.tar", "captions/b.tar", try SampleMembers(2).uid, "--on-error skip"] {
                #expect(outcome.error.contains(text), "\(outcome.error)")
            }
            #expect(names(folder + "/out").isEmpty)
            let skipping = try drshard(arguments + ["--on-error", "skip", "--json"])
            #expect(skipping.status == 0)
            #expect(try skipping.json["rows"] as? Int == 3)
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
