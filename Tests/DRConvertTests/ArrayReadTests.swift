import DRConvert
import DRShard
import DRShardFormat
import Synchronization
import Testing

/// Counts the bytes that are read of another source.
private final class CountingSource: ByteSource {
    private let source: MemorySource
    private let count = Mutex(0)

    init(_ source: MemorySource) { self.source = source }

    var path: String { source.path }
    var byteCount: UInt64 { source.byteCount }
    // SAFETY: nothing is handed out.
    var memory: UnsafeRawBufferPointer? { nil }
    var readByteCount: Int { count.withLock { $0 } }

    func read(_ requests: [ReadRequest], into target: UnsafeMutableRawBufferPointer) throws(ShardError) {
        count.withLock { $0 += requests.reduce(0) { $0 + $1.byteCount } }
        // SAFETY: requests and target are the caller's.
        try unsafe source.read(requests, into: target)
    }
}

private func convert(_ folder: String, _ change: (inout ConvertOptions) -> Void = { _ in }) throws -> ConvertReport {
    var options = ConvertOptions(inputs: [folder + "/out"], output: folder + "/again")
    options.verifies = true
    change(&options)
    return try Converter.run(options)
}

@Suite struct ArrayReadTests {
    @Test(arguments: [ExportOptions.Format.npy, .npz, .safetensors], [ElementType.bf16, .f32])
    func cellsThatWereAbsentOrLostAreThatAgain(format: ExportOptions.Format, element: ElementType) throws {
        try withFolder { folder in
            var fixture = ExportFixture()
            fixture.element = element
            fixture.captioners = ["syn_text", "syn_text_b"]
            fixture.changed = [
                ("image_emb", 1, 0, nil), ("text_emb", 2, 0, nil), ("syn_text_b_emb", 0, 2, nil), ("text", 4, 0, nil),
                ("syn_text", 3, 1, nil), ("augmentation", 3, 1, nil),
            ]
            fixture.lost = [("syn_text_emb", 3), ("image_emb", 4)]
            _ = try fixture.export(format, in: folder) { $0.withJSONLines = true }
            let report = try convert(folder) { $0.keepsFloat32 = element == .f32 }
            #expect(report.rowCount == 5 && report.verifiedRowCount == 5)
            try expectSameColumns(folder)
        }
    }

    /// All columns that arrays and lines carry.
    private func expectSameColumns(_ folder: String) throws {
        var options = DataSetComparison.Options()
        options.columns = [
            "url", "augmentation", "image_emb", "text", "text_emb", "syn_text", "syn_text_emb",
        ]
        options.isFull = true
        let (a, b) = (try DataSet(path: folder + "/shards"), try DataSet(path: folder + "/again"))
        if a.schema.columns.contains(where: { $0.name == "syn_text_b" }) {
            options.columns += ["syn_text_b", "syn_text_b_emb"]
        }
        let comparison = try DataSetComparison(a, b, options: options) { _, _ in }
        #expect(comparison.rows.areEqual && comparison.columns.count == options.columns.count)
        for column in comparison.columns {
            #expect(column.differingCount == 0 && column.comparedCount > 0, "\(column)")
        }
    }

    @Test func everyKindOfAugmentationThatIsExportedIsReadBack() throws {
        try withFolder { folder in
            let id: [UInt8] = [0, 0xAB, 0xFF]
            let records: [Augmentation] = [
                .init(items: [.flip(true), .randomCrop(top: -1, left: 7), .resize(224), .null(kind: 5)]),
                .init(items: [.erase(x: 1, y: 2, height: 3, width: 4), .null(kind: 2)]),
                .init(items: [.colorJitter(order: [3, 0, 2, 1], factors: [1, 0.1, 1e-300, -2.5])]),
                .init(items: [.mixup(lambda: 0.3, partner: id)]),
                .init(items: [.cutmix(lambda: 1, x1: 1, y1: 2, x2: 3, y2: 4, partner: [])]),
                .init(items: [.crop(.init(top: 0, left: 0, height: 1, width: 1)), .null(kind: 2)]),
                .init(items: [.randAugment([.init(operation: 13, magnitude: 0.26999998092651367)])]),
                .init(items: []),
            ]
            var fixture = ExportFixture()
            for (i, record) in records.enumerated() {
                fixture.changed.append(("augmentation", i / 2, i % 2, try record.serialized()))
            }
            _ = try fixture.export(.npz, in: folder) { $0.withJSONLines = true }
            #expect(try convert(folder).rowCount == 5)
            try expectSameColumns(folder)
        }
    }

