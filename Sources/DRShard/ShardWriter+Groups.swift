internal import DRShardFormat

/// How a row group gets to the file. Spec: FORMAT.md sections 5.3 to 5.6.
extension ShardWriter {
    /// Writes the open row group: pages, indexes, group block.
    func flush() throws(ShardError) {
        let start = position
        var chunks: [(entry: ChunkEntry, index: ChunkIndex)] = []
        for column in planes.indices { try prepareEncoder(column: column) }
        for column in planes.indices {
            let span = options.spans(schema, column: column) ? planes[column].count : 1
            for variant in stride(from: 0, to: planes[column].count, by: span) {
                chunks.append(try writeChunk(column: column, variants: variant..<variant + span))
            }
        }
        for i in chunks.indices {
            var block = BlockHeader(kind: .chunkIndex, shardTag: header.shardTag)
            block.group = groups.count
            block.column = chunks[i].entry.column
            block.firstVariant = chunks[i].entry.firstVariant
            block.variantCount = chunks[i].entry.variantCount
            block.rowCount = bufferedRows
            let payload = chunks[i].index.serialized()
            let bytes = BlockHeader.block(block, payload: payload)
            chunks[i].entry.indexPosition = position
            chunks[i].entry.indexByteCount = bytes.count
            chunks[i].entry.indexCRC32C = crc32c(payload)
            try write(bytes)
        }
        let entry = GroupEntry(
            group: groups.count, rowCount: bufferedRows, firstRow: rowCount - bufferedRows, position: start,
            chunks: chunks.map(\.entry), rowSetDigest: rowSetDigest, columnDigests: planes.map(columnDigest))
        var block = BlockHeader(kind: .group, shardTag: header.shardTag)
        block.group = groups.count
        block.rowCount = bufferedRows
        var payload: [UInt8] = []
        entry.append(to: &payload)
        try write(BlockHeader.block(block, payload: payload))
        try sink.synchronize()
        groups.append(entry)
        for column in planes.indices {
            for variant in planes[column].indices { planes[column][variant].removeAll() }
        }
        rowSetDigest = SequenceDigest()
        bufferedRows = 0
        bufferedByteCount = 0
    }

    private func writeChunk(column: Int, variants: Range<Int>) throws(ShardError) -> (
        entry: ChunkEntry, index: ChunkIndex
    ) {
        let chunk = Array(planes[column][variants])
        var encoder = ChunkEncoder(
            planes: chunk,
            place: .init(
                shardTag: header.shardTag, group: groups.count, column: column, firstVariant: variants.lowerBound),
            encoder: encoders[column] ?? plainEncoder(column: column), pageByteCount: options.pageByteCount)
        var entries: [ChunkIndex.Entry] = []
        var stored: UInt64 = 0
        var block: [UInt8] = []
        do throws(ShardError) {
            while let page = try encoder.next(into: &block) {
                entries.append(.init(position: position, header: page))
                stored += UInt64(block.count)
                try write(block)
            }
        } catch {
            throw error.with(
                .init(
                    rowGroup: groups.count, column: schema.columns[column].name,
                    variant: variants.count == 1 ? variants.lowerBound : nil))
        }
        let entry = ChunkEntry(
            column: column, firstVariant: variants.lowerBound, variantCount: variants.count,
            hasMissing: chunk.contains { $0.missingCount > 0 }, indexPosition: 0, indexByteCount: 0, indexCRC32C: 0,
            storedByteCount: stored,
            plainByteCount: chunk.reduce(0) {
                $0 + UInt64($1.bytes.count - $1.missingCount * ($1.type.cellByteCount ?? 0))
            })
        return (entry, ChunkIndex(entries: entries))
    }

    private func columnDigest(_ variants: [Plane]) -> SequenceDigest {
        var digest = SequenceDigest()
        for row in 0..<bufferedRows {
            for plane in variants { digest.append(term: plane.digestTerm(of: row)) }
        }
        return digest
    }

    // MARK: Tables

    private func plainEncoder(column: Int) -> UnitEncoder {
        UnitEncoder(
            storage: .plain, table: nil, type: schema.columns[column].type, variantCount: 1,
            level: options.compressionLevel)
    }

    private func makeEncoder(column: Int, table: (table: UnitTable, number: Int)?) -> UnitEncoder {
        UnitEncoder(
            storage: options.storage(of: schema.columns[column], number: column), table: table,
            type: schema.columns[column].type,
            variantCount: options.spans(schema, column: column) ? planes[column].count : 1,
            level: options.compressionLevel)
    }

    /// Chooses the table of a column from the values of the open row group, unless it has one, and writes its auxiliary
    /// page. A column without any value stays without, for this row group.
    private func prepareEncoder(column: Int) throws(ShardError) {
        guard encoders[column] == nil else { return }
        let storage = options.storage(of: schema.columns[column], number: column)
        guard let kind = storage.tableKind else { return encoders[column] = makeEncoder(column: column, table: nil) }
        // Whether text has a dictionary is settled with the first row group. Spec: FORMAT.md section 7.1.
        let payload =
            kind == .zstdDictionary && !groups.isEmpty
            ? nil : try UnitTable.choose(kind, for: storage, planes: planes[column], level: options.compressionLevel)
        guard let payload, payload.count <= Limits.maximumAuxiliaryByteCount else {
            // A model for very long cells may be more than a reader takes: then they stay plain.
            if payload != nil { return encoders[column] = plainEncoder(column: column) }
            if kind == .zstdDictionary { encoders[column] = makeEncoder(column: column, table: nil) }
            return
        }
        let table = try UnitTable(parsing: payload, kind: kind, type: schema.columns[column].type)
        try writeAuxiliary(payload, kind: kind, column: column)
        encoders[column] = makeEncoder(column: column, table: (table, auxiliaries.count - 1))
    }

    /// Both copies. Spec: FORMAT.md section 5.4.
    private func writeAuxiliary(_ payload: [UInt8], kind: AuxiliaryKind, column: Int) throws(ShardError) {
        var block = BlockHeader(kind: .auxiliary, shardTag: header.shardTag)
        block.group = groups.count
        block.column = column
        block.encoding = Encoding(rawValue: kind.rawValue)
        block.ordinal = auxiliaries.count
        let first = BlockHeader.block(block, payload: payload)
        block.copy = 1
        auxiliaries.append(
            AuxiliaryEntry(
                firstPosition: position, secondPosition: position + UInt64(first.count),
                payloadByteCount: payload.count, checksum: crc32c(payload), kind: kind.rawValue, column: column,
                group: groups.count))
        try write(first)
        try write(BlockHeader.block(block, payload: payload))
    }

    /// The table of an auxiliary page that an earlier writer wrote serves the column from here on.
    func takeUp(_ entry: AuxiliaryEntry, payload: [UInt8]) throws(ShardError) {
        let storage = options.storage(of: schema.columns[entry.column], number: entry.column)
        func mismatch() -> ShardError {
            .schemaMismatch("the unfinished file stores column \"\(schema.columns[entry.column].name)\" otherwise")
        }
        guard let number = auxiliaries.firstIndex(of: entry), let kind = storage.tableKind,
            kind.rawValue == entry.kind
        else { throw mismatch() }
        let table = try UnitTable(parsing: payload, kind: kind, type: schema.columns[entry.column].type)
        do throws(ShardError) { try table.check(for: storage.encoding) } catch { throw mismatch() }
        encoders[entry.column] = makeEncoder(column: entry.column, table: (table, number))
    }
}
