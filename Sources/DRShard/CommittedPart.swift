internal import DRShardFormat

/// What a killed writer had committed. Spec: [R-REC-3].
struct CommittedPart {
    let header: FileHeader
    private(set) var groups: [GroupEntry] = []
    /// Behind the last group block.
    private(set) var end: UInt64
    /// Of all committed rows.
    private(set) var rowIDTerms: Set<UInt128> = []

    /// Reads an unfinished file: all headers, indexes and group blocks, everything of the last group, and the row ids.
    /// A last group that is damaged is given up.
    /// - Parameter start: the bytes with which the file must begin. A file that ends inside them has nothing committed:
    ///   then `end` is 0.
    /// - Throws: `.schemaMismatch` if it was begun with another schema or other options; `.corrupt` if its start is
    ///   damaged.
    init(partPath path: String, schema: Schema, header: FileHeader, start: [UInt8]) throws(ShardError) {
        self.header = header
        let source = try FileSource(path: path)
        guard source.byteCount >= UInt64(start.count) else {
            let found = try source.bytes(at: 0, count: Int(source.byteCount))
            guard found.elementsEqual(start.prefix(found.count)) else {
                throw ShardError.corrupt("the \(found.count) bytes of the unfinished file are not its first ones")
                    .with(.init(path: path))
            }
            end = 0
            return
        }
        do throws(ShardError) { try CommittedPart.check(source, start: start, header: header) } catch {
            throw error.with(.init(path: path))
        }
        end = header.firstBlockPosition
        collect(source, schema: schema)
        while let last = groups.last {
            if (try? checkLast(last, source: source, schema: schema)) != nil { break }
            groups.removeLast()
            end = last.position
        }
        try readRowIDs(source, schema: schema)
    }

    private static func check(_ source: FileSource, start: [UInt8], header: FileHeader) throws(ShardError) {
        let found = try FileHeader(parsing: try source.bytes(at: 0, count: FormatConstants.fileHeaderByteCount))
        let schemaBytes = try source.bytes(at: 64, count: found.schemaByteCount)
        guard crc32c(schemaBytes) == found.schemaCRC32C else { throw .checksumMismatch("schema") }
        guard schemaBytes.elementsEqual(start[64..<64 + header.schemaByteCount]) else {
            throw .schemaMismatch("the unfinished file has another schema")
        }
        guard found.rowsPerGroup == header.rowsPerGroup else {
            throw .schemaMismatch("the unfinished file has \(found.rowsPerGroup) rows a row group")
        }
        guard found.shardTag == header.shardTag else {
            throw .schemaMismatch("the unfinished file has another shard tag")
        }
        guard try source.bytes(at: 0, count: start.count) == start else {
            throw .corrupt("the unfinished file does not begin as this writer's files do")
        }
    }

    private func reader(_ source: FileSource, _ schema: Schema) -> ShardReader {
        let footer = Footer(schema: schema, schemaBytes: [], notes: [], auxiliaries: [], groups: groups)
        return ShardReader(source: source, header: header, footer: footer, options: .init())
    }

    /// Takes group blocks, until the first block that is damaged or not in its place.
    private mutating func collect(_ source: FileSource, schema: Schema) {
        var walk = BlockWalk(source: source, header: header, end: source.byteCount)
        while let (place, block) = try? walk.next() {
            guard block.kind == .group else { continue }
            guard let payload = try? source.bytes(at: place + 64, count: block.payloadByteCount),
                crc32c(payload) == block.checksum
            else { return }
            var cursor = ByteCursor(payload, of: "group block")
            guard let entry = try? GroupEntry(&cursor, schema: schema, spanning: false), cursor.remaining == 0,
                entry.group == groups.count, entry.rowCount == header.rowsPerGroup, entry.position == end,
                entry.firstRow == groups.count * header.rowsPerGroup
            else { return }
            groups.append(entry)
            end = walk.position
        }
    }

    /// Every block of a group, as it lies in the file; the group block is its last.
    private func checkLast(_ group: GroupEntry, source: FileSource, schema: Schema) throws(ShardError) {
        let reader = reader(source, schema)
        for chunk in group.chunks {
            let pages = try reader.pages(column: chunk.column, variant: chunk.firstVariant, group: group.group)
            for entry in pages.index.entries {
                let block = try source.bytes(at: entry.position, count: entry.header.blockByteCount)
                try PageCheck.check(block, header: entry.header, type: pages.type)
            }
        }
        var walk = BlockWalk(source: source, header: header, from: group.position, end: end)
        while let (position, block) = try walk.next() {
            guard block.kind != .page else { continue }
            try PageCheck.checkPayload(try source.bytes(at: position, count: block.blockByteCount), header: block)
        }
    }

    private mutating func readRowIDs(_ source: FileSource, schema: Schema) throws(ShardError) {
        let reader = reader(source, schema)
        for group in groups {
            let rows = (group.firstRow..<group.firstRow + group.rowCount).map { CellAddress(row: $0) }
            let ids = try reader.values(column: schema.rowIDColumn, rows)
            for i in rows.indices {
                rowIDTerms.insert(SequenceDigest.term(rowID: ids.bytes.span.extracting(ids.ranges[i])))
            }
        }
    }
}
