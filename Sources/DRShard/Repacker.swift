public import DRShardFormat

/// How shards are packed again.
public struct RepackOptions: Sendable {
    /// How columns are stored, by their names; others as `WriterOptions` says.
    public var storage: [String: ColumnStorage] = [:]
    /// How columns of bf16 are stored that `storage` does not name; nil: as `WriterOptions` says.
    public var bf16Storage: ColumnStorage?
    /// Rows of a row group; nil: as they are.
    public var rowsPerGroup: Int?
    /// As `WriterOptions` has them; nil: what it says.
    public var pageByteCount: Int?
    public var compressionLevel: Int?
    /// The first variants of every axis of views that are kept; nil: all.
    public var views: Int?
    /// The same of axes of synthetic captions.
    public var captions: Int?
    /// Names of columns that are left out.
    public var dropped: [String] = []
    public init() {}
}

/// Writes the rows of a shard again, stored otherwise: the same rows, values and missing cells, so the same digests;
/// without some columns and variants, if the options say so.
public enum Repacker {
    /// Packs one shard into a new file. Tag, schema and notes stay as they are; where something is left out, a note says
    /// so, and the schema is what `SchemaSelection` makes of it.
    /// - Parameter progress: called with the rows that are done, and all rows.
    /// - Returns: the new footer; its digests were compared with the old ones.
    /// - Throws: errors of the files, with their place; `.invalidArgument` for options that do not fit, and for a shard
    ///   whose row ids were lost: no file appears then.
    @discardableResult public static func repack(
        _ source: ShardReader, to path: String, options: RepackOptions,
        progress: ((_ done: Int, _ total: Int) -> Void)? = nil
    ) throws(ShardError) -> Footer {
        let plan = try plan(source, to: path, options: options)
        var done = 0
        return try ShardCopier.write(plan) { rows in
            done += rows
            progress?(done, plan.rowCount)
        }
    }

    /// What `repack` does, for `ShardCopier`.
    /// - Throws: `.invalidArgument` for options that do not fit the schema.
    public static func plan(
        _ source: ShardReader, to path: String, options: RepackOptions
    ) throws(ShardError) -> ShardPlan {
        let set = try DataSet(path: source.path, shards: [source])
        var writerOptions = WriterOptions(shardTag: source.header.shardTag)
        let rowsPerGroup = options.rowsPerGroup ?? source.header.rowsPerGroup
        let selection: SchemaSelection
        do throws(ShardError) {
            selection = try SchemaSelection(
                source.schema, dropping: options.dropped, views: options.views, captions: options.captions)
            writerOptions.storage = try WriterOptions.storage(
                named: options.storage, bf16: options.bf16Storage, of: selection.schema)
        } catch { throw error.with(.init(path: source.path)) }
        writerOptions.rowsPerGroup = rowsPerGroup
        writerOptions.pageByteCount = options.pageByteCount ?? writerOptions.pageByteCount
        writerOptions.compressionLevel = options.compressionLevel ?? writerOptions.compressionLevel
        writerOptions.maximumGroupByteCount = ShardPlan.maximumGroupByteCount(
            writerOptions, rowsPerGroup: rowsPerGroup, [set])
        var notes = source.footer.notes
        if !selection.isWhole {
            let name = source.path.split(separator: "/").last ?? ""
            notes.insert(Note(key: "from", value: "\(name), \(selection.summary)"), at: 0)
        }
        return try ShardPlan(
            path: path, options: writerOptions, notes: notes, selection: selection,
            sources: [CopiedRows(set, rows: [0..<source.rowCount])])
    }
}
