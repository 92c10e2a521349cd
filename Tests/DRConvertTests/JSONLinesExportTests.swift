import DRConvert
import DRShard
import DRShardFormat
import DRText
import Foundation
import Testing

@Suite struct JSONLinesExportTests {
    private func lines(_ path: String) throws -> [String] {
        String(decoding: try readFile(path), as: UTF8.self).split(separator: "\n").map(String.init)
    }

    @Test func aLineHoldsARowsTextsAndParameters() throws {
        try withFolder { folder in
            let fixture = ExportFixture(captioners: ["syn_text", "b"], hasTokens: true)
            let report = try fixture.export(.jsonl, in: folder) { $0.withTokens = true }
            let view = "[[1, 2, 3, 4], [[6, 0.26999998092651367], [0, 0.0]]]"
            let line = try lines(folder + "/out/a.jsonl")[2]
            #expect(
                line == #"{"uid": "\#(hex(fixture.uid(2)))", "url": "http://2", "param_aug": [\#(view), \#(view)], "#
                    + #""text": "text 2 0", "syn_text": ["syn_text 2 0", "syn_text 2 1"], "#
                    + #""b": ["b 2 0", "b 2 1", "b 2 2"], "tokens": [7, 8]}"#)
            #expect(!report.losses.notCarried.contains { $0.contains("tokens") })
            #expect(report.losses.notCarried.contains("column \"image\""))
        }
    }

    @Test func textsAreUTF8AndNoneOfTheirCharactersEndsALine() throws {
        try withFolder { folder in
            let odd = "日本 \"q\" \\ \u{1} \u{7F} \n \u{85} \u{2028} \u{2029} \u{1F9A9} e\u{301} \u{FEFF}"
            var fixture = ExportFixture(rowCount: 1)
            fixture.changed = [("text", 0, 0, Array(odd.utf8))]
            _ = try fixture.export(.jsonl, in: folder)
            let bytes = try readFile(folder + "/out/a.jsonl")
            let whole = String(decoding: bytes, as: UTF8.self)
            #expect(
                whole.unicodeScalars.filter { "\n\u{85}\u{2028}\u{2029}\u{1}".unicodeScalars.contains($0) } == ["\n"])
            #expect(whole.contains("日本 \\\"q\\\" \\\\ \\u0001 \\u007f \\n \\u0085 \\u2028 \\u2029 \u{1F9A9} e\u{301}"))
            guard case .string(let text)? = try JSON.parse(Array(bytes.dropLast())).value["text"] else {
                Issue.record("there is no text")
                return
            }
            #expect(Array(text.utf8) == Array(odd.utf8))
        }
    }

    /// Numbers that a short decimal would not give back, and every other item.
    @Test func recordsOfOtherItemsAreListsOfObjects() throws {
        try withFolder { folder in
            let record = Augmentation(items: [
                .crop(.init(top: 1, left: 2, height: 3, width: 4)),
                .randAugment([
                    .init(operation: 1, magnitude: .leastNonzeroMagnitude), .init(operation: 2, magnitude: -0.0),
                ]),
                .flip(true), .erase(x: 1, y: 2, height: 3, width: -4),
                .colorJitter(order: [3, 2, 1, 0], factors: [0.1, 1, 1e300, 1.0 / 3]),
                .mixup(lambda: 0.5, partner: [0xAB]), .cutmix(lambda: 0.25, x1: 1, y1: 2, x2: 3, y2: 4, partner: []),
                .randomCrop(top: 7, left: 8), .resize(224), .null(kind: 4),
            ])
            var fixture = ExportFixture(rowCount: 1)
            fixture.changed = [("augmentation", 0, 0, try record.serialized())]
            _ = try fixture.export(.jsonl, in: folder)
            let line = try lines(folder + "/out/a.jsonl")[0]
            let expected =
                #"[{"crop": [1, 2, 3, 4]}, {"rand_augment": [[1, 5e-324], [2, -0.0]]}, {"flip": true}, "#
                + #"{"erase": [1, 2, 3, -4]}, {"color_jitter": {"order": [3, 2, 1, 0], "factors": [0.1, 1.0, 1e+300, "#
                + #"0.3333333333333333]}}, {"mixup": {"lambda": 0.5, "partner": "ab"}}, "#
                + #"{"cutmix": {"lambda": 0.25, "box": [1, 2, 3, 4], "partner": ""}}, {"random_crop": [7, 8]}, "#
                + #"{"resize": 224}, {"erase": null}]"#
            #expect(line.contains("\"param_aug\": [\(expected), [[1, 2, 3, 4]"), "\(line)")
        }
    }

    @Test func missingCellsAreNullAndNumbersThatJSONLacksAreNamed() throws {
        try withFolder { folder in
            var fixture = ExportFixture(rowCount: 2)
            let record = Augmentation(items: [.mixup(lambda: .nan, partner: [])])
            fixture.changed = [("augmentation", 0, 1, try record.serialized()), ("syn_text", 0, 1, nil)]
            fixture.lost = [("url", 1)]
            let error = failure { try fixture.export(.jsonl, in: folder) }
            #expect(error.code == .invalidArgument && error.context.row == 0, "\(error)")
            var options = ExportOptions(format: .jsonl, output: folder + "/out")
            options.isLossy = true
            let report = try Exporter.run(folder + "/shards", options)
            #expect(report.losses.counts.values.sorted() == [1, 1] && report.losses.counts.count == 2)
            let found = try lines(folder + "/out/a.jsonl")
            #expect(found[0].contains("[6, 0.26999998092651367], [0, 0.0]]], null]"))
            #expect(found[0].contains(#""syn_text": ["syn_text 0 0", null]"#) && found[1].contains(#""url": null"#))
        }
    }

    @Test func locatorsSayWhereImagesLie() throws {
        try withFolder { folder in
            let locator = Locator(container: "ü.tar", position: 512, byteCount: 9, hash: .crc32c(77))
            let column = Column(name: "place", role: .image, type: .locator)
            let fixture = ExportFixture(rowCount: 1, more: [(column, try locator.serialized())])
            _ = try fixture.export(.jsonl, in: folder)
            #expect(
                try lines(folder + "/out/a.jsonl")[0].hasSuffix(
                    #""place": {"container": "ü.tar", "position": 512, "byte_count": 9, "crc32c": 77}}"#))
        }
    }
}
