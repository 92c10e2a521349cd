/// Reads little-endian fields of a structure, front to back, and fails instead of running over its end.
package struct ByteCursor {
    private let bytes: [UInt8]
    package private(set) var offset: Int
    private let end: Int
    private let what: String

    /// - Parameter what: the structure's name, for errors.
    package init(_ bytes: [UInt8], in range: Range<Int>? = nil, of what: String) {
        self.bytes = bytes
        let range = range ?? 0..<bytes.count
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count)
        offset = range.lowerBound
        end = range.upperBound
        self.what = what
    }

    package var remaining: Int { end - offset }

    private mutating func take(_ count: Int) throws(ShardError) -> Int {
        guard count >= 0, count <= end - offset else {
            throw .corrupt("\(what): \(count) bytes wanted at its byte \(offset), \(end - offset) are left")
        }
        defer { offset += count }
        return offset
    }

    private mutating func little(_ count: Int) throws(ShardError) -> UInt64 {
        let start = try take(count)
        var value: UInt64 = 0
        for i in (start..<start + count).reversed() { value = value << 8 | UInt64(bytes[i]) }
        return value
    }

    package mutating func u8() throws(ShardError) -> UInt8 { bytes[try take(1)] }
    package mutating func u16() throws(ShardError) -> UInt16 { UInt16(truncatingIfNeeded: try little(2)) }
    package mutating func u32() throws(ShardError) -> UInt32 { UInt32(truncatingIfNeeded: try little(4)) }
    package mutating func i32() throws(ShardError) -> Int32 { Int32(truncatingIfNeeded: try little(4)) }
    package mutating func u64() throws(ShardError) -> UInt64 { try little(8) }
    package mutating func f64() throws(ShardError) -> Double { Double(bitPattern: try little(8)) }
    package mutating func u128() throws(ShardError) -> UInt128 {
        let low = try little(8)
        return UInt128(try little(8)) << 64 | UInt128(low)
    }

    package mutating func raw(_ count: Int) throws(ShardError) -> [UInt8] {
        let start = try take(count)
        return Array(bytes[start..<start + count])
    }

    /// Text of `count` bytes; other bytes than UTF-8 are corrupt.
    package mutating func text(_ count: Int) throws(ShardError) -> String {
        let start = offset
        guard let text = String(validating: try raw(count), as: UTF8.self) else {
            throw .corrupt("\(what): the text at its byte \(start) is not UTF-8")
        }
        return text
    }

    /// An unsigned number of at most 5 bytes. Spec: [R-NOTE-1].
    package mutating func varint() throws(ShardError) -> UInt32 {
        var next = offset
        defer { offset = next }
        return try Varint.read(bytes.span.extracting(0..<end), at: &next, of: what)
    }

    /// Bytes that are reserved: others than 0 come from a newer writer. Spec: [R-HEAD-4].
    package mutating func reserved(_ count: Int) throws(ShardError) {
        let start = try take(count)
        guard bytes[start..<start + count].allSatisfy({ $0 == 0 }) else {
            throw .unsupportedFeature("\(what): reserved bytes at its byte \(start) are not 0")
        }
    }

    package func expectEnd() throws(ShardError) {
        guard offset == end else { throw .corrupt("\(what): \(end - offset) bytes too many") }
    }
}

/// An unsigned number in groups of 7 bits. Spec: [R-NOTE-1].
package enum Varint {
    /// Reads the number at `offset`, and moves it behind.
    /// - Throws: `.corrupt` if it does not end, is too large or longer than it must be.
    package static func read(_ bytes: Span<UInt8>, at offset: inout Int, of what: String) throws(ShardError) -> UInt32 {
        var value: UInt64 = 0
        var next = offset
        for shift in stride(from: 0, to: 35, by: 7) {
            guard next < bytes.count else { throw .corrupt("\(what): it ends inside the varint at its byte \(offset)") }
            let byte = bytes[next]
            next += 1
            value |= UInt64(byte & 0x7F) << UInt64(shift)
            guard byte & 0x80 == 0 else { continue }
            guard value <= UInt64(UInt32.max), byte != 0 || shift == 0 else { break }
            offset = next
            return UInt32(truncatingIfNeeded: value)
        }
        throw .corrupt("\(what): the varint at its byte \(offset) is too long")
    }
}

extension [UInt8] {
    package mutating func append(u16 value: UInt16) { append(little: UInt64(value), 2) }
    package mutating func append(u32 value: UInt32) { append(little: UInt64(value), 4) }
    package mutating func append(i32 value: Int32) { append(little: UInt64(UInt32(bitPattern: value)), 4) }
    package mutating func append(u64 value: UInt64) { append(little: value, 8) }
    package mutating func append(f64 value: Double) { append(little: value.bitPattern, 8) }
    package mutating func append(u128 value: UInt128) {
        append(little: UInt64(truncatingIfNeeded: value), 8)
        append(little: UInt64(truncatingIfNeeded: value >> 64), 8)
    }
    package mutating func append(varint value: UInt32) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(rest))
    }
    package mutating func append(zeros count: Int) { append(contentsOf: repeatElement(0, count: count)) }

    private mutating func append(little value: UInt64, _ count: Int) {
        for i in 0..<count { append(UInt8(truncatingIfNeeded: value >> UInt64(8 * i))) }
    }

    /// Replaces four bytes at `offset`: checksums are filled in last.
    package mutating func set(u32 value: UInt32, at offset: Int) {
        for i in 0..<4 { self[offset + i] = UInt8(truncatingIfNeeded: value >> UInt32(8 * i)) }
    }
}
