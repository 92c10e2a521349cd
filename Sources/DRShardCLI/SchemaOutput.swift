internal import DRShard
internal import DRShardFormat

/// A schema as JSON.
struct SchemaOutput: Encodable {
    struct AxisOutput: Encodable {
        var name: String
        var kind: String
        var count: Int
        var exchangeable: String
        var source: String?
        var definingColumn: String?
    }
    struct ColumnOutput: Encodable {
        var name: String
        var role: String
        var type: String
        var element: String?
        var dims: [Int]?
        var axis: String?
        var tokenizer: String?
    }
    struct TeacherOutput: Encodable {
        struct Slice: Encodable {
            var column: String
            var first: Int
            var count: Int
        }
        var name: String
        var normalised: String
        var logitScale: Double?
        var slices: [Slice]
        var weightsSHA256: String?
    }
    struct TokenizerOutput: Encodable {
        var name: String
        var vocabularySHA256: String
        var vocabularySize: UInt32
        var contextLength: UInt32
        var start: UInt32
        var end: UInt32
    }
    struct OperationOutput: Encodable {
        var operation: UInt8
        var name: String
        var magnitudes: [Double]
    }
    struct SourceOutput: Encodable {
        var name: String
        var licence: String
        var reference: String?
    }
    struct CaptionerOutput: Encodable {
        var axis: String
        var name: String
        var settings: String?
    }
    struct SideOutput: Encodable {
        struct SharedAxis: Encodable {
            var axis: String
            var digest: String
        }
        var rowSetDigest: String
        var rows: UInt64
        var axes: [SharedAxis]
    }
    /// A key and its value: of several pairs with one key, all are kept.
    struct Pair: Encodable {
        var key: String
        var value: String
    }

    var axes: [AxisOutput]
    var columns: [ColumnOutput]
    var teachers: [TeacherOutput]
    var captioners: [CaptionerOutput]
    var tokenizers: [TokenizerOutput]
    var operations: [OperationOutput]
    var sources: [SourceOutput]
    var provenance: [Pair]
    var side: SideOutput?

    init(_ schema: Schema) {
        axes = schema.axes.map { axis in
            AxisOutput(
                name: axis.name, kind: axis.kind.name, count: axis.count, exchangeable: "\(axis.exchangeable)",
                source: axis.source, definingColumn: axis.definingColumn.map { schema.columns[$0].name })
        }
        let metadata = schema.metadata
        columns = schema.columns.map { column in
            var dims: [Int]?
            if case .tensor(_, let list) = column.type { dims = list }
            return ColumnOutput(
                name: column.name, role: column.role.name, type: column.type.name,
                element: column.type.element?.description, dims: dims, axis: column.axis.map { schema.axes[$0].name },
                tokenizer: column.tokenizer.map { metadata.tokenizers[$0].name })
        }
        teachers = metadata.teachers.map { teacher in
            TeacherOutput(
                name: teacher.name, normalised: "\(teacher.normalised)", logitScale: teacher.logitScale,
                slices: teacher.slices.map {
                    .init(column: schema.columns[$0.column].name, first: $0.first, count: $0.count)
                },
                weightsSHA256: teacher.weightsSHA256.map(hex))
        }
        captioners = metadata.captioners.map {
            CaptionerOutput(axis: schema.axes[$0.axis].name, name: $0.name, settings: $0.settings)
        }
        tokenizers = metadata.tokenizers.map {
            TokenizerOutput(
                name: $0.name, vocabularySHA256: hex($0.vocabularySHA256), vocabularySize: $0.vocabularySize,
                contextLength: $0.contextLength, start: $0.start, end: $0.end)
        }
        operations = metadata.operations.map {
            OperationOutput(operation: $0.operation, name: $0.name, magnitudes: $0.magnitudes)
        }
        sources = metadata.sources.map { SourceOutput(name: $0.name, licence: $0.licence, reference: $0.reference) }
        provenance = metadata.provenance.map { Pair(key: $0.key, value: $0.value) }
        side = metadata.side.map { side in
            SideOutput(
                rowSetDigest: side.rowSetDigest.description, rows: side.rowCount,
                axes: side.axes.map { .init(axis: schema.axes[$0.axis].name, digest: $0.digest.description) })
        }
    }
}

/// A schema for people.
enum SchemaText {
    static func print(_ schema: Schema) throws(ShardError) {
        let output = SchemaOutput(schema)
        var rows = [["column", "role", "type", "axis", "variants"]]
        for (i, column) in output.columns.enumerated() {
            let dims = column.dims.map { "[" + $0.map(String.init).joined(separator: ", ") + "]" } ?? ""
            rows.append([
                column.name, column.role, column.type + (column.element.map { " " + $0 } ?? "") + dims,
                column.axis ?? "-", String(schema.variantCount(of: i)),
            ])
        }
        try Console.table(rows, right: [4])
        if !output.axes.isEmpty {
            try Console.line("")
            try Console.table(
                [["axis", "variants", "kind", "exchangeable", "source"]]
                    + output.axes.map { [$0.name, String($0.count), $0.kind, $0.exchangeable, $0.source ?? "-"] },
                right: [1])
        }
        try printMeaning(output)
    }

    private static func printMeaning(_ output: SchemaOutput) throws(ShardError) {
        if !output.teachers.isEmpty { try Console.line("") }
        for teacher in output.teachers {
            let slices = teacher.slices.map { "\($0.column)[\($0.first)..<\($0.first + $0.count)]" }.joined(
                separator: ", ")
            let scale = teacher.logitScale.map { ", logit scale \($0)" } ?? ""
            try Console.line("teacher \(teacher.name): \(slices), normalised: \(teacher.normalised)\(scale)")
        }
        for captioner in output.captioners {
            let settings = captioner.settings.map { ", settings \($0)" } ?? ""
            try Console.line("captioner of \(captioner.axis): \(captioner.name)\(settings)")
        }
        for tokenizer in output.tokenizers {
            try Console.line(
                "tokenizer \(tokenizer.name): \(tokenizer.vocabularySize) ids, context \(tokenizer.contextLength), vocabulary \(tokenizer.vocabularySHA256.prefix(16))..."
            )
        }
        if !output.operations.isEmpty {
            let names = output.operations.map { "\($0.operation) \($0.name) (\($0.magnitudes.count))" }.joined(
                separator: ", ")
            try Console.line("operations (magnitudes): \(names)")
        }
        for source in output.sources { try Console.line("source \(source.name): \(source.licence)") }
        for fact in output.provenance { try Console.line("\(fact.key): \(fact.value)") }
        if let side = output.side {
            let axes = side.axes.map { ", axis \($0.axis) \($0.digest)" }.joined()
            try Console.line("side shard of \(side.rows) rows, row set \(side.rowSetDigest)\(axes)")
        }
    }
}
