public import DRShardFormat

/// Plans that put the rows of shards into other shards: joined, divided, or without some of them. Columns are stored as
/// they were; every new shard has the tag that its name makes, and notes that say what it came from.
public enum SetArranger {
    /// How rows are divided.
    public enum Division: Sendable {
        /// So many rows a shard; the last one has what remains.
        case rows(Int)
        /// So many shards, whose rows differ by one at most.
        case shards(Int)
    }

    /// One shard of the rows of all sources, in order.
    /// - Parameters:
    ///   - sources: shards, or folders of shards; all of one schema.
    ///   - rowsPerGroup: nil: as in the first one.
    /// - Throws: `.schemaMismatch` for sources of different schemas; `.invalidArgument` for a source folder that the new
    ///   shard would lie in, and for side shards; what opening a shard throws.
    public static func concat(_ sources: [String], to path: String, rowsPerGroup: Int? = nil) throws(ShardError)
        -> ShardPlan
    {
        var options = ReaderOptions()
        options.keptByteCount /= max(1, sources.count)
        var sets: [DataSet] = []
        for source in sources {
            let set = try DataSet(path: source, options: options)
            guard set.shards[0].footer.schemaBytes == (sets.first ?? set).shards[0].footer.schemaBytes else {
                throw ShardError.schemaMismatch("its schema differs from that of \(sources[0])").with(
                    .init(path: source))
            }
            sets.append(set)
        }
        guard !sets.isEmpty else { throw .invalidArgument("there is nothing to join") }
        let all = sets.map { CopiedRows($0, rows: [0..<$0.rowCount]) }
        return try plan(path, all, notes: all.flatMap { $0.notes() }, rowsPerGroup: rowsPerGroup)
    }

    /// Shards `00000000.drs`, `00000001.drs` and so on, with the rows of a data set in order.
    /// - Throws: `.invalidArgument` for a division that cannot be, and for side shards.
    public static func split(
        _ set: DataSet, into folder: String, by division: Division, rowsPerGroup: Int? = nil
    ) throws(ShardError) -> [ShardPlan] {
        var plans: [ShardPlan] = []
        for (number, rows) in try ranges(of: set.rowCount, by: division).enumerated() {
            let digits = String(number)
            let name = String(repeating: "0", count: max(0, 8 - digits.count)) + digits + ".drs"
            let copied = CopiedRows(set, rows: [rows])
            plans.append(
                try plan(
                    FolderListing.join(folder, name), [copied], notes: copied.notes(), rowsPerGroup: rowsPerGroup))
        }
        return plans
    }

    /// Each has a plan in memory.
    private static let maximumShardCount = 1_000_000

    private static func ranges(of rowCount: Int, by division: Division) throws(ShardError) -> [Range<Int>] {
        switch division {
        case .rows(let count):
            guard count >= 1, rowCount >= 1, (rowCount - 1) / count < maximumShardCount else {
                throw .invalidArgument(
                    "\(rowCount) rows are not divided into shards of \(count); 1 to \(maximumShardCount) are made")
            }
            return stride(from: 0, to: rowCount, by: count).map { $0..<min($0 + count, rowCount) }
        case .shards(let count):
            guard count >= 1, count <= min(rowCount, maximumShardCount) else {
                throw .invalidArgument(
                    "\(rowCount) rows are not divided into \(count) shards; 1 to \(maximumShardCount) are made")
            }
            let (least, rest) = rowCount.quotientAndRemainder(dividingBy: count)
            return (0..<count).map { i in
                let start = i * least + min(i, rest)
                return start..<start + least + (i < rest ? 1 : 0)
            }
        }
    }

    /// Compares the shards that a division made with the data set: their digests, joined, are its own.
    /// Spec: FORMAT.md section 8.2.
    public static func check(_ written: [ShardCopier.Written], are set: DataSet) throws(ShardError) {
        var rows = SequenceDigest()
        for shard in written { rows.append(shard.footer.rowSetDigest, count: UInt64(shard.rowCount)) }
        guard rows == set.rowSetDigest else {
            throw ShardError.corrupt("the shards that were written do not have its rows").with(.init(path: set.path))
        }
        for (i, column) in set.schema.columns.enumerated() {
            let variants = UInt64(set.schema.variantCount(of: i))
            var digest = SequenceDigest()
            for shard in written {
                digest.append(shard.footer.columnDigest(i), count: UInt64(shard.rowCount) * variants)
            }
            guard digest == set.columnDigest(i) else {
                throw ShardError.corrupt("the shards that were written do not have its values").with(
                    .init(path: set.path, column: column.name))
            }
        }
    }

    // MARK: By row ids

    /// What a list of ids makes of a data set.
    public struct Filtered: Sendable {
        /// One for each shard of which something remains, with its name.
        public var plans: [ShardPlan] = []
        /// Paths of the shards of which nothing remains.
        public var emptied: [String] = []
        /// Rows whose ids are in the list.
        public var matchedRowCount = 0
        /// Ids of the list that no row has, in its order.
        public var unmatched: [[UInt8]] = []
    }

