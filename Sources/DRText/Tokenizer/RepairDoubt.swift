/// Why ftfy might change a text in a way that changes its ids: the first reason found.
///
/// ftfy (tried: 6.3.1, its defaults) is what open_clip runs on a text before anything else. Reported is every text that
/// it would change so that the ids may differ; and some that it would leave alone, since the test for misread UTF-8 is
/// coarser than ftfy's.
public enum RepairDoubt: String, Sendable, CaseIterable, CustomStringConvertible {
    /// A control character that ftfy removes or reads as windows-1252, or a terminal escape.
    case controlCharacter = "control character"
    /// A curly quotation mark, which ftfy makes straight.
    case curlyQuote = "curly quotation mark"
    /// A Latin ligature or digraph, which ftfy takes apart.
    case ligature = "ligature"
    /// A fullwidth or halfwidth form which ftfy makes the usual one, and which may then join its neighbours or begin a
    /// character reference. Others are made the usual one here too, and are not in doubt.
    case characterWidth = "fullwidth or halfwidth form"
    /// The text may not be in normalisation form C, into which ftfy puts it.
    case normalization = "normalization"
    /// A sequence that looks like UTF-8 read as some other character set.
    case mojibake = "misread UTF-8"
    /// Character references that ftfy resolves to another text than open_clip alone.
    case characterReference = "character reference"
    /// A code point that is too new for all Python versions in use, or for this library, to know what it is.
    case recentCharacter = "recent character"
    /// More than a million code points without a line break, which ftfy cuts into pieces.
    case longLine = "long line"

    public var description: String { rawValue }

    /// ftfy's `max_decode_length`.
    private static let maximumLineLength = 1_000_000
    /// ftfy resolves references until nothing changes; after so many rounds of it the text is in doubt.
    private static let maximumRounds = 4

    static func first(in text: String) -> RepairDoubt? {
        if isPlain(text) { return nil }
        let points = text.unicodeScalars.map(\.value)
        let usual = CharacterWidth.usual(points)
        if usual == points { return first(in: points) }
        if usual.contains(0x26) { return .characterWidth }
        // ftfy looks for misread UTF-8 before it touches widths, and again afterwards.
        if let doubt = first(in: usual) { return doubt }
        let lines = points.split(separator: 0x0A)
        return lines.contains { MojibakeSigns.arePresent(in: Array($0)) } ? .mojibake : nil
    }

    private static func first(in points: [UInt32]) -> RepairDoubt? {
        var resolved: [UInt32] = []
        resolved.reserveCapacity(points.count)
        var isMarkup = false
        var start = 0
        while start < points.count {
            let end = points[start...].firstIndex(of: 0x0A).map { $0 + 1 } ?? points.count
            guard end - start <= maximumLineLength else { return .longLine }
            let line = Array(points[start..<end])
            // From the first `<` on, ftfy takes the text for markup and leaves its references alone.
            isMarkup = isMarkup || line.contains(0x3C)
            if let doubt = doubt(inLine: line, isMarkup: isMarkup, resolved: &resolved) { return doubt }
            start = end
        }
        return points.contains(0x26) ? doubtOfReferences(in: points, asFtfy: resolved) : nil
    }

    /// What is left to doubt once each line is harmless: all references resolved, is it the same, and known?
    private static func doubtOfReferences(in points: [UInt32], asFtfy resolved: [UInt32]) -> RepairDoubt? {
        let cleaned = TextCleaning.clean(points)
        if resolved != points, TextCleaning.clean(resolved) != cleaned { return .characterReference }
        for scalar in cleaned {
            if let doubt = recentDoubt(of: scalar) { return doubt }
        }
        return nil
    }

    /// Printable ASCII, line feeds and tabs, no reference: by far the most common text.
    private static func isPlain(_ text: String) -> Bool {
        text.utf8.allSatisfy { (0x20..<0x7F ~= $0 && $0 != 0x26) || $0 == 0x09 || $0 == 0x0A }
    }

    private static func doubt(inLine line: [UInt32], isMarkup: Bool, resolved: inout [UInt32]) -> RepairDoubt? {
        var text = line
        for _ in 0..<maximumRounds {
            let next = isMarkup ? text : HTMLEntities.unescapeAsFtfy(text)
            if let doubt = doubtBesidesReferences(in: next) { return doubt }
            if next == text {
                resolved += next
                return nil
            }
            text = next
        }
        return .characterReference
    }

    private static func doubtBesidesReferences(in text: [UInt32]) -> RepairDoubt? {
        var isASCII = true
        for scalar in text {
            isASCII = isASCII && scalar < 0x80
            if let doubt = doubt(of: scalar) { return doubt }
        }
        if isASCII { return nil }
        if Normalization.mayChange(text) { return .normalization }
        return MojibakeSigns.arePresent(in: text) ? .mojibake : nil
    }

    /// What can be said of one code point alone.
    private static func doubt(of scalar: UInt32) -> RepairDoubt? {
        switch scalar {
        // Tab, line feed, form feed, carriage return: kept, or exchanged for another white space.
        case 0x09, 0x0A, 0x0C, 0x0D: return nil
        case 0x20..<0x7F: return nil
        case 0x00..<0x20, 0x7F..<0xA0, 0x206A...0x206F, 0xFEFF, 0xFFF9...0xFFFC: return .controlCharacter
        case 0x2BC, 0x2018...0x201F: return .curlyQuote
        case 0x132, 0x133, 0x149, 0x1C4...0x1CC, 0x1F1...0x1F3, 0xFB00...0xFB06: return .ligature
        case 0xFF01...0xFFEF: return .characterWidth
        default: return recentDoubt(of: scalar)
        }
    }

    /// Unknown to this library, or newer than Unicode 14 (Python 3.11) and of a kind whose treatment depends on it.
    private static func recentDoubt(of scalar: UInt32) -> RepairDoubt? {
        guard scalar >= 0x370, let properties = Unicode.Scalar(scalar)?.properties else { return nil }
        guard let age = properties.age else { return .recentCharacter }
        guard age.major > 14 else { return nil }
        switch properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark: return .recentCharacter
        default: break
        }
        let hasCase = properties.isCased || properties.isCaseIgnorable || properties.changesWhenLowercased
        return hasCase || properties.isFullCompositionExclusion ? .recentCharacter : nil
    }
}
