import DRConvert
import DRShard
import DRShardFormat
import Foundation
import Testing

private func text(_ group: SampleGroup, _ suffix: String) -> String {
    String(decoding: group[suffix]?.bytes ?? [], as: UTF8.self)
}

@Suite struct TarExportTests {
    @Test func aSampleHasItsMembersInTheOrderOfTheReleasedWriter() throws {
        try withFolder { folder in
            let fixture = ExportFixture()
            let report = try fixture.export(.datacompdr, in: folder)
            #expect(report.losses.warnings == [] && report.rowCount == 5)
            #expect(report.files.map(\.rowCount) == [5] && report.files.map(\.path) == [folder + "/out/a.tar"])
            #expect(try UInt64(readFile(folder + "/out/a.tar").count) == report.byteCount)
            let samples = try ExportFixture.samples(folder + "/out/a.tar")
            #expect(samples.map(\.key) == (0..<5).map { hex(fixture.uid($0)) })
            let sample = samples[3]
            #expect(
                sample.members.map(\.suffix) == ["url.txt", "png", "txt", "syn.json", "paug.json", "pth.gz", "json"])
            #expect(text(sample, "url.txt") == "http://3" && text(sample, "txt") == "text 3 0")
            #expect(text(sample, "syn.json") == #"{"syn_text": ["syn_text 3 0", "syn_text 3 1"]}"#)
            let view = "[[1, 2, 3, 4], [[6, 0.26999998092651367], [0, 0.0]]]"
            #expect(text(sample, "paug.json") == #"{"param_aug": [\#(view), \#(view)]}"#)
            #expect(text(sample, "json") == #"{"uid": "\#(hex(fixture.uid(3)))"}"#)
            let decoded = try DRSampleDecoder().decode(sample)
            #expect(decoded.textEmbeddings.shape == [3, 4] && decoded.otherArrays.isEmpty)
            let columns = try fixture.schema()
            let synthetic = try #require(columns.columnIndex(named: "syn_text_emb"))
            #expect(
                Array(decoded.textEmbeddings.bytes)
                    == fixture.embedding(6, 3, 0) + fixture.embedding(synthetic, 3, 0)
                    + fixture.embedding(synthetic, 3, 1))
        }
    }

    /// The released reader takes the rows behind the first of text_emb for those of any key.
    @Test(arguments: [["syn_text", "syn_text_b"], ["syn_text_b"]])
    func severalCaptionersOrAnotherNameGetTheirOwnArrays(captioners: [String]) throws {
        try withFolder { folder in
            let fixture = ExportFixture(captioners: captioners)
            _ = try fixture.export(.datacompdr, in: folder)
            let sample = try ExportFixture.samples(folder + "/out/a.tar")[1]
            let texts = captioners.enumerated().map { i, key in
                "\"\(key)\": [" + (0..<2 + i).map { "\"\(key) 1 \($0)\"" }.joined(separator: ", ") + "]"
            }
            #expect(text(sample, "syn.json") == "{" + texts.joined(separator: ", ") + "}")
            let decoded = try DRSampleDecoder().decode(sample)
            #expect(decoded.textEmbeddings.shape == [1, 4] && decoded.otherArrays.isEmpty)
            #expect(decoded.captionSets.map(\.key) == captioners)
            let schema = try fixture.schema()
            for (i, set) in decoded.captionSets.enumerated() {
                let array = try #require(set.embeddings)
                #expect(array.shape == [2 + i, 4] && set.texts.count == 2 + i)
                let column = try #require(schema.columnIndex(named: set.key + "_emb"))
                #expect(Array(array.bytes) == (0..<2 + i).flatMap { fixture.embedding(column, 1, $0) })
            }
        }
    }

    @Test func float32IsStoredAsItIsAndRoundedOnlyIfThatIsSaid() throws {
        try withFolder { folder in
            var fixture = ExportFixture()
            fixture.element = .f32
            let refused = failure { try fixture.export(.datacompdr, in: folder) { $0.element = .bf16 } }
            #expect(refused.code == .invalidArgument && refused.reason.contains("--allow-rounding"), "\(refused)")
            try FileManager.default.removeItem(atPath: folder + "/shards")
            _ = try fixture.export(.datacompdr, in: folder)
            let sample = try DRSampleDecoder().decode(try ExportFixture.samples(folder + "/out/a.tar")[2])
            #expect(sample.imageEmbeddings.element == .f32)
            #expect(Array(sample.imageEmbeddings.bytes) == (0..<2).flatMap { fixture.embedding(4, 2, $0) })
            var options = ExportOptions(format: .datacompdr, output: folder + "/rounded")
            options.element = .bf16
            options.allowsRounding = true
            _ = try Exporter.run(folder + "/shards", options)
            let rounded = try DRSampleDecoder().decode(try ExportFixture.samples(folder + "/rounded/a.tar")[2])
            // The lower halves are 0x0002 and so on: far below the middle.
            let upper = (0..<2).flatMap { view in
                fixture.embedding(4, 2, view).enumerated().filter { $0.offset % 4 > 1 }.map(\.element)
            }
            #expect(rounded.imageEmbeddings.element == .bf16 && Array(rounded.imageEmbeddings.bytes) == upper)
        }
    }

    /// What a sample cannot hold: the words of the error, the words of the warning, and the samples that are left.
    @Test(
        arguments: [
            (ExportFixture(changed: [("image_emb", 1, 1, nil)]), "\"image_emb\", variant 1: the cell is missing", 4),
            (ExportFixture(changed: [("syn_text", 0, 0, nil)]), "\"syn_text\", variant 0: the cell is missing", 4),
            (
                ExportFixture(changed: [("augmentation", 4, 0, nil)]),
                "\"augmentation\", variant 0: the cell is missing", 4
            ),
            (
                ExportFixture(changed: [("augmentation", 2, 1, [3, 1])]),
                "view 1: the augmentation is no crop and Rand", 4
            ),
            (
                ExportFixture(changed: [("augmentation", 2, 1, infinite)]),
                "view 1: the augmentation is no crop and Rand", 4
            ),
            (ExportFixture(changed: [("image", 2, 0, [1, 2, 3])]), "the image is no JPEG", 5),
            (ExportFixture(realCount: 2), "column \"text\": the layout has one real caption", 5),
            (
                ExportFixture(more: [
                    (Column(name: "score", role: .other, type: .tensor(.f32, dims: [])), [0, 0, 0, 0])
                ]),
                "column \"score\": the layout has no member for it", 5
            ),
            (
                ExportFixture(more: [(Column(name: "place", role: .image, type: .locator), locator)]),
                "column \"place\": says where images lie", 5
            ),
        ] as [(ExportFixture, String, Int)])
    func whatASampleCannotHoldIsNamedOrCounted(fixture: ExportFixture, words: String, left: Int) throws {
        try withFolder { folder in
            let error = failure { try fixture.export(.datacompdr, in: folder) }
            #expect(error.code == .invalidArgument && error.description.contains(words), "\(error)")
            #expect(error.reason.contains("--lossy"))
            #expect((try? FileManager.default.contentsOfDirectory(atPath: folder + "/out")) ?? [] == [])
            var options = ExportOptions(format: .datacompdr, output: folder + "/out")
            options.isLossy = true
            let report = try Exporter.run(folder + "/shards", options)
            #expect(report.losses.warnings.count == 1 && report.files[0].rowCount == left, "\(report.losses)")
            #expect(try ExportFixture.samples(folder + "/out/a.tar").count == left)
        }
    }

    private static let locator = (try? Locator(container: "a.tar", position: 1, byteCount: 2).serialized()) ?? []
    private static let infinite =
        (try? Augmentation(items: [
            .crop(.init(top: 0, left: 0, height: 1, width: 1)),
            .randAugment([.init(operation: 1, magnitude: .infinity)]),
        ]).serialized()) ?? []

    @Test func whatIsOptionalIsLeftOutOfTheSampleAndCounted() throws {
        try withFolder { folder in
            var fixture = ExportFixture()
            fixture.changed = [("text", 1, 0, nil), ("url", 2, 0, nil), ("image", 1, 0, nil)]
            fixture.lost = [("text", 4)]
            let report = try fixture.export(.datacompdr, in: folder)
            #expect(
                report.losses.warnings == [
                    "1 samples without image, as in the shard", "1 samples without txt, as in the shard",
                    "1 samples without txt: the cell was lost", "1 samples without url.txt, as in the shard",
                ])
            let samples = try ExportFixture.samples(folder + "/out/a.tar")
            #expect(samples[1].members.map(\.suffix) == ["url.txt", "syn.json", "paug.json", "pth.gz", "json"])
            #expect(samples[2]["url.txt"] == nil && samples[2]["txt"] != nil && samples[4]["txt"] == nil)
        }
    }

    @Test func skippedOperationsAreNull() throws {
        try withFolder { folder in
            var fixture = ExportFixture()
            let record = Augmentation(items: [.crop(.init(top: 0, left: 0, height: 5, width: 6)), .null(kind: 2)])
            fixture.changed = [("augmentation", 0, 0, try record.serialized())]
            _ = try fixture.export(.datacompdr, in: folder)
            let sample = try ExportFixture.samples(folder + "/out/a.tar")[0]
            #expect(text(sample, "paug.json").hasPrefix(#"{"param_aug": [[[0, 0, 5, 6], null], [[1, 2"#))
            #expect(try DRSampleDecoder().decode(sample).augmentations[0] == record)
        }
    }

    @Test func aSetWithoutWhatASampleNeedsIsRefused() throws {
        try withFolder { folder in
            let error = failure { try ExportFixture(captioners: []).export(.datacompdr, in: folder) }
            #expect(error.code == .invalidArgument && error.reason.contains("synthetic captions"), "\(error)")
        }
    }

    @Test func anArchiveThatItsSinkRefusesIsAnError() throws {
        final class Full: ByteSink {
            let path = "full"
            func write(_ bytes: [UInt8]) throws(ShardError) { throw .io("no room") }
            func synchronize() throws(ShardError) {}
            func commit() throws(ShardError) {}
        }
        let tar = try ArchiveWriter(sink: Full(), format: .pax)
        try tar.add("small", [1])
        #expect(failure { try tar.add("large", Array(repeating: 0, count: 2 << 20)) }.code == .io)
        #expect(failure { try tar.finish() }.code == .io)
    }
}
