public import DRShard
public import DRShardFormat

/// Which rows of a data set a plan has. Spec: [R-ORDER-8].
public enum RowFilter: Hashable, Sendable {
    /// Rows with these ids; of exclusions: all others.
    case list(ids: Set<[UInt8]>, isExclusion: Bool)
    /// Rows whose ids fall into `range` of `count` equal parts.
    case split(name: String, range: Range<Int>, count: Int)

    func keeps(_ id: Span<UInt8>) -> Bool {
        switch self {
        case .list(let ids, let isExclusion):
            return ids.contains(id.indices.map { id[$0] }) != isExclusion
        case .split(let name, let range, let count):
            return range.contains(RowFilter.part(of: id, name: name, count: count))
        }
    }

    /// The part of a split that a row's id falls into.
    package static func part(of id: Span<UInt8>, name: String, count: Int) -> Int {
        var hash = SHA256()
        hash.update(Array("drshard-split\(name)".utf8))
        hash.update(id)
        let number: UInt64 = OrderKey.number(hash.finish()[0..<8])
        return Int(number.multipliedFullWidth(by: UInt64(count)).high)
    }

    func check(idByteCount: Int) throws(ShardError) {
        switch self {
        case .list(let ids, _):
            if let other = ids.first(where: { $0.count != idByteCount }) {
                throw .invalidArgument(
                    "a row id of \(other.count) bytes in a list, those of the data set have \(idByteCount)")
            }
        case .split(_, let range, let count):
            guard range.lowerBound >= 0, range.upperBound <= count, !range.isEmpty else {
                throw .invalidArgument("parts \(range.lowerBound) to \(range.upperBound) of a split into \(count)")
            }
        }
    }
}

/// The rows of a data set that filters keep, as logical rows: numbered from 0.
public final class RowSelection: Sendable {
    /// Of the rows that are kept. Spec: [R-ORDER-7].
    public let rowSetDigest: SequenceDigest
    public let rowCount: Int
    /// A bit for each row of the data set.
    private let words: [UInt64]
    /// Rows that are kept before each so many words, and behind the last.
    private let counts: [Int]
    private static let wordsPerCount = 8

    /// Reads the ids of all rows.
    /// - Throws: `.invalidArgument` for filters that keep nothing, or don't fit; errors of the files.
    /// Cost: O(rows) once, on `threadCount` threads; it keeps a bit and a quarter a row.
    public init(_ dataSet: DataSet, filters: [RowFilter], threadCount: Int = 1) throws(ShardError) {
        let idByteCount = dataSet.schema.columns[dataSet.schema.rowIDColumn].type.cellByteCount ?? 0
        for filter in filters { try filter.check(idByteCount: idByteCount) }
        let parts = Guarded([Part?](repeating: nil, count: dataSet.shards.count))
        try WorkerThreads.run(count: dataSet.shards.count, threadCount: threadCount) { number throws(ShardError) in
            let part = try Part(dataSet.shards[number], filters)
            parts.withLock { $0[number] = part }
        }
        var words = [UInt64](repeating: 0, count: (dataSet.rowCount + 63) / 64)
        var digest = SequenceDigest()
        for (number, part) in parts.withLock({ $0 }).enumerated() {
            guard let part else { continue }
            for row in part.rows {
                let row = dataSet.firstRows[number] + row
                words[row / 64] |= 1 << UInt64(row % 64)
            }
            digest.append(part.digest, count: UInt64(part.rows.count))
        }
        var counts: [Int] = []
        var count = 0
        for (i, word) in words.enumerated() {
            if i % Self.wordsPerCount == 0 { counts.append(count) }
            count += word.nonzeroBitCount
        }
        counts.append(count)
        guard count > 0 || dataSet.rowCount == 0 else {
            throw ShardError.invalidArgument("the selection keeps none of \(dataSet.rowCount) rows").with(
                .init(path: dataSet.path))
        }
        self.words = words
        self.counts = counts
        rowCount = count
        rowSetDigest = digest
    }

    /// The rows of one shard.
    private struct Part {
        var rows: [Int] = []
        var digest = SequenceDigest()

        init(_ shard: ShardReader, _ filters: [RowFilter]) throws(ShardError) {
            try shard.scanPlane(column: shard.schema.rowIDColumn) { row, id, state in
                guard state == .present, filters.allSatisfy({ $0.keeps(id) }) else { return }
                rows.append(row)
                digest.append(term: SequenceDigest.term(rowID: id))
            }
        }
    }

    /// The row of the data set of a logical row. Cost: O(log rows).
    public func row(_ logical: Int) -> Int {
        precondition(logical >= 0 && logical < rowCount, "row \(logical) of \(rowCount)")
        var low = 0
        var high = counts.count - 1
        while high - low > 1 {
            let middle = (low + high) / 2
            if counts[middle] <= logical { low = middle } else { high = middle }
        }
        var rest = logical - counts[low]
        var word = low * Self.wordsPerCount
        while rest >= words[word].nonzeroBitCount {
            rest -= words[word].nonzeroBitCount
            word += 1
        }
        var bits = words[word]
        for _ in 0..<rest { bits &= bits - 1 }
        return word * 64 + bits.trailingZeroBitCount
    }

    /// The logical row of a row of the data set; nil if it is not kept.
    public func logical(_ row: Int) -> Int? {
        let word = row / 64
        guard row >= 0, word < words.count, words[word] >> UInt64(row % 64) & 1 == 1 else { return nil }
        let first = word / Self.wordsPerCount
        let before = words[first * Self.wordsPerCount..<word].reduce(0) { $0 + $1.nonzeroBitCount }
        return counts[first] + before + (words[word] & ((1 << UInt64(row % 64)) - 1)).nonzeroBitCount
    }
}
