import DRConvert
import DRShardFormat
import Foundation
import Testing

/// `rows` vectors of four elements; row `i` is filled with `values[i]`.
private func rows(_ values: [Float]) -> ForeignArray {
    var bytes: [UInt8] = []
    for value in values {
        for j in 0..<4 {
            let bits = (value + Float(j)).bitPattern
            bytes += (0..<4).map { UInt8(truncatingIfNeeded: bits >> (8 * UInt32($0))) }
        }
    }
    return ForeignArray(element: .f32, shape: [values.count, 4], bytes: bytes[...])
}

/// Samples of two synthetic captions, with these text rows: of a sample a number and its rows.
private func samples(_ count: Int, _ values: (Int) -> [Float]) throws -> [SampleMembers] {
    try (1...count).map { number in
        var sample = try SampleMembers(number)
        try sample.setEmbeddings(image: matrix(2), text: rows(values(number)))
        return sample
    }
}

/// The first elements of the text embeddings of a row: real, then synthetic.
private func firstElements(_ shards: String, row: Int) throws -> [String] {
    let head = try drshard(
        "head", shards, "--skip", String(row), "--rows", "1", "--column", "text_emb", "--column", "syn_text_emb")
    return head.lines.filter { $0.hasPrefix("  ") }.compactMap { line in
        line.split(separator: "[").last.map { String($0.prefix { $0 != "," }) }
    }
}

@Suite struct TextRowTests {
    @Test func aRowThatIsAlwaysEqualToAnotherIsLeftOutAndReported() throws {
        try withFolder { folder in
            try writeTar(folder + "/a.tar", try samples(20) { [Float($0), Float($0), 100, 200] })
            let outcome = try drshard("convert", folder + "/a.tar", "--output", folder + "/out", "--json", "--verify")
            #expect(outcome.status == 0, "\(outcome.error)")
            #expect(try outcome.json["duplicateTextRow"] as? [Int] == [1, 0])
            #expect((try outcome.json["warnings"] as? [String])?.contains { $0.contains("row 1 was left out") } == true)
            #expect(try firstElements(folder + "/out", row: 4) == ["5.00000", "100.00000", "200.00000"])
        }
    }

    @Test func aSampleThatDoesNotConfirmTheEqualRowsIsBadInput() throws {
        try withFolder { folder in
            // Behind the samples that are looked at first.
            try writeTar(folder + "/a.tar", try samples(300) { [Float($0), $0 == 290 ? 7 : Float($0), 1000, 2000] })
            let outcome = try drshard("convert", folder + "/a.tar", "--output", folder + "/out")
            #expect(outcome.status == 1)
            for text in ["rows 1 and 0 of text_emb differ", "--text-rows", try SampleMembers(290).uid] {
                #expect(outcome.error.contains(text), "\(outcome.error)")
            }
        }
    }

