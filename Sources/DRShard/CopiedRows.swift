internal import DRShardFormat

/// Rows of a data set that a new shard takes over, in their order.
struct CopiedRows: Sendable {
    let set: DataSet
    /// Counted through the data set; ascending.
    let rows: [Range<Int>]

    init(_ set: DataSet, rows: [Range<Int>]) {
        self.set = set
        self.rows = rows.filter { !$0.isEmpty }
    }

    var rowCount: Int { rows.reduce(0) { $0 + $1.count } }

    /// The digest of their ids. Reads the ids of row groups of which some rows are taken.
    func rowSetDigest() throws(ShardError) -> SequenceDigest {
        var digest = SequenceDigest()
        var pending: [Int] = []
        func flush() throws(ShardError) {
            try set.forEachRowID(of: pending) { _, id in
                // A lost id has none that could be compared; no writer takes it.
                digest.append(term: id.map { SequenceDigest.term(rowID: $0.span) } ?? 0)
            }
            pending.removeAll(keepingCapacity: true)
        }
        for range in rows {
            for part in set.groupParts(of: range) {
                guard part.isWhole else {
                    for row in part.rows {
                        pending.append(row)
                        if pending.count == 1 << 16 { try flush() }
                    }
                    continue
                }
                try flush()
                digest.append(part.group.rowSetDigest, count: UInt64(part.rows.count))
            }
        }
        try flush()
        return digest
    }

    /// The digest of all cells of a column; nil where rows of a row group are left out, whose cells would have to be read.
    func columnDigest(_ column: Int) -> (digest: SequenceDigest, count: UInt64)? {
        var digest = SequenceDigest()
        var count: UInt64 = 0
        let variants = UInt64(set.schema.variantCount(of: column))
        for range in rows {
            for part in set.groupParts(of: range) {
                guard part.isWhole else { return nil }
                digest.append(part.group.columnDigests[column], count: UInt64(part.rows.count) * variants)
                count += UInt64(part.rows.count) * variants
            }
        }
        return (digest, count)
    }

    /// What the shards are that they come from, in words, each with its own notes behind.
    /// - Parameter reason: why rows are left out.
    func notes(reason: String? = nil) -> [Note] {
        var notes: [Note] = []
        for (number, shard) in set.shards.enumerated() {
            let all = set.firstRows[number]..<set.firstRows[number + 1]
            let taken = rows.filter { $0.overlaps(all) }.map { $0.clamped(to: all) }
            let count = taken.reduce(0) { $0 + $1.count }
            guard count > 0 || all.isEmpty && rows.isEmpty else { continue }
            var text = "\(shard.path.split(separator: "/").last ?? "")"
            if let reason {
                text += ", \(count) of \(all.count) rows, \(reason)"
            } else if count == all.count {
                text += ", all \(count) rows"
            } else if let first = taken.first, let last = taken.last {
                let (low, high) = (first.lowerBound - all.lowerBound, last.upperBound - 1 - all.lowerBound)
                text += low == high ? ", row \(low) of \(all.count)" : ", rows \(low) to \(high) of \(all.count)"
            }
            notes.append(Note(key: "from", value: text))
            notes += shard.footer.notes
        }
        return notes
    }
}

extension DataSet {
    /// Some rows of a data set that lie in one row group.
    struct GroupPart {
        let group: GroupEntry
        /// Counted through the data set.
        let rows: Range<Int>
        var isWhole: Bool { rows.count == group.rowCount }
    }

    /// The row groups that hold some rows, with those of the rows that each has.
    func groupParts(of rows: Range<Int>) -> [GroupPart] {
        guard !rows.isEmpty else { return [] }
        var parts: [GroupPart] = []
        var row = rows.lowerBound
        while row < rows.upperBound {
            let place = locate(row: row)
            let group = shards[place.shard].footer.groups[shards[place.shard].group(ofRow: place.row)]
            let end = min(rows.upperBound, firstRows[place.shard] + group.firstRow + group.rowCount)
            parts.append(GroupPart(group: group, rows: row..<end))
            row = end
        }
        return parts
    }

    /// Calls `body` with the ids of some rows, in order: the row, and its id, or nil if it was lost. Memory: 64 bytes a row.
    func forEachRowID(
        of rows: some Collection<Int>, _ body: (Int, ArraySlice<UInt8>?) throws(ShardError) -> Void
    ) throws(ShardError) {
        let cells = try values(column: schema.rowIDColumn, rows.map { CellAddress(row: $0) })
        var nextMissing = 0
        for (i, row) in rows.enumerated() {
            if nextMissing < cells.missing.count, cells.missing[nextMissing].index == i {
                nextMissing += 1
                try body(row, nil)
            } else {
                try body(row, cells.bytes[cells.ranges[i]])
            }
        }
    }

    /// The same for all rows, in blocks.
    func forEachRowID(_ body: (Int, ArraySlice<UInt8>?) throws(ShardError) -> Void) throws(ShardError) {
        let step = 1 << 16
        for start in stride(from: 0, to: rowCount, by: step) {
            try forEachRowID(of: start..<min(start + step, rowCount), body)
        }
    }
}

/// What rows are known by: the id itself where it has at most 16 bytes, else the first bytes of its SHA-256.
struct RowKey: Hashable {
    private let number: UInt128

    init(_ id: ArraySlice<UInt8>) {
        number = id.count <= 16 ? id.reduce(0) { $0 << 8 | UInt128($1) } : SequenceDigest.term(rowID: id.span)
    }
}
