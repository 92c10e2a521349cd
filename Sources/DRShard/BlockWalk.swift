internal import DRShardFormat

/// Walks the blocks of a shard from the start, by their headers alone. Spec: FORMAT.md sections 5 and 11.
struct BlockWalk {
    let source: any ByteSource
    let header: FileHeader
    /// Where the next block should begin.
    private(set) var position: UInt64
    /// Where blocks end: the tail's place, or the end of an unfinished file.
    let end: UInt64

    /// - Parameter start: where the first block begins; nil: behind the file header.
    init(source: any ByteSource, header: FileHeader, from start: UInt64? = nil, end: UInt64) {
        self.source = source
        self.header = header
        position = start ?? header.firstBlockPosition
        self.end = end
    }

    /// The next block's place and header; nil at the end.
    /// - Throws: what is wrong with it; the walk then stays where it is.
    mutating func next() throws(ShardError) -> (position: UInt64, header: BlockHeader)? {
        guard position < end else { return nil }
        let here = position
        let block = try ShardReader.located(at: here) { () throws(ShardError) in
            guard end - here >= UInt64(FormatConstants.blockHeaderByteCount) else {
                throw .truncated("\(end - here) bytes, where a block should begin")
            }
            let block = try BlockHeader(parsing: try source.bytes(at: here, count: FormatConstants.blockHeaderByteCount))
            guard block.shardTag == header.shardTag else { throw .corrupt("this block carries another shard's tag") }
            guard UInt64(block.blockByteCount) <= end - here else {
                throw .truncated("a block of \(block.blockByteCount) bytes, \(end - here) are left")
            }
            return block
        }
        position = here + UInt64(block.blockByteCount)
        return (here, block)
    }

    /// Goes on at the next place where a block of this shard begins. Spec: [R-REC-1].
    /// - Returns: false if there is none.
    mutating func resynchronize() throws(ShardError) -> Bool {
        let step = UInt64(FormatConstants.alignment)
        let chunk: UInt64 = 1 << 20
        var place = position + step
        while place < end {
            let count = min(chunk, end - place)
            let bytes = try source.bytes(at: place, count: Int(count))
            for offset in stride(from: 0, to: bytes.count - FormatConstants.blockHeaderByteCount + 1, by: Int(step))
            where bytes[offset..<offset + 4].elementsEqual(FormatConstants.blockMagic) {
                let candidate = Array(bytes[offset..<offset + FormatConstants.blockHeaderByteCount])
                guard let block = try? BlockHeader(parsing: candidate), block.shardTag == header.shardTag else { continue }
                position = place + UInt64(offset)
                return true
            }
            place += count
        }
        return false
    }
}

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

/// Checks everything of a page that needs no decoding.
enum PageCheck {
    /// - Parameter block: all bytes of the page's block.
    /// - Throws: the first thing that is wrong.
    static func check(_ block: [UInt8], header: BlockHeader, type: ColumnType) throws(ShardError) {
        var findings: [ShardError] = []
        findAll(block, header: header, type: type) { findings.append($0) }
        if let first = findings.first { throw first }
    }

    /// Reports all that is wrong: header, prologue, each unit's checksum, padding.
    static func findAll(_ block: [UInt8], header: BlockHeader, type: ColumnType, report: (ShardError) -> Void) {
        do throws(ShardError) {
            guard block.count == header.blockByteCount else { throw .truncated("a page of \(block.count) bytes") }
            guard Array(block[0..<FormatConstants.blockHeaderByteCount]) == header.serialized() else {
                throw .corrupt("the page's header is not the one in the chunk index")
            }
            let prologueEnd = FormatConstants.blockHeaderByteCount + header.prologueByteCount
            let prologueBytes = Array(block[FormatConstants.blockHeaderByteCount..<prologueEnd])
            guard crc32c(prologueBytes) == header.checksum else { throw .checksumMismatch("prologue of a page") }
            let prologue = try PagePrologue(parsing: prologueBytes, header: header, type: type)
            let start = header.payloadOffset
            var covered = start
            reportPadding(block, prologueEnd..<start, report)
            for unit in 0..<PageLayout.unitCount(header) {
                let range = prologue.storedRange(ofUnit: unit, header: header, cellByteCount: type.cellByteCount)
                reportPadding(block, covered..<start + range.lowerBound, report)
                covered = start + range.upperBound
                if crc32c(block, start + range.lowerBound..<covered) != prologue.checksums[unit] {
                    let row = header.firstRow + unit * header.rowsPerUnit
                    report(.checksumMismatch("unit \(unit), which begins with row \(row) of the row group, at byte \(start + range.lowerBound) of the page"))
                }
            }
            reportPadding(block, covered..<block.count, report)
        } catch { report(error) }
    }

    /// Checks a block that is no page: its payload's checksum, and padding.
    static func checkPayload(_ block: [UInt8], header: BlockHeader) throws(ShardError) {
        let end = header.payloadOffset + header.payloadByteCount
        guard crc32c(block, header.payloadOffset..<end) == header.checksum else {
            throw .checksumMismatch("block of kind \(header.kind)")
        }
        var finding: ShardError?
        reportPadding(block, end..<block.count) { finding = $0 }
        if let finding { throw finding }
    }

    static func reportPadding(_ block: [UInt8], _ range: Range<Int>, _ report: (ShardError) -> Void) {
        if let bad = block[range].firstIndex(where: { $0 != 0 }) {
            report(.corrupt("padding at byte \(bad) of the block is not 0"))
        }
    }
}
