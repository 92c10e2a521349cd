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

    /// All that a training step uses.
    public static let training: BatchContent = [.rowIDs, .embeddings, .augmentations, .tokens]
}

/// How a data set is loaded.
public struct LoaderOptions: Hashable, Sendable {
    public var plan = PlanOptions()
    public var content = BatchContent.training
    /// Names of the axes of views and captions; nil: the only one of its kind.
    public var viewAxis: String?
    public var realAxis: String?
    public var syntheticAxis: String?
    /// Name of the tokenizer whose tokens are wanted; nil: the only one.
    public var tokenizer: String?
    public init() {}
}
