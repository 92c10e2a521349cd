internal import DRShardFormat

/// The shape of a reinforced set, taken from its first rows, and the schema that follows from it.
///
/// Every later row must have this shape: a set is one schema.
struct SetLayout: Sendable {
    /// Synthetic captions of one captioner.
    struct CaptionSet: Sendable {
        var key: String
        var count: Int
        /// nil: embeddings alone.
        var text: Int?
        var tokens: Int?
        var embedding: Int
    }

    /// Numbers of the columns.
    struct Columns: Sendable {
        var uid = 0, imageEmbedding = 0
        var sha256: Int?, url: Int?, augmentation: Int?
        var originalSize: Int?, image: Int?
        var realText: Int?, realTokens: Int?, realEmbedding: Int?
        var sets: [CaptionSet] = []
    }

    let viewCount: Int
    let dims: Int
    /// As the input has it, and as it is stored.
    let inputElement: ElementType
    let storedElement: ElementType
    let schema: Schema
    let columns: Columns
    /// What the caller or the shard whose schema is taken says; nil: the writer chooses.
    let rowsPerGroup: Int?

    /// Rows that are looked at for the shape, for magnitudes that are not the recipe's, and for whether embeddings are
    /// normalised: these two may make the schemas of separate runs differ, unless one takes the other's.
    static let probeCount = 256

    /// - Parameter rows: the first rows of the set, at least one.
    init(rows: [SourceRow], options: ConvertOptions, tokenizer: Tokenizer?) throws(ShardError) {
        let first = rows[0]
        viewCount = first.views.count
        dims = first.dims
        inputElement = first.element
        storedElement = inputElement == .f32 && !options.keepsFloat32 ? .bf16 : inputElement
        var draft = SchemaDraft(rows: rows, options: options, element: storedElement, tokenizer: tokenizer)
        let made = try draft.make()
        columns = draft.columns
        if let path = options.schemaShard {
            (schema, rowsPerGroup) = try SetLayout.schema(of: path, fitting: made, options: options)
        } else {
            (schema, rowsPerGroup) = (made, options.rowsPerGroup)
        }
    }
}

/// Puts a schema together from the first rows and what the caller says.
private struct SchemaDraft {
    let rows: [SourceRow]
    let options: ConvertOptions
    let element: ElementType
    let tokenizer: Tokenizer?
    var columns = SetLayout.Columns()
    private var list: [Column] = []
    private var axes: [Axis] = []
    private var metadata = SchemaMetadata()

    init(rows: [SourceRow], options: ConvertOptions, element: ElementType, tokenizer: Tokenizer?) {
        self.rows = rows
        self.options = options
        self.element = element
        self.tokenizer = tokenizer
    }

    mutating func make() throws(ShardError) -> Schema {
        let isJoined = options.captions != nil
        let hasImages = (isJoined || rows.contains { $0.image != nil }) && options.images != .none
        columns.uid = add("uid", .rowID, .tensor(.u8, dims: [16]))
        if isJoined || rows.contains(where: { $0.sha256 != nil }) {
            columns.sha256 = add("sha256", .imageHash, .tensor(.u8, dims: [32]))
        }
        if rows.contains(where: { $0.url != nil }) { columns.url = add("url", .url, .utf8) }
        if isJoined || rows.contains(where: { $0.originalSize != nil }) {
            columns.originalSize = add("original_size", .imageSize, .tensor(.u32, dims: [2]))
        }
        if hasImages { columns.image = add("image", .image, options.images == .locate ? .locator : .binary) }
        addViews()
        addRealCaption(isJoined || rows.contains { $0.caption != nil })
        for set in rows[0].captionSets { try addSet(set) }
        addTeachers()
        if let tokenizer { metadata.tokenizers = [tokenizer] }
        if columns.augmentation != nil {
            metadata.operations = RandAugment.table(of: rows.lazy.flatMap { $0.augmentations.lazy.compactMap(\.self) })
        }
        metadata.sources = options.sources
        if options.rescalesCrops {
            metadata.provenance.append(
                Note(
                    key: "crops",
                    value: "moved from pixels of the original to those of the stored image, whose size is original_size"
                ))
        }
        if options.hashesIDs { metadata.provenance.append(Note(key: "uids", value: ArrayReading.hashNote)) }
        return try Schema(axes: axes, columns: list, metadata: metadata)
    }

