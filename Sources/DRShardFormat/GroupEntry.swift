/// A column chunk, as the group block and the footer list it. Spec: FORMAT.md section 5.6.
public struct ChunkEntry: Hashable, Sendable {
    public var column: Int
    public var firstVariant: Int
    public var variantCount: Int
    /// Some cell is not present.
    public var hasMissing: Bool
    package var indexPosition: UInt64
    package var indexByteCount: Int
    package var indexCRC32C: UInt32
    /// Bytes of the blocks of its pages, together.
    public var storedByteCount: UInt64
    /// Bytes of the canonical values of its cells, together.
    public var plainByteCount: UInt64

    package init(
        column: Int, firstVariant: Int, variantCount: Int, hasMissing: Bool, indexPosition: UInt64,
        indexByteCount: Int, indexCRC32C: UInt32, storedByteCount: UInt64, plainByteCount: UInt64
    ) {
        self.column = column
        self.firstVariant = firstVariant
        self.variantCount = variantCount
        self.hasMissing = hasMissing
        self.indexPosition = indexPosition
        self.indexByteCount = indexByteCount
        self.indexCRC32C = indexCRC32C
        self.storedByteCount = storedByteCount
        self.plainByteCount = plainByteCount
    }

    init(_ cursor: inout ByteCursor) throws(ShardError) {
        column = Int(try cursor.u16())
        firstVariant = Int(try cursor.u16())
        variantCount = Int(try cursor.u16())
        let flags = try cursor.u8()
        guard flags <= 1 else { throw .unsupportedFeature("chunk flags \(flags)") }
        hasMissing = flags == 1
        try cursor.reserved(1)
        indexPosition = try cursor.u64()
        indexByteCount = Int(try cursor.u32())
        indexCRC32C = try cursor.u32()
        storedByteCount = try cursor.u64()
        plainByteCount = try cursor.u64()
    }

    func append(to bytes: inout [UInt8]) {
        bytes.append(u16: UInt16(column))
        bytes.append(u16: UInt16(firstVariant))
        bytes.append(u16: UInt16(variantCount))
        bytes.append(hasMissing ? 1 : 0)
        bytes.append(0)
        bytes.append(u64: indexPosition)
        bytes.append(u32: UInt32(indexByteCount))
        bytes.append(u32: indexCRC32C)
        bytes.append(u64: storedByteCount)
        bytes.append(u64: plainByteCount)
    }
}

/// A row group, as its group block and the footer describe it. Spec: FORMAT.md section 5.6.
public struct GroupEntry: Hashable, Sendable {
    public var group: Int
    public var rowCount: Int
    /// Rows before it in the shard.
    public var firstRow: Int
    /// Of its first block.
    package var position: UInt64
    public var chunks: [ChunkEntry]
    public var rowSetDigest: SequenceDigest
    public var columnDigests: [SequenceDigest]

    package init(
        group: Int, rowCount: Int, firstRow: Int, position: UInt64, chunks: [ChunkEntry],
        rowSetDigest: SequenceDigest, columnDigests: [SequenceDigest]
    ) {
        self.group = group
        self.rowCount = rowCount
        self.firstRow = firstRow
        self.position = position
        self.chunks = chunks
        self.rowSetDigest = rowSetDigest
        self.columnDigests = columnDigests
    }

    /// Parses one entry and checks that its chunks cover the schema's columns once. Spec: [R-GROUP-1], [R-GROUP-2].
    package init(_ cursor: inout ByteCursor, schema: Schema, spanning: Bool) throws(ShardError) {
        group = Int(try cursor.u32())
        rowCount = Int(try cursor.u32())
        let first = try cursor.u64()
        guard let first = Int(exactly: first) else { throw .corrupt("row group \(group): first row \(first)") }
        firstRow = first
        position = try cursor.u64()
        let chunkCount = Int(try cursor.u32())
        try cursor.reserved(4)
        guard chunkCount <= cursor.remaining / FormatConstants.chunkEntryByteCount else {
            throw .corrupt("row group \(group): \(chunkCount) chunks do not fit its \(cursor.remaining) bytes")
        }
        let planeCount = schema.columns.indices.reduce(0) { $0 + schema.variantCount(of: $1) }
        guard chunkCount <= planeCount else {
            throw .corrupt("row group \(group): \(chunkCount) chunks of \(planeCount) planes")
        }
        chunks = []
        chunks.reserveCapacity(chunkCount)
        for _ in 0..<chunkCount { chunks.append(try ChunkEntry(&cursor)) }
        rowSetDigest = try SequenceDigest(validating: try cursor.u128())
        columnDigests = []
        for _ in schema.columns.indices { columnDigests.append(try SequenceDigest(validating: try cursor.u128())) }
        try checkCover(schema: schema, spanning: spanning)
    }

    private func checkCover(schema: Schema, spanning: Bool) throws(ShardError) {
        var next = 0
        for column in schema.columns.indices {
            var variant = 0
            while variant < schema.variantCount(of: column) {
                guard next < chunks.count, chunks[next].column == column, chunks[next].firstVariant == variant,
                    chunks[next].variantCount >= 1,
                    chunks[next].variantCount <= schema.variantCount(of: column) - variant
                else {
                    throw .corrupt(
                        "row group \(group): no chunk covers variant \(variant) of column \(column) in its place")
                }
                guard spanning || chunks[next].variantCount == 1 else {
                    throw .corrupt("row group \(group): a chunk of several variants, without the feature spanning")
                }
                variant += chunks[next].variantCount
                next += 1
            }
        }
        guard next == chunks.count else { throw .corrupt("row group \(group): \(chunks.count - next) chunks too many") }
    }

    package func append(to bytes: inout [UInt8]) {
        bytes.append(u32: UInt32(group))
        bytes.append(u32: UInt32(rowCount))
        bytes.append(u64: UInt64(firstRow))
        bytes.append(u64: position)
        bytes.append(u32: UInt32(chunks.count))
        bytes.append(u32: 0)
        for chunk in chunks { chunk.append(to: &bytes) }
        bytes.append(u128: rowSetDigest.value)
        for digest in columnDigests { bytes.append(u128: digest.value) }
    }
}
