public import DRShardFormat

/// Cells of all shards: rows of addresses are counted through the data set.
extension DataSet {
    /// Reads cells of a tensor column into the caller's memory, shard by shard.
    ///
    /// - Parameters:
    ///   - slots: the cell of `addresses[i]` goes to byte `slots[i] * stride`; nil: to `i * stride`.
    ///   - stride: at least the bytes of a cell as it comes out; nil: exactly that.
    ///   - element: another element type: see `ShardReader.readCells`; nil: the column's.
    /// - Returns: the cells that are not present, by their place in `addresses`; their bytes become zero.
    /// - Throws: `.invalidArgument` for addresses, slots or memory that do not fit; errors of a file with their place.
    ///   What was read before the error lies in `target`.
    @discardableResult public func readCells(
        column: Int, _ addresses: [CellAddress], slots: [Int]? = nil, into target: UnsafeMutableRawBufferPointer,
        stride: Int? = nil, as element: ElementType? = nil
    ) throws(ShardError) -> [MissingCell] {
        // SAFETY: the slots are checked against the target, which is only used during this call.
        let slots = try unsafe CellSlots(
            schema, column: column, count: addresses.count, slots: slots, stride: stride, element: element,
            target: target)
        if shards.count == 1 { return try shards[0].readCells(column: column, addresses, slots) }
        var missing: [MissingCell] = []
        try forEachShard(addresses) { shard, part, indexes throws(ShardError) in
            for cell in try shard.readCells(column: column, part, slots.part(indexes)) {
                missing.append(MissingCell(index: indexes[cell.index], state: cell.state))
            }
        }
        missing.sort { $0.index < $1.index }
        return missing
    }

    /// The same into an array that is used again and again: it grows where it must, and keeps its room.
    /// - Returns: the cells that are not present, by their place in `addresses`; their bytes become zero.
    package func readCells(
        column: Int, _ addresses: [CellAddress], into bytes: inout [UInt8]
    ) throws(ShardError) -> [MissingCell] {
        guard schema.columns.indices.contains(column), let cell = schema.columns[column].type.cellByteCount else {
            throw .invalidArgument("column \(column) is no tensor of this data set")
        }
        let byteCount = addresses.count * cell
        if bytes.count < byteCount { bytes = [UInt8](repeating: 0, count: byteCount) }
        var result: Result<[MissingCell], ShardError> = .success([])
        // SAFETY: the buffer is used inside the closure only.
        unsafe bytes.withUnsafeMutableBytes { target in
            do throws(ShardError) {
                result = .success(try unsafe readCells(column: column, addresses, into: target))
            } catch { result = .failure(error) }
        }
        return try result.get()
    }

    /// Reads cells of a column of tokens as rows of ids: start, tokens, end, zeros; a longer text is cut, its end stays.
    ///
    /// - Parameters:
    ///   - slots: the cell of `addresses[i]` becomes row `slots[i]`; nil: row `i`.
    ///   - rows: `[row, shape.contextLength]`.
    ///   - lengths: of each row, the number of ids before the zeros.
    /// - Returns: the cells that are not present, by their place in `addresses`; their rows are zeros, their lengths 0.
    /// - Throws: `.invalidArgument` for a column, addresses, slots or memory that do not fit; `.corrupt` for a token that
    ///   the vocabulary does not have; errors of a file with their place.
    @discardableResult public func readTokens(
        column: Int, _ addresses: [CellAddress], slots: [Int]? = nil, shape: TokenRowShape,
        rows: UnsafeMutableBufferPointer<Int32>, lengths: UnsafeMutableBufferPointer<Int32>
    ) throws(ShardError) -> [MissingCell] {
        // SAFETY: the slots are checked against rows and lengths, which are only used during this call.
        let slots = try unsafe TokenSlots(
            schema, column: column, count: addresses.count, slots: slots, shape: shape, rows: rows, lengths: lengths)
        var missing: [MissingCell] = []
        try forEachShard(addresses) { shard, part, indexes throws(ShardError) in
            for cell in try shard.readTokens(column: column, part, slots.part(indexes)) {
                missing.append(MissingCell(index: indexes[cell.index], state: cell.state))
            }
        }
        missing.sort { $0.index < $1.index }
        return missing
    }

    /// Reads cells of any column as their canonical values.
    public func values(column: Int, _ addresses: [CellAddress]) throws(ShardError) -> RaggedCells {
        guard schema.columns.indices.contains(column) else { throw .invalidArgument("there is no column \(column)") }
        var cells = RaggedCells(ranges: Array(repeating: 0..<0, count: addresses.count))
        try forEachShard(addresses) { shard, part, indexes throws(ShardError) in
            try unsafe shard.forEachCell(column: column, part) { index, value, state in
                unsafe cells.append(value, index: indexes[index], state: state)
            }
        }
        cells.missing.sort { $0.index < $1.index }
        return cells
    }

    /// What was asked of all shards' sources since they were opened.
    public var readCounts: ReadCounts { shards.reduce(ReadCounts()) { $0 + $1.readCounts } }

    /// Calls `body` for each shard that has some of the addresses: the shard, they as it counts them, and their places
    /// in `addresses`.
    private func forEachShard(
        _ addresses: [CellAddress], _ body: (ShardReader, [CellAddress], [Int]) throws(ShardError) -> Void
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
        for (i, shard) in shards.enumerated() where !parts[i].isEmpty { try body(shard, parts[i], indexes[i]) }
    }
}
