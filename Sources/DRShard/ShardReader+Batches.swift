package import DRShardFormat

/// What a loader needs of one shard: cells to places anywhere, states, advice. Rows are counted through the shard.
extension ShardReader {
    /// Reads cells of a tensor column, the cell of `addresses[i]` to `places[i]`.
    ///
    /// The caller sees to it that each place has room for a cell as it comes out, and that nobody else uses it meanwhile.
    /// - Parameter isStreamed: whether to write past the cache.
    /// - Returns: the cells that are not present, by their place in `addresses`, ascending; their bytes become zero.
    /// - Throws: as `readCells`.
    package func readCells(
        column: Int, _ addresses: [CellAddress], places: [UnsafeMutableRawPointer], as element: ElementType?,
        isStreamed: Bool
    ) throws(ShardError) -> [MissingCell] {
        precondition(unsafe places.count == addresses.count, "a place for each cell")
        // SAFETY: the caller vouches for the places, which are used during this call alone.
        let slots = try unsafe CellSlots(
            schema, column: column, places: places, element: element, isStreamed: isStreamed)
        defer { if isStreamed { StreamedCopy.fence() } }
        return try readCells(column: column, addresses, slots)
    }

    /// Reads cells of a column of tokens as rows of ids of `element` (i32, i64, or u16 if all ids fit), to `places`.
    /// - Returns, Throws: as `readCells`; `.corrupt` for a token that the vocabulary does not have.
    package func readTokens(
        column: Int, _ addresses: [CellAddress], shape: TokenRowShape, places: [TokenPlace], as element: ElementType
    ) throws(ShardError) -> [MissingCell] {
        precondition(places.count == addresses.count, "a place for each cell")
        let slots = try TokenSlots(schema, column: column, shape: shape, places: places, element: element)
        return try readTokens(column: column, addresses, slots)
    }

    /// Whether a cell has a value. Reads the page's tables, and no cell.
    package func state(column: Int, _ address: CellAddress) throws(ShardError) -> CellState {
        guard address.row >= 0, address.row < rowCount else {
            throw ShardError.invalidArgument("there is no row \(address.row)").with(.init(path: path))
        }
        let group = group(ofRow: address.row)
        let row = address.row - footer.groups[group].firstRow
        let pages = try pages(column: column, variant: address.variant, group: group)
        let page = try page(pages.index.page(ofRow: row), in: pages)
        let header = page.header
        let cell = (row - header.firstRow) * header.variantCount + address.variant - header.firstVariant
        return page.prologue.state(ofCell: cell)
    }

    /// What the cells of some rows of a plane take in the file: about, from the indexes alone. Reads the chunks' indexes.
    /// - Parameter body: gets ranges of the file, ascending: of tables, and of units.
    package func forEachRange(
        column: Int, variant: Int, rows: Range<Int>, _ body: (Range<UInt64>) -> Void
    ) throws(ShardError) {
        guard !rows.isEmpty else { return }
        for group in group(ofRow: rows.lowerBound)...group(ofRow: rows.upperBound - 1) {
            let firstRow = footer.groups[group].firstRow
            let pages = try pages(column: column, variant: variant, group: group)
            let wanted = rows.clamped(to: firstRow..<firstRow + footer.groups[group].rowCount)
            var number = pages.index.page(ofRow: wanted.lowerBound - firstRow)
            while number < pages.index.entries.count {
                let entry = pages.index.entries[number]
                let start = firstRow + entry.header.firstRow
                guard start < wanted.upperBound else { break }
                let part = wanted.clamped(to: start..<start + entry.header.rowCount)
                let payload = entry.position + UInt64(entry.header.payloadOffset)
                body(entry.position..<payload)
                // Units of a page have nearly the same size.
                let perRow = Double(entry.header.payloadByteCount) / Double(entry.header.rowCount)
                let first = UInt64(Double(part.lowerBound - start) * perRow)
                let end = UInt64((Double(part.upperBound - start) * perRow).rounded(.up))
                body(payload + first..<payload + min(end, UInt64(entry.header.payloadByteCount)))
                number += 1
            }
        }
    }

    /// Says that the cells of some rows of a plane will be read soon.
    /// - Returns: about how many bytes that is.
    package func willRead(column: Int, variant: Int, rows: Range<Int>) throws(ShardError) -> Int {
        var count = 0
        try forEachRange(column: column, variant: variant, rows: rows) { range in
            source.willRead(range)
            count += range.count
        }
        return count
    }
}
