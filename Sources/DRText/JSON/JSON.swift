package import DRShardFormat

/// One JSON value. Objects keep their members in file order, repeated keys and all.
package enum JSONValue: Equatable, Sendable {
    case null
    case bool(Bool)
    /// A number without fraction or exponent that fits; exact.
    case int(Int64)
    /// Any other number, correctly rounded.
    case double(Double)
    case string(String)
    case array([JSONValue])
    case object([JSONMember])

    /// The value of `key` in an object; the last one where it is repeated, as Python does. Nil if it is not there.
    package subscript(key: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.key == key }?.value
    }

    /// What this is, for messages.
    package var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .int, .double: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

/// One `"key": value` of an object.
package struct JSONMember: Equatable, Sendable {
    package let key: String
    package let value: JSONValue
}

/// A parsed JSON text.
package struct JSONDocument: Sendable {
    package let value: JSONValue
    /// `\ud800`-like escapes without their other half. Python writes and reads them; no Unicode string can hold them,
    /// so each became U+FFFD.
    package let loneSurrogateCount: Int
}

/// A strict reader of JSON (RFC 8259).
package enum JSON {
    static let maximumDepth = 64

    /// Parses one JSON text; nothing but blanks may surround the value.
    ///
    /// - Throws: `.truncated` if the text ends inside a value; `.corrupt` for a syntax error, invalid UTF-8, or the
    ///   words NaN and Infinity; `.limitExceeded` for more than 64 levels or a number beyond the range of Double.
    /// Cost: O(bytes); no allocation but the result.
    package static func parse(_ bytes: [UInt8]) throws(ShardError) -> JSONDocument {
        var parser = JSONParser(bytes)
        return try parser.document()
    }
}

private struct JSONParser {
    private let bytes: [UInt8]
    private var position = 0
    private var loneSurrogateCount = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func document() throws(ShardError) -> JSONDocument {
        let value = try value(depth: 0)
        skipBlanks()
        guard position == bytes.count else { throw failure("the end") }
        return JSONDocument(value: value, loneSurrogateCount: loneSurrogateCount)
    }

    // MARK: characters

