/// A named list of alternatives of a row. Spec: FORMAT.md section 9.2.
public struct Axis: Hashable, Sendable {
    /// What the alternatives are; unknown kinds are kept.
    public struct Kind: Hashable, Sendable, RawRepresentable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        public static let other = Kind(rawValue: 0)
        public static let view = Kind(rawValue: 1)
        public static let realCaption = Kind(rawValue: 2)
        public static let syntheticCaption = Kind(rawValue: 3)

        public var name: String {
            let names = ["other", "views", "real captions", "synthetic captions"]
            return Int(rawValue) < names.count ? names[Int(rawValue)] : "kind \(rawValue)"
        }
    }

    /// Whether variants are independent draws, so that which is called number 3 means nothing.
    public enum Exchangeable: UInt8, Sendable {
        case no = 0
        case yes = 1
        case unknown = 2
    }

    public var name: String
    public var kind: Kind
    /// The number of variants.
    public var count: Int
    public var exchangeable: Exchangeable
    /// What made the variants.
    public var source: String?
    /// The number of the column whose digest is the digest of the axis.
    public var definingColumn: Int?

    public init(
        name: String, kind: Kind, count: Int, exchangeable: Exchangeable, source: String? = nil,
        definingColumn: Int? = nil
    ) {
        self.name = name
        self.kind = kind
        self.count = count
        self.exchangeable = exchangeable
        self.source = source
        self.definingColumn = definingColumn
    }
}

/// One column: `[row][variant]` cells of one type. Spec: FORMAT.md section 9.2.
public struct Column: Hashable, Sendable {
    public var name: String
    public var role: Role
    public var type: ColumnType
    /// The number of its axis; without one it has one variant.
    public var axis: Int?
    /// For tokens: the number of the tokenizer that made them.
    public var tokenizer: Int?

    public init(name: String, role: Role, type: ColumnType, axis: Int? = nil, tokenizer: Int? = nil) {
        self.name = name
        self.role = role
        self.type = type
        self.axis = axis
        self.tokenizer = tokenizer
    }
}

/// What a data set's shards hold: axes, columns, and what the numbers mean. Spec: FORMAT.md section 9.
///
/// A schema exists only if it is valid: `init` checks every rule [R-SCHEMA-…].
public struct Schema: Hashable, Sendable {
    public let axes: [Axis]
    public let columns: [Column]
    public let metadata: SchemaMetadata
    /// The number of the row id's column.
    public let rowIDColumn: Int

    /// - Throws: `.invalidArgument` with the rule that is broken, `.limitExceeded` for sizes above the format's.
    public init(axes: [Axis], columns: [Column], metadata: SchemaMetadata = SchemaMetadata()) throws(ShardError) {
        try Schema.check(axes: axes, columns: columns)
        try metadata.check(axes: axes, columns: columns)
        let ids = columns.indices.filter { columns[$0].role == .rowID }
        guard ids.count == 1, let id = ids.first else {
            throw .invalidArgument("schema: \(ids.count) columns of role row_id, where there must be one")
        }
        guard case .tensor(.u8, let dims) = columns[id].type, dims.count == 1, columns[id].axis == nil else {
            throw .invalidArgument("schema: the row id must be a tensor of u8 with one dimension and no axis")
        }
        self.axes = axes
        self.columns = columns
        self.metadata = metadata
        rowIDColumn = id
    }

    /// The number of variants of a column.
    public func variantCount(of column: Int) -> Int {
        columns[column].axis.map { axes[$0].count } ?? 1
    }

    /// The number of the column with this name, byte for byte.
    public func columnIndex(named name: String) -> Int? { columns.firstIndex { Schema.isSameName($0.name, name) } }

    /// Whether two names have the same bytes. `==` would also take different spellings of one text as equal.
    package static func isSameName(_ a: String, _ b: String) -> Bool { a.utf8.elementsEqual(b.utf8) }

    /// The number of ids of the tokenizer that made a column; nil for other columns.
    package func vocabularySize(of column: Int) -> UInt32? {
        columns[column].tokenizer.map { metadata.tokenizers[$0].vocabularySize }
    }

    private static func check(axes: [Axis], columns: [Column]) throws(ShardError) {
        guard columns.count <= Limits.maximumColumns else { throw .limitExceeded("schema: \(columns.count) columns") }
        guard axes.count <= Limits.maximumAxes else { throw .limitExceeded("schema: \(axes.count) axes") }
        try checkNames(axes.map(\.name), of: "axes")
        try checkNames(columns.map(\.name), of: "columns")
        for (i, axis) in axes.enumerated() {
            guard axis.count >= 1 else { throw .invalidArgument("axis \"\(axis.name)\": no variants") }
            guard axis.count <= Limits.maximumVariants else {
                throw .limitExceeded("axis \"\(axis.name)\": \(axis.count) variants")
            }
            if let column = axis.definingColumn {
                guard columns.indices.contains(column), columns[column].axis == i else {
                    throw .invalidArgument(
                        "axis \"\(axis.name)\": its defining column \(column) does not have this axis")
                }
            }
        }
        for column in columns {
            try check(column.type, of: column.name)
            if let axis = column.axis, !axes.indices.contains(axis) {
                throw .invalidArgument("column \"\(column.name)\": axis \(axis) of \(axes.count)")
            }
        }
    }

    private static func check(_ type: ColumnType, of name: String) throws(ShardError) {
        guard case .tensor(let element, let dims) = type else { return }
        guard dims.count <= Limits.maximumDims else { throw .limitExceeded("column \"\(name)\": \(dims.count) dims") }
        var byteCount = element.byteCount
        for dim in dims {
            guard dim >= 1 else { throw .invalidArgument("column \"\(name)\": a dim of \(dim)") }
            let (product, overflow) = byteCount.multipliedReportingOverflow(by: dim)
            guard !overflow, product <= Limits.maximumCellByteCount else {
                throw .limitExceeded("column \"\(name)\": a cell above \(Limits.maximumCellByteCount) bytes")
            }
            byteCount = product
        }
    }

    private static func checkNames(_ names: [String], of what: String) throws(ShardError) {
        for name in names {
            guard !name.isEmpty, name.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
                throw .invalidArgument("schema: a name of \(what) is empty or has control characters")
            }
            guard name.utf8.count <= Limits.maximumNameByteCount else {
                throw .limitExceeded("schema: a name of \(what) has \(name.utf8.count) bytes")
            }
        }
        // By bytes, since Swift takes different spellings of one text as equal.
        guard Set(names.map { Array($0.utf8) }).count == names.count else {
            throw .invalidArgument("schema: two \(what) have the same name")
        }
    }
}
