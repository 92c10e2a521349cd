public import DRShardFormat

/// A page whose cells lie in memory as they are: no copy, no decoding.
public struct RawPage: Hashable, Sendable {
    /// Rows of the shard that the page holds.
    public let rows: Range<Int>
    /// Bytes from one cell to the next. The first begins on a 64-byte boundary of the file.
    public let stride: Int
    public let cellByteCount: Int
}

extension ShardReader {
    /// Calls `body` with every row of one plane in order: its number in the shard, and its canonical value, or nil if
    /// the cell is not present.
    ///
    /// - Parameter rows: nil: all rows.
    /// Cost: each page is read once, in the order of the file; memory is one page. The values are gone after the call.
    public func scanPlane(
        column: Int, variant: Int = 0, rows: Range<Int>? = nil,
        _ body: (_ row: Int, _ value: Span<UInt8>, _ state: CellState) throws(ShardError) -> Void
    ) throws(ShardError) {
        let rows = try checkedRows(rows, column: column, variant: variant)
        let decoder = UnitReader()
        decoder.begin(self)
        defer { decoder.end() }
        try forEachPage(column: column, variant: variant, rows: rows) { pages, page, firstRow throws(ShardError) in
            let header = pages.index.entries[page].header
            let open = try self.page(page, in: pages)
            try unsafe withPayload(of: pages.index.entries[page]) { payload throws(ShardError) in
                for unit in 0..<PageLayout.unitCount(header) {
                    let unitRow = firstRow + unit * header.rowsPerUnit
                    let unitRows = (unitRow..<unitRow + PageLayout.rowCount(header, unit: unit)).clamped(to: rows)
                    guard !unitRows.isEmpty else { continue }
                    // SAFETY: the prologue was checked: units lie in the payload.
                    let stored = unsafe UnsafeRawBufferPointer(rebasing: payload[open.storedRange(ofUnit: unit)])
                    try unsafe decoder.decode(stored, unit, of: open)
                    for row in unitRows {
                        let cell = (row - unitRow) * header.variantCount + variant - header.firstVariant
                        let state = open.prologue.state(ofCell: open.firstCell(ofUnit: unit) + cell)
                        try deliver(cell, row, state, decoder, body)
                    }
                }
            }
            return true
        }
    }

