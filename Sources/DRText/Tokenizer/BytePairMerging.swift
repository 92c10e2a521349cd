extension BytePairVocabulary {
    /// The ids of one word.
    ///
    /// Repeats what CLIP does: find the pair of best rank, join all its occurrences from the left, look again. A heap
    /// of (rank, place) over a linked list keeps that at O(n log n), for words of any length.
    ///
    /// - Parameter word: the UTF-8 of the word, not empty.
    func ids(of word: [UInt8]) -> [UInt16] {
        guard let last = word.last else { return [] }
        var symbols = word.map { byteIDs[Int($0)] }
        symbols[symbols.count - 1] = byteIDs[Int(last)] + 256
        guard symbols.count > 1 else { return symbols }
        if symbols.count <= Self.shortWordByteCount {
            mergeShort(&symbols)
        } else {
            mergeLong(&symbols)
        }
        return symbols
    }

    /// Up to here a plain search beats a heap.
    private static let shortWordByteCount = 24

    /// Looks for the best pair again after each round of joining: O(n²) at most.
    private func mergeShort(_ symbols: inout [UInt16]) {
        while symbols.count > 1 {
            var best: (rank: UInt16, id: UInt16, left: UInt16, right: UInt16)?
            for position in 0..<(symbols.count - 1) {
                guard let found = merge(symbols[position], symbols[position + 1]) else { continue }
                if let best, best.rank <= found.rank { continue }
                best = (found.rank, found.id, symbols[position], symbols[position + 1])
            }
            guard let best else { return }
            var write = 0
            var read = 0
            while read < symbols.count {
                if symbols[read] == best.left, read + 1 < symbols.count, symbols[read + 1] == best.right {
                    symbols[write] = best.id
                    read += 2
                } else {
                    symbols[write] = symbols[read]
                    read += 1
                }
                write += 1
            }
            symbols.removeLast(symbols.count - write)
        }
    }

    /// The same by a heap. A round is all entries of one rank; the pairs that it makes wait for the next round, which
    /// is what joining all occurrences at once amounts to.
    private func mergeLong(_ symbols: inout [UInt16]) {
        var list = SymbolList(symbols)
        var heap = MinHeap()
        for position in 0..<(symbols.count - 1) {
            if let found = merge(symbols[position], symbols[position + 1]) {
                heap.push(UInt64(found.rank) << 32 | UInt64(position))
            }
        }
        var changed: [Int] = []
        while let next = heap.first {
            let rank = UInt16(next >> 32)
            changed.removeAll(keepingCapacity: true)
            while let entry = heap.first, UInt16(entry >> 32) == rank {
                heap.removeFirst()
                let position = Int(entry & 0xFFFF_FFFF)
                guard let right = list.right(of: position),
                    let found = merge(list.symbols[position], list.symbols[right]), found.rank == rank
                else { continue }
                list.join(position, with: right, into: found.id)
                changed.append(position)
            }
            for position in changed where list.isAlive(position) {
                for start in [list.left(of: position), position].compactMap({ $0 }) {
                    guard let right = list.right(of: start),
                        let found = merge(list.symbols[start], list.symbols[right])
                    else { continue }
                    heap.push(UInt64(found.rank) << 32 | UInt64(start))
                }
            }
        }
        symbols = list.remaining()
    }
}

/// Symbols in a doubly linked list, by position in the word.
private struct SymbolList {
    private(set) var symbols: [UInt16]
    private var next: [Int]
    private var previous: [Int]
    private static let none = -1
    private static let removed = -2

    init(_ symbols: [UInt16]) {
        self.symbols = symbols
        next = symbols.indices.map { $0 + 1 == symbols.count ? Self.none : $0 + 1 }
        previous = symbols.indices.map { $0 - 1 }
    }

    func isAlive(_ position: Int) -> Bool { next[position] != Self.removed }
    func right(of position: Int) -> Int? { next[position] >= 0 ? next[position] : nil }
    func left(of position: Int) -> Int? { previous[position] >= 0 ? previous[position] : nil }

    /// Puts `symbol` in the place of two neighbours.
    mutating func join(_ position: Int, with right: Int, into symbol: UInt16) {
        symbols[position] = symbol
        let after = next[right]
        next[position] = after
        next[right] = Self.removed
        if after >= 0 { previous[after] = position }
    }

    func remaining() -> [UInt16] {
        symbols.indices.filter { isAlive($0) }.map { symbols[$0] }
    }
}

/// A binary heap of numbers, the smallest first.
private struct MinHeap {
    private var items: [UInt64] = []

    var first: UInt64? { items.first }

    mutating func push(_ item: UInt64) {
        items.append(item)
        var child = items.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard items[child] < items[parent] else { return }
            items.swapAt(child, parent)
            child = parent
        }
    }

    mutating func removeFirst() {
        items.swapAt(0, items.count - 1)
        items.removeLast()
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < items.count else { return }
            if child + 1 < items.count, items[child + 1] < items[child] { child += 1 }
            guard items[child] < items[parent] else { return }
            items.swapAt(child, parent)
            parent = child
        }
    }
}
