/// The cleaning that open_clip applies before it splits a text: references, white space, case. Works on code points.
enum TextCleaning {
    /// The text as open_clip's `clean="lower"` leaves it, but for the repairs of ftfy other than `CharacterWidth`.
    ///
    /// Fullwidth and halfwidth forms become the usual ones, references are resolved twice, runs of white space become
    /// one space, none is left at either end, and all is lower case. Cost: O(count).
    static func clean(_ text: [UInt32]) -> [UInt32] {
        lowercased(foldingWhitespace(HTMLEntities.unescape(HTMLEntities.unescape(CharacterWidth.usual(text)))))
    }

    /// Whether Python's `str.isspace` holds: a superset of Unicode's `White_Space` by U+001C to U+001F.
    static func isWhitespace(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000:
            true
        default: false
        }
    }

    /// Python's `" ".join(text.split())`.
    static func foldingWhitespace(_ text: [UInt32]) -> [UInt32] {
        var result: [UInt32] = []
        result.reserveCapacity(text.count)
        var isPending = false
        for scalar in text {
            if isWhitespace(scalar) {
                isPending = !result.isEmpty
            } else {
                if isPending { result.append(0x20) }
                isPending = false
                result.append(scalar)
            }
        }
        return result
    }

    /// Python's `str.lower`: full mappings, and a capital sigma that ends a word becomes a final one.
    ///
    /// A code point whose lower case came with Unicode 16 or later stays as it is, as in Python up to 3.13.
    static func lowercased(_ text: [UInt32]) -> [UInt32] {
        var result: [UInt32] = []
        result.reserveCapacity(text.count)
        for (position, scalar) in text.enumerated() {
            if scalar < 0x80 {
                result.append(0x41...0x5A ~= scalar ? scalar + 32 : scalar)
            } else if scalar == capitalSigma {
                result.append(isFinalSigma(at: position, in: text) ? finalSigma : smallSigma)
            } else if let properties = Unicode.Scalar(scalar)?.properties, properties.changesWhenLowercased,
                !isRecent(properties)
            {
                result += properties.lowercaseMapping.unicodeScalars.map(\.value)
            } else {
                result.append(scalar)
            }
        }
        return result
    }

    /// Whether a code point was assigned after Unicode 15, so that Python versions in use differ about it.
    static func isRecent(_ properties: Unicode.Scalar.Properties) -> Bool {
        guard let age = properties.age else { return false }
        return age.major > 15
    }

    private static let capitalSigma: UInt32 = 0x3A3
    private static let smallSigma: UInt32 = 0x3C3
    private static let finalSigma: UInt32 = 0x3C2

    /// Unicode's condition Final_Sigma: something cased before it and nothing cased after it, case-ignorable code
    /// points not counted.
    private static func isFinalSigma(at position: Int, in text: [UInt32]) -> Bool {
        var before = position - 1
        while before >= 0, isCaseIgnorable(text[before]) { before -= 1 }
        guard before >= 0, isCased(text[before]) else { return false }
        var after = position + 1
        while after < text.count, isCaseIgnorable(text[after]) { after += 1 }
        return after == text.count || !isCased(text[after])
    }

    private static func isCased(_ scalar: UInt32) -> Bool {
        Unicode.Scalar(scalar)?.properties.isCased ?? false
    }

    private static func isCaseIgnorable(_ scalar: UInt32) -> Bool {
        Unicode.Scalar(scalar)?.properties.isCaseIgnorable ?? false
    }
}
