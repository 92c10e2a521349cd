/// Character references as Python's `html.unescape` and as ftfy resolve them.
enum HTMLEntities {
    /// Name, with its semicolon where it has one, to code points.
    private static let named: [[UInt32]: [UInt32]] = {
        var table: [[UInt32]: [UInt32]] = [:]
        for word in htmlEntityTable.utf8.split(whereSeparator: { $0 == 0x20 || $0 == 0x0A }) {
            let parts = word.split(separator: UInt8(ascii: "="))
            guard parts.count == 2 else { continue }
            let points = parts[1].split(separator: UInt8(ascii: "+")).compactMap { hexadecimal(Array($0)) }
            let standsAlone = parts[0].last == UInt8(ascii: "*")
            let name = (standsAlone ? parts[0].dropLast() : parts[0]).map(UInt32.init)
            if standsAlone { table[name] = points }
            table[name + [semicolon]] = points
        }
        return table
    }()

    /// What ftfy adds: the upper-case form of a lower-case name, where `unescape` would leave that form alone.
    private static let shouted: [[UInt32]: [UInt32]] = {
        var table: [[UInt32]: [UInt32]] = [:]
        for (name, points) in named where name.last == semicolon {
            let upper = name.map { 0x61...0x7A ~= $0 ? $0 - 32 : $0 }
            guard !name.contains(where: { 0x41...0x5A ~= $0 }) else { continue }
            let reference = [ampersand] + upper
            guard unescape(reference) == reference else { continue }
            table[upper] = points.flatMap { point -> [UInt32] in
                guard let scalar = Unicode.Scalar(point) else { return [point] }
                return scalar.properties.uppercaseMapping.unicodeScalars.map(\.value)
            }
        }
        return table
    }()

    private static let ampersand: UInt32 = 0x26
    private static let semicolon: UInt32 = 0x3B
    private static let numberSign: UInt32 = 0x23
    private static let replacement: UInt32 = 0xFFFD
    /// The longest run after `&` that is looked at, and the shortest name that exists.
    private static let longestName = 32
    private static let shortestName = 2

    /// The text with every character reference resolved once, as Python's `html.unescape` does.
    ///
    /// Cost: O(count).
    static func unescape(_ text: [UInt32]) -> [UInt32] {
        guard text.contains(ampersand) else { return text }
        var result: [UInt32] = []
        result.reserveCapacity(text.count)
        var position = 0
        while position < text.count {
            if text[position] == ampersand, let end = reference(in: text, after: position, into: &result) {
                position = end
            } else {
                result.append(text[position])
                position += 1
            }
        }
        return result
    }

    /// Resolves the reference whose `&` is at `start`.
    ///
    /// - Returns: the position behind it, or nil if none is there and nothing was appended.
    private static func reference(in text: [UInt32], after start: Int, into result: inout [UInt32]) -> Int? {
        var end = start + 1
        guard end < text.count else { return nil }
        if text[end] == numberSign { return numericReference(in: text, after: end, into: &result) }
        while end < text.count, end - start <= longestName, isNameScalar(text[end]) { end += 1 }
        let nameEnd = end
        if end < text.count, text[end] == semicolon, nameEnd > start + 1 {
            if let points = named[Array(text[(start + 1)...end])] {
                result += points
                return end + 1
            }
        }
        var length = nameEnd - start - 1
        while length >= shortestName {
            if let points = named[Array(text[(start + 1)...(start + length)])] {
                result += points
                return start + 1 + length
            }
            length -= 1
        }
        return nil
    }

    /// Python's name pattern takes anything but tab, line feed, form feed, space, `<`, `&`, `#` and `;`.
    private static func isNameScalar(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x09, 0x0A, 0x0C, 0x20, 0x3C, 0x26, 0x23, 0x3B: false
        default: true
        }
    }

    private static func numericReference(
        in text: [UInt32], after numberSign: Int, into result: inout [UInt32]
    ) -> Int? {
        var end = numberSign + 1
        let isHexadecimal = end < text.count && (text[end] == 0x78 || text[end] == 0x58)
        if isHexadecimal { end += 1 }
        let radix: UInt32 = isHexadecimal ? 16 : 10
        let firstDigit = end
        var value: UInt32 = 0
        while end < text.count, let digit = digit(text[end]), digit < radix {
            value = min(value * radix + digit, 0x11_0000)
            end += 1
        }
        guard end > firstDigit else { return nil }
        if end < text.count, text[end] == semicolon { end += 1 }
        result += resolve(number: value)
        return end
    }

    /// The rules of the HTML standard for a numeric reference, as Python applies them.
    private static func resolve(number: UInt32) -> [UInt32] {
        switch number {
        case 0: return [replacement]
        case 0x0D: return [0x0D]
        case 0x80...0x9F: return [CodePages.windows1252[Int(number) - 0x80]]
        case 0xD800...0xDFFF, 0x11_0000...: return [replacement]
        case 0x01...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0xFDD0...0xFDEF: return []
        default: return number & 0xFFFE == 0xFFFE ? [] : [number]
        }
    }

    /// The text with references resolved once, as ftfy's `unescape_html` does: only those of letters and digits that
    /// end in a semicolon, and some that were put in capitals.
    static func unescapeAsFtfy(_ text: [UInt32]) -> [UInt32] {
        guard text.contains(ampersand) else { return text }
        var result: [UInt32] = []
        result.reserveCapacity(text.count)
        var position = 0
        while position < text.count {
            if text[position] == ampersand, let end = strictReferenceEnd(in: text, from: position) {
                let reference = Array(text[position..<end])
                result += resolveAsFtfy(reference)
                position = end
            } else {
                result.append(text[position])
                position += 1
            }
        }
        return result
    }

    /// Where a run of `&`, perhaps `#`, 1 to 24 ASCII letters or digits, and `;` ends that begins at `start`.
    private static func strictReferenceEnd(in text: [UInt32], from start: Int) -> Int? {
        var end = start + 1
        if end < text.count, text[end] == numberSign { end += 1 }
        let first = end
        while end < text.count, end - first < 24, isASCIILetterOrDigit(text[end]) { end += 1 }
        guard end > first, end < text.count, text[end] == semicolon else { return nil }
        return end + 1
    }

    private static func resolveAsFtfy(_ reference: [UInt32]) -> [UInt32] {
        if reference[1] == numberSign {
            let resolved = unescape(reference)
            return resolved.contains(semicolon) ? reference : resolved
        }
        let name = Array(reference.dropFirst())
        return named[name] ?? shouted[name] ?? reference
    }

    private static func isASCIILetterOrDigit(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: false
        }
    }

    private static func digit(_ scalar: UInt32) -> UInt32? {
        switch scalar {
        case 0x30...0x39: scalar - 0x30
        case 0x41...0x46: scalar - 0x41 + 10
        case 0x61...0x66: scalar - 0x61 + 10
        default: nil
        }
    }

    private static func hexadecimal(_ digits: [UInt8]) -> UInt32? {
        var value: UInt32 = 0
        for byte in digits {
            guard let digit = digit(UInt32(byte)) else { return nil }
            value = value << 4 | digit
        }
        return value
    }
}