    @Test func withoutLinesOnlyTextsAreLost() throws {
        try withFolder { folder in
            _ = try ExportFixture().export(.safetensors, in: folder)
            #expect(try convert(folder).rowCount == 5)
            let names = try DataSet(path: folder + "/again").schema.columns.map(\.name)
            #expect(names == ["uid", "image_emb", "text_emb", "syn_text_emb"])
        }
    }

    @Test(arguments: [10, 200_000]) func aZipInAFileIsReadAsOneInMemory(byteCount: Int) throws {
        let bytes = rawZip([
            RawMember(name: "a", data: randomBytes(byteCount, seed: 1)), RawMember(name: "b", data: [1, 2, 3]),
        ])
        let inflater = try Inflater()
        let (memory, file) = (try ZipReader(bytes[...]), try ZipReader(MemorySource(bytes, path: "a.npz")))
        #expect(file.entries.map(\.name) == ["a", "b"])
        for (a, b) in zip(memory.entries, file.entries) {
            #expect(try memory.read(a, limit: 1 << 20, with: inflater) == file.read(b, limit: 1 << 20, with: inflater))
        }
        #expect(failure { try file.read(file.entries[0], limit: byteCount - 1, with: inflater) }.code == .limitExceeded)
        let error = failure { try ZipReader(MemorySource(Array(bytes.dropLast(30)), path: "a.npz")) }
        #expect(error.code == .truncated && error.context.path == "a.npz")
    }

    @Test func aZipInAFileIsOpenedWithoutReadingItsMembers() throws {
        let bytes = rawZip([RawMember(name: "a", data: randomBytes(1 << 20, seed: 1))])
        let source = CountingSource(MemorySource(bytes, path: "a.npz"))
        let zip = try ZipReader(source)
        #expect(zip.entries.count == 1 && source.readByteCount < 200_000, "\(source.readByteCount)")
        _ = try zip.read(zip.entries[0], limit: 1 << 20, with: try Inflater())
        #expect(source.readByteCount > 1 << 20)
    }

    @Test func aLineOfAnotherNameIsReadByThatNameAlone() throws {
        var names = ColumnNames()
        names.fields = ["text": "caption", "syn_text": "more"]
        var seen: Set<String> = []
        let line = try RowLine(
            parsing: Array(#"{"text": 1, "caption": "a", "caption": "b", "more": ["c", null], "uid": 17}"#.utf8), names,
            seen: &seen)
        #expect(line.caption == "b" && line.captionSets == ["syn_text": ["c", nil]] && line.id == "17")
        #expect(seen == ["text", "caption", "more", "uid"])
    }

    @Test func theExampleOfAColumnsFileHasEveryKey() throws {
        let file = try ColumnsFile(parsing: Array(ColumnsFile.example.utf8))
        #expect(file.names.arrays["image_emb"] == "clip_image" && file.names.fields["uid"] == "id")
        #expect(file.names.ignored == ["labels"] && file.textRows == TextRows(real: 0, synthetic: [1, 2, 3, 4, 5]))
        #expect(file.teachers == [.init(name: "ViT-L-14:openai", first: 0, count: 768, logitScale: 100)])
        #expect(file.captioners == [.init(key: "syn_text", name: "coca_ViT-L-14")])
        #expect(file.sources == [Source(name: "my captions", licence: "CC-BY-4.0")])
    }
}
