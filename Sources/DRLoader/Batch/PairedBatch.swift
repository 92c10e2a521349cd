public import DRShardFormat

/// Two batches over the same images: images with real captions, and images with synthetic ones.
///
/// Its memory goes back to the loader when the last copy of it, and of what was taken from it, is gone.
public struct PairedBatch: Sendable {
    public let epoch: Int
    /// In the epoch; the same on all ranks.
    public let step: Int
    /// Samples.
    public let count: Int
    let context: LoadContext
    let lease: BatchLease

    private var layout: BatchLayout { lease.memory.layout }
    private func matrix(_ layout: MatrixLayout) -> BatchMatrix { BatchMatrix(layout, lease, rowCount: count) }
    private func numbers(_ layout: MatrixLayout) -> [Int] {
        let matrix = matrix(layout)
        return matrix.withBytes { bytes in
            let width = layout.element.byteCount
            return (0..<count).map { row in
                (0..<width).reversed().reduce(0) { $0 << 8 | Int(bytes[row * layout.stride + $1]) }
            }
        }
    }

    /// Rows of their data set, in the order of the batch.
    public var rows: [Int] { numbers(layout.rows) }
    /// The rows that the order named: others than `rows` where a row stands on a quarantine list, or was lost.
    public var namedRows: [Int] { numbers(layout.named) }
    /// Of several sets, the one that each row belongs to.
    public var sets: [Int] { layout.sets.map(numbers) ?? Array(repeating: 0, count: count) }
    /// The samples that a padded last batch repeats.
    public var repetitions: [Int] { numbers(layout.repetitions).indices(of: 1) }
    /// The samples whose row is not the one that the order named.
    public var substituted: [Int] {
        let (rows, named) = (rows, namedRows)
        return rows.indices.filter { rows[$0] != named[$0] }
    }

    /// How many variants, of all parts, are not the ones that were drawn, and how many rows not the ones that were named.
    public var replacedVariantCount: Int { PartKind.allCases.reduce(0) { $0 + part($1).replacedCount } }
    public var substitutedRowCount: Int {
        let (rows, named) = (matrix(layout.rows), matrix(layout.named))
        return rows.withBytes { rows in
            named.withBytes { named in
                (0..<count).count { row in (row * 8..<row * 8 + 8).contains { rows[$0] != named[$0] } }
            }
        }
    }

    /// Rows of the data set as i64: the same as `rows`, without a copy.
    public var rowNumbers: BatchMatrix { matrix(layout.rows) }
    /// `[B, id bytes]`; nil if not asked for. A lost id is zero.
    public var rowIDs: BatchMatrix? { layout.rowIDs.map(matrix) }
    public var image: ImagePart { ImagePart(part: part(.view), values: layout.images.map { values($0) }) }
    public var real: CaptionPart { CaptionPart(part: part(.real)) }
    public var synthetic: CaptionPart { CaptionPart(part: part(.synthetic)) }

    private func part(_ kind: PartKind) -> BatchPart {
        BatchPart(number: PartKind.allCases.firstIndex(of: kind) ?? 0, batch: self)
    }
    fileprivate func values(_ number: Int) -> BatchValues { BatchValues(number, lease, count: count) }

    /// Bytes of its matrices and values, without the numbers of rows and variants.
    public var byteCount: Int {
        let parts = PartKind.allCases.map { part($0) }
        let matrices = parts.flatMap { $0.embeddings + [$0.tokens?.ids].compactMap { $0 } } + [rowIDs].compactMap { $0 }
        let values = (0..<layout.raggedCount).map { self.values($0).byteCount }
        return matrices.reduce(0) { $0 + $1.byteCount } + values.reduce(0, +)
    }

    /// One part, whatever its kind.
    struct BatchPart: Sendable {
        let number: Int
        let batch: PairedBatch
        var layout: PartLayout { batch.layout.parts[number] }
        var columns: [AxisColumns] { batch.context.sets[0].columns.parts[number] }
        var choice: VariantChoice {
            VariantChoice(drawn: draws(layout.drawn), delivered: draws(layout.delivered))
        }
        var embeddings: [BatchMatrix] { layout.matrices.map(batch.matrix) }
        var tokens: TokenBatch? {
            guard let tokens = layout.tokens, let lengths = layout.tokenLengths else { return nil }
            return TokenBatch(ids: batch.matrix(tokens), lengthNumbers: batch.matrix(lengths))
        }
        private func draws(_ matrix: MatrixLayout) -> [VariantDraw] {
            batch.matrix(matrix).withBytes { bytes in
                func number(_ at: Int) -> Int { (0..<4).reversed().reduce(0) { $0 << 8 | Int(bytes[at + $1]) } }
                return (0..<batch.count).map { VariantDraw(axis: number($0 * 8), variant: number($0 * 8 + 4)) }
            }
        }
        /// Samples whose drawn variant could not be delivered. Cost: a comparison of bytes.
        var replacedCount: Int {
            let (drawn, delivered) = (batch.matrix(layout.drawn), batch.matrix(layout.delivered))
            return drawn.withBytes { drawn in
                delivered.withBytes { delivered in
                    (0..<batch.count).count { row in (row * 8..<row * 8 + 8).contains { drawn[$0] != delivered[$0] } }
                }
            }
        }
    }
}

