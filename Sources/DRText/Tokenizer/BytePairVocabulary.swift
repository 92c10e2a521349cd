internal import DRShardFormat

/// The symbols of a byte-pair vocabulary and the pairs that merge.
///
/// The ids are: 256 bytes, the same 256 bytes at the end of a word, one per merge, then the two special tokens.
struct BytePairVocabulary: Sendable {
    /// The most merges that count: those beyond are cut, as in CLIP, whose file holds more.
    static let maximumMergeCount = 49152 - 256 - 2

    /// How many merges there are.
    let mergeCount: Int
    /// Byte to the id of that byte within a word; 256 more than that at its end.
    let byteIDs: [UInt16]
    /// Pair of ids, the left one in the upper half, to rank in the upper half and resulting id in the lower.
    private let merges: [UInt32: UInt32]

    /// Reads the vocabulary of CLIP.
    ///
    /// - Parameter text: one header line and one merge a line, best first, its two symbols divided by a space.
    /// - Throws: `.corrupt` if a line is no pair of symbols known by then.
    init(text: [UInt8]) throws(ShardError) {
        let lines = text.split(separator: 0x0A, omittingEmptySubsequences: false).dropFirst()
            .prefix(Self.maximumMergeCount)
        var pairs: [(left: ArraySlice<UInt8>, right: ArraySlice<UInt8>)] = []
        for (index, line) in lines.enumerated() {
            if line.isEmpty, index == lines.count - 1 { break }
            let parts = line.split(separator: 0x20, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
                throw .corrupt("line \(index + 2) of the vocabulary is no pair of symbols")
            }
            pairs.append((parts[0], parts[1]))
        }
        let alphabet = Self.alphabet()
        byteIDs = alphabet.byteIDs
        mergeCount = pairs.count
        var ids = alphabet.ids
        for (rank, pair) in pairs.enumerated() { ids[Array(pair.left + pair.right)] = UInt16(512 + rank) }
        var merges: [UInt32: UInt32] = [:]
        merges.reserveCapacity(pairs.count)
        for (rank, pair) in pairs.enumerated() {
            guard let left = ids[Array(pair.left)], let right = ids[Array(pair.right)],
                let merged = ids[Array(pair.left + pair.right)]
            else { throw .corrupt("line \(rank + 2) of the vocabulary joins a symbol that it does not have") }
            merges[UInt32(left) << 16 | UInt32(right)] = UInt32(rank) << 16 | UInt32(merged)
        }
        self.merges = merges
    }

    /// The rank and the resulting id of a pair, or nil if it does not merge.
    func merge(_ left: UInt16, _ right: UInt16) -> (rank: UInt16, id: UInt16)? {
        guard let value = merges[UInt32(left) << 16 | UInt32(right)] else { return nil }
        return (UInt16(value >> 16), UInt16(value & 0xFFFF))
    }

    /// GPT-2's alphabet: bytes that print in Latin-1 stand for themselves and come first; the others follow, written
    /// as the code points from U+0100 on.
    private static func alphabet() -> (byteIDs: [UInt16], ids: [[UInt8]: UInt16]) {
        let printable = Array(0x21...0x7E) + Array(0xA1...0xAC) + Array(0xAE...0xFF)
        let others = (0..<256).filter { !printable.contains($0) }
        let points = printable.map { UInt32($0) } + others.indices.map { UInt32(0x100 + $0) }
        var byteIDs = [UInt16](repeating: 0, count: 256)
        var ids: [[UInt8]: UInt16] = [:]
        for (id, byte) in (printable + others).enumerated() {
            byteIDs[byte] = UInt16(id)
            var symbol: [UInt8] = []
            UTF8Bytes.append(points[id], to: &symbol)
            ids[symbol] = UInt16(id)
            ids[symbol + Array("</w>".utf8)] = UInt16(id + 256)
        }
        return (byteIDs, ids)
    }
}

/// UTF-8 of code points that are known to be scalars.
enum UTF8Bytes {
    /// Appends one to four bytes.
    @inline(__always)
    static func append(_ scalar: UInt32, to bytes: inout [UInt8]) {
        if scalar < 0x80 {
            bytes.append(UInt8(scalar))
        } else if scalar < 0x800 {
            bytes.append(UInt8(0xC0 | scalar >> 6))
            bytes.append(UInt8(0x80 | scalar & 0x3F))
        } else if scalar < 0x10000 {
            bytes.append(UInt8(0xE0 | scalar >> 12))
            bytes.append(UInt8(0x80 | scalar >> 6 & 0x3F))
            bytes.append(UInt8(0x80 | scalar & 0x3F))
        } else {
            bytes.append(UInt8(0xF0 | scalar >> 18 & 0x07))
            bytes.append(UInt8(0x80 | scalar >> 12 & 0x3F))
            bytes.append(UInt8(0x80 | scalar >> 6 & 0x3F))
            bytes.append(UInt8(0x80 | scalar & 0x3F))
        }
    }
}
