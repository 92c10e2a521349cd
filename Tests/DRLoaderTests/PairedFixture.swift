import DRLoader
import DRShard
import DRShardFormat
import TestSupport

/// A small paired data set over several shards. Values are a function of row, column and variant.
struct PairedFixture {
    static let viewCount = 4, captionCount = 3
    static let uid = 0, augmentation = 1, image = 2, realTokens = 3, realText = 4, realEmbedding = 5
    static let syntheticTokens = 6, syntheticText = 7, syntheticEmbedding = 8

    /// Several cells share a unit; from 600 on each has its own.
    var dims = 20
    /// Of the embedding columns.
    var storage: ColumnStorage?
    var rowsPerGroup = 32
    /// The number that is hashed into the id of row 0.
    var firstID = 0
    var hasTokens = true
    var contextLength: UInt32 = 12
    /// A row whose captions have a token that the tokenizer does not.
    var badTokenRow: Int?
    /// Cells that have no value.
    var absent: Set<Cell> = []

    struct Cell: Hashable {
        var row: Int, column: Int, variant: Int
    }

    /// A column by its number here; the schema leaves token columns out if there are none.
    func column(_ number: Int) -> Int {
        guard !hasTokens else { return number }
        return number - (number > Self.realTokens ? 1 : 0) - (number > Self.syntheticTokens ? 1 : 0)
    }

    func schema() throws -> Schema {
        let embedding = ColumnType.tensor(.bf16, dims: [dims])
        var columns = [
            Column(name: "uid", role: .rowID, type: .tensor(.u8, dims: [16])),
            Column(name: "augmentation", role: .augmentation, type: .operations, axis: 0),
            Column(name: "image_emb", role: .imageEmbedding, type: embedding, axis: 0),
            Column(name: "tokens", role: .tokens, type: .ragged(.u16), axis: 1, tokenizer: 0),
            Column(name: "text", role: .text, type: .utf8, axis: 1),
            Column(name: "text_emb", role: .textEmbedding, type: embedding, axis: 1),
            Column(name: "syn_tokens", role: .tokens, type: .ragged(.u16), axis: 2, tokenizer: 0),
            Column(name: "syn_text", role: .text, type: .utf8, axis: 2),
            Column(name: "syn_text_emb", role: .textEmbedding, type: embedding, axis: 2),
        ]
        if !hasTokens { columns.removeAll { $0.role == .tokens } }
        var metadata = SchemaMetadata()
        if hasTokens { metadata.tokenizers = [Self.tokenizer(contextLength: contextLength)] }
        return try Schema(axes: Self.axes, columns: columns, metadata: metadata)
    }

    static let axes = [
        Axis(name: "view", kind: .view, count: viewCount, exchangeable: .yes),
        Axis(name: "real", kind: .realCaption, count: 1, exchangeable: .no),
        Axis(name: "synthetic", kind: .syntheticCaption, count: captionCount, exchangeable: .yes),
    ]

    static func tokenizer(name: String = "clip", contextLength: UInt32 = 12) -> Tokenizer {
        Tokenizer(
            name: name, vocabularySHA256: Array(repeating: 7, count: 32), vocabularySize: 49408,
            contextLength: contextLength,
            start: 49406, end: 49407)
    }

    private func random(_ cell: Cell) -> SeededGenerator {
        SeededGenerator(seed: UInt64(cell.row) << 32 | UInt64(cell.column) << 16 | UInt64(cell.variant))
    }

    /// Stored tokens of a caption: 0 to 15 of them.
    func tokens(_ cell: Cell) -> [UInt16] {
        var random = random(cell)
        return (0..<cell.row % 16).map { _ in UInt16.random(in: 1...49405, using: &random) }
    }

    func augmentation(_ cell: Cell) -> Augmentation {
        Augmentation(items: [.crop(.init(top: Int32(cell.row), left: Int32(cell.variant), height: 9, width: 8))])
    }

    func value(_ cell: Cell) -> [UInt8] {
        var random = random(cell)
        switch cell.column {
        case Self.uid: return Array(SHA256.digest(Array("row \(firstID + cell.row)".utf8)).prefix(16))
        // A crop always has bytes.
        case Self.augmentation: return (try? augmentation(cell).serialized()) ?? []
        case Self.realTokens, Self.syntheticTokens:
            guard cell.row != badTokenRow else { return [1, 0, 0, 0xC1] }
            return tokens(cell).flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
        case Self.realText, Self.syntheticText: return Array("caption \(cell.variant) of row \(cell.row)".utf8)
        default:
            // Numbers of a unit vector: few exponents, so that encodings have something to do.
            return (0..<dims).flatMap { _ in
                let bits = random.next()
                let value = UInt16(bits & 0x807F) | UInt16(114 + (bits >> 20) % 7) << 7
                return [UInt8(value & 0xFF), UInt8(value >> 8)]
            }
        }
    }

    /// Writes shards of these numbers of rows.
    func write(_ folder: TemporaryFolder, rowCounts: [Int]) throws {
        let schema = try schema()
        var row = 0
        for (i, count) in rowCounts.enumerated() {
            var options = WriterOptions(shardTag: UInt64(i))
            options.rowsPerGroup = rowsPerGroup
            options.storage = try WriterOptions.storage(named: [:], bf16: storage, of: schema)
            let writer = try ShardWriter(path: folder.file("\(i).drs"), schema: schema, options: options)
            for _ in 0..<count {
                try write(row: row, to: writer)
                row += 1
            }
            try writer.finish()
        }
    }

    private func write(row: Int, to writer: ShardWriter) throws {
        for number in Self.uid...Self.syntheticEmbedding {
            if !hasTokens, [Self.realTokens, Self.syntheticTokens].contains(number) { continue }
            for variant in 0..<writer.schema.variantCount(of: column(number)) {
                let cell = Cell(row: row, column: number, variant: variant)
                if absent.contains(cell) {
                    try writer.setMissing(column: column(number), variant: variant)
                } else {
                    try writer.set(value(cell), column: column(number), variant: variant)
                }
            }
        }
        try writer.endRow()
    }
}

/// Everything that a batch says, for comparison.
struct BatchContents: Equatable {
    var rows: [Int]
    var namedRows: [Int]
    var repetitions: [Int]
    var variants: [[VariantDraw]]
    var matrices: [[[UInt8]]]
    var values: [[[UInt8]?]]
    var lengths: [[Int]?]

    init(_ batch: PairedBatch) {
        rows = batch.rows
        namedRows = batch.namedRows
        repetitions = batch.repetitions
        variants = [batch.image.views, batch.real.captions, batch.synthetic.captions].flatMap {
            [$0.draws, $0.deliveries]
        }
        let all =
            [batch.rowIDs, batch.real.tokens?.ids, batch.synthetic.tokens?.ids].compactMap { $0 }
            + batch.image.embeddings + batch.real.embeddings + batch.synthetic.embeddings
        matrices = all.map { matrix in (0..<matrix.rowCount).map { matrix.bytes(row: $0) } }
        values = [batch.image.values, batch.image.augmentations?.values].map { values in
            values.map { values in (0..<values.count).map { values[$0] } } ?? []
        }
        lengths = [batch.real.tokens?.lengths, batch.synthetic.tokens?.lengths]
    }
}

extension PairedLoader {
    /// All batches of an epoch.
    func batches(epoch number: Int) throws -> [PairedBatch] {
        let epoch = try epoch(number)
        var batches: [PairedBatch] = []
        while let batch = try epoch.next() { batches.append(batch) }
        return batches
    }
}
