internal import DRShardFormat

/// Which row of B is compared with which row of A.
struct RowMatch {
    /// Of every row of A: its row of B; nil: the same number, as far as both have rows.
    private let rows: [Int?]?
    private let commonCount: Int
    private(set) var result = DataSetComparison.Rows()

    /// Whether row `i` of A is compared with row `i` of B, for all that both have.
    var isInOrder: Bool { rows == nil }
    /// Rows of A that are looked at; not all need have one in B.
    var rowCount: Int { rows?.count ?? commonCount }

    /// The row of B that is compared with one of A; nil if there is none.
    func row(of row: Int) -> Int? { rows.map { $0[row] } ?? row }

    /// Matches rows by their place, or by their ids. Memory: by id, about 60 bytes a row.
    init(_ a: DataSet, _ b: DataSet, _ options: DataSetComparison.Options) throws(ShardError) {
        result.countA = a.rowCount
        result.countB = b.rowCount
        commonCount = min(a.rowCount, b.rowCount)
        let ids = a.schema.rowIDColumn
        let areSame =
            a.rowCount == b.rowCount && a.rowSetDigest == b.rowSetDigest
            && a.columnDigest(ids) == b.columnDigest(b.schema.rowIDColumn)
        if areSame, !options.isFull {
            rows = nil
        } else {
            rows =
                options.matchesByID
                ? try RowMatch.byID(a, b, limit: options.limit, &result)
                : try RowMatch.inOrder(a, b, limit: options.limit, &result)
        }
    }

    /// - Returns: nil if all rows that both have have equal ids.
    private static func inOrder(
        _ a: DataSet, _ b: DataSet, limit: Int, _ result: inout DataSetComparison.Rows
    ) throws(ShardError) -> [Int?]? {
        let common = min(a.rowCount, b.rowCount)
        result.onlyInA = a.rowCount - common
        result.onlyInB = b.rowCount - common
        var rows: [Int?]?
        let step = 1 << 16
        for start in stride(from: 0, to: common, by: step) {
            let block = start..<min(start + step, common)
            var theirs: [ArraySlice<UInt8>?] = []
            try b.forEachRowID(of: block) { _, id in theirs.append(id) }
            try a.forEachRowID(of: block) { row, id in
                let other = theirs[row - start]
                guard id != other else { return }
                result.differingCount += 1
                if result.differing.count < limit {
                    result.differing.append(.init(row: row, a: id.map { hex($0 + []) }, b: other.map { hex($0 + []) }))
                }
                if rows == nil { rows = Array(0..<common) }
                rows?[row] = nil
            }
        }
        return rows
    }

    private static func byID(
        _ a: DataSet, _ b: DataSet, limit: Int, _ result: inout DataSetComparison.Rows
    ) throws(ShardError) -> [Int?] {
        var places: [RowKey: Int] = [:]
        places.reserveCapacity(b.rowCount)
        var isOpen = [Bool](repeating: true, count: b.rowCount)
        try b.forEachRowID { row, id in
            guard let id else { return }
            // Of several rows with one id the first counts.
            let key = RowKey(id)
            if places[key] == nil { places[key] = row }
        }
        var rows: [Int?] = []
        rows.reserveCapacity(a.rowCount)
        try a.forEachRowID { row, id in
            if let id, let place = places[RowKey(id)], isOpen[place] {
                isOpen[place] = false
                rows.append(place)
            } else {
                rows.append(nil)
                result.onlyInA += 1
                if result.firstOnlyInA.count < limit {
                    result.firstOnlyInA.append(.init(row: row, a: id.map { hex($0 + []) }, b: nil))
                }
            }
        }
        for row in isOpen.indices where isOpen[row] {
            result.onlyInB += 1
            guard result.firstOnlyInB.count < limit else { continue }
            try b.forEachRowID(of: [row]) { row, id in
                result.firstOnlyInB.append(.init(row: row, a: nil, b: id.map { hex($0 + []) }))
            }
        }
        return rows
    }
}
