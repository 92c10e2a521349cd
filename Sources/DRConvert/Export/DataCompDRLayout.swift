internal import DRShard
internal import DRShardFormat

/// Which columns of a schema become which members of a DataCompDR sample, by their roles and axes.
struct DataCompDRLayout {
    /// The texts of one captioner under `key` in `syn.json`.
    struct Synthetic {
        var key: String
        var text: Int
        var embedding: Int
        var count: Int
    }

    var sha256: Int?, url: Int?, originalSize: Int?, image: Int?, realText: Int?
    let augmentation: Int
    let imageEmbedding: Int
    let realEmbedding: Int
    let synthetic: [Synthetic]
    /// Of all embeddings, as they are written.
    let element: ElementType
    let conversions: [Int: FloatConversion]
    let schema: Schema

    /// With one captioner named `syn_text` its embeddings stand behind the real one in `text_emb` (DataCompDR).
    /// Otherwise each captioner's stand in `<key>_emb`, and `text_emb` has the real one alone (DFNDR): the released
    /// reader takes rows behind the first of `text_emb` for those of whatever key it drew, so that the two must not mix.
    var isCombined: Bool { synthetic.count == 1 && synthetic[0].key == "syn_text" }

    /// The columns whose cells are read.
    var columns: [Int] {
        [schema.rowIDColumn, augmentation, imageEmbedding, realEmbedding]
            + [sha256, url, originalSize, image, realText].compactMap { $0 }
            + synthetic.flatMap { [$0.text, $0.embedding] }
    }

    /// - Throws: `.invalidArgument` if the schema lacks what a sample must have, or holds what a sample cannot, which
    ///   `losses` counts instead if that is allowed.
    init(_ schema: Schema, _ options: ExportOptions, _ losses: inout ExportLosses) throws(ShardError) {
        self.schema = schema
        let find = ColumnFinder(schema)
        guard case .tensor(.u8, dims: [16]) = schema.columns[schema.rowIDColumn].type else {
            throw .invalidArgument("row ids are no uids of 16 bytes")
        }
        guard let imageEmbedding = find.embedding(.imageEmbedding, axis: .view),
            let augmentation = find.first(.augmentation, axis: .view, .operations),
            schema.columns[augmentation].axis == schema.columns[imageEmbedding].axis,
            let realEmbedding = find.embedding(.textEmbedding, axis: .realCaption)
        else {
            throw .invalidArgument(
                "a sample needs embeddings and augmentations of views, and an embedding of the real caption")
        }
        synthetic = find.synthetic()
        guard !synthetic.isEmpty else {
            throw .invalidArgument("a sample needs synthetic captions and their embeddings")
        }
        for key in synthetic.map(\.key) where ["image", "text"].contains(key) {
            throw .invalidArgument("synthetic captions of column \"\(key)\" would take the name \(key)_emb")
        }
        self.imageEmbedding = imageEmbedding
        self.augmentation = augmentation
        self.realEmbedding = realEmbedding
        sha256 = find.first(.imageHash, axis: nil, .tensor(.u8, dims: [32]))
        url = find.first(.url, axis: nil, .utf8)
        originalSize = find.first(.imageSize, axis: nil, .tensor(.u32, dims: [2]))
        image = find.first(.image, axis: nil, .binary)
        realText = find.first(.text, axis: .realCaption, .utf8)
        var conversions: [Int: FloatConversion] = [:]
        var elements: Set<ElementType> = []
        for column in [imageEmbedding, realEmbedding] + synthetic.map(\.embedding) {
            guard let stored = schema.columns[column].type.element else { continue }
            let (element, conversion) = try options.conversion(of: stored, column: schema.columns[column].name)
            conversions[column] = conversion
            elements.insert(element)
        }
        guard elements.count == 1, let element = elements.first else {
            throw .invalidArgument("embeddings have different element types; choose one with --element")
        }
        self.element = element
        self.conversions = conversions
        try checkRest(options, &losses)
    }

    /// What has no member, and what is only said.
    private func checkRest(_ options: ExportOptions, _ losses: inout ExportLosses) throws(ShardError) {
        let used = Set(columns)
        for (i, column) in schema.columns.enumerated() where !used.contains(i) {
            let name = "column \"\(column.name)\""
            if column.role == .tokens, column.tokenizer != nil {
                losses.leaveOut("\(name): tokens, which convert --tokenizer makes again from the texts")
            } else if column.type == .locator {
                try loss("\(name): says where images lie, and images are not copied", options, &losses)
            } else {
                try loss("\(name): the layout has no member for it", options, &losses)
            }
        }
        for column in [realText, realEmbedding].compactMap({ $0 }) where schema.variantCount(of: column) > 1 {
            let name = schema.columns[column].name
            try loss("column \"\(name)\": the layout has one real caption; variants from 1 on", options, &losses)
        }
        let metadata = schema.metadata
        for (what, isThere) in [
            ("teachers", !metadata.teachers.isEmpty), ("captioners", !metadata.captioners.isEmpty),
            ("licences of sources", !metadata.sources.isEmpty), ("provenance", !metadata.provenance.isEmpty),
        ] where isThere { losses.leaveOut("\(what), which the schema names and tars have no place for") }
    }

    private func loss(_ what: String, _ options: ExportOptions, _ losses: inout ExportLosses) throws(ShardError) {
        guard options.isLossy else { throw .invalidArgument("\(what); --lossy leaves it out") }
        losses.leaveOut(what)
    }
}

/// Finds columns by role, kind of axis and type.
private struct ColumnFinder {
    let schema: Schema
    init(_ schema: Schema) { self.schema = schema }

    private func kind(_ column: Column) -> Axis.Kind? { column.axis.map { schema.axes[$0].kind } }

    /// The first column; one without an axis is taken for one of the real caption.
    func first(_ role: Role, axis: Axis.Kind?, _ type: ColumnType) -> Int? {
        schema.columns.firstIndex { $0.role == role && $0.type == type && suits(kind($0), axis) }
    }

    func embedding(_ role: Role, axis: Axis.Kind) -> Int? {
        schema.columns.firstIndex { $0.role == role && suits(kind($0), axis) && isEmbedding($0.type) }
    }

    private func suits(_ kind: Axis.Kind?, _ wanted: Axis.Kind?) -> Bool {
        kind == wanted || (kind == nil && wanted == .realCaption)
    }

    private func isEmbedding(_ type: ColumnType) -> Bool {
        guard case .tensor(let element, let dims) = type else { return false }
        return dims.count == 1 && [.f16, .bf16, .f32].contains(element)
    }

    /// Every axis of synthetic captions that has texts and embeddings.
    func synthetic() -> [DataCompDRLayout.Synthetic] {
        var found: [DataCompDRLayout.Synthetic] = []
        for (number, axis) in schema.axes.enumerated() where axis.kind == .syntheticCaption {
            let text = schema.columns.firstIndex { $0.axis == number && $0.role == .text && $0.type == .utf8 }
            let embedding = schema.columns.firstIndex {
                $0.axis == number && $0.role == .textEmbedding && isEmbedding($0.type)
            }
            guard let text, let embedding else { continue }
            found.append(.init(key: schema.columns[text].name, text: text, embedding: embedding, count: axis.count))
        }
        return found
    }
}
