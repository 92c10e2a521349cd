import DRShard
import DRShardFormat
import TestSupport
import Testing

/// Columns and variants that are left out, and everything that refers to them.
@Suite struct SchemaSelectionTests {
    private static func schema() throws -> Schema {
        var metadata = SchemaMetadata()
        metadata.teachers = [
            Teacher(
                name: "both", normalised: .yes,
                slices: [.init(column: 1, first: 0, count: 4), .init(column: 4, first: 0, count: 4)]),
            Teacher(name: "captions", normalised: .no, slices: [.init(column: 4, first: 4, count: 4)]),
            Teacher(name: "nothing", normalised: .no, slices: []),
        ]
        metadata.captioners = [Captioner(name: "first", axis: 1), Captioner(name: "second", axis: 2)]
        metadata.tokenizers = ["a", "b", "unused"].map {
            Tokenizer(
                name: $0, vocabularySHA256: Array(repeating: 1, count: 32), vocabularySize: 9, contextLength: 4,
                start: 7, end: 8)
        }
        metadata.operations = [OperationEntry(operation: 0, name: "Identity", magnitudes: [0])]
        return try Schema(
            axes: [
                Axis(name: "view", kind: .view, count: 4, exchangeable: .yes, definingColumn: 2),
                Axis(name: "one", kind: .syntheticCaption, count: 3, exchangeable: .no, definingColumn: 3),
                Axis(name: "two", kind: .syntheticCaption, count: 1, exchangeable: .no, definingColumn: 5),
                Axis(name: "empty", kind: .other, count: 2, exchangeable: .no),
            ],
            columns: [
                Column(name: "image", role: .imageEmbedding, type: .tensor(.bf16, dims: [2])),
                Column(name: "views", role: .imageEmbedding, type: .tensor(.bf16, dims: [4]), axis: 0),
                Column(name: "records", role: .augmentation, type: .operations, axis: 0),
                Column(name: "tokens", role: .tokens, type: .ragged(.u16), axis: 1, tokenizer: 0),
                Column(name: "texts", role: .textEmbedding, type: .tensor(.bf16, dims: [8]), axis: 1),
                Column(name: "more", role: .tokens, type: .ragged(.u16), axis: 2, tokenizer: 1),
                Column(name: "uid", role: .rowID, type: .tensor(.u8, dims: [4])),
            ], metadata: metadata)
    }

    @Test func whatRefersToColumnsAndAxesIsNumberedAnew() throws {
        let schema = try Self.schema()
        let selection = try SchemaSelection(schema, dropping: ["image", "records", "tokens", "texts"], views: 2)
        let new = selection.schema
        #expect(selection.columns == [1, 5, 6] && !selection.isWhole)
        #expect(new.columns.map(\.name) == ["views", "more", "uid"] && new.rowIDColumn == 2)
        #expect(new.axes.map(\.name) == ["view", "two", "empty"] && new.axes.map(\.count) == [2, 1, 2])
        #expect(new.axes.map(\.definingColumn) == [nil, 1, nil])
        #expect(new.columns.map(\.axis) == [0, 1, nil] && new.columns.map(\.tokenizer) == [nil, 0, nil])
        let metadata = new.metadata
        #expect(metadata.tokenizers.map(\.name) == ["b", "unused"])
        #expect(metadata.captioners.map(\.name) == ["second"] && metadata.captioners[0].axis == 1)
        #expect(metadata.teachers.map(\.name) == ["both", "nothing"])
        #expect(metadata.teachers[0].slices == [.init(column: 0, first: 0, count: 4)])
        #expect(metadata.operations.isEmpty, "no column has augmentation records")
        #expect(selection.summary == "2 of 4 variants of axis view, without image, records, tokens, texts")
        #expect(try Schema(parsing: new.serialized()) == new)
    }

