public import DRShardFormat

/// How shards are packed again.
public struct RepackOptions: Sendable {
    /// How columns are stored, by their names; others as `WriterOptions` says.
    public var storage: [String: ColumnStorage] = [:]
    /// How columns of bf16 are stored that `storage` does not name; nil: as `WriterOptions` says.
    public var bf16Storage: ColumnStorage?
    /// Rows of a row group; nil: as they are.
    public var rowsPerGroup: Int?
    public init() {}
}

/// Writes the rows of a shard again, stored otherwise: the same rows, values and missing cells, so the same digests.
public enum Repacker {
    /// Bytes of values that are held at once, besides what the writer holds.
    private static let stepByteCount = 16 << 20
    private static let stepCellCount = 1 << 18

    /// Called with the rows that are done, and all rows.
    public typealias Progress = (_ done: Int, _ total: Int) -> Void

    /// Packs one shard into a new file. Tag, schema and notes stay as they are.
    /// - Returns: the new footer; its digests were compared with the old ones.
    /// - Throws: errors of the files, with their place; `.invalidArgument` for options that do not fit, and for a shard
    ///   whose row ids were lost: no file appears then.
    @discardableResult public static func repack(
        _ source: ShardReader, to path: String, options: RepackOptions, progress: Progress? = nil
    ) throws(ShardError) -> Footer {
        var writerOptions = WriterOptions(shardTag: source.header.shardTag)
        writerOptions.rowsPerGroup = options.rowsPerGroup ?? source.header.rowsPerGroup
        writerOptions.storage = try WriterOptions.storage(
            named: options.storage, bf16: options.bf16Storage, of: source.schema)
        guard source.schema.serialized() == source.footer.schemaBytes, source.header.optionalFeatures == 0 else {
            throw ShardError.unsupportedFeature(
                "the schema or the header has fields of a newer drshard, which would be lost"
            )
            .with(.init(path: source.path))
        }
        // A row group of the source fits, and what the writer allows by itself.
        let largest = source.footer.groups.map { $0.chunks.reduce(UInt64(0)) { $0 + $1.plainByteCount } }.max() ?? 0
        let usual = 4 * (writerOptions.groupByteBudget + writerOptions.imageByteBudget)
        writerOptions.maximumGroupByteCount = max(usual, Int(clamping: largest))
        let writer = try ShardWriter(path: path, schema: source.schema, options: writerOptions)
        do throws(ShardError) {
            writer.notes = source.footer.notes
            let step = stepRowCount(source)
            for row in stride(from: 0, to: source.rowCount, by: step) {
                try copy(row..<min(row + step, source.rowCount), of: source, to: writer)
                progress?(min(row + step, source.rowCount), source.rowCount)
            }
            return try writer.finish { footer throws(ShardError) in
                try compare(source.footer, footer, path: path)
            }
        } catch {
            writer.discard()
            throw error
        }
    }

    private static func stepRowCount(_ source: ShardReader) -> Int {
        let plain = source.footer.groups.reduce(UInt64(0)) { $0 + $1.chunks.reduce(0) { $0 + $1.plainByteCount } }
        let rowByteCount = max(1, plain / UInt64(max(1, source.rowCount)))
        // Cells cost memory even if they are empty.
        let cellCount = source.schema.columns.indices.reduce(0) { $0 + source.schema.variantCount(of: $1) }
        let byBytes = Int(UInt64(stepByteCount) / min(rowByteCount, UInt64(stepByteCount)))
        return max(1, min(byBytes, stepCellCount / cellCount))
    }

    private static func copy(_ rows: Range<Int>, of source: ShardReader, to writer: ShardWriter) throws(ShardError) {
        let schema = source.schema
        var columns: [RaggedCells] = []
        for column in schema.columns.indices {
            let variants = schema.variantCount(of: column)
            let addresses = rows.flatMap { row in (0..<variants).map { CellAddress(row: row, variant: $0) } }
            columns.append(try source.values(column: column, addresses))
        }
        var nextMissing = Array(repeating: 0, count: columns.count)
        for row in rows {
            for (column, cells) in columns.enumerated() {
                let variants = schema.variantCount(of: column)
                for variant in 0..<variants {
                    let i = (row - rows.lowerBound) * variants + variant
                    let missing = nextMissing[column]
                    if missing < cells.missing.count, cells.missing[missing].index == i {
                        nextMissing[column] += 1
                        try writer.setMissing(cells.missing[missing].state, column: column, variant: variant)
                    } else {
                        let value = cells.bytes.span.extracting(cells.ranges[i])
                        try writer.set(value, column: column, variant: variant)
                    }
                }
            }
            try writer.endRow()
        }
    }

    /// Both files hold the same rows and the same values. Spec: FORMAT.md section 8.2.
    private static func compare(_ old: Footer, _ new: Footer, path: String) throws(ShardError) {
        guard old.rowCount == new.rowCount, old.rowSetDigest == new.rowSetDigest else {
            throw ShardError.corrupt("the rows that were written are not those that were read").with(.init(path: path))
        }
        for (i, column) in old.schema.columns.enumerated() where old.columnDigest(i) != new.columnDigest(i) {
            throw ShardError.corrupt("the values that were written are not those that the source's digest is of")
                .with(.init(path: path, column: column.name))
        }
    }
}
