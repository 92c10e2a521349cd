public import DRShardFormat

/// The columns of one axis that a paired batch takes from.
public struct AxisColumns: Hashable, Sendable {
    /// The number of the axis in the schema.
    public let axis: Int
    public let name: String
    public let variantCount: Int
    /// Tensors of role image_embedding or text_embedding, at least one.
    public let embeddings: [Int]
    /// Of role augmentation, for views.
    public let augmentation: Int?
    /// Of roles tokens and text, for captions.
    public let tokens: TokenColumn?
    public let text: Int?
}

/// A column of tokens, and what its tokenizer's record says.
public struct TokenColumn: Hashable, Sendable {
    public let column: Int
    public let element: ElementType
    public let contextLength: Int
    public let vocabularySize: UInt32
    public let start: Int32
    public let end: Int32

    var rowShape: TokenRowShape {
        TokenRowShape(contextLength: contextLength, start: start, end: end, vocabularySize: vocabularySize)
    }
}

/// Which columns of a schema hold what a paired batch is made of, by roles and kinds of axes.
///
/// Tokens, texts, augmentations and images may be missing: batches are then without them. Embeddings may not.
public struct PairedColumns: Hashable, Sendable {
    public let rowID: Int
    /// Of encoded images, or of locators, without an axis.
    public let image: Int?
    /// The axes of each part, in the order of `PartKind.allCases`.
    let parts: [[AxisColumns]]

    public var views: [AxisColumns] { parts[0] }
    public var real: [AxisColumns] { parts[1] }
    public var synthetic: [AxisColumns] { parts[2] }

    /// - Throws: `.invalidArgument` for a name that the schema does not have, or where one has to be chosen;
    ///   `.schemaMismatch` for a schema that lacks what is needed, or axes of a part that do not fit each other. All say
    ///   what the schema has.
    public init(schema: Schema, options: LoaderOptions = LoaderOptions()) throws(ShardError) {
        let resolver = RoleResolver(schema: schema, tokenizer: options.tokenizer)
        rowID = schema.rowIDColumn
        let images = schema.columns.indices.filter {
            schema.columns[$0].role == .image && schema.columns[$0].axis == nil
                && [.binary, .locator].contains(schema.columns[$0].type)
        }
        image = images.count == 1 ? images[0] : nil
        parts = [
            try resolver.axes(options.views, kind: .view, embedding: .imageEmbedding),
            try resolver.axes(options.real, kind: .realCaption, embedding: .textEmbedding),
            try resolver.axes(options.synthetic, kind: .syntheticCaption, embedding: .textEmbedding),
        ]
        for axes in parts { for axis in axes { try axes[0].checkFits(axis, schema, schema) } }
    }

    /// - Throws: `.schemaMismatch` if the columns of another data set make batches of another shape.
    func checkFits(_ other: PairedColumns, _ schema: Schema, _ otherSchema: Schema) throws(ShardError) {
        for (mine, others) in zip(parts, other.parts) {
            for axis in others { try mine[0].checkFits(axis, schema, otherSchema) }
        }
        guard image.map({ schema.columns[$0].type }) == other.image.map({ otherSchema.columns[$0].type }) else {
            throw .schemaMismatch("one has images, the other has none, or locators")
        }
        guard schema.columns[rowID].type == otherSchema.columns[other.rowID].type else {
            throw .schemaMismatch("its row ids have another size")
        }
    }

    /// What a plan knows of the axes.
    func plannedAxes(_ schema: Schema, _ options: LoaderOptions) -> [PartKind: [PlannedAxis]] {
        var planned: [PartKind: [PlannedAxis]] = [:]
        for (i, kind) in PartKind.allCases.enumerated() {
            let choices = [options.views, options.real, options.synthetic][i]
            planned[kind] = parts[i].enumerated().map { number, axis in
                PlannedAxis(
                    name: axis.name, count: axis.variantCount,
                    isExchangeable: schema.axes[axis.axis].exchangeable == .yes,
                    weight: choices.isEmpty ? 1 : choices[number].weight)
            }
        }
        return planned
    }
}

extension AxisColumns {
    /// The columns that batches with this content take from.
    func columns(_ content: BatchContent) -> [Int] {
        var columns = content.contains(.embeddings) ? embeddings : []
        if content.contains(.tokens), let tokens { columns.append(tokens.column) }
        if content.contains(.augmentations), let augmentation { columns.append(augmentation) }
        if content.contains(.texts), let text { columns.append(text) }
        return columns
    }

    /// - Throws: `.schemaMismatch` if cells of another axis do not fit into the same matrices.
    fileprivate func checkFits(_ other: AxisColumns, _ schema: Schema, _ otherSchema: Schema) throws(ShardError) {
        func fail(_ what: String) -> ShardError {
            .schemaMismatch("axes \"\(name)\" and \"\(other.name)\" cannot fill one batch: \(what)")
        }
        let types = embeddings.map { schema.columns[$0].type }
        guard types == other.embeddings.map({ otherSchema.columns[$0].type }) else {
            throw fail("their embeddings have other elements or dimensions")
        }
        guard (tokens == nil) == (other.tokens == nil), (text == nil) == (other.text == nil),
            (augmentation == nil) == (other.augmentation == nil)
        else { throw fail("one has tokens, texts or augmentations, the other not") }
        if let mine = tokens, let tokens = other.tokens {
            guard mine.contextLength == tokens.contextLength, mine.vocabularySize == tokens.vocabularySize,
                mine.start == tokens.start, mine.end == tokens.end
            else { throw fail("their tokens are of two tokenizers") }
        }
    }
}

private struct RoleResolver {
    let schema: Schema
    let tokenizer: String?