    @inline(__always)
    private mutating func skipBlanks() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            default: return
            }
        }
    }

    /// The byte at the current position; the text may not end here.
    @inline(__always)
    private func current() throws(ShardError) -> UInt8 {
        guard position < bytes.count else { throw failure("more") }
        return bytes[position]
    }

    @inline(never)
    private func failure(_ expected: String) -> ShardError {
        guard position < bytes.count else {
            return .truncated("JSON ends after \(bytes.count) bytes, expected \(expected)")
        }
        let byte = bytes[position]
        let found = (0x21...0x7E).contains(byte) ? "'\(Unicode.Scalar(byte))'" : "byte \(byte)"
        return .corrupt("JSON, byte \(position): expected \(expected), found \(found)")
    }

    private mutating func expect(_ word: StaticString, _ value: JSONValue) throws(ShardError) -> JSONValue {
        for byte in "\(word)".utf8 {
            guard try current() == byte else { throw failure("\(word)") }
            position += 1
        }
        return value
    }

    // MARK: values

    private mutating func value(depth: Int) throws(ShardError) -> JSONValue {
        guard depth <= JSON.maximumDepth else {
            throw .limitExceeded("JSON, byte \(position): more than \(JSON.maximumDepth) levels")
        }
        skipBlanks()
        switch try current() {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try expect("true", .bool(true))
        case UInt8(ascii: "f"): return try expect("false", .bool(false))
        case UInt8(ascii: "n"): return try expect("null", .null)
        case UInt8(ascii: "N"), UInt8(ascii: "I"):
            throw failure("a value (NaN and Infinity are no JSON)")
        case UInt8(ascii: "-"), 0x30...0x39: return try number()
        default: throw failure("a value")
        }
    }

    private mutating func array(depth: Int) throws(ShardError) -> JSONValue {
        position += 1
        var values: [JSONValue] = []
        skipBlanks()
        if try current() == UInt8(ascii: "]") {
            position += 1
            return .array(values)
        }
        values.reserveCapacity(4)  // most arrays here are small: crops, operations, captions
        while true {
            values.append(try value(depth: depth + 1))
            skipBlanks()
            let byte = try current()
            guard byte == UInt8(ascii: ",") || byte == UInt8(ascii: "]") else { throw failure("',' or ']'") }
            position += 1
            if byte == UInt8(ascii: "]") { return .array(values) }
        }
    }

    private mutating func object(depth: Int) throws(ShardError) -> JSONValue {
        position += 1
        var members: [JSONMember] = []
        skipBlanks()
        if try current() == UInt8(ascii: "}") {
            position += 1
            return .object(members)
        }
        while true {
            skipBlanks()
            guard try current() == UInt8(ascii: "\"") else { throw failure("a key") }
            let key = try string()
            skipBlanks()
            guard try current() == UInt8(ascii: ":") else { throw failure("':'") }
            position += 1
            members.append(JSONMember(key: key, value: try value(depth: depth + 1)))
            skipBlanks()
            let byte = try current()
            guard byte == UInt8(ascii: ",") || byte == UInt8(ascii: "}") else { throw failure("',' or '}'") }
            position += 1
            if byte == UInt8(ascii: "}") { return .object(members) }
        }
    }

    private mutating func number() throws(ShardError) -> JSONValue {
        let start = position
        var parts = JSONNumber()
        if bytes[position] == UInt8(ascii: "-") {
            parts.isNegative = true
            position += 1
        }
        let firstDigit = position
        let wholeDigits = try digits(&parts, isFraction: false)
        if wholeDigits > 1, bytes[firstDigit] == 0x30 {
            position = firstDigit + 1
            throw failure("no digit after a leading 0")
        }
        if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
            position += 1
            parts.isInteger = false
            _ = try digits(&parts, isFraction: true)
        }
        if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
            position += 1
            parts.isInteger = false
            try exponent(&parts)
        }
        if let value = parts.integer { return .int(value) }
        if let value = parts.quickDouble { return .double(value) }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        guard let value = Double(text), value.isFinite else {
            throw .limitExceeded("JSON, byte \(start): the number \(text.prefix(40)) is beyond the range of Double")
        }
        return .double(value)
    }

    private mutating func digits(_ parts: inout JSONNumber, isFraction: Bool) throws(ShardError) -> Int {
        let start = position
        while position < bytes.count, case let digit = bytes[position] &- 0x30, digit <= 9 {
            parts.append(digit, isFraction: isFraction)
            position += 1
        }
        guard position > start else { throw failure("a digit") }
        return position - start
    }

    private mutating func exponent(_ parts: inout JSONNumber) throws(ShardError) {
        var isNegative = false
        if case let sign = try current(), sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
            isNegative = sign == UInt8(ascii: "-")
            position += 1
        }
        let start = position
        var exponent = 0
        while position < bytes.count, case let digit = bytes[position] &- 0x30, digit <= 9 {
            exponent = min(10 * exponent + Int(digit), 1_000_000)
            position += 1
        }
        guard position > start else { throw failure("a digit") }
        parts.exponent += isNegative ? -exponent : exponent
    }

    // MARK: strings

    private mutating func string() throws(ShardError) -> String {
        position += 1
        let start = position
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") {
                position += 1
                return try text(bytes[start..<position - 1], at: start)
            }
            if byte == UInt8(ascii: "\\") { return try escapedString(from: start) }
            guard byte >= 0x20 else { throw failure("no control character inside a string") }
            position += 1
        }
        throw .truncated("JSON ends after \(bytes.count) bytes, inside a string")
    }

    private func text(_ bytes: ArraySlice<UInt8>, at start: Int) throws(ShardError) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw .corrupt("JSON, byte \(start): a string that is not UTF-8")
        }
        return text
    }

    /// The rest of a string from its first backslash on; `start` is where the string's text begins.
    private mutating func escapedString(from start: Int) throws(ShardError) -> String {
        var unescaped = Array(bytes[start..<position])
        while true {
            let byte = try current()
            if byte == UInt8(ascii: "\\") {
                position += 1
                try escape(into: &unescaped)
                continue
            }
            guard byte >= 0x20 else { throw failure("no control character inside a string") }
            position += 1
            if byte == UInt8(ascii: "\"") { return try text(unescaped[...], at: start) }
            unescaped.append(byte)
        }
    }

    private mutating func escape(into text: inout [UInt8]) throws(ShardError) {
        let byte = try current()
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(8)
        case UInt8(ascii: "f"): text.append(12)
        case UInt8(ascii: "n"): text.append(10)
        case UInt8(ascii: "r"): text.append(13)
        case UInt8(ascii: "t"): text.append(9)
        case UInt8(ascii: "u"):
            position += 1
            try text.append(contentsOf: UTF8.encode(escapedScalar()) ?? UTF8.encodedReplacementCharacter)
            return
        default: throw failure("an escape")
        }
        position += 1
    }

    /// The scalar of a `\u` escape, or of the two that make a pair.
    private mutating func escapedScalar() throws(ShardError) -> Unicode.Scalar {
        let first = try hexadecimal()
        if let scalar = Unicode.Scalar(first) { return scalar }
        let hasPair = first < 0xDC00 && bytes[position...].starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "u")])
        if hasPair {
            let retry = position
            position += 2
            let second = try hexadecimal()
            if (0xDC00...0xDFFF).contains(second),
                let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
            {
                return scalar
            }
            position = retry
        }
        loneSurrogateCount += 1
        return "\u{FFFD}"
    }

    private mutating func hexadecimal() throws(ShardError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            switch try current() {
            case let byte where (0x30...0x39).contains(byte): value = value << 4 | UInt32(byte - 0x30)
            case let byte where (0x61...0x66).contains(byte | 0x20): value = value << 4 | UInt32((byte | 0x20) - 0x57)
            default: throw failure("a hexadecimal digit")
            }
            position += 1
        }
        return value
    }
}
