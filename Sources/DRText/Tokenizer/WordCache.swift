/// Words and their ids: a hash table with open addressing whose words and ids lie in two arrays.
struct WordCache: Sendable {
    private struct Entry {
        var hash: UInt64
        var wordStart: Int32
        var wordCount: Int32
        var idStart: Int32
        var idCount: Int32
    }

    private static let slotCount = 1 << 18
    private static let maximumEntryCount = 1 << 17
    /// A longer word is not worth remembering.
    private static let maximumWordByteCount = 64

    /// Slot to entry, -1 for none; empty until the first word.
    private var slots: [Int32] = []
    private var entries: [Entry] = []
    private var words: [UInt8] = []
    private var ids: [UInt16] = []

    /// FNV-1a, its halves folded.
    static func hash(_ word: [UInt8]) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in word { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return hash ^ hash >> 32
    }

    /// Appends the ids of `word` if they are remembered.
    func append(_ word: [UInt8], hash: UInt64, to result: inout [UInt16]) -> Bool {
        guard !slots.isEmpty else { return false }
        var slot = Int(hash & UInt64(Self.slotCount - 1))
        while slots[slot] >= 0 {
            let entry = entries[Int(slots[slot])]
            if entry.hash == hash, holds(entry, word) {
                for index in 0..<Int(entry.idCount) { result.append(ids[Int(entry.idStart) + index]) }
                return true
            }
            slot = (slot + 1) & (Self.slotCount - 1)
        }
        return false
    }

    private func holds(_ entry: Entry, _ word: [UInt8]) -> Bool {
        guard Int(entry.wordCount) == word.count else { return false }
        for index in word.indices where words[Int(entry.wordStart) + index] != word[index] { return false }
        return true
    }

    /// Remembers a word that is not there yet, unless it is long; forgets all others first if there are too many.
    mutating func insert(_ word: [UInt8], hash: UInt64, ids wordIDs: [UInt16]) {
        guard word.count <= Self.maximumWordByteCount else { return }
        if slots.isEmpty || entries.count == Self.maximumEntryCount {
            slots = [Int32](repeating: -1, count: Self.slotCount)
            entries.removeAll(keepingCapacity: true)
            words.removeAll(keepingCapacity: true)
            ids.removeAll(keepingCapacity: true)
        }
        var slot = Int(hash & UInt64(Self.slotCount - 1))
        while slots[slot] >= 0 { slot = (slot + 1) & (Self.slotCount - 1) }
        slots[slot] = Int32(entries.count)
        entries.append(
            Entry(
                hash: hash, wordStart: Int32(words.count), wordCount: Int32(word.count),
                idStart: Int32(ids.count), idCount: Int32(wordIDs.count)))
        words += word
        ids += wordIDs
    }
}
