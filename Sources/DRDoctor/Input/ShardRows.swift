internal import DRShard
internal import DRShardFormat

/// Reads rows of shards as blocks. What is damaged is found, and everything else is read all the same.
struct ShardRows {
    let shard: ShardReader
    /// Rows of the shard that are read at once.
    let rowsPerBlock: Int

    /// Bytes of values of a block, about.
    private static let blockByteCount: UInt64 = 8 << 20

    init(_ shard: ShardReader) {
        self.shard = shard
        let plain = shard.schema.columns.indices.reduce(UInt64(0)) { $0 + shard.plainByteCount(column: $1) }
        let perRow = max(1, plain / UInt64(max(1, shard.rowCount)))
        rowsPerBlock = Int(max(8, min(1024, Self.blockByteCount / perRow)))
    }

    /// The ids of a range of rows; empty for those that cannot be read.
    func ids(_ rows: Range<Int>, _ findings: inout FindingList) -> [[UInt8]] {
        let column = shard.schema.rowIDColumn
        let cells = cells(column, Array(rows), &findings) { _ in nil }
        return rows.indices.map { cells[$0 - rows.lowerBound, 0].map(Array.init) ?? [] }
    }

    /// Some rows with all their cells.
    func block(_ rows: [Int], _ findings: inout FindingList) -> RowBlock {
        var block = RowBlock(schema: shard.schema)
        // Ids that cannot be read were found when all ids were read.
        var known = FindingList(placeLimit: 0)
        let ids = cells(shard.schema.rowIDColumn, rows, &known) { _ in nil }
        block.places = rows.indices.map { i in
            RowPlace(path: shard.path, row: rows[i], id: ids[i, 0].map { hexadecimal($0) } ?? "?")
        }
        let places = block.places
        block.cells = shard.schema.columns.indices.map { column in
            column == shard.schema.rowIDColumn ? ids : cells(column, rows, &findings) { places[$0].id }
        }
        return block
    }

    private func cells(
        _ column: Int, _ rows: [Int], _ findings: inout FindingList, id: (Int) -> String?
    ) -> CellBlock {
        let variants = shard.schema.variantCount(of: column)
        var block = CellBlock(variantCount: variants)
        let addresses = rows.flatMap { row in (0..<variants).map { CellAddress(row: row, variant: $0) } }
        read(column, addresses[...], into: &block) { address, error in
            let place = FindingPlace(
                path: shard.path, row: address.row, rowID: rows.firstIndex(of: address.row).flatMap(id),
                column: shard.schema.columns[column].name, variant: address.variant,
                detail: "\(error.code): \(error.reason)")
            findings.add(.damagedCells, subject: shard.schema.columns[column].name, at: place)
        }
        return block
    }

    /// Reads cells; where some cannot be read, each half of them on its own.
    private func read(
        _ column: Int, _ addresses: ArraySlice<CellAddress>, into block: inout CellBlock,
        _ damaged: (CellAddress, ShardError) -> Void
    ) {
        do throws(ShardError) {
            if let byteCount = shard.schema.columns[column].type.cellByteCount {
                let cells = try shard.cells(column: column, Array(addresses))
                block.append(cells.bytes, cellByteCount: byteCount, cells.missing, count: addresses.count)
            } else {
                block.append(try shard.values(column: column, Array(addresses)))
            }
        } catch {
            guard addresses.count > 1 else {
                let byteCount = shard.schema.columns[column].type.cellByteCount ?? 0
                block.append(missing: .damaged, byteCount: byteCount)
                if let address = addresses.first { damaged(address, error) }
                return
            }
            let middle = addresses.startIndex + addresses.count / 2
            read(column, addresses[..<middle], into: &block, damaged)
            read(column, addresses[middle...], into: &block, damaged)
        }
    }
}

extension CellBlock {
    /// Adds cells of a tensor that lie one behind the other.
    fileprivate mutating func append(_ cells: [UInt8], cellByteCount: Int, _ missing: [MissingCell], count: Int) {
        let start = bytes.count
        let first = states.count
        if start == 0 { bytes = cells } else { bytes += cells }
        for i in 0..<count {
            ranges.append(start + i * cellByteCount..<start + (i + 1) * cellByteCount)
            states.append(.present)
        }
        for cell in missing { states[first + cell.index] = cell.state == .lost ? .lost : .absent }
    }

    fileprivate mutating func append(_ cells: RaggedCells) {
        let first = states.count
        let start = bytes.count
        bytes += cells.bytes
        for range in cells.ranges {
            ranges.append(start + range.lowerBound..<start + range.upperBound)
            states.append(.present)
        }
        for cell in cells.missing { states[first + cell.index] = cell.state == .lost ? .lost : .absent }
    }
}

/// Bytes as two digits each.
func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    bytes.reduce(into: "") { $0 += ($1 < 16 ? "0" : "") + String($1, radix: 16) }
}
