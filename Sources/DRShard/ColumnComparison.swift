internal import DRShardFormat

/// Compares the cells of one column of two data sets, block by block.
struct ColumnComparison {
    private let a: DataSet
    private let b: DataSet
    private let pair: DataSetComparison.Pair
    private let match: RowMatch
    private let options: DataSetComparison.Options
    private var blockA = CellBlock()
    private var blockB = CellBlock()
    private(set) var result: DataSetComparison.ColumnResult

    init(
        _ a: DataSet, _ b: DataSet, _ pair: DataSetComparison.Pair, _ match: RowMatch,
        _ options: DataSetComparison.Options
    ) {
        self.a = a
        self.b = b
        self.pair = pair
        self.match = match
        self.options = options
        result = .init(name: a.schema.columns[pair.a].name)
    }

    /// - Parameter progress: called with rows that were compared.
    mutating func run(progress: (Int) -> Void) throws(ShardError) {
        let stepA = CellBlock.rowCount(a, columns: [(pair.a, pair.variants)])
        let stepB = CellBlock.rowCount(b, columns: [(pair.b, pair.variants)])
        let step = min(stepA, stepB)
        var rowsA: [Int] = []
        var rowsB: [Int] = []
        for range in rangesToRead() {
            for start in stride(from: range.lowerBound, to: range.upperBound, by: step) {
                rowsA.removeAll(keepingCapacity: true)
                rowsB.removeAll(keepingCapacity: true)
                for row in start..<min(start + step, range.upperBound) {
                    guard let other = match.row(of: row) else { continue }
                    rowsA.append(row)
                    rowsB.append(other)
                }
                try compare(rowsA, rowsB)
                progress(rowsA.count)
            }
        }
    }

    // MARK: Digests

    /// The rows of A whose cells equal digests do not settle. Spec: FORMAT.md section 8.2.
    private func rangesToRead() -> [Range<Int>] {
        let all = 0..<match.rowCount
        guard match.isInOrder, pair.isWhole, !options.isFull else { return all.isEmpty ? [] : [all] }
        let boundaries = a.groupBoundaries(through: all.upperBound)
        let others = Set(b.groupBoundaries(through: all.upperBound))
        var ranges: [Range<Int>] = []
        var start = 0
        for end in boundaries.filter(others.contains) + [all.upperBound] where end > start {
            let rows = start..<end
            start = end
            let mine = CopiedRows(a, rows: [rows]).columnDigest(pair.a)
            let theirs = CopiedRows(b, rows: [rows]).columnDigest(pair.b)
            if let mine, let theirs, mine.digest == theirs.digest { continue }
            if let last = ranges.last, last.upperBound == rows.lowerBound {
                ranges[ranges.count - 1] = last.lowerBound..<end
            } else {
                ranges.append(rows)
            }
        }
        return ranges
    }

    // MARK: Cells

    private mutating func compare(_ rowsA: [Int], _ rowsB: [Int]) throws(ShardError) {
        guard !rowsA.isEmpty else { return }
        try blockA.read(a, column: pair.a, CellBlock.addresses(rowsA, variants: pair.variants))
        try blockB.read(b, column: pair.b, CellBlock.addresses(rowsB, variants: pair.variants))
        let count = rowsA.count * pair.variants
        result.comparedCount += count
        if blockA.missing == blockB.missing, CellBlock.haveSameBytes(blockA, blockB, count: count) { return }
        var (missingA, missingB) = (blockA.missing[...], blockB.missing[...])
        for cell in 0..<count {
            let stateA = ColumnComparison.state(cell, &missingA)
            let stateB = ColumnComparison.state(cell, &missingB)
            let (rangeA, rangeB) = (blockA.range(cell), blockB.range(cell))
            let areEqual =
                stateA == stateB
                && (stateA != .present || blockA.bytes[rangeA].elementsEqual(blockB.bytes[rangeB]))
            if areEqual { continue }
            result.differingCount += 1
            guard result.differences.count < options.limit else { continue }
            let (row, other) = (rowsA[cell / pair.variants], rowsB[cell / pair.variants])
            let id = try a.shards[a.locate(row: row).shard].value(
                column: a.schema.rowIDColumn, row: a.locate(row: row).row)
            result.differences.append(
                CellDifference(
                    id: id.map(hex), rowA: row, rowB: other, variant: cell % pair.variants,
                    type: a.schema.columns[pair.a].type, (stateA, blockA.bytes[rangeA]), (stateB, blockB.bytes[rangeB]))
            )
        }
    }

    private static func state(_ cell: Int, _ missing: inout ArraySlice<MissingCell>) -> CellState {
        guard let next = missing.first, next.index == cell else { return .present }
        missing.removeFirst()
        return next.state
    }
}

extension DataSet {
    /// Where row groups end, counted through the data set, up to a row, ascending.
    func groupBoundaries(through last: Int) -> [Int] {
        var boundaries: [Int] = []
        for (number, shard) in shards.enumerated() {
            for group in shard.footer.groups {
                let end = firstRows[number] + group.firstRow + group.rowCount
                guard end <= last else { return boundaries }
                boundaries.append(end)
            }
        }
        return boundaries
    }
}
