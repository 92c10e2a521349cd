// Footer.swift: what makes the rest of a shard readable. Byte layout: FORMAT.md section 5.7; this file adds no rule.
//   | prefix      | 24 bytes  | counts                      |
//   | schema      | n bytes   | as behind the file header   |
//   | notes       | n bytes   | a record                    |
//   | auxiliaries | 32 each   |                             |
//   | groups      | the rest  | payloads of the group blocks|

/// An auxiliary page, as the footer lists it.
public struct AuxiliaryEntry: Hashable, Sendable {
    package var firstPosition: UInt64
    package var secondPosition: UInt64
    public var payloadByteCount: Int
    package var checksum: UInt32
    public var kind: UInt16
    public var column: Int
    public var group: Int

    package init(
        firstPosition: UInt64, secondPosition: UInt64, payloadByteCount: Int, checksum: UInt32, kind: UInt16,
        column: Int, group: Int
    ) {
        self.firstPosition = firstPosition
        self.secondPosition = secondPosition
        self.payloadByteCount = payloadByteCount
        self.checksum = checksum
        self.kind = kind
        self.column = column
        self.group = group
    }
}

/// The metadata of a complete shard. One that was parsed is valid: every position in it lies in the file.
public struct Footer: Hashable, Sendable {
    public var rowCount: Int
    public var schema: Schema
    /// As they stand in the file: a newer writer's optional fields are kept in them.
    package var schemaBytes: [UInt8]
    /// Facts about this shard alone.
    public var notes: [Note]
    public var auxiliaries: [AuxiliaryEntry]
    public var groups: [GroupEntry]

    package init(
        schema: Schema, schemaBytes: [UInt8], notes: [Note], auxiliaries: [AuxiliaryEntry], groups: [GroupEntry]
    ) {
        rowCount = groups.reduce(0) { $0 + $1.rowCount }
        self.schema = schema
        self.schemaBytes = schemaBytes
        self.notes = notes
        self.auxiliaries = auxiliaries
        self.groups = groups
    }

    /// Parses a footer's payload, whose checksum the caller has checked.
    /// - Parameters:
    ///   - header: the file header.
    ///   - position: of the footer block: everything that the footer refers to lies before it.
    package init(parsing bytes: [UInt8], header: FileHeader, position: UInt64) throws(ShardError) {
        var cursor = ByteCursor(bytes, of: "footer")
        let rowCount = try cursor.u64()
        let groupCount = Int(try cursor.u32())
        let auxiliaryCount = Int(try cursor.u32())
        let schemaByteCount = Int(try cursor.u32())
        let notesByteCount = Int(try cursor.u32())
        guard schemaByteCount == header.schemaByteCount else {
            throw .corrupt("footer: a schema of \(schemaByteCount) bytes, \(header.schemaByteCount) in the file header")
        }
        schemaBytes = try cursor.raw(schemaByteCount)
        // The footer has its own checksum: these bytes are as they were written, and contradict the file header.
        guard crc32c(schemaBytes) == header.schemaCRC32C else {
            throw .corrupt("the footer's schema does not have the checksum that the file header says")
        }
        schema = try Schema(parsing: schemaBytes)
        let notesBytes = try cursor.raw(notesByteCount)
        guard notesByteCount <= Limits.maximumSchemaByteCount else {
            throw .limitExceeded("footer: notes of \(notesByteCount) bytes")
        }
        notes = try Footer.parseNotes(notesBytes)
        guard auxiliaryCount <= cursor.remaining / FormatConstants.auxiliaryEntryByteCount else {
            throw .corrupt("footer: \(auxiliaryCount) auxiliary pages do not fit it")
        }
        auxiliaries = []
        for _ in 0..<auxiliaryCount { auxiliaries.append(try Footer.parseAuxiliary(&cursor)) }
        guard groupCount <= cursor.remaining / FormatConstants.groupPrefixByteCount else {
            throw .corrupt("footer: \(groupCount) row groups do not fit it")
        }
        let spanning = header.requiredFeatures & FormatConstants.spanningFeature != 0
        groups = []
        groups.reserveCapacity(groupCount)
        for _ in 0..<groupCount { groups.append(try GroupEntry(&cursor, schema: schema, spanning: spanning)) }
        try cursor.expectEnd()
        self.rowCount = groups.reduce(0) { $0 + $1.rowCount }
        guard rowCount == UInt64(self.rowCount) else {
            throw .corrupt("footer: \(rowCount) rows, its row groups have \(self.rowCount)")
        }
        try checkGroups(header: header, end: position)
        try checkAuxiliaries(header: header, end: position)
    }

