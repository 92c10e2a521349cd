/// The search for UTF-8 that was read as a single-byte character set.
///
/// ftfy repairs such text only where bytes of one character set decode as UTF-8: a whole line, or a run of sequences
/// that each begin with a letter. So that is what this looks for, with the losses that ftfy makes up for (a space, a
/// question mark or U+FFFD in place of a byte), and for a suspicious pair of neighbours within.
struct MojibakeSigns {
    private var bytes: [[UInt8]]
    private var traits: [MojibakeTraits]
    /// A code point that no single-byte character set has: then no line as a whole was misread.
    private var hasForeigner = false

    private static let blank: UInt8 = 0x20
    private static let question: UInt8 = 0x3F
    /// Stands for U+FFFD: a byte that was lost.
    private static let lost: UInt8 = 0x1A

    /// Whether a line has signs of misread UTF-8. False is certain (no text that ftfy repairs); true is not.
    ///
    /// - Parameter line: without control characters. Cost: O(count).
    static func arePresent(in line: [UInt32]) -> Bool {
        let signs = MojibakeSigns(line)
        for page in 0..<CodePages.count {
            if !signs.hasForeigner, signs.isMisreadAsAWhole(page) { return true }
            if signs.hasMisreadRun(page) { return true }
        }
        return false
    }

    private init(_ line: [UInt32]) {
        bytes = [[UInt8]](repeating: [], count: CodePages.count)
        traits = []
        traits.reserveCapacity(line.count)
        for point in line {
            if point == 0xFFFD {
                traits.append([.rare, .symbol])
                for page in bytes.indices { bytes[page].append(Self.lost) }
            } else if let member = CodePages.members[point] {
                traits.append(member.traits)
                for page in bytes.indices {
                    // No byte: as good as NUL, which is in no sequence.
                    bytes[page].append(member.bytes[page])
                }
            } else {
                let isBlank = TextCleaning.isWhitespace(point)
                let isForeign = point >= 0x80 && !isBlank
                hasForeigner = hasForeigner || isForeign
                traits.append(isForeign ? [] : MojibakeTraits(of: isBlank ? 0x20 : point))
                for page in bytes.indices {
                    bytes[page].append(isBlank ? Self.blank : isForeign ? 0 : UInt8(point))
                }
            }
        }
    }

    /// Whether every code point outside ASCII is in a sequence, and some neighbours are suspicious.
    private func isMisreadAsAWhole(_ page: Int) -> Bool {
        let bytes = bytes[page]
        var position = 0
        var hasSequence = false
        while position < bytes.count {
            if bytes[position] >= 0xC0, let end = sequenceEnd(in: bytes, from: position, takesLosses: true) {
                hasSequence = true
                position = end
            } else if bytes[position] >= 0x80 || bytes[position] == 0 {
                return false
            } else {
                position += 1
            }
        }
        return hasSequence && isSuspicious(traits[...])
    }

    /// Whether there is a run of sequences, the first of which begins with a letter, with suspicious neighbours.
    private func hasMisreadRun(_ page: Int) -> Bool {
        let bytes = bytes[page]
        // A run that meets an earlier one, found harmless, ends as that one does: each place is walked once.
        var isWalked = [Bool](repeating: false, count: bytes.count + 1)
        for start in bytes.indices where bytes[start] >= 0xC0 && !isWalked[start] && canLead(start) {
            var end = start
            while end < bytes.count, !isWalked[end] {
                isWalked[end] = true
                guard let next = sequenceEnd(in: bytes, from: end, takesLosses: false) else { break }
                end = next
            }
            let reach = end < bytes.count && isWalked[end] && end > start ? end + 1 : end
            if isSuspicious(traits[start..<reach]) { return true }
        }
        return false
    }

    /// A letter, or the multiplication sign.
    private func canLead(_ position: Int) -> Bool {
        !traits[position].contains(.symbol) || bytes[0][position] == 0xD7
    }

    private func isSuspicious(_ run: ArraySlice<MojibakeTraits>) -> Bool {
        zip(run, run.dropFirst()).contains { MojibakeTraits.isSuspicious($0, $1) }
    }

    /// The end of the UTF-8 sequence that begins at `start`, or nil if there is none.
    private func sequenceEnd(in bytes: [UInt8], from start: Int, takesLosses: Bool) -> Int? {
        let lead = bytes[start]
        let length: Int
        switch lead {
        case 0xC0, 0xC2...0xDF: length = 2
        case 0xE0...0xEF: length = 3
        case 0xF0...0xF4: length = 4
        default: return nil
        }
        guard length <= bytes.count - start else { return nil }
        for byte in bytes[(start + 1)..<(start + length)] {
            switch byte {
            case 0x80...0xBF: continue
            case Self.blank: guard mayLoseToBlank(lead) else { return nil }
            case Self.question, Self.lost: guard takesLosses else { return nil }
            default: return nil
            }
        }
        return start + length
    }

    /// Whether ftfy takes a space for a lost byte 0xA0 after this one.
    private func mayLoseToBlank(_ lead: UInt8) -> Bool {
        switch lead {
        case 0xC2, 0xC3, 0xC5, 0xCE, 0xD0, 0xD9, 0xE0...0xE3, 0xF0: true
        default: false
        }
    }
}
