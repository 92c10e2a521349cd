internal import CDRKernels
internal import Synchronization

/// What a row of token ids has around the stored tokens.
public struct TokenRowShape: Hashable, Sendable {
    /// Ids in a row: start, as many tokens as there is room for, end, zeros.
    public let contextLength: Int
    public let start: Int32
    public let end: Int32
    /// Stored tokens are below.
    public let vocabularySize: UInt32

    /// - Parameter contextLength: at least 2.
    public init(contextLength: Int, start: Int32, end: Int32, vocabularySize: UInt32) {
        precondition((2...Int(UInt32.max)).contains(contextLength), "a context of \(contextLength)")
        self.contextLength = contextLength
        self.start = start
        self.end = end
        self.vocabularySize = vocabularySize
    }

    /// Whether every id of a row is below 2^16.
    package var fitsUInt16: Bool {
        vocabularySize <= 65_536 && UInt16(exactly: start) != nil && UInt16(exactly: end) != nil
    }

    fileprivate var row: cdr_token_row {
        cdr_token_row(start: start, end: end, vocabulary: vocabularySize, context: UInt32(contextLength))
    }

    /// Makes the row of one value: little-endian numbers of `element`.
    /// - Parameters:
    ///   - ids: room for `contextLength` of them.
    ///   - length: becomes the number of ids without the zeros.
    /// - Throws: `.corrupt` for a token that the vocabulary does not have.
    package func fill(
        _ ids: UnsafeMutablePointer<Int32>?, length: UnsafeMutablePointer<Int32>?, value: UnsafeRawBufferPointer,
        element: ElementType
    ) throws(ShardError) {
        var row = row
        // SAFETY: the kernel reads the value, and writes one row and one length.
        let status = unsafe cdr_tokens_plain_row(
            value.baseAddress, value.count / element.byteCount, UInt32(element.byteCount), &row, ids, length)
        try status.check("\(value.count) bytes of tokens", vocabularySize: vocabularySize)
    }
}

extension cdr_tokens_status {
    fileprivate func check(_ what: @autoclosure () -> String, vocabularySize: UInt32 = 0) throws(ShardError) {
        switch self {
        case CDR_TOKENS_OK: return
        case CDR_TOKENS_OUTSIDE: throw .corrupt("a token that a vocabulary of \(vocabularySize) does not have")
        default: throw .corrupt("\(what()) are no unit of token ranks")
        }
    }
}

/// The table of the encoding token_ranks, ready for use. Spec: FORMAT.md section 6.6.
// SAFETY: the storage is private, filled in init, never changed after, and freed in deinit.
@safe package final class TokenRankTable: Sendable {
    private nonisolated(unsafe) let table: UnsafeMutablePointer<cdr_token_table>
    private let element: ElementType
    /// Of every id, for encoding; made when they are first needed.
    private let ranks = Mutex<[UInt16]>([])

    /// - Parameters:
    ///   - payload: of the auxiliary page.
    ///   - element: u16 or i32.
    /// - Throws: `.corrupt`, `.unsupportedFeature`. Spec: [R-ENC-5].
    package init(parsing payload: [UInt8], element: ElementType) throws(ShardError) {
        self.element = element
        unsafe table = .allocate(capacity: 1)
        let table = unsafe table
        // SAFETY: the kernel reads the payload, and writes the table.
        let status = unsafe payload.withUnsafeBytes { payload in
            unsafe cdr_token_table_read(table, payload.baseAddress, payload.count)
        }
        if status == CDR_TOKENS_UNSUPPORTED { throw .unsupportedFeature("token ranks: reserved bytes") }
        guard status == CDR_TOKENS_OK else { throw .corrupt("a table of token ranks that breaks its rules") }
    }
    deinit { unsafe table.deallocate() }

    var summary: String { unsafe "\(table.pointee.count) ids with ranks" }

    private func source(_ stored: UnsafeRawBufferPointer, plainByteCount: Int, cellCount: Int) -> cdr_token_source {
        unsafe cdr_token_source(
            stored: stored.baseAddress, stored_count: stored.count, plain_count: plainByteCount, cells: cellCount,
            element: UInt32(element.byteCount))
    }

    /// Decodes a unit into exactly its plain bytes.
    /// - Parameter stored: 64 more bytes can be read behind it.
    func decode(_ stored: UnsafeRawBufferPointer, cellCount: Int, into target: UnsafeMutableRawBufferPointer)
        throws(ShardError)
    {
        var source = unsafe source(stored, plainByteCount: target.count, cellCount: cellCount)
        // SAFETY: the kernel reads the stored bytes and their slack, and writes the plain bytes.
        let status = unsafe cdr_tokens_decode(table, &source, target.baseAddress)
        try status.check("\(stored.count) bytes")
    }

    /// Decodes cells of a unit to rows of ids, one behind the other.
    /// - Parameters:
    ///   - stored: 64 more bytes can be read behind it.
    ///   - wanted: numbers of the cells, each below `cellCount`; ascending ones cost least.
    ///   - ids: room for a row of each.
    ///   - lengths: become the numbers of ids without the zeros.
    package func decodeRows(
        _ stored: UnsafeRawBufferPointer, plainByteCount: Int, cellCount: Int, wanted: [UInt32], shape: TokenRowShape,
        ids: UnsafeMutableBufferPointer<Int32>, lengths: UnsafeMutableBufferPointer<Int32>
    ) throws(ShardError) {
        precondition(
            ids.count >= wanted.count * shape.contextLength && lengths.count >= wanted.count, "room for each row")
        var source = unsafe source(stored, plainByteCount: plainByteCount, cellCount: cellCount)
        var row = shape.row
        // SAFETY: the kernel reads the stored bytes and their slack, and writes as many rows and lengths as are wanted.
        let status = unsafe cdr_tokens_rows(
            table, &source, &row, wanted, wanted.count, ids.baseAddress, lengths.baseAddress)
        try status.check("\(stored.count) bytes", vocabularySize: shape.vocabularySize)
    }

    /// Encodes a unit into `target`.
    /// - Returns: the bytes that it has; nil if the target is too small for them.
    func encode(_ plain: UnsafeRawBufferPointer, cellCount: Int, into target: UnsafeMutableRawBufferPointer) -> Int? {
        let table = unsafe table
        // SAFETY: the kernel writes the rank of every id.
        let ranks = ranks.withLock { known in
            if known.isEmpty {
                known = unsafe [UInt16](unsafeUninitializedCapacity: 65_536) { ranks, count in
                    unsafe cdr_token_ranks(table, ranks.baseAddress)
                    count = 65_536
                }
            }
            return known
        }
        // SAFETY: both buffers are passed with their own counts.
        let count = unsafe cdr_tokens_encode(
            ranks, UInt32(element.byteCount), plain.baseAddress, plain.count, cellCount, target.baseAddress,
            target.count)
        return count > 0 ? count : nil
    }

    // MARK: Choice

    /// Chooses the table for the values of one row group.
    /// - Returns: its payload; nil if no cell is present.
    static func choose(planes: [Plane]) -> [UInt8]? {
        var choice = TokenTableChoice()
        let width = planes[0].type.element?.byteCount ?? 2
        // The values of a plane are whole tokens, one behind the other.
        for plane in planes { choice.add(plane.bytes.span, width: width) }
        return planes.contains { $0.missingCount < $0.rowCount } ? choice.payload() : nil
    }
}
