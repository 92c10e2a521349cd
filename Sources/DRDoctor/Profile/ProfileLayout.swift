internal import DRShardFormat

/// What a schema's columns are to the doctor. Made once for a set.
struct ProfileLayout: Sendable {
    /// A part of an embedding whose norm is looked at.
    struct Slice: Sendable, Hashable {
        var name: String
        var column: Int
        var elements: Range<Int>
        /// What the schema says; nil: nothing, and no teacher has this slice.
        var normalised: Bool?
        var isNamed: Bool
    }
    /// One row of text embeddings of a row of the set: the real caption's first.
    struct TextRow: Sendable, Hashable {
        var column: Int
        var variant: Int
        /// The column that holds its text, if there is one.
        var textColumn: Int?
        var isSynthetic: Bool
    }

    let schema: Schema
    let slices: [Slice]
    /// Of columns of floating point embeddings.
    let embeddings: [Int]
    let textRows: [TextRow]
    let augmentation: Int?
    /// The image embeddings that are compared with captions.
    let image: Int?
    let originalSize: Int?
    let imageBytes: Int?
    let texts: [Int]
    let tokens: [Int]
    /// Of operations that the schema's table has: the bits of their magnitudes. Nil without a table.
    let magnitudes: [UInt8: Set<UInt64>]?
    /// Whether the axis of views is said to be exchangeable.
    let viewsExchangeable: Axis.Exchangeable

    init(_ schema: Schema) {
        func columns(_ role: Role) -> [Int] { schema.columns.indices.filter { schema.columns[$0].role == role } }
        func kind(_ column: Int) -> Axis.Kind? { schema.columns[column].axis.map { schema.axes[$0].kind } }
        self.schema = schema
        embeddings = (columns(.imageEmbedding) + columns(.textEmbedding)).sorted().filter {
            guard case .tensor(let element, _) = schema.columns[$0].type else { return false }
            return [.bf16, .f16, .f32].contains(element)
        }
        let embeddings = embeddings
        image = columns(.imageEmbedding).first { embeddings.contains($0) }
        texts = columns(.text).filter { schema.columns[$0].type == .utf8 }
        tokens = columns(.tokens)
        augmentation = columns(.augmentation).first { schema.columns[$0].type == .operations }
        originalSize = columns(.imageSize).first { schema.columns[$0].type.cellByteCount == 8 }
        imageBytes = columns(.image).first { schema.columns[$0].type == .binary }
        let image = image
        let texts = texts
        textRows = columns(.textEmbedding).filter { column in
            guard let image, embeddings.contains(column) else { return false }
            return ProfileLayout.dims(schema, column) == ProfileLayout.dims(schema, image)
        }.sorted { kind($0) != .syntheticCaption && kind($1) == .syntheticCaption }.flatMap { column in
            let text = texts.first { schema.columns[$0].axis == schema.columns[column].axis }
            return (0..<schema.variantCount(of: column)).map {
                TextRow(
                    column: column, variant: $0, textColumn: text, isSynthetic: kind(column) == .syntheticCaption)
            }
        }
        slices = embeddings.flatMap { ProfileLayout.slices(schema, $0) }
        let operations = schema.metadata.operations
        magnitudes =
            operations.isEmpty
            ? nil
            : Dictionary(
                uniqueKeysWithValues: operations.map { ($0.operation, Set($0.magnitudes.map(\.bitPattern))) })
        let views = (augmentation ?? image).flatMap { schema.columns[$0].axis }
        viewsExchangeable = views.map { schema.axes[$0].exchangeable } ?? .unknown
    }

    static func dims(_ schema: Schema, _ column: Int) -> Int {
        guard case .tensor(_, let dims) = schema.columns[column].type else { return 0 }
        return dims.reduce(1, *)
    }

    /// Those of the teachers. Without any: the whole embedding, and its halves, since two teachers of equal width are
    /// what DataCompDR has; they count only if nearly all are normalised.
    private static func slices(_ schema: Schema, _ column: Int) -> [Slice] {
        let name = schema.columns[column].name
        let named = schema.metadata.teachers.flatMap { teacher in
            teacher.slices.filter { $0.column == column }.map {
                Slice(
                    name: "\(name), \(teacher.name)", column: column, elements: $0.first..<$0.first + $0.count,
                    normalised: teacher.normalised == .unknown ? nil : teacher.normalised == .yes, isNamed: true)
            }
        }
        guard named.isEmpty else { return named }
        let dims = dims(schema, column)
        var parts = [0..<dims]
        if dims % 2 == 0, dims > 2 { parts += [0..<dims / 2, dims / 2..<dims] }
        return parts.map {
            Slice(
                name: "\(name)[\($0.lowerBound)..<\($0.upperBound)]", column: column, elements: $0, normalised: nil,
                isNamed: false)
        }
    }
}
