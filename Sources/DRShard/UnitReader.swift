internal import DRShardFormat

/// Turns the stored bytes of units into values. Holds working memory, so one serves one thread.
// SAFETY: `plain` points into the stored bytes of the last unit, which the caller keeps while it asks for cells, or into
// `scratch`, which is only replaced by the next unit.
@safe final class UnitReader {
    private let reader: ShardReader
    private let type: ColumnType
    private let cellByteCount: Int?
    private lazy var decompressor = UnitDecompressor()
    private var scratch: UnsafeMutableRawBufferPointer = unsafe UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private var plain = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    /// Where the values of a unit of a variable type begin in `plain`, and where the last one ends.
    private var places: [UInt32] = []

    init(reader: ShardReader, column: Int) {
        self.reader = reader
        type = reader.schema.columns[column].type
        cellByteCount = type.cellByteCount
    }
    deinit { unsafe scratch.deallocate() }

    /// Checks and decodes one unit. Spec: FORMAT.md section 6.1.
    func decode(_ stored: UnsafeRawBufferPointer, unit: Int, page: BlockHeader, prologue: PagePrologue)
        throws(ShardError)
    {
        if reader.options.checksUnits {
            guard unsafe crc32c(stored) == prologue.checksums[unit] else { throw .checksumMismatch("unit \(unit)") }
        }
        let count = try prologue.plainByteCount(
            ofUnit: unit, stored: stored.count, header: page, cellByteCount: cellByteCount)
        if count == stored.count {
            unsafe plain = stored
        } else {
            guard page.codec != .none else { throw .corrupt("unit \(unit): \(stored.count) bytes, not \(count)") }
            try unsafe decompress(stored, count: count, page: page)
        }
        guard cellByteCount == nil else { return }
        let cellCount = PageLayout.rowCount(page, unit: unit) * page.variantCount
        // SAFETY: the view ends with this call.
        let bytes = unsafe UnsafeBufferPointer(
            start: plain.baseAddress?.assumingMemoryBound(to: UInt8.self), count: plain.count)
        try RaggedUnit.locate(unsafe bytes.span, cellCount: cellCount, into: &places)
    }

    private func decompress(_ stored: UnsafeRawBufferPointer, count: Int, page: BlockHeader) throws(ShardError) {
        if unsafe scratch.count < count {
            unsafe scratch.deallocate()
            unsafe scratch = .allocate(byteCount: count, alignment: FormatConstants.alignment)
        }
        let target = unsafe UnsafeMutableRawBufferPointer(rebasing: scratch[0..<count])
        let dictionary = try reader.dictionary(for: page)
        try unsafe decompressor.decompress(stored, codec: page.codec, dictionary: dictionary, into: target)
        unsafe plain = UnsafeRawBufferPointer(target)
    }

    /// The canonical value of a cell of the last unit, checked against its type, or the slot of a missing one.
    func withCell(_ cell: Int, state: CellState, _ body: (UnsafeRawBufferPointer) -> Void) throws(ShardError) {
        let range = cellByteCount.map { cell * $0..<(cell + 1) * $0 } ?? Int(places[cell])..<Int(places[cell + 1])
        // SAFETY: for a tensor, the unit has exactly the bytes of its cells; places were checked for others.
        let value = unsafe UnsafeRawBufferPointer(rebasing: plain[range])
        if state != .present {
            guard unsafe value.allSatisfy({ $0 == 0 }), unsafe cellByteCount != nil || value.isEmpty else {
                throw .corrupt("the slot of a cell that is not present is not empty")
            }
        } else if cellByteCount == nil {
            let bytes = unsafe UnsafeBufferPointer(
                start: value.baseAddress?.assumingMemoryBound(to: UInt8.self), count: value.count)
            try CellValue.check(unsafe bytes.span, type: type)
        }
        unsafe body(value)
    }
}
