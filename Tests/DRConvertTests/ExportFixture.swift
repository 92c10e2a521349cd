import DRConvert
import DRShard
import DRShardFormat
import Testing

/// A shard with everything that an export can meet, made by hand: two captioners, tokens, and what a test changes.
struct ExportFixture {
    var element = ElementType.bf16
    var rowCount = 5
    /// Names of the synthetic text columns: one axis each, of 2 captions and then of 3.
    var captioners = ["syn_text"]
    var realCount = 1
    var hasTokens = false
    /// Columns behind the others, all cells of which are present.
    var more: [(column: Column, value: [UInt8])] = []
    /// Cells that have another value, or none: by column's name, row and variant.
    var changed: [(column: String, row: Int, variant: Int, value: [UInt8]?)] = []
    var lost: [(column: String, row: Int)] = []

    static let dims = 4

    static let png: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 1, 2, 3]

    func uid(_ row: Int) -> [UInt8] { (0..<16).map { UInt8(16 * row + $0) } }

    /// What an embedding cell holds: different numbers in every cell, finite and positive.
    func embedding(_ column: Int, _ row: Int, _ variant: Int) -> [UInt8] {
        (0..<Self.dims).flatMap { i -> [UInt8] in
            let high: [UInt8] = [UInt8(16 * column + variant), 0x3C]
            return element == .f32 ? [UInt8(row), UInt8(i)] + high : [UInt8(16 * row + i), 0x3C + UInt8(column)]
        }
    }

    static let record = Augmentation(items: [
        .crop(.init(top: 1, left: 2, height: 3, width: 4)),
        .randAugment([.init(operation: 6, magnitude: 0.26999998092651367), .init(operation: 0, magnitude: 0)]),
    ])

    func schema() throws -> Schema {
        let cell = ColumnType.tensor(element, dims: [Self.dims])
        var axes = [
            Axis(name: "view", kind: .view, count: 2, exchangeable: .unknown),
            Axis(name: "real", kind: .realCaption, count: realCount, exchangeable: .no),
        ]
        var columns = [
            Column(name: "uid", role: .rowID, type: .tensor(.u8, dims: [16])),
            Column(name: "url", role: .url, type: .utf8), Column(name: "image", role: .image, type: .binary),
            Column(name: "augmentation", role: .augmentation, type: .operations, axis: 0),
            Column(name: "image_emb", role: .imageEmbedding, type: cell, axis: 0),
            Column(name: "text", role: .text, type: .utf8, axis: 1),
            Column(name: "text_emb", role: .textEmbedding, type: cell, axis: 1),
        ]
        for (i, name) in captioners.enumerated() {
            axes.append(Axis(name: name, kind: .syntheticCaption, count: 2 + i, exchangeable: .unknown))
            columns += [
                Column(name: name, role: .text, type: .utf8, axis: 2 + i),
                Column(name: name + "_emb", role: .textEmbedding, type: cell, axis: 2 + i),
            ]
        }
        var metadata = SchemaMetadata()
        if hasTokens {
            metadata.tokenizers = [
                Tokenizer(
                    name: "t", vocabularySHA256: Array(repeating: 0, count: 32), vocabularySize: 1000, contextLength: 5,
                    start: 998, end: 999)
            ]
            columns.append(Column(name: "tokens", role: .tokens, type: .ragged(.u16), axis: 1, tokenizer: 0))
        }
        return try Schema(axes: axes, columns: columns + more.map(\.column), metadata: metadata)
    }

    private func value(_ schema: Schema, _ column: Int, _ row: Int, _ variant: Int) throws -> [UInt8] {
        let name = schema.columns[column].name
        if let (_, value) = more.first(where: { $0.column.name == name }) { return value }
        return switch schema.columns[column].role {
        case .rowID: uid(row)
        case .url: Array("http://\(row)".utf8)
        case .image: Self.png
        case .augmentation: try Self.record.serialized()
        case .tokens: (0..<row).flatMap { UInt16($0 + 7).bytes }
        case .text: Array("\(name) \(row) \(variant)".utf8)
        default: embedding(column, row, variant)
        }
    }

    /// Writes `folder/shards/a.drs`; the folder of shards.
    func write(in folder: String) throws -> String {
        let schema = try schema()
        var options = WriterOptions(shardTag: 1)
        options.rowsPerGroup = 2
        try TarFolder.makeFolder(folder + "/shards")
        let writer = try ShardWriter(path: folder + "/shards/a.drs", schema: schema, options: options)
        for row in 0..<rowCount {
            for column in schema.columns.indices {
                for variant in 0..<schema.variantCount(of: column) {
                    let name = schema.columns[column].name
                    let change = changed.first { ($0.column, $0.row, $0.variant) == (name, row, variant) }
                    if lost.contains(where: { ($0.column, $0.row) == (name, row) }) {
                        try writer.setMissing(.lost, column: column, variant: variant)
                    } else if let change, change.value == nil {
                        try writer.setMissing(column: column, variant: variant)
                    } else {
                        try writer.set(
                            try change?.value ?? value(schema, column, row, variant), column: column, variant: variant)
                    }
                }
            }
            try writer.endRow()
        }
        try writer.finish()
        return folder + "/shards"
    }

    /// Makes the shard, and exports it; the report and the folder of the export.
    func export(
        _ format: ExportOptions.Format, in folder: String, _ change: (inout ExportOptions) -> Void = { _ in }
    ) throws -> ExportReport {
        var options = ExportOptions(format: format, output: folder + "/out")
        change(&options)
        return try Exporter.run(try write(in: folder), options)
    }

    /// The samples of an exported tar.
    static func samples(_ path: String) throws -> [SampleGroup] {
        let reader = SampleGroupReader(try TarReader(path: path))
        var groups: [SampleGroup] = []
        while let group = try reader.next() { groups.append(group) }
        return groups
    }
}
