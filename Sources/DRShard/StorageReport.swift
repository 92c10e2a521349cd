public import DRShardFormat

/// How a column is stored, and how else it could be: from a sample of its values.
public struct StorageReport: Sendable {
    public var column: String
    /// What its pages are, with their tables in words; the most frequent first.
    public var stored: [String]
    /// Bits that an element has at least, if elements are coded one by one, with what their place in a cell says about
    /// them: of bf16, and of tokens. Nil for other types. From few values it comes out too low.
    public var floorBits: Double?
    /// Plain bytes of the sample divided by the bytes of its pages, for every storage that suits the column. Tables are
    /// not counted: there is one for many row groups.
    public var ratios: [(storage: ColumnStorage, ratio: Double)]
}

extension DataSet {
    /// Rows that a sample takes at each of its places.
    private static let sampleRowCount = 512
    private static let samplePlaces = 4
    /// Plain bytes of a column that a sample takes at most; four times, where a row has more than a fourth.
    private static let sampleByteCount = 16 << 20

    /// Says how every column is stored, and what other storages would make of a sample of it.
    /// Cost: reads and encodes up to 16 MiB a column.
    public func storageReports() throws(ShardError) -> [StorageReport] {
        var reports: [StorageReport] = []
        for column in schema.columns.indices { reports.append(try storageReport(column: column)) }
        return reports
    }

    private func storageReport(column: Int) throws(ShardError) -> StorageReport {
        let planes = try sample(column: column)
        let plain = planes.reduce(0) { $0 + $1.bytes.count }
        var ratios: [(storage: ColumnStorage, ratio: Double)] = []
        if plain > 0 {
            for storage in ColumnStorage.allCases where storage.encoding.suits(schema.columns[column].type) {
                let stored = try storedByteCount(planes, column: column, storage: storage)
                ratios.append((storage, Double(plain) / Double(stored)))
            }
        }
        return StorageReport(
            column: schema.columns[column].name, stored: try storedAs(column: column),
            floorBits: ElementEntropy.bits(planes: planes), ratios: ratios)
    }

    /// The values of some rows, taken evenly, as planes; none where a single row has more bytes than a sample.
    private func sample(column: Int) throws(ShardError) -> [Plane] {
        let variants = schema.variantCount(of: column)
        let plain = shards.reduce(UInt64(0)) { sum, shard in
            shard.footer.groups.reduce(sum) { sum, group in
                group.chunks.filter { $0.column == column }.reduce(sum) { $0 + $1.plainByteCount }
            }
        }
        // A cell of a tensor that is not present takes its place in a plane all the same.
        let slots = (schema.columns[column].type.cellByteCount ?? 0).multipliedReportingOverflow(by: variants)
        let rowByteCount = max(
            1, Int(clamping: plain / UInt64(max(1, rowCount))), slots.overflow ? .max : slots.partialValue)
        guard rowByteCount <= Self.sampleByteCount else {
            return [Plane(type: schema.columns[column].type, maximumRowCount: 0)]
        }
        let rows = max(1, min(Self.sampleRowCount, Self.sampleByteCount / Self.samplePlaces / rowByteCount))
        var planes = Array(
            repeating: Plane(type: schema.columns[column].type, maximumRowCount: Self.samplePlaces * rows),
            count: variants)
        var next = 0
        for place in 0..<Self.samplePlaces {
            let first = max(next, rowCount * place / Self.samplePlaces)
            let range = first..<max(first, min(first + rows, rowCount))
            next = range.upperBound
            let addresses = range.flatMap { row in (0..<variants).map { CellAddress(row: row, variant: $0) } }
            let cells = try values(column: column, addresses)
            var missing = cells.missing[...]
            for i in addresses.indices {
                if missing.first?.index == i {
                    planes[i % variants].append(missing: missing.removeFirst().state)
                } else {
                    planes[i % variants].append(cells.bytes.span.extracting(cells.ranges[i]))
                }
            }
        }
        return planes
    }

    private func storedByteCount(_ planes: [Plane], column: Int, storage: ColumnStorage) throws(ShardError) -> Int {
        var table: (UnitTable, Int)?
        if let kind = storage.tableKind,
            let payload = try UnitTable.choose(kind, for: storage, planes: planes, level: 3)
        {
            table = (try UnitTable(parsing: payload, kind: kind, type: schema.columns[column].type), 0)
        }
        let spans = storage == .archive
        let encoder = UnitEncoder(
            storage: table == nil && storage.encoding != .plain ? .plain : storage, table: table,
            type: schema.columns[column].type, variantCount: spans ? planes.count : 1, level: 3)
        var stored = 0
        var block: [UInt8] = []
        for chunk in spans ? [planes] : planes.map({ [$0] }) {
            var pages = ChunkEncoder(
                planes: chunk, place: .init(shardTag: 0, group: 0, column: column, firstVariant: 0), encoder: encoder)
            while try pages.next(into: &block) != nil { stored += block.count + FormatConstants.indexEntryByteCount }
        }
        return max(1, stored)
    }

    /// Encodings, codecs and tables of a column's pages.
    private func storedAs(column: Int) throws(ShardError) -> [String] {
        var counts: [String: Int] = [:]
        for shard in shards {
            for group in shard.footer.groups {
                for chunk in group.chunks where chunk.column == column {
                    let pages = try shard.pages(column: column, variant: chunk.firstVariant, group: group.group)
                    for entry in pages.index.entries where PageLayout.isKnown(entry.header) {
                        counts[try shard.storedAs(entry.header), default: 0] += 1
                    }
                }
            }
        }
        return counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map(\.key)
    }
}

extension ShardReader {
    fileprivate func storedAs(_ page: BlockHeader) throws(ShardError) -> String {
        let name = page.encoding == .plain && page.codec != .none ? "\(page.codec)" : "\(page.encoding)"
        guard let table = try table(for: page) else { return name }
        return "\(name), \(table.summary)"
    }
}
