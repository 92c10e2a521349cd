internal import DRShardFormat

/// Which row of B is compared with which row of A.
struct RowMatch {
    private enum Order {
        /// By their place, but for those whose ids differ.
        case places(except: Set<Int>)
        /// Of every row of A: its row of B.
        case ids([Int?])
    }
    private let order: Order
    private let commonCount: Int
    private(set) var result = DataSetComparison.Rows()

    /// Whether row `i` of A is compared with row `i` of B, for all that both have.
    var isInOrder: Bool { if case .places(let others) = order { others.isEmpty } else { false } }

    /// Rows of A that are looked at; not all need have one in B.
    var rowCount: Int { if case .ids(let rows) = order { rows.count } else { commonCount } }

    /// The row of B that is compared with one of A; nil if there is none.
    func row(of row: Int) -> Int? {
        switch order {
        case .places(let others): others.contains(row) ? nil : row
        case .ids(let rows): rows[row]
        }
    }

    /// Matches rows by their place, or by their ids. Memory: by id, about 60 bytes a row; it grows as ids are read.
    init(_ a: DataSet, _ b: DataSet, _ options: DataSetComparison.Options) throws(ShardError) {
        let common = min(a.rowCount, b.rowCount)
        commonCount = common
        result.countA = a.rowCount
        result.countB = b.rowCount
        // The row-set digest of ids that were lost is still that of the ids; the column's is not.
        let haveSameIDs =
            a.rowCount == b.rowCount && a.rowSetDigest == b.rowSetDigest
            && a.columnDigest(a.schema.rowIDColumn) == b.columnDigest(b.schema.rowIDColumn)
        if haveSameIDs, !options.isFull {
            order = .places(except: [])
            return
        }
        if !options.matchesByID || haveSameIDs {
            var inOrder = result
            let others = try RowMatch.inOrder(a, b, limit: options.limit, &inOrder)
            // Ids that stand in one order, and those that were lost at the same places, need no search.
            if !options.matchesByID || inOrder.areEqual {
                result = inOrder
                order = .places(except: others)
                return
            }
        }
        order = .ids(try RowMatch.byID(a, b, limit: options.limit, &result))
    }

    /// - Returns: rows whose ids differ.
    private static func inOrder(
        _ a: DataSet, _ b: DataSet, limit: Int, _ result: inout DataSetComparison.Rows
    ) throws(ShardError) -> Set<Int> {
        let common = min(a.rowCount, b.rowCount)
        result.onlyInA = a.rowCount - common
        result.onlyInB = b.rowCount - common
        var others: Set<Int> = []
        let step = 1 << 16
        for start in stride(from: 0, to: common, by: step) {
            let block = start..<min(start + step, common)
            var theirs: [ArraySlice<UInt8>?] = []
            try b.forEachRowID(of: block) { _, id in theirs.append(id) }
            try a.forEachRowID(of: block) { row, id in
                let other = theirs[row - start]
                guard id != other else { return }
                others.insert(row)
                result.differingCount += 1
                guard result.differing.count < limit else { return }
                result.differing.append(.init(row: row, a: id.map { hex($0 + []) }, b: other.map { hex($0 + []) }))
            }
        }
        return others
    }

    private static func byID(
        _ a: DataSet, _ b: DataSet, limit: Int, _ result: inout DataSetComparison.Rows
    ) throws(ShardError) -> [Int?] {
        var places: [RowKey: Int] = [:]
        var isOpen: [Bool] = []
        try b.forEachRowID { row, id in
            isOpen.append(true)
            guard let id else { return }
            // Of several rows with one id the first counts.
            let key = RowKey(id)
            if places[key] == nil { places[key] = row }
        }
        var rows: [Int?] = []
        try a.forEachRowID { row, id in
            if let id, let place = places[RowKey(id)], isOpen[place] {
                isOpen[place] = false
                rows.append(place)
                return
            }
            rows.append(nil)
            result.onlyInA += 1
            guard result.firstOnlyInA.count < limit else { return }
            result.firstOnlyInA.append(.init(row: row, a: id.map { hex($0 + []) }, b: nil))
        }
        let left = isOpen.indices.filter { isOpen[$0] }
        result.onlyInB = left.count
        try b.forEachRowID(of: left.prefix(limit)) { row, id in
            result.firstOnlyInB.append(.init(row: row, a: nil, b: id.map { hex($0 + []) }))
        }
        return rows
    }
}
