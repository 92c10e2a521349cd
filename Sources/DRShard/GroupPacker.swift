internal import DRShardFormat

/// The rows of a row group that is not in the file yet.
struct OpenGroup {
    var planes: [[Plane]]
    var rowCount = 0
    /// Of values.
    var byteCount = 0
    var rowSetDigest = SequenceDigest()
    /// Cells of each plane, and of the open row: asking the planes themselves would count references to their arrays.
    private(set) var cellCounts: [Int]
    private(set) var openCellCount = 0
    /// Planes of the columns before each one.
    private let planesBefore: [Int]

    init(_ schema: Schema, rowsPerGroup: Int) {
        var planeCount = 0
        planesBefore = schema.columns.indices.map { column in
            defer { planeCount += schema.variantCount(of: column) }
            return planeCount
        }
        cellCounts = Array(repeating: 0, count: planeCount)
        planes = schema.columns.indices.map { column in
            Array(
                repeating: Plane(type: schema.columns[column].type, maximumRowCount: rowsPerGroup),
                count: schema.variantCount(of: column))
        }
    }

    /// Whether the open row has this cell already.
    func isSet(_ column: Int, _ variant: Int) -> Bool { cellCounts[planesBefore[column] + variant] > rowCount }

    /// Whether the open row has all its cells.
    var isRowComplete: Bool { openCellCount == cellCounts.count }

    mutating func append(_ value: Span<UInt8>, _ column: Int, _ variant: Int) {
        planes[column][variant].append(value)
        added(value.count, column, variant)
    }

    mutating func append(missing state: CellState, byteCount: Int, _ column: Int, _ variant: Int) {
        planes[column][variant].append(missing: state)
        added(byteCount, column, variant)
    }

    private mutating func added(_ valueByteCount: Int, _ column: Int, _ variant: Int) {
        byteCount += valueByteCount
        cellCounts[planesBefore[column] + variant] += 1
        openCellCount += 1
    }

    mutating func endRow() {
        rowCount += 1
        openCellCount = 0
    }

    /// Takes back the cells of the open row.
    mutating func discardRow() {
        for column in planes.indices {
            for variant in planes[column].indices where isSet(column, variant) {
                byteCount -= planes[column][variant].range(of: rowCount).count
                planes[column][variant].removeLast()
                cellCounts[planesBefore[column] + variant] -= 1
            }
        }
        openCellCount = 0
    }

    /// Forgets the rows, and keeps the memory.
    mutating func removeAll() {
        for column in planes.indices {
            for variant in planes[column].indices { planes[column][variant].removeAll() }
        }
        rowCount = 0
        byteCount = 0
        rowSetDigest = SequenceDigest()
        cellCounts = Array(repeating: 0, count: cellCounts.count)
        openCellCount = 0
    }
}

/// Packs row groups into a file, front to back. One thread at a time. Spec: FORMAT.md sections 5.3 to 5.6.
final class GroupPacker {
    let sink: any ByteSink
    let header: FileHeader
    private let schema: Schema
    private let options: WriterOptions
    /// Of each column, from its first row group with a value on.
    private var encoders: [UnitEncoder?]
    private(set) var auxiliaries: [AuxiliaryEntry]
    private(set) var groups: [GroupEntry]
    private(set) var position: UInt64
    private var planes: [[Plane]] = []
    private var bufferedRows = 0

    /// - Parameters:
    ///   - groups: those that the file has already, and auxiliary pages.
    ///   - position: where it ends.
    init(
        sink: any ByteSink, header: FileHeader, schema: Schema, options: WriterOptions, groups: [GroupEntry] = [],
        auxiliaries: [AuxiliaryEntry] = [], position: UInt64
    ) {
        self.sink = sink
        self.header = header
        self.schema = schema
        self.options = options
        encoders = Array(repeating: nil, count: schema.columns.count)
        self.auxiliaries = auxiliaries
        self.groups = groups
        self.position = position
    }

    func write(_ bytes: [UInt8]) throws(ShardError) {
        try sink.write(bytes)
        position += UInt64(bytes.count)
    }

    /// Writes a row group: pages, indexes, group block. Its memory comes back empty.
    func pack(_ group: inout OpenGroup) throws(ShardError) {
        swap(&planes, &group.planes)
        bufferedRows = group.rowCount
        defer {
            swap(&planes, &group.planes)
            group.removeAll()
        }
        try flush(rowSetDigest: group.rowSetDigest)
    }

    private func flush(rowSetDigest: SequenceDigest) throws(ShardError) {
        let start = position
        let firstRow = groups.last.map { $0.firstRow + $0.rowCount } ?? 0
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
            group: groups.count, rowCount: bufferedRows, firstRow: firstRow, position: start,
            chunks: chunks.map(\.entry), rowSetDigest: rowSetDigest, columnDigests: planes.map(columnDigest))
        var block = BlockHeader(kind: .group, shardTag: header.shardTag)
        block.group = groups.count
        block.rowCount = bufferedRows
        var payload: [UInt8] = []
        entry.append(to: &payload)
        try write(BlockHeader.block(block, payload: payload))
        try sink.synchronize()
        groups.append(entry)
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
            variantCount: options.spans(schema, column: column) ? schema.variantCount(of: column) : 1,
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

/// The packing of one row group on a thread of its own, while the next rows are set.
// SAFETY: until it is joined, the thread alone uses the packer and the group; `finish` joins it first.
final class PackingTask: @unchecked Sendable {
    private let packer: GroupPacker
    private var group: OpenGroup
    private var failure: ShardError?
    private var thread: WorkerThread?

    init(_ packer: GroupPacker, _ group: consuming OpenGroup) {
        self.packer = packer
        self.group = group
        thread = WorkerThread { [self] in work() }
        // A system without threads to give packs here.
        if thread == nil { work() }
    }

    private func work() {
        do throws(ShardError) { try packer.pack(&group) } catch { failure = error }
    }

    /// Waits for the end.
    /// - Returns: the memory of the group, empty.
    func finish() throws(ShardError) -> OpenGroup {
        thread?.join()
        thread = nil
        if let failure { throw failure }
        return group
    }
}
