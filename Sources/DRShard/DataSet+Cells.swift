public import DRShardFormat

/// Cells of all shards: rows of addresses are counted through the data set.
extension DataSet {
    /// Reads cells of a tensor column into the caller's memory, shard by shard.
    ///
    /// - Parameters:
    ///   - slots: the cell of `addresses[i]` goes to byte `slots[i] * stride`; nil: to `i * stride`.
    ///   - stride: at least the column's cell size; nil: exactly that.
    /// - Returns: the cells that are not present, by their place in `addresses`; their bytes become zero.
    /// - Throws: `.invalidArgument` for addresses, slots or memory that do not fit; errors of a file with their place.
    ///   What was read before the error lies in `target`.
    @discardableResult public func readCells(
        column: Int, _ addresses: [CellAddress], slots: [Int]? = nil, into target: UnsafeMutableRawBufferPointer,
        stride: Int? = nil
    ) throws(ShardError) -> [MissingCell] {
        guard schema.columns.indices.contains(column), let cell = schema.columns[column].type.cellByteCount else {
            throw .invalidArgument("column \(column) is no tensor of this data set")
        }
        let stride = stride ?? cell
        let first = slots?.min() ?? 0
        let last = slots?.max() ?? addresses.count - 1
        guard slots?.count ?? addresses.count == addresses.count, stride >= cell, first >= 0 else {
            throw .invalidArgument("slots or stride do not fit \(addresses.count) cells of \(cell) bytes")
        }
        let (start, overflow) = last.multipliedReportingOverflow(by: stride)
        guard addresses.isEmpty || (!overflow && cell <= target.count && start <= target.count - cell) else {
            throw .invalidArgument("\(target.count) bytes are too few for \(addresses.count) cells of \(cell) bytes")
        }
        var missing: [MissingCell] = []
        try unsafe forEachCell(column: column, addresses) { index, value, state in
            let start = (slots?[index] ?? index) * stride
            // SAFETY: all slots lie in the target, as was checked above; a tensor's value has `cell` bytes.
            unsafe UnsafeMutableRawBufferPointer(rebasing: target[start..<start + cell]).copyMemory(from: value)
            if state != .present { missing.append(MissingCell(index: index, state: state)) }
        }
        missing.sort { $0.index < $1.index }
        return missing
    }

    /// Reads cells of any column as their canonical values.
    public func values(column: Int, _ addresses: [CellAddress]) throws(ShardError) -> RaggedCells {
        guard schema.columns.indices.contains(column) else { throw .invalidArgument("there is no column \(column)") }
        var cells = RaggedCells(ranges: Array(repeating: 0..<0, count: addresses.count))
        try unsafe forEachCell(column: column, addresses) { index, value, state in
            unsafe cells.append(value, index: index, state: state)
        }
        cells.missing.sort { $0.index < $1.index }
        return cells
    }

    /// What was asked of all shards' sources since they were opened.
    public var readCounts: ReadCounts { shards.reduce(ReadCounts()) { $0 + $1.readCounts } }

    private func forEachCell(
        column: Int, _ addresses: [CellAddress], _ body: (Int, UnsafeRawBufferPointer, CellState) -> Void
    ) throws(ShardError) {
        var indexes = Array(repeating: [Int](), count: shards.count)
        var parts = Array(repeating: [CellAddress](), count: shards.count)
        for (i, address) in addresses.enumerated() {
            guard address.row >= 0, address.row < rowCount else {
                throw ShardError.invalidArgument("there is no row \(address.row), the data set has \(rowCount)")
                    .with(.init(path: path))
            }
            let place = locate(row: address.row)
            indexes[place.shard].append(i)
            parts[place.shard].append(CellAddress(row: place.row, variant: address.variant))
        }
        for (i, shard) in shards.enumerated() where !parts[i].isEmpty {
            try unsafe shard.forEachCell(column: column, parts[i]) { index, value, state in
                unsafe body(indexes[i][index], value, state)
            }
        }
    }
}
