/// The single-byte character sets by which UTF-8 is misread most often.
enum CodePages {
    /// How many character sets there are.
    static let count = codePageTable.count

    /// One code point above U+007F that some of the character sets have.
    struct Member: Sendable {
        /// Its byte in each of the character sets, 0 where it has none.
        var bytes = [UInt8](repeating: 0, count: CodePages.count)
        /// What it is to the search for misread UTF-8.
        let traits: MojibakeTraits
    }

    /// All code points above U+007F that any of the character sets has.
    static let members: [UInt32: Member] = {
        var members: [UInt32: Member] = [:]
        for (page, entry) in codePageTable.enumerated() {
            for (offset, point) in points(entry.points).enumerated() {
                members[point, default: Member(traits: MojibakeTraits(of: point))].bytes[page] = UInt8(offset + 0x80)
            }
        }
        return members
    }()

    /// What the bytes 0x80 to 0xFF of windows-1252 stand for; those that it leaves undefined for themselves.
    static let windows1252: [UInt32] = points(codePageTable[1].points)

    private static func points(_ text: String) -> [UInt32] {
        text.split(whereSeparator: \.isWhitespace).map { UInt32($0, radix: 16) ?? 0 }
    }
}
