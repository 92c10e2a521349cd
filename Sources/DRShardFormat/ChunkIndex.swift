/// The pages of a column chunk. Spec: FORMAT.md section 5.5.
public struct ChunkIndex: Sendable {
    public struct Entry: Sendable {
        /// Of the page's block header.
        public var position: UInt64
        public var header: BlockHeader

        package init(position: UInt64, header: BlockHeader) {
            self.position = position
            self.header = header
        }
    }

    public let entries: [Entry]

    package init(entries: [Entry]) { self.entries = entries }

    package func serialized() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(entries.count * FormatConstants.indexEntryByteCount)
        for entry in entries {
            bytes.append(u64: entry.position)
            bytes.append(contentsOf: entry.header.serialized())
        }
        return bytes
    }

    /// Parses an index block's payload, whose checksum the caller has checked, and checks that its pages are
    /// contiguous, belong to the chunk, tile its rows and lie in the file. Spec: [R-INDEX-1], [R-VAL-2].
    package init(parsing bytes: [UInt8], chunk: ChunkEntry, group: GroupEntry, schema: Schema, shardTag: UInt64)
        throws(ShardError)
    {
        guard bytes.count % FormatConstants.indexEntryByteCount == 0, !bytes.isEmpty else {
            throw .corrupt("chunk index of \(bytes.count) bytes")
        }
        var cursor = ByteCursor(bytes, of: "chunk index")
        var entries: [Entry] = []
        entries.reserveCapacity(bytes.count / FormatConstants.indexEntryByteCount)
        var position: UInt64?
        var row = 0
        var stored: UInt64 = 0
        while cursor.remaining > 0 {
            let place = try cursor.u64()
            let header = try BlockHeader(parsing: try cursor.raw(FormatConstants.blockHeaderByteCount))
            guard header.kind == .page, header.shardTag == shardTag, header.group == group.group,
                header.column == chunk.column, header.firstVariant == chunk.firstVariant,
                header.variantCount == chunk.variantCount, header.ordinal == entries.count, header.firstRow == row
            else { throw .corrupt("chunk index: entry \(entries.count) is not this chunk's next page") }
            guard header.rowCount >= 1, header.rowCount <= group.rowCount - row, header.rowsPerUnit >= 1 else {
                throw .corrupt("chunk index: page \(entries.count) has \(header.rowCount) rows from row \(row)")
            }
            guard place == position ?? place, place >= group.position, place % 64 == 0, place < chunk.indexPosition,
                UInt64(header.blockByteCount) <= chunk.indexPosition - place
            else { throw .corrupt("chunk index: page \(entries.count) at byte \(place) is not in its place") }
            try PageLayout.checkShape(header, type: schema.columns[chunk.column].type)
            row += header.rowCount
            stored += UInt64(header.blockByteCount)
            position = place + UInt64(header.blockByteCount)
            entries.append(Entry(position: place, header: header))
        }
        guard row == group.rowCount else { throw .corrupt("chunk index: pages of \(row) of \(group.rowCount) rows") }
        guard stored == chunk.storedByteCount else {
            throw .corrupt("chunk index: pages of \(stored) bytes, the row group says \(chunk.storedByteCount)")
        }
        self.entries = entries
    }

    /// The page that holds a row of the group. Cost: O(log pages).
    package func page(ofRow row: Int) -> Int {
        var low = 0
        var high = entries.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if entries[middle].header.firstRow <= row { low = middle } else { high = middle }
        }
        return low
    }
}
