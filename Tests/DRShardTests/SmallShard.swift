import DRShard
import DRShardFormat
import TestSupport

/// A shard of about 4 KB that still has everything: two row groups, an axis, raw and packed pages, zstd, cells that are
/// missing. Small enough to be damaged at every byte.
struct SmallShard {
    static let rowsPerGroup = 4
    let schema: Schema
    let options: WriterOptions
    /// `[row][column][variant]`; nil: absent.
    let rows: [[[[UInt8]?]]]
    /// The finished file.
    let bytes: [UInt8]

    init(rowCount: Int = 6) throws {
        schema = try Schema(
            axes: [Axis(name: "view", kind: .view, count: 2, exchangeable: .yes)],
            columns: [
                Column(name: "uid", role: .rowID, type: .tensor(.u8, dims: [4])),
                Column(name: "emb", role: .imageEmbedding, type: .tensor(.bf16, dims: [3]), axis: 0),
                Column(name: "text", role: .text, type: .utf8),
            ])
        var options = WriterOptions(shardTag: 0x5A)
        options.rowsPerGroup = Self.rowsPerGroup
        self.options = options
        rows = (0..<rowCount).map { row in
            let text = Array(String(repeating: "a dog, \(row) ", count: 4).utf8)
            let view = { (variant: Int) in (0..<6).map { UInt8(truncatingIfNeeded: row * 16 + $0 + variant * 100) } }
            return [[[1, 2, 3, UInt8(row)]], [row == 2 ? nil : view(0), view(1)], [row == 5 ? nil : text]]
        }
        let folder = try TemporaryFolder()
        let writer = try ShardWriter(path: folder.file("a.drs"), schema: schema, options: options)
        try SmallShard.append(rows[...], to: writer)
        try writer.finish()
        bytes = try contents(folder.file("a.drs"))
    }

    static func append(_ rows: ArraySlice<[[[UInt8]?]]>, to writer: ShardWriter) throws {
        for row in rows {
            for (column, variants) in row.enumerated() {
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

    /// Reads every cell. Throws, or gives what the shard says: `[row][column][variant]`.
    static func cells(_ reader: ShardReader) throws -> [[[[UInt8]?]]] {
        let schema = reader.schema
        var rows = Array(repeating: Array(repeating: [[UInt8]?](), count: schema.columns.count), count: reader.rowCount)
        for column in schema.columns.indices {
            let variants = schema.variantCount(of: column)
            let addresses = (0..<reader.rowCount * variants).map {
                CellAddress(row: $0 / variants, variant: $0 % variants)
            }
            let cells = try reader.values(column: column, addresses)
            let missing = Set(cells.missing.map(\.index))
            for (i, address) in addresses.enumerated() {
                rows[address.row][column].append(missing.contains(i) ? nil : cells[i])
            }
        }
        return rows
    }

    /// Where each block begins, from the headers' sizes; the last one is the tail.
    var blockPositions: [Int] {
        var positions: [Int] = []
        var position = 64 + pad64(schema.serialized().count)
        while position < bytes.count - FormatConstants.tailByteCount,
            let header = try? BlockHeader(parsing: Array(bytes[position..<position + 64]))
        {
            positions.append(position)
            position += header.blockByteCount
        }
        return positions + [position]
    }

    /// Behind each group block: where a writer that resumes goes on.
    var committedEnds: [Int] {
        let positions = blockPositions
        return zip(positions, positions.dropFirst()).compactMap { start, end in
            bytes[start + 4] == BlockHeader.Kind.group.rawValue ? end : nil
        }
    }
}
