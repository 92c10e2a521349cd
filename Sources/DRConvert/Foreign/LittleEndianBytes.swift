package import DRShardFormat

/// Checked reads of little-endian numbers from bytes that nobody has vouched for. Offsets count from the slice's start.
extension ArraySlice<UInt8> {
    /// The bytes `[offset, offset + byteCount)` of this slice, without a copy.
    ///
    /// - Throws: `.truncated` if they are not all there; `what` names them in the message.
    func part(_ offset: Int, _ byteCount: Int, _ what: @autoclosure () -> String) throws(ShardError) -> ArraySlice<
        UInt8
    > {
        guard offset >= 0, byteCount >= 0, offset <= count, byteCount <= count - offset else {
            throw .truncated("\(what()) needs \(byteCount) bytes at \(offset), \(count) bytes are there")
        }
        return self[startIndex + offset..<startIndex + offset + byteCount]
    }

    /// An unsigned little-endian number of `byteCount` (at most 8) bytes.
    func number(_ offset: Int, _ byteCount: Int, _ what: @autoclosure () -> String) throws(ShardError) -> UInt64 {
        var value: UInt64 = 0
        for byte in try part(offset, byteCount, what()).reversed() { value = value << 8 | UInt64(byte) }
        return value
    }

    /// Same as `number`, for at most four bytes, as an `Int`.
    func small(_ offset: Int, _ byteCount: Int, _ what: @autoclosure () -> String) throws(ShardError) -> Int {
        Int(truncatingIfNeeded: try number(offset, byteCount, what()))
    }

    /// Whether the slice has exactly these bytes at `offset`; false if it is too short.
    func has(_ expected: [UInt8], at offset: Int = 0) -> Bool {
        offset >= 0 && offset <= count && self[(startIndex + offset)...].starts(with: expected)
    }
}

extension ShardError {
    /// The same error with the name of the file inside a file that it is about put before the reason.
    package func inside(_ name: String) -> ShardError {
        ShardError(code, "member \"\(name)\": \(reason)", context: context)
    }
}
