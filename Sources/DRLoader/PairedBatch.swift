public import DRShardFormat

/// Two batches over the same images: images with real captions, and images with synthetic ones.
public struct PairedBatch: Sendable {
    public let epoch: Int
    /// In the epoch; the same on all ranks.
    public let step: Int
    /// Rows of the data set, in the order of the batch.
    public let rows: [Int]
    /// `[B, id bytes]`; nil if not asked for. A lost id is zero.
    public let rowIDs: BatchMatrix?
    public let image: ImagePart
    public let real: CaptionPart
    public let synthetic: CaptionPart

    /// Samples.
    public var count: Int { rows.count }

    /// Bytes of its matrices.
    public var byteCount: Int {
        let matrices = [rowIDs, real.tokens?.ids, synthetic.tokens?.ids].compactMap { $0 }
        return (matrices + image.embeddings + real.embeddings + synthetic.embeddings).reduce(0) {
            $0 + $1.buffer.byteCount
        }
    }
}

/// Which variants of an axis a batch has.
public struct VariantChoice: Hashable, Sendable {
    /// What the plan drew, for each sample.
    public let drawn: [Int]
    /// What was delivered: the drawn one, or, where that lacks a cell, the next that has all; behind the last comes the
    /// first.
    public let delivered: [Int]

    /// Samples whose drawn variant could not be delivered.
    public var replaced: [Int] { drawn.indices.filter { drawn[$0] != delivered[$0] } }
}

/// The image side of a batch: one view of each image.
public struct ImagePart: Sendable {
    public let views: VariantChoice
    /// `[B, D]` for each column of image embeddings, in the stored element type; empty if not asked for.
    public let embeddings: [BatchMatrix]
    /// How each view was made from its image; nil if not asked for, or not in the data set.
    public let augmentations: [Augmentation]?
}

/// One caption of each image.
public struct CaptionPart: Sendable {
    public let captions: VariantChoice
    /// `[B, D]` for each column of text embeddings, in the stored element type; empty if not asked for.
    public let embeddings: [BatchMatrix]
    /// Nil if not asked for, or not in the data set.
    public let tokens: TokenBatch?
    /// Nil if not asked for, or not in the data set.
    public let texts: [String]?
}

/// Tokens as models take them: the start token, the caption's, the end token, then zeros up to the context length. A
/// caption that is too long is cut, and its last token is the end token.
public struct TokenBatch: Sendable {
    /// `[B, context length]` of i32.
    public let ids: BatchMatrix
    /// Tokens of each row, start and end counted.
    public let lengths: [Int]
}
