internal import DRShardFormat

/// Where a matrix lies in the memory of a batch.
struct MatrixLayout: Sendable {
    let element: ElementType
    /// Elements of a row.
    let width: Int
    /// Bytes from the start of the batch's memory to the first row.
    let offset: Int
    /// Bytes from one row to the next.
    let stride: Int
    var rowByteCount: Int { width * element.byteCount }
}

/// Where one part of a batch lies.
struct PartLayout: Sendable {
    /// Pairs of i32, axis and variant: as drawn, and as delivered.
    let drawn: MatrixLayout
    let delivered: MatrixLayout
    /// Of each embedding column.
    let embeddings: [MatrixLayout]
    /// What is handed out: the same, or one matrix of all.
    let matrices: [MatrixLayout]
    let tokens: MatrixLayout?
    /// i32.
    let tokenLengths: MatrixLayout?
    /// Numbers of ragged parts.
    let augmentations: Int?
    let texts: Int?
}

/// Where everything lies in the memory of a batch. Every matrix begins at a multiple of 64 bytes.
final class BatchLayout: Sendable {
    /// Samples that fit.
    let capacity: Int
    /// i64: rows of the data set, delivered and named by the order.
    let rows: MatrixLayout
    let named: MatrixLayout
    /// u8: whether a padded last batch repeats the sample.
    let repetitions: MatrixLayout
    /// i32: of several sets, which one.
    let sets: MatrixLayout?
    let rowIDs: MatrixLayout?
    let parts: [PartLayout]
    /// The number of the ragged part of encoded images.
    let images: Int?
    let raggedCount: Int
    let byteCount: Int

    init(columns: PairedColumns, schema: Schema, options: LoaderOptions, capacity: Int, setCount: Int) {
        var space = Space(capacity: capacity)
        self.capacity = capacity
        rows = space.matrix(.i64)
        named = space.matrix(.i64)
        repetitions = space.matrix(.u8)
        sets = setCount > 1 ? space.matrix(.i32) : nil
        let content = options.content
        rowIDs =
            content.contains(.rowIDs)
            ? space.matrix(.u8, width: schema.columns[columns.rowID].type.cellByteCount ?? 0) : nil
        parts = columns.parts.map { BatchLayout.part($0[0], schema, options, &space) }
        images = content.contains(.images) && columns.image != nil ? space.ragged() : nil
        raggedCount = space.raggedCount
        byteCount = space.byteCount
    }

    private static func part(
        _ columns: AxisColumns, _ schema: Schema, _ options: LoaderOptions, _ space: inout Space
    ) -> PartLayout {
        let drawn = space.matrix(.i32, width: 2)
        let delivered = space.matrix(.i32, width: 2)
        var embeddings: [MatrixLayout] = []
        var matrices: [MatrixLayout] = []
        if options.content.contains(.embeddings) {
            let shapes = columns.embeddings.map { column in
                let type = schema.columns[column].type
                let stored = type.element ?? .u8
                return (options.embeddingElement ?? stored, (type.cellByteCount ?? 0) / stored.byteCount)
            }
            if options.joinsEmbeddings, let element = shapes.first?.0 {
                let whole = space.matrix(element, width: shapes.reduce(0) { $0 + $1.1 })
                matrices = [whole]
                var offset = whole.offset
                for (element, width) in shapes {
                    embeddings.append(
                        MatrixLayout(element: element, width: width, offset: offset, stride: whole.stride))
                    offset += width * element.byteCount
                }
            } else {
                embeddings = shapes.map { space.matrix($0.0, width: $0.1) }
                matrices = embeddings
            }
        }
        let tokens = options.content.contains(.tokens) ? columns.tokens : nil
        return PartLayout(
            drawn: drawn, delivered: delivered, embeddings: embeddings, matrices: matrices,
            tokens: tokens.map { space.matrix(options.tokenElement, width: $0.contextLength) },
            tokenLengths: tokens.map { _ in space.matrix(.i32) },
            augmentations: options.content.contains(.augmentations) && columns.augmentation != nil
                ? space.ragged() : nil,
            texts: options.content.contains(.texts) && columns.text != nil ? space.ragged() : nil)
    }

    /// Bytes of a sample that are handed out as ids, embeddings and tokens.
    var deliveredByteCount: Int {
        let matrices = parts.flatMap { $0.matrices + [$0.tokens].compactMap { $0 } } + [rowIDs].compactMap { $0 }
        return matrices.reduce(0) { $0 + $1.rowByteCount }
    }

    /// Memory that is handed out piece by piece.
    private struct Space {
        let capacity: Int
        var byteCount = 0
        var raggedCount = 0

        mutating func matrix(_ element: ElementType, width: Int = 1) -> MatrixLayout {
            let stride = width * element.byteCount
            let layout = MatrixLayout(element: element, width: width, offset: byteCount, stride: stride)
            byteCount = pad64(byteCount + capacity * stride)
            return layout
        }

        mutating func ragged() -> Int {
            defer { raggedCount += 1 }
            return raggedCount
        }
    }
}
