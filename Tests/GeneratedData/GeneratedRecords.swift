internal import DRConvert
public import DRShardFormat

/// Made-up token ids: the frequencies of words as Zipf has them, over a vocabulary of the size of CLIP's.
public struct GeneratedCaptions {
    public static let vocabularySize = 49_408
    /// Their numbers are never drawn.
    public static let start: UInt32 = 49_406, end: UInt32 = 49_407
    public static let contextLength = 77
    private static let wordCount = 49_405

    private var generator: SampleGenerator
    /// Of each rank: the sum of the weights up to it.
    private var sums: [UInt64] = []
    private let lengths: ClosedRange<Int>

    /// - Parameter lengths: tokens of a caption are the mean of two draws from this, without start and end.
    public init(lengths: ClosedRange<Int> = 4...22, seed: UInt64) {
        generator = SampleGenerator(seed: seed)
        self.lengths = lengths
        var sum: UInt64 = 0
        for rank in 0..<Self.wordCount {
            sum += (1 << 40) / UInt64(rank + 3)
            sums.append(sum)
        }
    }

    public mutating func next() -> [UInt16] {
        let count = (generator.integer(lengths) + generator.integer(lengths)) / 2
        return (0..<count).map { _ in word() }
    }

    private mutating func word() -> UInt16 {
        let draw = generator.next().multipliedFullWidth(by: sums[sums.count - 1]).high
        var low = 0
        var high = sums.count - 1
        while low < high {
            let middle = (low + high) / 2
            if draw < sums[middle] { high = middle } else { low = middle + 1 }
        }
        // Frequent words have ids all over the vocabulary.
        return UInt16((low * 20_011 + 320) % Self.wordCount)
    }

    public static let tokenizer = Tokenizer(
        name: "generated", vocabularySHA256: Array(repeating: 0, count: 32), vocabularySize: UInt32(vocabularySize),
        contextLength: UInt32(contextLength), start: start, end: end)
}

/// Made-up augmentation records as DataCompDR has them: one crop, then two operations of RandAugment.
public struct GeneratedAugmentations {
    private var generator: SampleGenerator

    public init(seed: UInt64) { generator = SampleGenerator(seed: seed) }

    /// Records of the views of one image.
    public mutating func next(viewCount: Int) -> [Augmentation] {
        let size = ImageSize(width: generator.integer(200...2000), height: generator.integer(200...2000))
        return (0..<viewCount).map { _ in
            let drawn = SampleAugmentation.draw(size, &generator)
            return Augmentation(items: [.crop(drawn.box), .randAugment(drawn.operations)])
        }
    }

    /// What the records' numbers mean.
    public static var operations: [OperationEntry] { RandAugment.table(of: []) }
}