    private mutating func add(
        _ name: String, _ role: Role, _ type: ColumnType, axis: Int? = nil, tokenizer: Int? = nil
    ) -> Int {
        list.append(Column(name: name, role: role, type: type, axis: axis, tokenizer: tokenizer))
        return list.count - 1
    }

    private var embedding: ColumnType { .tensor(element, dims: [rows[0].dims]) }

    private mutating func addViews() {
        if rows.contains(where: { !$0.augmentations.isEmpty }) {
            columns.augmentation = add("augmentation", .augmentation, .operations, axis: 0)
        }
        columns.imageEmbedding = add("image_emb", .imageEmbedding, embedding, axis: 0)
        axes.append(
            Axis(
                name: "view", kind: .view, count: rows[0].views.count, exchangeable: options.exchangeableViews,
                definingColumn: columns.augmentation))
    }

    private mutating func addRealCaption(_ hasText: Bool) {
        guard hasText || rows[0].realEmbedding != nil else { return }
        if hasText {
            columns.realText = add("text", .text, .utf8, axis: 1)
            if tokenizer != nil {
                columns.realTokens = add("tokens", .tokens, .ragged(.u16), axis: 1, tokenizer: 0)
            }
        }
        if rows[0].realEmbedding != nil {
            columns.realEmbedding = add("text_emb", .textEmbedding, embedding, axis: 1)
        }
        axes.append(
            Axis(name: "real", kind: .realCaption, count: 1, exchangeable: .no, definingColumn: columns.realText))
    }

    /// `syn_text` is the axis "synthetic"; `syn_text_X` is "synthetic_X".
    private mutating func addSet(_ set: SourceRow.CaptionSet) throws(ShardError) {
        guard !set.embeddings.isEmpty else { return }
        let suffix = String(set.key.dropFirst("syn_text".count))
        let axis = axes.count
        let text = set.texts == nil ? nil : add("syn_text" + suffix, .text, .utf8, axis: axis)
        var tokens: Int?
        if tokenizer != nil, text != nil {
            tokens = add("syn_tokens" + suffix, .tokens, .ragged(.u16), axis: axis, tokenizer: 0)
        }
        let embedding = add("syn_text" + suffix + "_emb", .textEmbedding, embedding, axis: axis)
        columns.sets.append(
            .init(key: set.key, count: set.embeddings.count, text: text, tokens: tokens, embedding: embedding))
        let captioner = try options.captioner(of: set.key, among: rows[0].captionSets.map(\.key))
        axes.append(
            Axis(
                name: "synthetic" + suffix, kind: .syntheticCaption, count: set.embeddings.count,
                exchangeable: options.exchangeableCaptions, source: captioner, definingColumn: text))
        if let captioner { metadata.captioners.append(Captioner(name: captioner, axis: axis)) }
    }

    private mutating func addTeachers() {
        let slices =
            [columns.imageEmbedding] + [columns.realEmbedding].compactMap { $0 } + columns.sets.map(\.embedding)
        metadata.teachers = options.teachers.map { teacher in
            Teacher(
                name: teacher.name, normalised: isNormalised(teacher), logitScale: teacher.logitScale,
                slices: slices.map { .init(column: $0, first: teacher.first, count: teacher.count) })
        }
    }

    /// Whether a teacher's part of the first rows' image embeddings has norm 1, up to rounding.
    private func isNormalised(_ teacher: ConvertOptions.TeacherSlice) -> Teacher.Normalised {
        var isSeen = false
        for row in rows {
            for case .row(let matrix, let view) in row.views {
                let array = row.matrices[matrix].array
                let dims = array.shape[1]
                guard teacher.first >= 0, teacher.count > 0, teacher.first <= dims,
                    teacher.count <= dims - teacher.first
                else { return .unknown }
                var sum = 0.0
                for i in teacher.first..<teacher.first + teacher.count {
                    guard let value = EmbeddingRows.value(array, view * dims + i) else { return .unknown }
                    sum += Double(value) * Double(value)
                }
                guard abs(sum - 1) < 0.02 else { return .no }
                isSeen = true
            }
        }
        return isSeen ? .yes : .unknown
    }
}
