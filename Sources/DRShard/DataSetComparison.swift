public import DRShardFormat

/// What is different in two data sets A and B, however they are stored: in another encoding, other row groups, other
/// shards. Values are compared bit for bit, missing cells by their state.
public struct DataSetComparison: Sendable {
    public struct Options: Sendable {
        /// Names of the columns that are compared, besides the row ids; empty: all.
        public var columns: [String] = []
        /// Differences that are listed of each column, and of rows.
        public var limit = 3
        /// Whether cells are compared that equal digests say are equal.
        public var isFull = false
        /// Whether rows belong together by their ids, in any order; else by their place.
        public var matchesByID = false
        public init() {}
    }

    /// A row that has no counterpart, or one with another id.
    public struct RowDifference: Hashable, Sendable {
        public let row: Int
        /// Its id in hexadecimal; nil where there is no such row, or its id was lost.
        public let a: String?
        public let b: String?
    }

    /// How the rows of both belong together.
    public struct Rows: Sendable {
        public internal(set) var countA = 0
        public internal(set) var countB = 0
        /// Rows without a counterpart: by place, those behind the end of the other set.
        public internal(set) var onlyInA = 0
        public internal(set) var onlyInB = 0
        /// Rows whose ids differ, by place; their cells are not compared.
        public internal(set) var differingCount = 0
        public internal(set) var differing: [RowDifference] = []
        public internal(set) var firstOnlyInA: [RowDifference] = []
        public internal(set) var firstOnlyInB: [RowDifference] = []
        public var areEqual: Bool { onlyInA == 0 && onlyInB == 0 && differingCount == 0 }
    }

    /// What was found in a column that both have.
    public struct ColumnResult: Sendable {
        public let name: String
        /// Cells that were read and compared; those of equal digests are not.
        public internal(set) var comparedCount = 0
        public internal(set) var differingCount = 0
        public internal(set) var differences: [CellDifference] = []
    }

    /// Called with cells that are done, and all cells.
    public typealias Progress = (_ done: UInt64, _ total: UInt64) -> Void

    /// Each difference of the schemas, in words.
    public private(set) var schema: [String] = []
    public private(set) var rows = Rows()
    public private(set) var columns: [ColumnResult] = []
    public var areEqual: Bool { schema.isEmpty && rows.areEqual && columns.allSatisfy { $0.differingCount == 0 } }

    /// Compares two data sets.
    ///
    /// Memory: a block of rows of about 16 MiB of each, and, where rows are matched by id, about 60 bytes a row.
    /// - Throws: `.invalidArgument` for a column that neither has; errors of the files, with their place.
    /// Cost: where digests are equal between boundaries of row groups that both have, nothing is read there.
    public init(
        _ a: DataSet, _ b: DataSet, options: Options = .init(), progress: Progress? = nil
    ) throws(ShardError) {
        for name in options.columns where a.schema.columnIndex(named: name) == nil {
            guard b.schema.columnIndex(named: name) != nil else {
                throw .invalidArgument("neither data set has a column \"\(name)\"")
            }
        }
        schema = try DataSetComparison.schemas(a, b, options)
        let match = try RowMatch(a, b, options)
        rows = match.result
        let pairs = DataSetComparison.pairs(a.schema, b.schema, options)
        let total = pairs.reduce(UInt64(0)) { $0 + UInt64($1.variants) * UInt64(match.rowCount) }
        var done: UInt64 = 0
        for pair in pairs {
            var comparison = ColumnComparison(a, b, pair, match, options)
            let before = done
            try comparison.run { rows in
                done += UInt64(rows) * UInt64(pair.variants)
                progress?(done, total)
            }
            done = before + UInt64(pair.variants) * UInt64(match.rowCount)
            progress?(done, total)
            columns.append(comparison.result)
        }
    }

    private static func schemas(_ a: DataSet, _ b: DataSet, _ options: Options) throws(ShardError) -> [String] {
        func selected(_ schema: Schema) throws(ShardError) -> Schema {
            guard !options.columns.isEmpty else { return schema }
            return try SchemaSelection(schema, columns: Set(options.columns.compactMap(schema.columnIndex))).schema
        }
        let differences = SchemaComparison(try selected(a.schema), try selected(b.schema)).differences
        guard differences.isEmpty, options.columns.isEmpty,
            a.shards[0].footer.schemaBytes != b.shards[0].footer.schemaBytes
        else { return differences }
        return ["the schemas have different bytes, in fields that this drshard does not know"]
    }

    /// A column that both have, with one type: its numbers, and the variants that both have.
    struct Pair {
        let a: Int
        let b: Int
        let variants: Int
        /// Whether these are all variants of both.
        let isWhole: Bool
    }

    private static func pairs(_ a: Schema, _ b: Schema, _ options: Options) -> [Pair] {
        var pairs: [Pair] = []
        for (i, column) in a.columns.enumerated() where i != a.rowIDColumn {
            let isWanted = options.columns.isEmpty || options.columns.contains { Schema.isSameName($0, column.name) }
            guard isWanted, let j = b.columnIndex(named: column.name), b.columns[j].type == column.type,
                j != b.rowIDColumn
            else { continue }
            let (mine, theirs) = (a.variantCount(of: i), b.variantCount(of: j))
            pairs.append(Pair(a: i, b: j, variants: min(mine, theirs), isWhole: mine == theirs))
        }
        return pairs
    }
}
