package import DRShardFormat

/// One row of a data set as a source gives it, before it is joined with captions and images and stored.
package struct SourceRow: Sendable {
    /// An embedding: a row of one of the row's matrices, or none. A tar has all that it says it has; arrays may not.
    package enum Cell: Sendable, Equatable {
        case row(matrix: Int, row: Int)
        /// Absent or lost.
        case missing(CellState)
    }

    /// A matrix of embeddings, `[rows, dims]`, and its name for errors.
    package struct Matrix: Sendable {
        package var name: String
        package var array: ForeignArray
    }

    /// Synthetic captions of one captioner.
    package struct CaptionSet: Sendable {
        /// `syn_text`, or `syn_text_` and the captioner's name.
        package var key: String
        /// One for each embedding, nil for one that is missing; nil: the source has embeddings alone.
        package var texts: [String?]?
        package var embeddings: [Cell]
    }

    /// The bytes of an image file, and where they lie.
    package struct Image: Sendable {
        /// The name of the tar or file, without its folder.
        package var container: String
        package var position: UInt64
        package var bytes: [UInt8]
        /// Width and height in the file's header; nil for a kind that is not known.
        package var size: ImageSize?
    }

    /// 32 lower-case hexadecimal digits.
    package var uid: String
    package var sha256: String?
    package var url: String?
    /// The real caption, the image, and the size of the original that crops are in: the source's own, or joined.
    package var caption: String?
    package var image: Image?
    package var originalSize: ImageSize?
    /// One for each view, nil for one that is missing; empty if there are none.
    package var augmentations: [Augmentation?] = []
    package var matrices: [Matrix]
    /// One for each view.
    package var views: [Cell]
    /// Of the real caption; nil: the source has none.
    package var realEmbedding: Cell?
    package var captionSets: [CaptionSet] = []
    package var loneSurrogateCount = 0

    package var element: ElementType { matrices[0].array.element }
    package var dims: Int { matrices[0].array.shape[1] }
}

/// The rows of one input, which become a shard.
///
/// Conformers: `TarRowSource`, `ArrayRowSource`. One thread at a time.
package protocol RowSource: AnyObject {
    /// The next row; nil behind the last one.
    /// - Throws: what is wrong with it, with its place in the input. If `canGoOn`, the row alone is lost.
    func next() throws(ShardError) -> SourceRow?

    /// Whether the last error was about one row alone.
    var canGoOn: Bool { get }
    /// The row that `next` gave or failed at, for people; nil if it is not known.
    var rowName: String? { get }
    /// Where that row begins in the input, if the input is one file.
    var rowPosition: UInt64? { get }
    /// Bytes of the input that are done.
    var doneByteCount: UInt64 { get }
}