    @Test(arguments: ["too few samples", "two pairs", "sometimes", "no pair"])
    func whichRowIsWhichIsAskedForWhereItIsNotCertain(_ why: String) throws {
        try withFolder { folder in
            let list: [SampleMembers] =
                switch why {
                case "too few samples": try samples(15) { [Float($0), Float($0), 100, 200] }
                case "two pairs": try samples(30) { _ in [1, 1, 1, 200] }
                case "sometimes": try samples(30) { [Float($0), $0 == 3 ? 7 : Float($0), 100, 200] }
                default: try samples(30) { [Float($0), 50, 100, 200] }
                }
            try writeTar(folder + "/a.tar", list)
            let outcome = try drshard("convert", folder + "/a.tar", "--output", folder + "/out")
            #expect(outcome.status == 1, "\(outcome.output)")
            for text in [
                "text_emb has 4 rows, where 1 real and 2 synthetic captions make 3", "which row is which is not known",
                "mean cosines", "--text-rows",
            ] { #expect(outcome.error.contains(text), "\(outcome.error)") }
            #expect(outcome.error.contains(why == "no pair" ? "no two rows are equal" : "rows 0 and 1 are equal in"))
            let told = try drshard(
                "convert", folder + "/a.tar", "--output", folder + "/out", "--text-rows", "real=0,syn=2-3", "--verify")
            #expect(told.status == 0, "\(told.error)")
            #expect(try firstElements(folder + "/out", row: 2).last == "200.00000")
        }
    }

    @Test func rowsThatAreToldAreTaken() throws {
        try withFolder { folder in
            try writeTar(folder + "/a.tar", try samples(3) { [Float($0), 10, 20, 30, 40] })
            let told = try drshard(
                "convert", folder + "/a.tar", "--output", folder + "/out", "--text-rows", "real=2,syn=4+1")
            #expect(told.status == 0, "\(told.error)")
            #expect(try firstElements(folder + "/out", row: 0) == ["20.00000", "40.00000", "10.00000"])
            for rows in ["real=0,syn=1-3", "real=0,syn=4-5", "real=0"] {
                let outcome = try drshard(
                    "convert", folder + "/a.tar", "--output", folder + "/no", "--text-rows", rows)
                #expect(outcome.status == 1 && outcome.error.contains("--text-rows \(rows) names"), "\(outcome.error)")
            }
            for rows in ["", "0", "real=0-1,syn=2-3", "real=0,syn=0-1", "syn=1-2", "real=0,syn=3-1", "real=0,real=1"] {
                #expect(
                    try drshard("convert", folder + "/a.tar", "--output", folder + "/no", "--text-rows", rows).status
                        == 2)
            }
        }
    }

    @Test func severalCaptionersHaveAnAxisEach() throws {
        try withFolder { folder in
            let list = try (1...3).map { number in
                var sample = try SampleMembers(number)
                sample.members["syn.json"] = Array(
                    #"{"syn_text_dfn": ["one", "two", "three"], "syn_text": ["a cat", "two cats"]}"#.utf8)
                sample.members["npz"] = try NpzWriter.write([
                    ("image_emb", matrix(2)), ("text_emb", matrix(3)),
                    ("syn_text_dfn_emb", rows([11, 22, Float(number)])),
                ])
                return sample
            }
            try writeTar(folder + "/a.tar", list)
            let outcome = try drshard(
                "convert", folder + "/a.tar", "--output", folder + "/out", "--verify", "--captioner",
                "syn_text_dfn=CoCa",
                "--captioner", "other=model")
            #expect(outcome.status == 0, "\(outcome.error)")
            let schema = try drshard("schema", folder + "/out").output
            #expect(schema.contains("synthetic_dfn") && schema.contains("CoCa") && schema.contains("other=model"))
            let head = try drshard("head", folder + "/out", "--skip", "2", "--rows", "1").output
            #expect(head.contains("syn_text_dfn[2]: \"three\"") || head.contains("syn_text_dfn[2]: three"), "\(head)")
            #expect(head.contains("syn_text_dfn_emb[2]: bf16 [3.00000"), "\(head)")
            #expect(head.contains("syn_text_emb[1]: bf16 [9.00000"), "\(head)")
            let wrong = try drshard(
                "convert", folder + "/a.tar", "--output", folder + "/no", "--captioner", "syn_text_x=CoCa")
            #expect(wrong.status == 2 && wrong.error.contains("syn_text_dfn"), "\(wrong.error)")
        }
    }

    @Test func twoCaptionersWithoutArraysOfTheirOwnAreRefused() throws {
        try withFolder { folder in
            var sample = try SampleMembers(1)
            sample.members["syn.json"] = Array(#"{"syn_text": ["a"], "syn_text_dfn": ["b"]}"#.utf8)
            try writeTar(folder + "/a.tar", [sample])
            let outcome = try drshard("convert", folder + "/a.tar", "--output", folder + "/out")
            #expect(outcome.status == 1 && outcome.error.contains("no array of their own"), "\(outcome.error)")
        }
    }
}