    private static func parseAuxiliary(_ cursor: inout ByteCursor) throws(ShardError) -> AuxiliaryEntry {
        AuxiliaryEntry(
            firstPosition: try cursor.u64(), secondPosition: try cursor.u64(),
            payloadByteCount: Int(try cursor.u32()), checksum: try cursor.u32(), kind: try cursor.u16(),
            column: Int(try cursor.u16()), group: Int(try cursor.u32()))
    }

    static func parseNotes(_ bytes: [UInt8]) throws(ShardError) -> [Note] {
        let record = try Record(parsing: bytes, known: 1...1, repeated: [1], of: "notes")
        var notes: [Note] = []
        for field in record.all(1) {
            var cursor = ByteCursor(field, of: "note")
            let key = try cursor.text(Int(try cursor.u16()))
            notes.append(Note(key: key, value: try cursor.text(cursor.remaining)))
        }
        return notes
    }

    /// Rows add up, groups have their size, and every index lies behind the file header and before `end`.
    private func checkGroups(header: FileHeader, end: UInt64) throws(ShardError) {
        var firstRow = 0
        var totals = Totals()
        for (i, group) in groups.enumerated() {
            let isLast = i == groups.count - 1
            guard group.group == i, group.firstRow == firstRow else {
                throw .corrupt(
                    "footer: row group \(i) says that it is number \(group.group) from row \(group.firstRow)")
            }
            guard group.rowCount >= 1,
                isLast ? group.rowCount <= header.rowsPerGroup : group.rowCount == header.rowsPerGroup
            else { throw .corrupt("row group \(i): \(group.rowCount) rows, where groups have \(header.rowsPerGroup)") }
            firstRow += group.rowCount
            guard group.position >= header.firstBlockPosition, group.position < end, group.position % 64 == 0 else {
                throw .corrupt("row group \(i): it begins at byte \(group.position)")
            }
            for chunk in group.chunks {
                let inFile =
                    chunk.indexPosition > group.position && chunk.indexPosition < end && chunk.indexPosition % 64 == 0
                    && chunk.indexByteCount >= FormatConstants.blockHeaderByteCount
                    && UInt64(chunk.indexByteCount) <= end - chunk.indexPosition
                    && chunk.storedByteCount <= chunk.indexPosition - group.position
                guard inFile else {
                    throw .corrupt(
                        "row group \(i): the index of column \(chunk.column), variant \(chunk.firstVariant), "
                            + "with \(chunk.indexByteCount) bytes at byte \(chunk.indexPosition), does not lie in the file"
                    )
                }
                try checkPlainByteCount(chunk, of: group)
                try totals.add(chunk, end: end)
            }
        }
    }

    /// What the stored bytes of a chunk and its cells can hold at most. Spec: [R-UNIT-4], section 6.2.
    private func checkPlainByteCount(_ chunk: ChunkEntry, of group: GroupEntry) throws(ShardError) {
        var isPossible = chunk.plainByteCount / UInt64(FormatConstants.expansionLimit) <= chunk.storedByteCount
        if let cellByteCount = schema.columns[chunk.column].type.cellByteCount {
            let cells = UInt64(group.rowCount * chunk.variantCount)
            let (most, overflow) = cells.multipliedReportingOverflow(by: UInt64(cellByteCount))
            if !overflow, chunk.plainByteCount > most { isPossible = false }
        }
        guard isPossible else {
            throw .corrupt(
                "row group \(group.group): \(chunk.plainByteCount) plain bytes of column \(chunk.column), variant "
                    + "\(chunk.firstVariant), are more than its \(chunk.storedByteCount) stored ones can hold")
        }
    }