extension [Int] {
    fileprivate func indices(of value: Int) -> [Int] { indices.filter { self[$0] == value } }
}

/// Which variants a part of a batch has.
public struct VariantChoice: Hashable, Sendable {
    /// What the plan drew, for each sample.
    public let draws: [VariantDraw]
    /// What was delivered: the drawn one, or, where that lacks a cell, the next that has all. Spec: [R-ORDER-19].
    public let deliveries: [VariantDraw]

    init(drawn: [VariantDraw], delivered: [VariantDraw]) {
        draws = drawn
        deliveries = delivered
    }

    /// The variants alone: of a part with one axis, all there is to know.
    public var drawn: [Int] { draws.map(\.variant) }
    public var delivered: [Int] { deliveries.map(\.variant) }
    /// Samples whose drawn variant could not be delivered.
    public var replaced: [Int] { draws.indices.filter { draws[$0] != deliveries[$0] } }
}

/// The image side of a batch: one view of each image.
public struct ImagePart: Sendable {
    let part: PairedBatch.BatchPart
    /// Encoded images, or locators (`Locator`), as stored; nil if not asked for, or not in the data set.
    public let values: BatchValues?

    public var views: VariantChoice { part.choice }
    /// `[B, D]` for each column of image embeddings, or one of all side by side; empty if not asked for.
    public var embeddings: [BatchMatrix] { part.embeddings }
    /// The embeddings of one teacher, as a view; nil for a teacher that the schema does not name, or not asked for.
    public func embeddings(ofTeacher name: String) -> BatchMatrix? {
        part.batch.context.teacherSlice(name, part: part.number).flatMap { slice in
            part.layout.embeddings.isEmpty
                ? nil
                : BatchMatrix(part.layout.embeddings[slice.matrix], part.batch.lease, rowCount: part.batch.count)
                    .columns(slice.range)
        }
    }
    /// How each view was made from its image; nil if not asked for, or not in the data set.
    public var augmentations: AugmentationRows? {
        part.layout.augmentations.map { AugmentationRows(values: part.batch.values($0)) }
    }
}

/// The records of a batch, parsed when they are asked for.
public struct AugmentationRows: Sendable {
    /// The stored bytes, checked. Spec: FORMAT.md section 6.2.
    public let values: BatchValues
    public var count: Int { values.count }
    /// - Throws: `.unsupportedFeature` for items that are newer than this library.
    public func augmentation(_ sample: Int) throws(ShardError) -> Augmentation {
        try Augmentation(parsing: values[sample] ?? [])
    }
}

/// One caption of each image.
public struct CaptionPart: Sendable {
    let part: PairedBatch.BatchPart
    public var captions: VariantChoice { part.choice }
    /// `[B, D]` for each column of text embeddings, or one of all side by side; empty if not asked for.
    public var embeddings: [BatchMatrix] { part.embeddings }
    /// The embeddings of one teacher, as a view; nil for a teacher that the schema does not name, or not asked for.
    public func embeddings(ofTeacher name: String) -> BatchMatrix? {
        ImagePart(part: part, values: nil).embeddings(ofTeacher: name)
    }
    /// Nil if not asked for, or not in the data set.
    public var tokens: TokenBatch? { part.tokens }
    /// Nil if not asked for, or not in the data set.
    public var texts: [String]? {
        part.layout.texts.map { number in
            let values = part.batch.values(number)
            return (0..<values.count).map { String(decoding: values[$0] ?? [], as: UTF8.self) }
        }
    }
}

/// Tokens as models take them: the start token, the caption's, the end token, then zeros up to the context length. A
/// caption that is too long is cut, and its last token is the end token.
public struct TokenBatch: Sendable {
    /// `[B, context length]` of i32, i64 or u16.
    public let ids: BatchMatrix
    /// `[B, 1]` of i32: tokens of each row, start and end counted.
    public let lengthNumbers: BatchMatrix
    public var lengths: [Int] { (0..<lengthNumbers.rowCount).map { Int(lengthNumbers.int32s(row: $0)[0]) } }
}