    /// The axes of a part: those that are named, or the only one of its kind.
    func axes(_ choices: [AxisChoice], kind: Axis.Kind, embedding: Role) throws(ShardError) -> [AxisColumns] {
        guard Set(choices.map(\.name)).count == choices.count else {
            throw .invalidArgument("an axis is named twice: \(choices.map(\.name).joined(separator: ", "))")
        }
        guard !choices.isEmpty else { return [try columns(axis: nil, kind: kind, embedding: embedding)] }
        var axes: [AxisColumns] = []
        for choice in choices { axes.append(try columns(axis: choice.name, kind: kind, embedding: embedding)) }
        return axes
    }

    private func columns(axis name: String?, kind: Axis.Kind, embedding: Role) throws(ShardError) -> AxisColumns {
        let axis = try axisNumber(name, kind: kind)
        let embeddings = columns(role: embedding, axis: axis) { $0.cellByteCount != nil }
        guard !embeddings.isEmpty else {
            throw .schemaMismatch(
                "axis \"\(schema.axes[axis].name)\" has no tensor of role \(embedding.name); it has "
                    + describe(axis: axis)
            )
        }
        let isView = embedding == .imageEmbedding
        return AxisColumns(
            axis: axis, name: schema.axes[axis].name, variantCount: schema.axes[axis].count, embeddings: embeddings,
            augmentation: isView ? try onlyColumn(role: .augmentation, axis: axis) { $0 == .operations } : nil,
            tokens: isView ? nil : try tokenColumn(axis: axis),
            text: isView ? nil : try onlyColumn(role: .text, axis: axis) { $0 == .utf8 })
    }

    private func axisNumber(_ name: String?, kind: Axis.Kind) throws(ShardError) -> Int {
        if let name {
            guard let axis = schema.axes.firstIndex(where: { Schema.isSameName($0.name, name) }) else {
                throw .invalidArgument("there is no axis \"\(name)\"; \(describeAxes)")
            }
            return axis
        }
        let axes = schema.axes.indices.filter { schema.axes[$0].kind == kind }
        guard axes.count <= 1 else {
            let names = axes.map { "\"\(schema.axes[$0].name)\"" }.joined(separator: ", ")
            throw .invalidArgument("there are \(axes.count) axes of \(kind.name): \(names); choose one by its name")
        }
        guard let axis = axes.first else { throw .schemaMismatch("there is no axis of \(kind.name); \(describeAxes)") }
        return axis
    }

    private func columns(role: Role, axis: Int, where fits: (ColumnType) -> Bool) -> [Int] {
        schema.columns.indices.filter {
            schema.columns[$0].role == role && schema.columns[$0].axis == axis && fits(schema.columns[$0].type)
        }
    }

    private func onlyColumn(role: Role, axis: Int, where fits: (ColumnType) -> Bool) throws(ShardError) -> Int? {
        let found = columns(role: role, axis: axis, where: fits)
        guard found.count <= 1 else {
            throw .schemaMismatch(
                "axis \"\(schema.axes[axis].name)\" has \(found.count) columns of role \(role.name), not one: "
                    + describe(axis: axis)
            )
        }
        return found.first
    }

    private func tokenColumn(axis: Int) throws(ShardError) -> TokenColumn? {
        let name = schema.axes[axis].name
        var found = columns(role: .tokens, axis: axis) { if case .ragged = $0 { true } else { false } }
        if let tokenizer {
            found = found.filter {
                schema.columns[$0].tokenizer.map { schema.metadata.tokenizers[$0].name } == tokenizer
            }
            guard !found.isEmpty else {
                throw .invalidArgument(
                    "axis \"\(name)\" has no tokens of a tokenizer \"\(tokenizer)\"; it has \(describe(axis: axis))")
            }
        }
        guard found.count <= 1 else {
            throw .invalidArgument(
                "axis \"\(name)\" has \(found.count) columns of tokens: \(describe(axis: axis)); name a tokenizer"
            )
        }
        guard let column = found.first else { return nil }
        return try checkedTokens(column)
    }

    private func checkedTokens(_ column: Int) throws(ShardError) -> TokenColumn {
        let here = ShardError.Context(column: schema.columns[column].name)
        guard let element = schema.columns[column].type.element, [.u16, .i32].contains(element) else {
            let type = schema.columns[column].type
            throw ShardError.schemaMismatch(
                "tokens of type \(type.name) \(type.element?.description ?? ""); u16 and i32 can be loaded"
            )
            .with(here)
        }
        guard let number = schema.columns[column].tokenizer else {
            throw ShardError.schemaMismatch(
                "its tokens have no tokenizer record: start, end and context length are not known"
            )
            .with(here)
        }
        let record = schema.metadata.tokenizers[number]
        // Above: a record that would make batches of gigabytes is no tokenizer's.
        guard (2...1 << 20).contains(record.contextLength), let start = Int32(exactly: record.start),
            let end = Int32(exactly: record.end)
        else {
            throw ShardError.schemaMismatch(
                "tokenizer \"\(record.name)\" cannot be used: context length \(record.contextLength), "
                    + "start \(record.start), end \(record.end)"
            ).with(here)
        }
        return TokenColumn(
            column: column, element: element, contextLength: Int(record.contextLength),
            vocabularySize: record.vocabularySize, start: start, end: end)
    }

    private var describeAxes: String {
        guard !schema.axes.isEmpty else { return "the data set has no axes" }
        let axes = schema.axes.map { "\"\($0.name)\" (\($0.kind.name), \($0.count))" }
        return "the data set has \(axes.joined(separator: ", "))"
    }

    private func describe(axis: Int) -> String {
        let columns = schema.columns.filter { $0.axis == axis }.map {
            "\"\($0.name)\" (\($0.role.name), \($0.type.name))"
        }
        return columns.isEmpty ? "no columns" : columns.joined(separator: ", ")
    }
}