    private func deliver(
        _ cell: Int, _ row: Int, _ state: CellState, _ decoder: UnitReader,
        _ body: (Int, Span<UInt8>, CellState) throws(ShardError) -> Void
    ) throws(ShardError) {
        var failure: ShardError?
        try unsafe decoder.withCell(cell, state: state) { value in
            // SAFETY: the view ends with this call.
            let bytes = unsafe UnsafeBufferPointer(
                start: value.baseAddress?.assumingMemoryBound(to: UInt8.self),
                count: state == .present ? value.count : 0)
            do throws(ShardError) { try body(row, unsafe bytes.span, state) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    /// Calls `body` with views of the pages of one plane, in order, if its cells lie in the file as they are: a tensor,
    /// plain, not compressed, one variant a page, every cell present, from a source in memory.
    ///
    /// Checksums are compared first, unless the options say otherwise.
    /// - Parameter body: gets the page, and a view of its cells, which ends with the call.
    /// - Returns: false, without a call of `body` for that page or later ones, at a page that cannot be viewed: use
    ///   `readCells` then, which also says which cells are not present.
    public func withRawPages(
        column: Int, variant: Int = 0, rows: Range<Int>? = nil,
        _ body: (RawPage, Span<UInt8>) throws(ShardError) -> Void
    ) throws(ShardError) -> Bool {
        let rows = try checkedRows(rows, column: column, variant: variant)
        guard let memory = unsafe source.memory, let cell = schema.columns[column].type.cellByteCount else {
            return false
        }
        return try forEachPage(column: column, variant: variant, rows: rows) {
            pages, page, firstRow throws(ShardError) in
            let entry = pages.index.entries[page]
            guard ShardReader.isRaw(entry.header, cellByteCount: cell) else { return false }
            let open = try self.page(page, in: pages)
            let start = Int(entry.position) + entry.header.payloadOffset
            // SAFETY: the index was checked: the page lies in the file.
            let payload = unsafe UnsafeRawBufferPointer(rebasing: memory[start..<start + entry.header.payloadByteCount])
            counter.add(byteCount: payload.count)
            if options.checksUnits { try unsafe checkUnits(payload, open) }
            let stride = entry.header.rowsPerUnit == 1 ? pad64(cell) : cell
            let bytes = unsafe payload.bindMemory(to: UInt8.self)
            let rows = firstRow..<firstRow + entry.header.rowCount
            try body(RawPage(rows: rows, stride: stride, cellByteCount: cell), unsafe bytes.span)
            return true
        }
    }

    /// Whether the cells of a page lie at one distance, as they are, and all of them are there. The zeros of a cell that
    /// is not present must not be taken for its value.
    private static func isRaw(_ header: BlockHeader, cellByteCount: Int) -> Bool {
        guard PageLayout.isKnown(header), !header.isPacked, !header.hasMissing, header.variantCount == 1 else {
            return false
        }
        return header.rowsPerUnit == 1 || PageLayout.unitCount(header) == 1
            || header.rowsPerUnit * cellByteCount % FormatConstants.alignment == 0
    }

    private func checkUnits(_ payload: UnsafeRawBufferPointer, _ page: OpenPage) throws(ShardError) {
        for unit in 0..<PageLayout.unitCount(page.header) {
            let stored = unsafe UnsafeRawBufferPointer(rebasing: payload[page.storedRange(ofUnit: unit)])
            guard unsafe crc32c(stored) == page.prologue.checksums[unit] else {
                throw ShardError.checksumMismatch("unit \(unit)").with(page.context)
            }
        }
    }

    private func checkedRows(_ rows: Range<Int>?, column: Int, variant: Int) throws(ShardError) -> Range<Int> {
        let rows = rows ?? 0..<rowCount
        guard schema.columns.indices.contains(column), variant >= 0, variant < schema.variantCount(of: column),
            rows.lowerBound >= 0, rows.upperBound <= rowCount
        else {
            throw ShardError.invalidArgument("there is no variant \(variant) of column \(column), or no rows \(rows)")
                .with(.init(path: path))
        }
        return rows
    }

    /// Calls `body` with the pages of a plane that hold some of the rows, and the page's first row in the shard, until it
    /// returns false.
    /// - Returns: whether it never did.
    @discardableResult private func forEachPage(
        column: Int, variant: Int, rows: Range<Int>, _ body: (ChunkPages, Int, Int) throws(ShardError) -> Bool
    ) throws(ShardError) -> Bool {
        guard !rows.isEmpty else { return true }
        for group in group(ofRow: rows.lowerBound)...group(ofRow: rows.upperBound - 1) {
            let pages = try pages(column: column, variant: variant, group: group)
            let groupRow = footer.groups[group].firstRow
            for (page, entry) in pages.index.entries.enumerated() {
                let firstRow = groupRow + entry.header.firstRow
                guard rows.overlaps(firstRow..<firstRow + entry.header.rowCount) else { continue }
                do throws(ShardError) {
                    guard try body(pages, page, firstRow) else { return false }
                } catch { throw error.with(pages.context(page: page)) }
            }
        }
        return true
    }

    /// The payload of a page, in memory or read, with what stands behind it: padding, slack.
    private func withPayload(
        of entry: ChunkIndex.Entry, _ body: (UnsafeRawBufferPointer) throws(ShardError) -> Void
    ) throws(ShardError) {
        let position = entry.position + UInt64(entry.header.payloadOffset)
        let byteCount = entry.header.blockByteCount - entry.header.payloadOffset
        counter.add(byteCount: byteCount)
        if let memory = unsafe source.memory {
            // SAFETY: the index was checked: the page lies in the file.
            return try unsafe body(
                UnsafeRawBufferPointer(rebasing: memory[Int(position)..<Int(position) + byteCount]))
        }
        let bytes = try source.bytes(at: position, count: byteCount)
        var failure: ShardError?
        // SAFETY: the buffer is used inside the closure only.
        unsafe bytes.withUnsafeBytes { payload in
            do throws(ShardError) { try unsafe body(payload) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}