    /// Sums over all chunks, so that nobody who adds them up later has to fear for the sum.
    private struct Totals {
        private var stored: UInt64 = 0
        private var plain: UInt64 = 0

        /// - Parameter end: chunks and their indexes do not overlap, so all of them together fit before it.
        mutating func add(_ chunk: ChunkEntry, end: UInt64) throws(ShardError) {
            // Each of the two was checked to lie in the file, so their sum cannot wrap.
            let blocks = chunk.storedByteCount + UInt64(chunk.indexByteCount)
            let (plain, overflow) = plain.addingReportingOverflow(chunk.plainByteCount)
            guard blocks <= end - stored, !overflow else {
                throw .corrupt("footer: the chunks have more bytes together than the file")
            }
            stored += blocks
            self.plain = plain
        }
    }

    private func checkAuxiliaries(header: FileHeader, end: UInt64) throws(ShardError) {
        for (i, entry) in auxiliaries.enumerated() {
            let byteCount = UInt64(FormatConstants.blockHeaderByteCount + pad64(entry.payloadByteCount))
            let inFile =
                entry.firstPosition >= header.firstBlockPosition && entry.firstPosition % 64 == 0
                && entry.firstPosition < end && byteCount <= end - entry.firstPosition
                && entry.secondPosition == entry.firstPosition + byteCount && byteCount <= end - entry.secondPosition
            guard inFile, schema.columns.indices.contains(entry.column), entry.group < max(1, groups.count) else {
                throw .corrupt("footer: auxiliary page \(i) does not lie in the file")
            }
            guard entry.payloadByteCount <= Limits.maximumAuxiliaryByteCount else {
                throw .limitExceeded("footer: an auxiliary page of \(entry.payloadByteCount) bytes")
            }
        }
    }

    package func serialized() -> [UInt8] {
        var bytes: [UInt8] = []
        var notesRecord = RecordBuilder()
        for note in notes {
            notesRecord.add(1) {
                $0.append(u16: UInt16(note.key.utf8.count))
                $0.append(contentsOf: note.key.utf8)
                $0.append(contentsOf: note.value.utf8)
            }
        }
        bytes.append(u64: UInt64(rowCount))
        bytes.append(u32: UInt32(groups.count))
        bytes.append(u32: UInt32(auxiliaries.count))
        bytes.append(u32: UInt32(schemaBytes.count))
        bytes.append(u32: UInt32(notesRecord.bytes.count))
        bytes.append(contentsOf: schemaBytes)
        bytes.append(contentsOf: notesRecord.bytes)
        for entry in auxiliaries {
            bytes.append(u64: entry.firstPosition)
            bytes.append(u64: entry.secondPosition)
            bytes.append(u32: UInt32(entry.payloadByteCount))
            bytes.append(u32: entry.checksum)
            bytes.append(u16: entry.kind)
            bytes.append(u16: UInt16(entry.column))
            bytes.append(u32: UInt32(entry.group))
        }
        for group in groups { group.append(to: &bytes) }
        return bytes
    }

    /// Digest of all rows' ids in order.
    public var rowSetDigest: SequenceDigest {
        var digest = SequenceDigest()
        for group in groups { digest.append(group.rowSetDigest, count: UInt64(group.rowCount)) }
        return digest
    }

    /// Digest of all cells of a column.
    public func columnDigest(_ column: Int) -> SequenceDigest {
        var digest = SequenceDigest()
        let variants = schema.variantCount(of: column)
        for group in groups { digest.append(group.columnDigests[column], count: UInt64(group.rowCount * variants)) }
        return digest
    }

    /// SHA-256 over all columns' names and digests. Spec: FORMAT.md section 8.2.
    public var contentDigest: [UInt8] {
        var bytes: [UInt8] = []
        for (i, column) in schema.columns.enumerated() {
            bytes.append(u16: UInt16(column.name.utf8.count))
            bytes.append(contentsOf: column.name.utf8)
            bytes.append(u128: columnDigest(i).value)
        }
        return SHA256.digest(bytes)
    }
}
