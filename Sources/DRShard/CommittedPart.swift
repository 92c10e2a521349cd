internal import DRShardFormat

/// What a killed writer had committed. Spec: [R-REC-3].
struct CommittedPart {
    let header: FileHeader
    private(set) var groups: [GroupEntry] = []
    /// The auxiliary pages of those groups, in order.
    private(set) var auxiliaries: [(entry: AuxiliaryEntry, payload: [UInt8])] = []
    /// Behind the last group block.
    private(set) var end: UInt64
    /// Of all committed rows.
    private(set) var rowIDTerms: Set<UInt128> = []

    /// Reads an unfinished file: all headers, indexes and group blocks, everything of the last group, and the row ids.
    ///
    /// One damaged group is given up, if no block of a later one follows it: every other group was synchronised before
    /// the next one was begun, so that no crash can have damaged it, and cutting it off would lose its rows.
    /// - Parameter start: the bytes with which the file must begin. A file that ends inside them, or has zeros there and
    ///   no group block behind, has nothing committed: then `end` is 0.
    /// - Throws: `.schemaMismatch` if it was begun with another schema or other options; `.corrupt` if its start is
    ///   damaged, or anything before the last group; what kept it from being read, such as `.io`.
    init(partPath path: String, schema: Schema, header: FileHeader, start: [UInt8]) throws(ShardError) {
        self.header = header
        end = 0
        let source = try FileSource(path: path)
        do throws(ShardError) {
            guard try CommittedPart.hasStart(source, start: start, header: header) else { return }
            try CommittedPart.check(source, start: start, header: header)
            end = header.firstBlockPosition
            try collect(source, schema: schema)
            try readRowIDs(source, schema: schema)
        } catch { throw error.with(.init(path: path)) }
    }

    /// Whether the file has its start; false if it ends inside it, or was extended and never filled by a crash.
    private static func hasStart(_ source: FileSource, start: [UInt8], header: FileHeader) throws(ShardError) -> Bool {
        let found = try source.bytes(at: 0, count: min(start.count, Int(clamping: source.byteCount)))
        if found.allSatisfy({ $0 == 0 }) {
            var walk = BlockWalk(source: source, header: header, from: 0, end: source.byteCount)
            while try walk.resynchronize() {
                let next = try unlessDamaged { () throws(ShardError) in try walk.next() }
                guard let next, next?.header.kind == .group else { continue }
                throw .corrupt(
                    "the unfinished file begins with \(found.count) zeros, and a row group follows; repair it")
            }
            return false
        }
        if found.count == start.count { return true }
        guard found.elementsEqual(start.prefix(found.count)) else {
            throw .corrupt("the \(found.count) bytes of the unfinished file are not its first ones")
        }
        return false
    }

    /// The result of `work`; nil if it meets damage. What says nothing about the bytes is thrown.
    private static func unlessDamaged<T>(_ work: () throws(ShardError) -> T) throws(ShardError) -> T? {
        do throws(ShardError) { return try work() } catch {
            guard [.corrupt, .checksumMismatch, .truncated].contains(error.code) else { throw error }
            return nil
        }
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
        let footer = Footer(
            schema: schema, schemaBytes: [], notes: [], auxiliaries: auxiliaries.map(\.entry), groups: groups)
        return ShardReader(source: source, header: header, footer: footer, options: .init())
    }

