internal import DRShardFormat

/// Turns the stored bytes of units into values. Holds working memory, so one serves one thread.
// SAFETY: `plain` points into the stored bytes of the last unit, which the caller keeps while it asks for cells, or into
// `scratch`, which is only replaced by the next unit.
@safe final class UnitReader {
    /// The reader whose units are decoded, between `begin` and `end`.
    private var reader: ShardReader?
    private var checksUnits = true
    private let decoder = UnitDecoder()
    private let scratch = WorkingMemory()
    private var plain = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    private var last: (auxiliary: Int, encoding: Encoding, table: UnitTable)?
    private var type = ColumnType.binary
    private var cellByteCount: Int?
    /// The last unit has no bytes, and only cells that are not present. Spec: [R-UNIT-5].
    private var isEmpty = false
    /// Where the values of a unit of a variable type begin in `plain`, and where the last one ends.
    private var places: [UInt32] = []

    /// Makes it ready for the units of a reader.
    func begin(_ reader: ShardReader) {
        self.reader = reader
        checksUnits = reader.options.checksUnits
    }

    /// Forgets the reader, and what was only true of its units.
    func end() {
        reader = nil
        last = nil
    }

    /// Bytes that it keeps.
    var workingByteCount: Int { scratch.byteCount + decoder.workingByteCount + 4 * places.capacity }

    /// Checks the checksum of a unit, and says how many plain bytes it has.
    private func check(_ stored: UnsafeRawBufferPointer, _ unit: Int, of page: OpenPage) throws(ShardError) -> Int {
        if checksUnits {
            guard unsafe crc32c(stored) == page.prologue.checksums[unit] else {
                throw .checksumMismatch("unit \(unit)")
            }
        }
        guard page.header.isPacked else { return stored.count }
        return try page.prologue.plainByteCount(
            ofUnit: unit, stored: stored.count, header: page.header, cellByteCount: page.cellByteCount)
    }

    /// Checks and decodes one unit; its cells are then there for `withCell`. Spec: FORMAT.md section 6.1.
    /// - Parameter stored: its stored bytes; 64 more can be read behind them if its page is packed.
    func decode(_ stored: UnsafeRawBufferPointer, _ unit: Int, of page: OpenPage) throws(ShardError) {
        type = page.type
        cellByteCount = page.cellByteCount
        let count = try unsafe check(stored, unit, of: page)
        isEmpty = unsafe stored.isEmpty
        if isEmpty || count == stored.count {
            unsafe plain = stored
        } else {
            let target = unsafe scratch.room(count)
            try unsafe decoder.decode(
                stored, page: page.header, table: try table(for: page),
                rowCount: PageLayout.rowCount(page.header, unit: unit), into: target)
            unsafe plain = UnsafeRawBufferPointer(target)
        }
        guard cellByteCount == nil else { return }
        // SAFETY: the view ends with this call.
        let bytes = unsafe UnsafeBufferPointer(
            start: plain.baseAddress?.assumingMemoryBound(to: UInt8.self), count: plain.count)
        let cellCount = PageLayout.rowCount(page.header, unit: unit) * page.header.variantCount
        try RaggedUnit.locate(unsafe bytes.span, cellCount: cellCount, into: &places)
    }

    /// Checks and decodes a unit of one cell of a tensor, which is present, straight to where the cell belongs.
    /// - Parameter conversion: of its elements; nil: as they are. `target` has exactly the bytes of what comes out.
    func decode(
        _ stored: UnsafeRawBufferPointer, _ unit: Int, of page: OpenPage, into target: UnsafeMutableRawBufferPointer,
        conversion: FloatConversion?
    ) throws(ShardError) {
        let count = try unsafe check(stored, unit, of: page)
        if count == stored.count {
            if let conversion {
                unsafe conversion.convert(stored, into: target)
            } else {
                unsafe target.copyMemory(from: stored)
            }
            return
        }
        let header = page.header
        let table = try table(for: page)
        guard let conversion else {
            return try unsafe decoder.decode(stored, page: header, table: table, rowCount: 1, into: target)
        }
        if conversion == .bf16ToF32,
            try unsafe decoder.decodeFloat32(stored, page: header, table: table, into: target)
        {
            return
        }
        let values = unsafe scratch.room(count)
        try unsafe decoder.decode(stored, page: header, table: table, rowCount: 1, into: values)
        unsafe conversion.convert(UnsafeRawBufferPointer(values), into: target)
    }

    /// Checks a unit of token ranks that is not stored plain.
    /// - Returns: its table and its plain bytes; nil for any other unit, of which nothing is checked then.
    func tokenRanks(_ stored: UnsafeRawBufferPointer, _ unit: Int, of page: OpenPage) throws(ShardError) -> (
        table: TokenRankTable, plainByteCount: Int
    )? {
        guard page.header.encoding == .tokenRanks else { return nil }
        let count = try unsafe check(stored, unit, of: page)
        guard count != stored.count, case .tokenRanks(let ranks)? = try table(for: page) else { return nil }
        return (ranks, count)
    }

    /// The table that a page needs: often the one that the last page needed.
    private func table(for page: OpenPage) throws(ShardError) -> UnitTable? {
        let header = page.header
        guard header.auxiliary > 0 else { return nil }
        if let last, last.auxiliary == header.auxiliary, last.encoding == header.encoding { return last.table }
        guard let table = try reader?.table(for: header) else { return nil }
        last = (header.auxiliary, header.encoding, table)
        return table
    }

    /// The canonical value of a cell of the last unit, checked against its type; of a missing one, no bytes.
    func withCell(_ cell: Int, state: CellState, _ body: (UnsafeRawBufferPointer) -> Void) throws(ShardError) {
        guard !isEmpty else { return unsafe body(UnsafeRawBufferPointer(start: nil, count: 0)) }
        let range = cellByteCount.map { cell * $0..<(cell + 1) * $0 } ?? Int(places[cell])..<Int(places[cell + 1])
        // SAFETY: for a tensor, the unit has exactly the bytes of its cells; places were checked for others.
        let value = unsafe UnsafeRawBufferPointer(rebasing: plain[range])
        if state != .present {
            guard unsafe value.allSatisfy({ $0 == 0 }), unsafe cellByteCount != nil || value.isEmpty else {
                throw .corrupt("the slot of a cell that is not present is not empty")
            }
            return unsafe body(UnsafeRawBufferPointer(start: nil, count: 0))
        } else if cellByteCount == nil {
            let bytes = unsafe UnsafeBufferPointer(
                start: value.baseAddress?.assumingMemoryBound(to: UInt8.self), count: value.count)
            try CellValue.check(unsafe bytes.span, type: type)
        }
        unsafe body(value)
    }
}
