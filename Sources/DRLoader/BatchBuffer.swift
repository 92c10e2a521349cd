internal import DRShard
public import DRShardFormat

/// Memory of one part of a batch, aligned to 64 bytes. It is filled while its batch is made, and never changes after.
// SAFETY: the storage is private, allocated in init and freed in deinit. It is written by the methods marked internal
// alone, before the batch that owns it leaves the thread that makes it; whoever holds a batch holds the buffer.
@safe public final class BatchBuffer: Sendable {
    public let byteCount: Int
    private nonisolated(unsafe) let storage: UnsafeMutableRawBufferPointer

    /// A buffer of zeros.
    init(byteCount: Int) {
        self.byteCount = byteCount
        unsafe storage = .allocate(byteCount: max(1, byteCount), alignment: FormatConstants.alignment)
        unsafe storage.initializeMemory(as: UInt8.self, repeating: 0)
    }
    deinit { unsafe storage.deallocate() }

    /// The bytes; the pointer is valid inside `body`, and as long as the caller holds the buffer.
    public func withUnsafeBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try unsafe body(UnsafeRawBufferPointer(rebasing: storage[0..<byteCount]))
    }

    /// The bytes, for use inside `body`.
    public func withBytes<Result, Failure: Error>(
        _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        // SAFETY: raw memory may be read as bytes; the span does not outlive the call.
        let bytes = unsafe UnsafeBufferPointer(
            start: storage.baseAddress?.assumingMemoryBound(to: UInt8.self), count: byteCount)
        return try unsafe body(bytes.span)
    }

    /// Part of the bytes as 32-bit numbers in the machine's order, for use inside `body`.
    /// - Parameter range: in numbers, not bytes.
    public func withInt32s<Result, Failure: Error>(
        _ range: Range<Int>, _ body: (Span<Int32>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(range.lowerBound >= 0 && range.upperBound <= byteCount / 4, "numbers \(range) of \(byteCount / 4)")
        // SAFETY: the range was checked; the storage is aligned; every bit pattern is a number; nobody writes.
        let numbers = unsafe UnsafeRawBufferPointer(rebasing: storage[range.lowerBound * 4..<range.upperBound * 4])
        return try unsafe numbers.withMemoryRebound(to: Int32.self) { (numbers) throws(Failure) in
            try unsafe body(numbers.span)
        }
    }

    /// Reads cells of a column of tokens into rows of the buffer, and their lengths into another, while the batch is made.
    func readTokens(
        _ dataSet: DataSet, column: Int, _ addresses: [CellAddress], slots: [Int], shape: TokenRowShape,
        lengths: BatchBuffer
    ) throws(ShardError) -> [MissingCell] {
        // SAFETY: the storage is aligned to 64 bytes, and holds nothing but numbers.
        let rows = unsafe storage.bindMemory(to: Int32.self)
        let counts = unsafe lengths.storage.bindMemory(to: Int32.self)
        return try unsafe dataSet.readTokens(
            column: column, addresses, slots: slots, shape: shape,
            rows: UnsafeMutableBufferPointer(rebasing: rows[0..<byteCount / 4]),
            lengths: UnsafeMutableBufferPointer(rebasing: counts[0..<lengths.byteCount / 4]))
    }

    /// Reads cells of a tensor column into slots of the buffer, while the batch is made.
    func read(_ dataSet: DataSet, column: Int, _ addresses: [CellAddress], slots: [Int]) throws(ShardError)
        -> [MissingCell]
    {
        try unsafe dataSet.readCells(
            column: column, addresses, slots: slots,
            into: UnsafeMutableRawBufferPointer(rebasing: storage[0..<byteCount]))
    }
}

/// A matrix of a batch, `[rowCount, width]`, row behind row, little-endian.
public struct BatchMatrix: Sendable {
    public let element: ElementType
    public let rowCount: Int
    /// Elements of a row.
    public let width: Int
    public let buffer: BatchBuffer

    init(element: ElementType, rowCount: Int, width: Int) {
        self.element = element
        self.rowCount = rowCount
        self.width = width
        buffer = BatchBuffer(byteCount: rowCount * width * element.byteCount)
    }

    public var rowByteCount: Int { width * element.byteCount }

    /// The bytes of one row.
    public func bytes(row: Int) -> [UInt8] {
        precondition(row >= 0 && row < rowCount, "row \(row) of \(rowCount)")
        return buffer.withBytes { bytes in
            (row * rowByteCount..<(row + 1) * rowByteCount).map { bytes[$0] }
        }
    }

    /// The numbers of one row of a matrix of i32.
    public func int32s(row: Int) -> [Int32] {
        precondition(element == .i32 && row >= 0 && row < rowCount, "row \(row) of \(rowCount) of \(element)")
        return buffer.withInt32s(row * width..<(row + 1) * width) { numbers in numbers.indices.map { numbers[$0] } }
    }
}
