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

/// What columns take, from the footer, and from the indexes of one row group.
extension ShardReader {
    /// Bytes of the pages of all planes of a column.
    package func storedByteCount(column: Int) -> UInt64 {
        footer.groups.reduce(0) { sum, group in
            group.chunks.reduce(sum) { $1.column == column ? $0 + $1.storedByteCount : $0 }
        }
    }

    /// Bytes of the values of all planes of a column.
    package func plainByteCount(column: Int) -> UInt64 {
        footer.groups.reduce(0) { sum, group in
            group.chunks.reduce(sum) { $1.column == column ? $0 + $1.plainByteCount : $0 }
        }
    }

    /// Bytes of the indexes of a column in the first row group.
    package func indexByteCount(column: Int) -> Int {
        footer.groups.first?.chunks.reduce(0) { $1.column == column ? $0 + $1.indexByteCount : $0 } ?? 0
    }

    /// Whether variants of a row stand together in a unit.
    package func spansVariants(column: Int) -> Bool {
        footer.groups.first?.chunks.contains { $0.column == column && $0.variantCount > 1 } ?? false
    }

    /// How the first page of a column is divided: its rows, rows of a unit, and the part of its bytes that are not units.
    package func pageLayout(column: Int) throws(ShardError) -> (rows: Int, rowsPerUnit: Int, tableShare: Double) {
        guard !footer.groups.isEmpty,
            let entry = try pages(column: column, variant: 0, group: 0).index.entries.first
        else { return (1, 1, 0) }
        let header = entry.header
        let tables = header.blockByteCount - header.payloadByteCount
        let share = Double(tables) / Double(header.blockByteCount)
        return (header.rowCount, min(header.rowsPerUnit, header.rowCount), share)
    }

    /// How the first page of a column is stored; nil in a shard without rows.
    package func storage(column: Int) throws(ShardError) -> ColumnStorage? {
        guard !footer.groups.isEmpty,
            let header = try pages(column: column, variant: 0, group: 0).index.entries.first?.header
        else { return nil }
        return ColumnStorage.allCases.first { $0.encoding == header.encoding && $0.codec == header.codec }
    }

    /// Rows that lack no cell, but some of whose cells cannot be read. Reads everything once, damaged parts more often.
    package func unreadableRows() -> Set<Int> {
        var found: Set<Int> = []
        for column in schema.columns.indices {
            for variant in 0..<schema.variantCount(of: column) {
                for group in footer.groups {
                    probe(column, variant, group.firstRow..<group.firstRow + group.rowCount, &found)
                }
            }
        }
        return found
    }

    private func probe(_ column: Int, _ variant: Int, _ rows: Range<Int>, _ found: inout Set<Int>) {
        let addresses = rows.map { CellAddress(row: $0, variant: variant) }
        do throws(ShardError) {
            try unsafe forEachCell(column: column, addresses) { _, _, _ in }
        } catch {
            guard rows.count > 1 else {
                found.insert(rows.lowerBound)
                return
            }
            let middle = rows.lowerBound + rows.count / 2
            probe(column, variant, rows.lowerBound..<middle, &found)
            probe(column, variant, middle..<rows.upperBound, &found)
        }
    }
}