    @Test func nothingLeftOutIsTheSameSchema() throws {
        let schema = try Self.schema()
        for selection in [
            try SchemaSelection(schema, dropping: []), try SchemaSelection(schema, dropping: [], views: 9, captions: 3),
        ] {
            #expect(selection.isWhole && selection.schema == schema && selection.summary.isEmpty)
        }
        let captions = try SchemaSelection(schema, dropping: [], captions: 2).schema
        #expect(captions.axes.map(\.count) == [4, 2, 1, 2])
    }

    @Test func whatCannotBeLeftOutIsRefused() throws {
        let schema = try Self.schema()
        #expect(throws: ShardError.invalidArgument("")) { try SchemaSelection(schema, dropping: ["uid"]) }
        #expect(throws: ShardError.invalidArgument("")) { try SchemaSelection(schema, dropping: ["nobody"]) }
        #expect(throws: ShardError.invalidArgument("")) { try SchemaSelection(schema, dropping: [], views: 0) }
        let bare = try SchemaSelection(schema, columns: []).schema
        #expect(bare.columns.map(\.name) == ["uid"] && bare.axes.map(\.name) == ["empty"])
        #expect(throws: ShardError.invalidArgument("")) { try SchemaSelection(bare, dropping: [], views: 1) }
    }

    // R-SIDE-1: the digest of a shared axis is of all variants that the base has.
    @Test func aSideShardKeepsAllVariantsOfASharedAxis() throws {
        let schema = try Self.schema()
        var metadata = schema.metadata
        metadata.side = SideReference(
            rowSetDigest: SequenceDigest(), rowCount: 0,
            axes: [.init(axis: 0, digest: SequenceDigest()), .init(axis: 2, digest: SequenceDigest())])
        let side = try Schema(axes: schema.axes, columns: schema.columns, metadata: metadata)
        #expect(throws: ShardError.invalidArgument("")) { try SchemaSelection(side, dropping: [], views: 2) }
        let fewer = try SchemaSelection(side, dropping: ["views", "records"], captions: 1).schema
        #expect(fewer.metadata.side?.axes.map(\.axis) == [1] && fewer.axes[1].name == "two")
    }

    /// Every way to store embeddings, and pages of many sizes.
    @Test(arguments: [ColumnStorage.plain, .balanced, .archive], [1, 700, 1 << 20])
    func cellsThatRemainAreThoseOfTheSource(storage: ColumnStorage, pageByteCount: Int) throws {
        let folder = try TemporaryFolder()
        let data = try MiniatureData(rowCount: 90, dims: 300)
        try data.write(to: folder.file("a.drs"), options: smallOptions(rowsPerGroup: 40, bf16: storage))
        let source = try ShardReader(path: folder.file("a.drs"))
        var options = RepackOptions()
        options.views = 2
        options.captions = 1
        options.dropped = ["tokens", "blob"]
        options.pageByteCount = pageByteCount
        options.compressionLevel = 9
        options.bf16Storage = storage
        try Repacker.repack(source, to: folder.file("b.drs"), options: options)
        #expect(ShardVerifier.verify(path: folder.file("b.drs"), depth: .decode) == [])
        let made = try ShardReader(path: folder.file("b.drs"))
        let names = ["uid", "image_emb", "augmentation", "text", "url", "size", "place"]
        #expect(made.schema.columns.map(\.name) == names)
        let kept = [0, 1, 2, 3, 5, 7, 8]
        let expected = data.rows.map { row in
            kept.map { Array(row[$0].prefix($0 == 3 ? 1 : $0 == 1 || $0 == 2 ? 2 : 1)) }
        }
        #expect(try SmallShard.cells(made) == expected)
        let pages = try DataSet(path: made.path).statistics()[1].total.codecs.values.reduce(0, +)
        // Three row groups; chunks of archive hold both views, and their units many rows.
        if pageByteCount == 1 << 20 {
            #expect(pages == (storage == .archive ? 3 : 6))
        } else {
            #expect(pages > (storage == .archive ? 3 : 40))
        }
    }
}
