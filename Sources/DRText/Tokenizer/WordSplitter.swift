/// The split of a cleaned text into words, by the pattern of CLIP's tokenizer.
///
/// In this order, at each place: a special token, an English contraction's ending, a run of letters, one number
/// character, a run of anything else but white space. Case is ignored as the Python module `regex` does: the long s
/// (U+017F) counts as an s, and U+0345, whose case folding is a letter, is in no class and separates words.
enum WordSplitter {
    private enum Kind { case letter, number, other, none }

    private static let apostrophe: UInt32 = 0x27
    private static let startMarker = Array("<start_of_text>".utf8).map(UInt32.init)
    private static let endMarker = Array("<end_of_text>".utf8).map(UInt32.init)
    private static let endings: [[UInt32]] = ["s", "t", "re", "ve", "m", "ll", "d"].map { $0.utf8.map(UInt32.init) }

    /// The end of the word that begins at or after `position`, which moves to where the word begins.
    ///
    /// - Parameter text: cleaned, so that its only white space is U+0020.
    /// - Returns: nil if no word is left. Cost: O(length of the word).
    static func nextWord(in text: [UInt32], from position: inout Int) -> Int? {
        while position < text.count {
            let first = text[position]
            if first == 0x3C, let end = markerEnd(in: text, from: position) { return end }
            if first == apostrophe, let end = contractionEnd(in: text, from: position) { return end }
            switch kind(of: first) {
            case .number: return position + 1
            case .letter: return runEnd(of: .letter, in: text, from: position)
            case .other: return runEnd(of: .other, in: text, from: position)
            case .none: position += 1
            }
        }
        return nil
    }

    private static func runEnd(of kind: Kind, in text: [UInt32], from start: Int) -> Int {
        var end = start + 1
        while end < text.count, self.kind(of: text[end]) == kind { end += 1 }
        return end
    }

    private static func markerEnd(in text: [UInt32], from start: Int) -> Int? {
        if matches(startMarker, in: text, at: start) { return start + startMarker.count }
        if matches(endMarker, in: text, at: start) { return start + endMarker.count }
        return nil
    }

    private static func contractionEnd(in text: [UInt32], from start: Int) -> Int? {
        guard start + 1 < text.count else { return nil }
        for ending in endings where matches(ending, in: text, at: start + 1) { return start + 1 + ending.count }
        return nil
    }

    private static func matches(_ pattern: [UInt32], in text: [UInt32], at start: Int) -> Bool {
        guard pattern.count <= text.count - start else { return false }
        for offset in pattern.indices {
            let scalar = text[start + offset]
            guard scalar == pattern[offset] || (scalar == 0x17F && pattern[offset] == 0x73) else { return false }
        }
        return true
    }

    private static func kind(of scalar: UInt32) -> Kind {
        switch scalar {
        case 0x61...0x7A, 0x41...0x5A: return .letter
        case 0x30...0x39: return .number
        case 0x20: return .none
        case ..<0x80: return TextCleaning.isWhitespace(scalar) ? .none : .other
        case 0x345: return .none
        default: break
        }
        guard let properties = Unicode.Scalar(scalar)?.properties else { return .other }
        switch properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: return .letter
        case .decimalNumber, .letterNumber, .otherNumber: return .number
        default: return TextCleaning.isWhitespace(scalar) ? .none : .other
        }
    }
}
