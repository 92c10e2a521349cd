import DRShard
import DRShardFormat
import TestSupport

/// A small data set of every kind of column, in memory, and how it is written.
struct MiniatureData {
    static let uid = 0, views = 1, parameters = 2, text = 3, tokens = 4, url = 5, blob = 6, size = 7, place = 8
    let schema: Schema
    /// `[row][column][variant]`; nil: absent.
    var rows: [[[[UInt8]?]]] = []

    init(
        rowCount: Int, dims: Int = 24, viewCount: Int = 3, captionCount: Int = 2, seed: UInt64 = 1, absence: Bool = true
    ) throws {
        var metadata = SchemaMetadata()
        metadata.teachers = [
            Teacher(
                name: "A \"quoted\" teacher", normalised: .yes, logitScale: 100,
                slices: [.init(column: 1, first: 0, count: dims)])
        ]
        metadata.operations = [OperationEntry(operation: 6, name: "Brightness", magnitudes: [-0.25, 0.25])]
        schema = try Schema(
            axes: [
                Axis(name: "view", kind: .view, count: viewCount, exchangeable: .yes, definingColumn: 2),
                Axis(
                    name: "synthetic", kind: .syntheticCaption, count: captionCount, exchangeable: .unknown, source: "x"
                ),
            ],
            columns: [
                Column(name: "uid", role: .rowID, type: .tensor(.u8, dims: [16])),
                Column(name: "image_emb", role: .imageEmbedding, type: .tensor(.bf16, dims: [dims]), axis: 0),
                Column(name: "augmentation", role: .augmentation, type: .operations, axis: 0),
                Column(name: "text", role: .text, type: .utf8, axis: 1),
                Column(name: "tokens", role: .tokens, type: .ragged(.u16), axis: 1),
                Column(name: "url", role: .url, type: .utf8),
                Column(name: "blob", role: .other, type: .binary),
                Column(name: "size", role: .imageSize, type: .tensor(.u32, dims: [2])),
                Column(name: "place", role: .image, type: .locator),
            ], metadata: metadata)
        var random = SeededGenerator(seed: seed)
        for row in 0..<rowCount { rows.append(try makeRow(row, dims: dims, absence: absence, &random)) }
    }

    private func makeRow(_ row: Int, dims: Int, absence: Bool, _ random: inout SeededGenerator) throws -> [[[UInt8]?]] {
        func bytes(_ count: Int, _ random: inout SeededGenerator) -> [UInt8] {
            (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
        }
        /// Exponents as unit vectors have them, and any fraction.
        func embedding(_ dims: Int, _ random: inout SeededGenerator) -> [UInt8] {
            (0..<dims).flatMap { _ in
                let exponent = 123 - UInt16((random.next() | 1 << 12).trailingZeroBitCount)
                let value =
                    exponent << 7 | UInt16.random(in: 0..<128, using: &random) | UInt16.random(
                        in: 0...1, using: &random) << 15
                return [UInt8(truncatingIfNeeded: value), UInt8(value >> 8)]
            }
        }
        /// A few that are frequent, and any.
        func tokens(_ random: inout SeededGenerator) -> [UInt8] {
            (0..<Int.random(in: 0...30, using: &random)).flatMap { _ in
                let rare = Int.random(in: 0..<8, using: &random) == 0
                let token =
                    rare ? UInt16(truncatingIfNeeded: random.next()) : UInt16.random(in: 300..<330, using: &random)
                return [UInt8(truncatingIfNeeded: token), UInt8(token >> 8)]
            }
        }
        func words(_ random: inout SeededGenerator) -> [UInt8] {
            let list = ["dog", "cat", "naïve", "日本", "🙂", "\"x\"", "\\", "a\tb"]
            return Array(
                (0..<Int.random(in: 0...9, using: &random)).map { _ in
                    list[Int.random(in: 0..<list.count, using: &random)]
                }.joined(separator: " ").utf8)
        }
        return try schema.columns.indices.map { column in
            try (0..<schema.variantCount(of: column)).map { variant in
                if absence, column != Self.uid, Int.random(in: 0..<11, using: &random) == 0 { return nil }
                switch column {
                case Self.uid: return SHA256.digest(Array("row \(row)".utf8)).prefix(16) + []
                case Self.views: return embedding(dims, &random)
                case Self.parameters:
                    let box = Augmentation.Box(
                        top: Int32.random(in: 0...900, using: &random), left: 1, height: 20, width: 300)
                    return try Augmentation(items: [.crop(box), .randAugment([.init(operation: 6, magnitude: 0.25)])])
                        .serialized()
                case Self.text, Self.url: return words(&random)
                case Self.tokens: return tokens(&random)
                case Self.blob: return bytes(row % 50 == 0 ? 9000 : 3, &random)
                case Self.size: return bytes(8, &random)
                default:
                    return try Locator(container: "a/\(row).tar", position: 512, byteCount: UInt64(row), hash: .none)
                        .serialized()
                }
            }
        }
    }

    func append(to writer: ShardWriter, rows range: Range<Int>) throws {
        for row in range {
            for (column, variants) in rows[row].enumerated() {
                for (variant, value) in variants.enumerated() {
                    if let value {
                        try writer.set(value, column: column, variant: variant)
                    } else {
                        try writer.setMissing(column: column, variant: variant)
                    }
                }
            }
            try writer.endRow()
        }
    }

    @discardableResult func write(to path: String, options: WriterOptions) throws -> Footer {
        let writer = try ShardWriter(path: path, schema: schema, options: options)
        try append(to: writer, rows: rows.indices)
        return try writer.finish()
    }
}

/// Options of a small shard with several row groups.
/// - Parameter bf16: how the views of `MiniatureData` are stored.
func smallOptions(rowsPerGroup: Int = 64, tag: UInt64 = 0xAA, bf16: ColumnStorage? = nil) -> WriterOptions {
    var options = WriterOptions(shardTag: tag)
    options.storage[MiniatureData.views] = bf16
    options.rowsPerGroup = rowsPerGroup
    return options
}
