public import DRShardFormat

/// How a shard is written. Equal rows and equal options make equal files.
public struct WriterOptions: Sendable {
    /// A number that all blocks of the shard carry; another one for every shard of a data set.
    public var shardTag: UInt64
    /// Rows of a row group; nil: chosen from the budgets.
    public var rowsPerGroup: Int?
    /// Bytes of values, images aside, that a row group should have: most of what the writer holds in memory.
    public var groupByteBudget = 128 << 20
    /// The same for columns of role image that hold bytes.
    public var imageByteBudget = 256 << 20
    /// What a row group may hold at most, where values are larger than was expected; nil: four times the budgets.
    public var maximumGroupByteCount: Int?
    /// How columns are stored, by their number; others as their type suggests: bf16 balanced, tokens and augmentation
    /// records with their encodings, image bytes and other floats plain, everything else with zstd.
    public var storage: [Int: ColumnStorage] = [:]
    /// Of zstd: 1 to 22.
    public var compressionLevel = 3
    /// Bytes of values after which a page is closed: 1 to 1 GiB. Small ones are read with less around a cell, and cost
    /// a header and an index entry each.
    public var pageByteCount = ChunkEncoder.standardPageByteCount

    /// Whether a full row group is packed on a thread of its own while the next rows are set. The bytes are the same; the
    /// writer holds two row groups, a writer that is killed loses both, and an error shows one row group later.
    public var packsBehind = false

    public init(shardTag: UInt64) { self.shardTag = shardTag }

    /// What is expected of a value whose type does not say its size: image bytes, and everything else.
    static let expectedImageByteCount = 64 << 10
    static let expectedValueByteCount = 64

    /// The largest power of two of rows, at most 65,536, that keeps within the budgets.
    func rowsPerGroup(for schema: Schema) throws(ShardError) -> Int {
        if let rowsPerGroup {
            guard (1...Limits.maximumRowsPerGroup).contains(rowsPerGroup) else {
                throw .invalidArgument(
                    "\(rowsPerGroup) rows a row group; 1 to \(Limits.maximumRowsPerGroup) are possible")
            }
            return rowsPerGroup
        }
        var valueBytes = 1
        var imageBytes = 1
        for (i, column) in schema.columns.enumerated() {
            let variants = schema.variantCount(of: i)
            if let cell = column.type.cellByteCount {
                valueBytes += cell * variants
            } else if column.role == .image, column.type == .binary {
                imageBytes += Self.expectedImageByteCount * variants
            } else {
                valueBytes += Self.expectedValueByteCount * variants
            }
        }
        var rows = 1
        while rows < 65_536, rows * 2 * valueBytes <= groupByteBudget, rows * 2 * imageBytes <= imageByteBudget {
            rows *= 2
        }
        return rows
    }

    /// What `storage` is for a schema.
    /// - Parameters:
    ///   - named: by the names of columns.
    ///   - bf16: of columns of bf16 that have no name there.
    /// - Throws: `.invalidArgument` for a name that no column has.
    public static func storage(named: [String: ColumnStorage], bf16: ColumnStorage? = nil, of schema: Schema)
        throws(ShardError) -> [Int: ColumnStorage]
    {
        var storage: [Int: ColumnStorage] = [:]
        if let bf16 {
            for (i, column) in schema.columns.enumerated() where Encoding.balanced.suits(column.type) {
                storage[i] = bf16
            }
        }
        for (name, chosen) in named {
            guard let column = schema.columnIndex(named: name) else {
                let names = schema.columns.map(\.name).joined(separator: ", ")
                throw .invalidArgument("there is no column \"\(name)\" to store so; there are \(names)")
            }
            storage[column] = chosen
        }
        return storage
    }

    func storage(of column: Column, number: Int) -> ColumnStorage {
        storage[number] ?? ColumnStorage.standard(for: column)
    }

    /// A page is closed with the unit that fills it, which has a cell's bytes at least: together they fit a payload.
    private static let maximumPageByteCount = Limits.maximumCellByteCount
    private static let compressionLevels = 1...22

    /// - Throws: `.invalidArgument` for a page size or a level that cannot be.
    func checkPages() throws(ShardError) {
        guard (1...Self.maximumPageByteCount).contains(pageByteCount) else {
            throw .invalidArgument("pages of \(pageByteCount) bytes; 1 to \(Self.maximumPageByteCount) are possible")
        }
        guard Self.compressionLevels.contains(compressionLevel) else {
            throw .invalidArgument("level \(compressionLevel) of zstd; 1 to 22 are possible")
        }
    }

    /// - Throws: `.invalidArgument` for a storage that is not for the column's type.
    func checkStorage(of schema: Schema) throws(ShardError) {
        for (number, storage) in storage.sorted(by: { $0.key < $1.key }) {
            guard schema.columns.indices.contains(number) else {
                throw .invalidArgument("storage \(storage.rawValue) for column \(number), which is not there")
            }
            let column = schema.columns[number]
            guard storage.encoding.suits(column.type) else {
                let type = column.type.name + (column.type.element.map { " of \($0)" } ?? "")
                throw .invalidArgument(
                    "storage \(storage.rawValue) is not for a \(type), as column \"\(column.name)\" is")
            }
        }
    }

    /// Whether the chunks of a column span its variants.
    func spans(_ schema: Schema, column: Int) -> Bool {
        schema.variantCount(of: column) > 1 && storage(of: schema.columns[column], number: column) == .archive
    }
}