    /// Every shard of a data set with only the rows that a list names, or without them. Reads all row ids.
    /// - Parameter keeps: whether the rows of the list are those that remain.
    /// - Throws: `.invalidArgument` for side shards; `.corrupt` for a row whose id was lost: nobody can say whether it is
    ///   in the list.
    public static func filter(
        _ set: DataSet, into folder: String, by list: RowIDList, keeps: Bool
    ) throws(ShardError) -> Filtered {
        var filtered = Filtered()
        var seen = [Bool](repeating: false, count: list.count)
        var kept: [Range<Int>] = []
        try set.forEachRowID { row, id throws(ShardError) in
            guard let id else {
                let place = set.locate(row: row)
                throw ShardError.corrupt("the id of this row was lost, so that no list can name it").with(
                    .init(path: set.shards[place.shard].path, row: place.row))
            }
            let place = list.place(of: id)
            if let place {
                seen[place] = true
                filtered.matchedRowCount += 1
            }
            guard (place != nil) == keeps else { return }
            // Ranges end with their shard.
            if let last = kept.last, last.upperBound == row, !set.firstRows.contains(sorted: row) {
                kept[kept.count - 1] = last.lowerBound..<row + 1
            } else {
                kept.append(row..<row + 1)
            }
        }
        filtered.unmatched = seen.indices.filter { !seen[$0] }.map { list[$0] }
        var next = 0
        for (number, shard) in set.shards.enumerated() {
            let first = next
            while next < kept.count, kept[next].lowerBound < set.firstRows[number + 1] { next += 1 }
            guard first < next else {
                filtered.emptied.append(shard.path)
                continue
            }
            let copied = CopiedRows(set, rows: Array(kept[first..<next]))
            let name = String(shard.path.split(separator: "/").last ?? "")
            let reason = keeps ? "those of a list of ids" : "without those of a list of ids"
            filtered.plans.append(
                try plan(FolderListing.join(folder, name), [copied], notes: copied.notes(reason: reason)))
        }
        return filtered
    }

    // MARK: One shard

    private static func plan(
        _ path: String, _ sources: [CopiedRows], notes: [Note], rowsPerGroup: Int? = nil
    ) throws(ShardError) -> ShardPlan {
        let first = sources[0].set
        guard first.schema.metadata.side == nil else {
            throw ShardError.invalidArgument(
                "a side shard has the rows of one base shard, and says its digest; divide or join the bases, and make "
                    + "the side shards of those"
            )
            .with(.init(path: first.path))
        }
        let sets = sources.map(\.set)
        var options = WriterOptions(shardTag: ShardTag.of(name: String(path.split(separator: "/").last ?? "")))
        options.rowsPerGroup = rowsPerGroup ?? first.shards[0].header.rowsPerGroup
        options.storage = try storage(of: sets)
        options.maximumGroupByteCount = ShardPlan.maximumGroupByteCount(
            options, rowsPerGroup: options.rowsPerGroup ?? 1, sets)
        let columns = Set(first.schema.columns.indices)
        return try ShardPlan(
            path: path, options: options, notes: notes, selection: SchemaSelection(first.schema, columns: columns),
            sources: sources)
    }

    /// How the columns are stored, as the first encoded page of each says; one that has none is stored as its type
    /// suggests, but bf16 stays plain.
    private static func storage(of sets: [DataSet]) throws(ShardError) -> [Int: ColumnStorage] {
        var storage: [Int: ColumnStorage] = [:]
        for (i, column) in sets[0].schema.columns.enumerated() where Encoding.balanced.suits(column.type) {
            storage[i] = .plain
        }
        var open = Set(sets[0].schema.columns.indices)
        for shard in sets.flatMap(\.shards) {
            guard !open.isEmpty, let group = shard.footer.groups.first else { continue }
            for chunk in group.chunks where open.contains(chunk.column) {
                let pages = try shard.pages(column: chunk.column, variant: chunk.firstVariant, group: 0)
                guard let page = pages.index.entries.first(where: { $0.header.isEncoded })?.header else { continue }
                storage[chunk.column] = ColumnStorage.allCases.first {
                    $0.encoding == page.encoding && $0.codec == page.codec
                }
                open.remove(chunk.column)
            }
        }
        return storage
    }
}

extension [Int] {
    /// Whether an ascending array has a number. Cost: O(log count).
    fileprivate func contains(sorted number: Int) -> Bool {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if self[middle] < number { low = middle + 1 } else { high = middle }
        }
        return low < count && self[low] == number
    }
}

extension DataSet {
    /// The digest of all cells of a column.
    public func columnDigest(_ column: Int) -> SequenceDigest {
        let variants = UInt64(schema.variantCount(of: column))
        var digest = SequenceDigest()
        for shard in shards {
            digest.append(shard.footer.columnDigest(column), count: UInt64(shard.rowCount) * variants)
        }
        return digest
    }
}
