package import DRShardFormat

/// A schema as JSON text, as `drshard inspect --json` prints it: columns, axes and tokenizers by their names.
package enum SchemaJSON {
    package static func text(_ schema: Schema) -> String {
        let metadata = schema.metadata
        return JSONText.object(
            [
                ("axes", JSONText.array(schema.axes.map { axis($0, schema) })),
                ("columns", JSONText.array(schema.columns.map { column($0, schema) })),
                ("teachers", JSONText.array(metadata.teachers.map { teacher($0, schema) })),
                (
                    "captioners",
                    JSONText.array(
                        metadata.captioners.map {
                            object([
                                ("axis", schema.axes[$0.axis].name), ("name", $0.name), ("settings", $0.settings),
                            ])
                        })
                ),
                ("tokenizers", JSONText.array(metadata.tokenizers.map(tokenizer))),
                ("operations", JSONText.array(metadata.operations.map(operation))),
                (
                    "sources",
                    JSONText.array(
                        metadata.sources.map {
                            object([("name", $0.name), ("licence", $0.licence), ("reference", $0.reference)])
                        })
                ),
                (
                    "provenance",
                    JSONText.array(metadata.provenance.map { object([("key", $0.key), ("value", $0.value)]) })
                ),
            ] + (metadata.side.map { [("side", side($0, schema))] } ?? []))
    }

    /// An object of texts; nil: left out.
    private static func object(_ members: [(String, String?)]) -> String {
        JSONText.object(members.compactMap { key, value in value.map { (key, JSONText.string($0)) } })
    }

    private static func axis(_ axis: Axis, _ schema: Schema) -> String {
        var members = [
            (key: "name", value: JSONText.string(axis.name)), ("kind", JSONText.string(axis.kind.name)),
            ("count", String(axis.count)), ("exchangeable", JSONText.string("\(axis.exchangeable)")),
        ]
        if let source = axis.source { members.append(("source", JSONText.string(source))) }
        if let column = axis.definingColumn {
            members.append(("definingColumn", JSONText.string(schema.columns[column].name)))
        }
        return JSONText.object(members)
    }

    private static func column(_ column: Column, _ schema: Schema) -> String {
        var members = [
            (key: "name", value: JSONText.string(column.name)), ("role", JSONText.string(column.role.name)),
            ("type", JSONText.string(column.type.name)),
        ]
        if let element = column.type.element { members.append(("element", JSONText.string("\(element)"))) }
        if case .tensor(_, let dims) = column.type {
            members.append(("dims", JSONText.array(dims.map { String($0) })))
        }
        if let axis = column.axis { members.append(("axis", JSONText.string(schema.axes[axis].name))) }
        if let tokenizer = column.tokenizer {
            members.append(("tokenizer", JSONText.string(schema.metadata.tokenizers[tokenizer].name)))
        }
        return JSONText.object(members)
    }

    private static func teacher(_ teacher: Teacher, _ schema: Schema) -> String {
        var members = [
            (key: "name", value: JSONText.string(teacher.name)),
            ("normalised", JSONText.string("\(teacher.normalised)")),
        ]
        if let scale = teacher.logitScale { members.append(("logitScale", number(scale))) }
        let slices = teacher.slices.map {
            JSONText.object([
                ("column", JSONText.string(schema.columns[$0.column].name)), ("first", String($0.first)),
                ("count", String($0.count)),
            ])
        }
        members.append(("slices", JSONText.array(slices)))
        if let digest = teacher.weightsSHA256 { members.append(("weightsSHA256", JSONText.string(hex(digest)))) }
        return JSONText.object(members)
    }

    private static func tokenizer(_ tokenizer: Tokenizer) -> String {
        JSONText.object([
            ("name", JSONText.string(tokenizer.name)),
            ("vocabularySHA256", JSONText.string(hex(tokenizer.vocabularySHA256))),
            ("vocabularySize", String(tokenizer.vocabularySize)), ("contextLength", String(tokenizer.contextLength)),
            ("start", String(tokenizer.start)), ("end", String(tokenizer.end)),
        ])
    }

    private static func operation(_ entry: OperationEntry) -> String {
        JSONText.object([
            ("operation", String(entry.operation)), ("name", JSONText.string(entry.name)),
            ("magnitudes", JSONText.array(entry.magnitudes.map(number))),
        ])
    }

    private static func side(_ side: SideReference, _ schema: Schema) -> String {
        let axes = side.axes.map {
            object([("axis", schema.axes[$0.axis].name), ("digest", $0.digest.description)])
        }
        return JSONText.object([
            ("rowSetDigest", JSONText.string(side.rowSetDigest.description)), ("rows", String(side.rowCount)),
            ("axes", JSONText.array(axes)),
        ])
    }

    /// JSON has no other numbers than finite ones; what is not finite becomes null.
    private static func number(_ value: Double) -> String { value.isFinite ? String(value) : "null" }

    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
