public import DRShardFormat

/// A matrix of a batch, `[rowCount, width]`, little-endian. It holds the batch's memory: nothing is written there as long
/// as somebody has it.
public struct BatchMatrix: Sendable {
    let layout: MatrixLayout
    let lease: BatchLease
    public let rowCount: Int

    public var element: ElementType { layout.element }
    /// Elements of a row.
    public var width: Int { layout.width }
    /// Bytes from one row to the next: more than a row's for a part of a wider matrix.
    public var rowStride: Int { layout.stride }
    public var rowByteCount: Int { layout.rowByteCount }
    /// Of its rows.
    public var byteCount: Int { rowCount * rowByteCount }

    init(_ layout: MatrixLayout, _ lease: BatchLease, rowCount: Int) {
        self.layout = layout
        self.lease = lease
        self.rowCount = rowCount
    }

    /// The bytes from the first row to the end of the last, for use inside `body` and as long as the caller holds the
    /// matrix. The first one is at a multiple of 64 in memory, unless it is a part of a wider matrix.
    public func withUnsafeBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        // SAFETY: the lease keeps the memory; a batch that was handed out is never written to.
        try unsafe body(lease.memory.bytes(layout, rowCount: rowCount))
    }

    /// The same, checked.
    public func withBytes<Result, Failure: Error>(
        _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try unsafe withUnsafeBytes { (bytes) throws(Failure) in
            // SAFETY: raw memory may be read as bytes; the span does not outlive the call.
            let bytes = unsafe UnsafeBufferPointer(
                start: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), count: bytes.count)
            return try unsafe body(bytes.span)
        }
    }

    /// The bytes of one row.
    public func bytes(row: Int) -> [UInt8] {
        precondition(row >= 0 && row < rowCount, "row \(row) of \(rowCount)")
        return withBytes { bytes in (row * rowStride..<row * rowStride + rowByteCount).map { bytes[$0] } }
    }

    /// The numbers of one row of a matrix of i32.
    public func int32s(row: Int) -> [Int32] {
        precondition(element == .i32, "a matrix of \(element)")
        return integers(row: row)
    }

    /// The numbers of one row of a matrix whose elements are `Number`.
    func integers<Number: FixedWidthInteger>(row: Int) -> [Number] {
        precondition(element.byteCount * 8 == Number.bitWidth, "a matrix of \(element)")
        let bytes = bytes(row: row)
        let width = element.byteCount
        return (0..<self.width).map { OrderKey.number(bytes[$0 * width..<($0 + 1) * width]) }
    }

    /// Some of the columns, as a view of the same memory.
    public func columns(_ range: Range<Int>) -> BatchMatrix {
        precondition(range.lowerBound >= 0 && range.upperBound <= width, "columns \(range) of \(width)")
        return BatchMatrix(
            MatrixLayout(
                element: element, width: range.count, offset: layout.offset + range.lowerBound * element.byteCount,
                stride: layout.stride), lease, rowCount: rowCount)
    }
}

/// Values of any length, one a sample. It holds the batch's memory.
public struct BatchValues: Sendable {
    let number: Int
    let lease: BatchLease
    public let count: Int

    init(_ number: Int, _ lease: BatchLease, count: Int) {
        self.number = number
        self.lease = lease
        self.count = count
    }

    /// A sample's value, for use inside `body`; nil if its cell is not present.
    public func withUnsafeBytes<Result, Failure: Error>(
        _ sample: Int, _ body: (UnsafeRawBufferPointer?) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(sample >= 0 && sample < count, "sample \(sample) of \(count)")
        // SAFETY: the lease keeps the memory.
        return try unsafe body(lease.memory.ragged[number].value(sample))
    }

    /// A sample's value; nil if its cell is not present.
    public subscript(sample: Int) -> [UInt8]? { unsafe withUnsafeBytes(sample) { unsafe $0.map { unsafe Array($0) } } }

    /// Of all values.
    public var byteCount: Int {
        (0..<count).reduce(0) { sum, i in unsafe sum + withUnsafeBytes(i) { unsafe $0?.count ?? 0 } }
    }
}