    /// Takes group blocks, until the first block that is damaged or not in its place, and the last group's other blocks.
    private mutating func collect(_ source: FileSource, schema: Schema) throws(ShardError) {
        var walk = BlockWalk(source: source, header: header, end: source.byteCount)
        var isIntact = true
        var lastSeen = -1
        var pending: [(position: UInt64, header: BlockHeader)] = []
        while true {
            guard let next = try CommittedPart.unlessDamaged({ () throws(ShardError) in try walk.next() }) else {
                isIntact = false
                guard try walk.resynchronize() else { break }
                continue
            }
            guard let (place, block) = next else { break }
            if block.kind != .footer { lastSeen = max(lastSeen, block.group) }
            if isIntact, block.kind == .auxiliary, block.copy == 0 { pending.append((place, block)) }
            guard isIntact, block.kind == .group else { continue }
            let entry = try CommittedPart.unlessDamaged { () throws(ShardError) in
                try parseEntry(block, at: place, source: source, schema: schema)
            }
            if let entry {
                groups.append(entry)
                end = walk.position
                let taken: Void? = try CommittedPart.unlessDamaged { () throws(ShardError) in
                    for page in pending { try take(page.header, at: page.position, source: source, schema: schema) }
                }
                pending = []
                if taken == nil {
                    // The group is damaged, and given up as below if it is the last one.
                    isIntact = false
                    groups.removeLast()
                    auxiliaries.removeAll { $0.entry.group == entry.group }
                    end = entry.position
                }
            } else {
                isIntact = false
            }
        }
        guard lastSeen <= groups.count else { throw damage(in: groups.count, before: lastSeen) }
        guard let last = groups.last else { return }
        let checked: Void? = try CommittedPart.unlessDamaged { () throws(ShardError) in
            try check(last, source: source, schema: schema)
        }
        guard checked == nil else { return }
        guard lastSeen == last.group else { throw damage(in: last.group, before: lastSeen) }
        groups.removeLast()
        auxiliaries.removeAll { $0.entry.group == last.group }
        end = last.position
        guard let before = groups.last else { return }
        // Given up too, it would be the second one.
        try check(before, source: source, schema: schema)
    }

    /// Takes an auxiliary page of a committed group, from its first undamaged copy.
    private mutating func take(_ block: BlockHeader, at position: UInt64, source: FileSource, schema: Schema)
        throws(ShardError)
    {
        try block.checkLimit()
        guard block.ordinal == auxiliaries.count, schema.columns.indices.contains(block.column) else {
            throw ShardError.corrupt(
                "auxiliary page \(block.ordinal) of column \(block.column) behind \(auxiliaries.count) of them"
            )
            .with(.init(position: position))
        }
        let entry = AuxiliaryEntry(
            firstPosition: position, secondPosition: position + UInt64(block.blockByteCount),
            payloadByteCount: block.payloadByteCount, checksum: block.checksum, kind: block.encoding.rawValue,
            column: block.column, group: block.group)
        for copy in [entry.firstPosition, entry.secondPosition] {
            let payload = try source.bytes(at: copy + UInt64(block.payloadOffset), count: block.payloadByteCount)
            if crc32c(payload) == block.checksum { return auxiliaries.append((entry, payload)) }
        }
        throw ShardError.checksumMismatch("both copies of auxiliary page \(block.ordinal)").with(
            .init(position: position))
    }

    private func damage(in group: Int, before last: Int) -> ShardError {
        ShardError.corrupt("damage before the last row group, which is \(last); repair it").with(.init(rowGroup: group))
    }

    /// Parses the group block that should be the next one.
    private func parseEntry(
        _ block: BlockHeader, at place: UInt64, source: FileSource, schema: Schema
    ) throws(ShardError) -> GroupEntry {
        let payload = try source.bytes(at: place + UInt64(block.payloadOffset), count: block.payloadByteCount)
        guard crc32c(payload) == block.checksum else { throw .checksumMismatch("group block") }
        var cursor = ByteCursor(payload, of: "group block")
        let entry = try GroupEntry(
            &cursor, schema: schema, spanning: header.requiredFeatures & FormatConstants.spanningFeature != 0)
        guard cursor.remaining == 0, entry.group == groups.count, entry.rowCount == header.rowsPerGroup,
            entry.position == end, entry.firstRow == groups.count * header.rowsPerGroup
        else { throw .corrupt("a group block that is not in its place, or not of a full row group") }
        return entry
    }

    /// Every block of a group, as it lies in the file; the group block is its last.
    private func check(_ group: GroupEntry, source: FileSource, schema: Schema) throws(ShardError) {
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
