internal import DRShard
internal import DRShardFormat

/// The bytes of a zip: all in memory, or in a file of which the end, where the directory is, was read at once.
struct ZipBytes {
    let count: Int
    private let source: (any ByteSource)?
    private let tailStart: Int
    private let tail: ArraySlice<UInt8>

    /// More than an end record with the longest comment takes.
    private static let tailByteCount = 1 << 17

    init(_ bytes: ArraySlice<UInt8>) {
        (count, source, tailStart, tail) = (bytes.count, nil, 0, bytes)
    }

    /// - Throws: `.io`.
    init(_ source: any ByteSource) throws(ShardError) {
        guard let count = Int(exactly: source.byteCount) else { throw .limitExceeded("zip beyond 63 bits") }
        self.count = count
        self.source = source
        tailStart = max(0, count - ZipBytes.tailByteCount)
        tail = try source.bytes(at: UInt64(tailStart), count: count - tailStart)[...]
    }

    /// The bytes `[offset, offset + byteCount)`.
    ///
    /// - Throws: `.truncated` if they are not all there; `.io`.
    func part(_ offset: Int, _ byteCount: Int, _ what: @autoclosure () -> String) throws(ShardError) -> ArraySlice<
        UInt8
    > {
        guard let source, offset >= 0, offset < tailStart else {
            return try tail.part(offset - tailStart, byteCount, what())
        }
        try check(offset, byteCount, what())
        return try source.bytes(at: UInt64(offset), count: byteCount)[...]
    }

    /// Looks whether bytes are there, without reading them.
    /// - Throws: `.truncated` if they are not.
    func check(_ offset: Int, _ byteCount: Int, _ what: @autoclosure () -> String) throws(ShardError) {
        guard offset >= 0, byteCount >= 0, offset <= count, byteCount <= count - offset else {
            throw .truncated("\(what()) needs \(byteCount) bytes at \(offset), \(count) bytes are there")
        }
    }

    /// An unsigned little-endian number of at most 8 bytes.
    func number(_ offset: Int, _ byteCount: Int, _ what: @autoclosure () -> String) throws(ShardError) -> UInt64 {
        try part(offset, byteCount, what()).number(0, byteCount, what())
    }

    /// The same of at most four bytes, as an `Int`.
    func small(_ offset: Int, _ byteCount: Int, _ what: @autoclosure () -> String) throws(ShardError) -> Int {
        Int(truncatingIfNeeded: try number(offset, byteCount, what()))
    }

    /// Whether these bytes are at `offset`; false if there are fewer.
    func has(_ expected: [UInt8], at offset: Int) throws(ShardError) -> Bool {
        guard offset >= 0, offset <= count - expected.count else { return false }
        return try part(offset, expected.count, "zip signature").elementsEqual(expected)
    }
}
