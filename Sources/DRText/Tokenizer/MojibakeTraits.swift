/// What a code point is to the search for misread UTF-8.
struct MojibakeTraits: OptionSet, Sendable {
    let rawValue: UInt16

    /// Hardly ever meant: spacing accents, daggers, the replacement character and their like.
    static let rare = MojibakeTraits(rawValue: 1 << 0)
    /// No letter, or none that is used as one (the micro sign).
    static let symbol = MojibakeTraits(rawValue: 1 << 1)
    /// A Latin letter outside ASCII, or Cyrillic ghe with upturn.
    static let accented = MojibakeTraits(rawValue: 1 << 2)
    static let uppercase = MojibakeTraits(rawValue: 1 << 3)
    static let lowercase = MojibakeTraits(rawValue: 1 << 4)
    /// A letter that begins many misread sequences: suspicious before anything outside ASCII.
    static let herald = MojibakeTraits(rawValue: 1 << 5)
    /// A Greek or Cyrillic letter that begins many misread sequences: suspicious before a symbol.
    static let foreignHerald = MojibakeTraits(rawValue: 1 << 6)
    /// The ligature oe, suspicious before all but an ASCII letter.
    static let ligatureOE = MojibakeTraits(rawValue: 1 << 7)
    /// Suspicious before a space, which may have been a no-break space.
    static let beforeSpace = MojibakeTraits(rawValue: 1 << 8)
    static let asciiLetter = MojibakeTraits(rawValue: 1 << 9)
    static let space = MojibakeTraits(rawValue: 1 << 10)
    static let ascii = MojibakeTraits(rawValue: 1 << 11)
    /// The second letters of two Cyrillic pairs: UTF-8 of punctuation read as windows-1251.
    static let cyrillicSecond = MojibakeTraits(rawValue: 1 << 12)

    private static let rareOnes = points("¦¤¨¬¯¸ƒˆˇ˘˛˜†‡‰⌐◊\u{FFFD}ªº")
    private static let heralds = points("ÂÃÎÐØÙ")
    private static let foreignHeralds = points("ВГРСвΒΓΞΟβ")

    private static func points(_ text: String) -> [UInt32] { text.unicodeScalars.map(\.value) }

    init(rawValue: UInt16) { self.rawValue = rawValue }

    init(of point: UInt32) {
        var traits: MojibakeTraits = []
        if point < 0x80 {
            traits.insert(.ascii)
            if TextCleaning.isWhitespace(point) { traits.insert(.space) }
            if 0x41...0x5A ~= point || 0x61...0x7A ~= point { traits.insert(.asciiLetter) }
            self = traits
            return
        }
        if Self.rareOnes.contains(point) { traits.formUnion([.rare, .symbol]) }
        if Self.heralds.contains(point) { traits.insert(.herald) }
        if Self.foreignHeralds.contains(point) { traits.insert(.foreignHerald) }
        if point == 0x152 || point == 0x153 { traits.insert(.ligatureOE) }
        if point == 0xC2 || point == 0xC3 { traits.insert(.beforeSpace) }
        if point == 0x402 || point == 0x45E { traits.insert(.cyrillicSecond) }
        if let properties = Unicode.Scalar(point)?.properties {
            if properties.isUppercase { traits.insert(.uppercase) }
            if properties.isLowercase { traits.insert(.lowercase) }
            if !properties.isAlphabetic || point == 0xB5 { traits.insert(.symbol) }
        }
        let isLatin = 0xC0..<0x250 ~= point || 0xFB00...0xFB06 ~= point
        if isLatin || point == 0x490 || point == 0x491, !traits.contains(.symbol) { traits.insert(.accented) }
        self = traits
    }

    /// Whether two code points side by side are unlikely in text that was read correctly.
    ///
    /// Coarser than the heuristic of ftfy on purpose: true wherever that one is, for code points of the character
    /// sets that it considers.
    static func isSuspicious(_ first: MojibakeTraits, _ second: MojibakeTraits) -> Bool {
        if first.contains(.ligatureOE) { return !second.contains(.asciiLetter) }
        if first.contains(.beforeSpace), second.contains(.space) { return true }
        if first.contains(.ascii) || second.contains(.ascii) { return false }
        if first.contains(.herald) || !first.union(second).isDisjoint(with: .rare) { return true }
        if second.contains(.symbol) {
            return !first.isDisjoint(with: [.symbol, .accented, .foreignHerald])
        }
        if second.contains(.accented) {
            if first.contains(.symbol) { return true }
            return first.contains(.lowercase) && second.contains(.uppercase)
        }
        return first.contains(.foreignHerald) && second.contains(.cyrillicSecond)
    }
}
