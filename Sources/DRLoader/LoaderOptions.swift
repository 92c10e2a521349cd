public import DRShardFormat

/// Parts of a batch; what is not asked for is not read.
public struct BatchContent: OptionSet, Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let rowIDs = BatchContent(rawValue: 1 << 0)
    /// Of images, and of both captions.
    public static let embeddings = BatchContent(rawValue: 1 << 1)
    public static let augmentations = BatchContent(rawValue: 1 << 2)
    public static let tokens = BatchContent(rawValue: 1 << 3)
    public static let texts = BatchContent(rawValue: 1 << 4)
    /// Encoded images, or their locators, as the data set has them.
    public static let images = BatchContent(rawValue: 1 << 5)

    /// All that a training step uses.
    public static let training: BatchContent = [.embeddings, .augmentations, .tokens]
}

/// An axis that a part of a batch draws from.
public struct AxisChoice: Hashable, Sendable {
    public var name: String
    /// How often it is drawn, against the part's other axes: of 3 and 1, three times in four.
    public var weight: Int
    public init(_ name: String, weight: Int = 1) {
        self.name = name
        self.weight = weight
    }
}

/// What becomes of damage that is found while a loader runs. It has then been read twice.
public enum DamagePolicy: Hashable, Sendable {
    /// The run ends at the batch that needs it, with the lines to add to the quarantine list.
    case raise
    /// The rows are replaced as if they stood on the list, and counted; the run ends when there are more than
    /// `maximumRows` of them.
    case substitute(maximumRows: Int)
}

/// How a data set is loaded.
public struct LoaderOptions: Hashable, Sendable {
    public var plan = PlanOptions()
    public var content = BatchContent.training
    /// Axes of views, real captions and synthetic captions; empty: the only one of its kind.
    public var views: [AxisChoice] = []
    public var real: [AxisChoice] = []
    public var synthetic: [AxisChoice] = []
    /// Name of the tokenizer whose tokens are wanted; nil: the only one.
    public var tokenizer: String?
    /// What embeddings become: bf16, f16 or f32; nil: as they are stored.
    public var embeddingElement: ElementType?
    /// Whether the embedding columns of a part stand side by side in one matrix.
    public var joinsEmbeddings = false
    /// What token ids become: i32, i64, or u16 if all ids fit.
    public var tokenElement = ElementType.i32
    public var damage = DamagePolicy.raise
    /// Threads that read and decode; nil: one a core, at most 8.
    public var threadCount: Int?
    /// Bytes of batches that are made ahead, at least. What the plan's window needs comes first, however much that is.
    public var prefetchByteCount = 64 << 20
    /// Bytes that the system is asked to fetch ahead of the threads; 0: none. For files that are not in memory.
    public var readAheadByteCount = 64 << 20
    public init() {}
}
