internal import DRShard
internal import DRShardFormat

extension SetLayout {
    /// The schema of an existing shard, and its rows a row group, for shards that are to stand beside it.
    ///
    /// - Parameter made: what this input would have become; teachers, captioners, operations, sources and facts are the
    ///   shard's.
    /// - Throws: `.schemaMismatch` that says what differs; `.invalidArgument` if the caller says too what the shard says;
    ///   what opening the shard throws.
    static func schema(
        of path: String, fitting made: Schema, options: ConvertOptions
    ) throws(ShardError) -> (Schema, rowsPerGroup: Int) {
        guard options.teachers.isEmpty, options.captioners.isEmpty, options.sources.isEmpty,
            options.exchangeableViews == .unknown, options.exchangeableCaptions == .unknown
        else {
            throw .invalidArgument(
                "teachers, captioner, licences and exchangeable axes are those of the schema that is taken; leave these options out"
            )
        }
        let reader = try ShardReader(path: path)
        let rowsPerGroup = reader.header.rowsPerGroup
        do throws(ShardError) {
            try checkFit(reader.schema, made)
            // What it says and this program does not know would be lost.
            guard reader.schema.serialized() == reader.footer.schemaBytes else {
                throw .schemaMismatch("its schema has fields that this program does not know")
            }
            guard options.rowsPerGroup ?? rowsPerGroup == rowsPerGroup else {
                throw .schemaMismatch(
                    "it has \(rowsPerGroup) rows a row group, where \(options.rowsPerGroup ?? 0) are asked for")
            }
        } catch { throw error.with(.init(path: path)) }
        return (reader.schema, rowsPerGroup)
    }

    private static func checkFit(_ schema: Schema, _ made: Schema) throws(ShardError) {
        func expectSame(_ what: String, _ there: String, _ here: String) throws(ShardError) {
            guard there == here else {
                throw .schemaMismatch("\(what): \(there) in its schema, \(here) in this conversion")
            }
        }
        guard schema.metadata.side == nil else { throw .schemaMismatch("it is a side shard") }
        try expectSame("axes", names(schema.axes.map(\.name)), names(made.axes.map(\.name)))
        try expectSame("columns", names(schema.columns.map(\.name)), names(made.columns.map(\.name)))
        for (there, here) in zip(schema.axes, made.axes) {
            func describe(_ axis: Axis) -> String {
                let column = axis.definingColumn.map { ", defined by \(made.columns[$0].name)" } ?? ""
                return "\(axis.count) \(axis.kind.name)\(column)"
            }
            try expectSame("axis \"\(there.name)\"", describe(there), describe(here))
        }
        for (there, here) in zip(schema.columns, made.columns) {
            func describe(_ column: Column) -> String {
                let axis = column.axis.map { ", axis \(made.axes[$0].name)" } ?? ""
                return "\(column.role.name), \(column.type)\(axis)"
            }
            try expectSame("column \"\(there.name)\"", describe(there), describe(here))
        }
        func ids(_ schema: Schema) -> String {
            schema.metadata.provenance.first { $0.key == "uids" }?.value ?? "as given"
        }
        try expectSame("uids", ids(schema), ids(made))
        guard schema.metadata.tokenizers == made.metadata.tokenizers,
            schema.columns.map(\.tokenizer) == made.columns.map(\.tokenizer)
        else { throw .schemaMismatch("its tokenizer is another") }
    }

    private static func names(_ names: [String]) -> String { names.joined(separator: ", ") }
}
