public import DRShardFormat

/// Which process of a job asks.
public struct World: Hashable, Sendable {
    /// From 0.
    public var rank: Int
    public var worldSize: Int
    public init(rank: Int = 0, worldSize: Int = 1) {
        self.rank = rank
        self.worldSize = worldSize
    }
}

/// What becomes of the rows behind the last full batch.
public enum Tail: Sendable {
    /// They are left out of this epoch: all batches have the same size.
    case drop
    /// They are a last, shorter batch.
    case short
}

/// What, besides the rows, an epoch's order hangs on.
public struct PlanOptions: Hashable, Sendable {
    public var seed: UInt64 = 0
    /// Rows of a global batch: of all ranks together. A multiple of the world size.
    public var batchSize = 256
    public var tail = Tail.drop
    public var world = World()
    public init() {}
}

/// Which rows and variants an epoch delivers at which step: a pure function of the row set, the options and the epoch.
///
/// The order of rows is global: place p of the epoch has row `KeyedPermutation(count: rowCount, key: key("rows"))[p]`.
/// Global batch s is places `[s · batchSize, (s + 1) · batchSize)`; rank r of w has the part
/// `[start + m · r / w, start + m · (r + 1) / w)` of its m places, rounded down: the w-th part of a full batch.
/// On the axis NAME, row i has variant `Draw(key: key("axis NAME")).index(row: i, count: variantCount)`.
/// `key` is `OrderKey.key` with the row set's digest, the seed and the epoch.
public struct EpochPlan: Sendable {
    public let rowSetDigest: SequenceDigest
    public let rowCount: Int
    public let epoch: Int
    public let options: PlanOptions
    /// Global batches of the epoch.
    public let stepCount: Int
    private let permutation: KeyedPermutation

    /// - Throws: `.invalidArgument` for options that cannot be, or a negative epoch. Cost: O(1).
    public init(rowSetDigest: SequenceDigest, rowCount: Int, epoch: Int, options: PlanOptions) throws(ShardError) {
        try EpochPlan.check(options)
        guard epoch >= 0 else { throw .invalidArgument("epoch \(epoch): epochs are counted from 0") }
        guard rowCount >= 0 else { throw .invalidArgument("\(rowCount) rows") }
        self.rowSetDigest = rowSetDigest
        self.rowCount = rowCount
        self.epoch = epoch
        self.options = options
        let full = rowCount / options.batchSize
        stepCount = options.tail == .short && rowCount % options.batchSize > 0 ? full + 1 : full
        permutation = KeyedPermutation(
            count: rowCount,
            key: OrderKey.key(rowSetDigest: rowSetDigest, seed: options.seed, epoch: UInt64(epoch), stream: "rows"))
    }

    static func check(_ options: PlanOptions) throws(ShardError) {
        let world = options.world
        guard world.worldSize >= 1, world.rank >= 0, world.rank < world.worldSize else {
            throw .invalidArgument("rank \(world.rank) of \(world.worldSize): ranks are counted from 0")
        }
        guard options.batchSize >= 1 else { throw .invalidArgument("a batch of \(options.batchSize) rows") }
        guard options.batchSize % world.worldSize == 0 else {
            throw .invalidArgument(
                "a global batch of \(options.batchSize) rows cannot be shared equally by \(world.worldSize) ranks")
        }
    }

    /// This rank's places of the epoch at a step; none for a rank to whom a short last batch leaves nothing.
    public func places(step: Int) -> Range<Int> {
        precondition(step >= 0 && step < stepCount, "step \(step) of \(stepCount)")
        let start = step * options.batchSize
        let count = min(options.batchSize, rowCount - start)
        let world = options.world
        return start + part(count, world.rank)..<start + part(count, world.rank + 1)
    }

    /// `count · rank / worldSize`, without overflow.
    private func part(_ count: Int, _ rank: Int) -> Int {
        let (quotient, remainder) = count.quotientAndRemainder(dividingBy: options.world.worldSize)
        return quotient * rank + remainder * rank / options.world.worldSize
    }

    /// The row at a place of the epoch.
    public func row(place: Int) -> Int { permutation[place] }

    /// This rank's rows at a step, in the order of the batch.
    public func rows(step: Int) -> [Int] { places(step: step).map { permutation[$0] } }

    /// The draws on an axis.
    public func draw(axis name: String) -> Draw {
        Draw(
            key: OrderKey.key(
                rowSetDigest: rowSetDigest, seed: options.seed, epoch: UInt64(epoch), stream: "axis " + name))
    }
}
