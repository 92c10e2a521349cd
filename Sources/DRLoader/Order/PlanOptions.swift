package import DRShardFormat

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

/// How far rows are mixed. Spec: ORDER.md section 4.
public enum RowOrder: String, Hashable, Codable, Sendable, CaseIterable {
    /// Blocks of rows in a random order, and their rows shuffled inside a window: reads are long and in sequence.
    case blocks
    /// Every row may come at any place: reads are single cells.
    case global
    /// As the data set has them.
    case none
}

/// How views and captions are drawn. Spec: ORDER.md section 6.
public enum VariantMode: String, Hashable, Codable, Sendable, CaseIterable {
    /// All rows of a block have the same variant, and each variant once in as many epochs as there are. On an axis whose
    /// variants are not exchangeable: as `independent`.
    case balanced
    /// Variant `epoch mod count` for all rows.
    case epoch
    /// A uniform draw for every row.
    case independent
}

/// What becomes of the rows behind the last full batch. Spec: [R-ORDER-16].
public enum Tail: String, Hashable, Codable, Sendable, CaseIterable {
    /// They are left out of this epoch: all batches have the same size.
    case drop
    /// They are a last batch, filled up with repetitions, which are marked.
    case pad
    /// They are a last, shorter batch.
    case short
}

/// What, besides the rows, an epoch's order hangs on.
public struct PlanOptions: Hashable, Sendable {
    public var seed: UInt64 = 0
    /// Rows of a global batch: of all ranks together.
    public var batchSize = 256
    /// Parts into which the epoch is cut, each read in sequence. A divisor of the batch size, and a multiple of every
    /// world size that shall be possible; nil: a power of two from 8 to 64 that leaves 32 rows of a batch to a lane,
    /// or the greatest divisor of the batch size in common with that.
    public var lanes: Int?
    /// Rows that are read together.
    public var blockRows = 256
    /// Blocks of a lane in play; nil: as many as keep 8 global batches and 32 blocks of all lanes in play.
    public var windowBlocks: Int?
    public var order = RowOrder.blocks
    public var variants = VariantMode.balanced
    public var tail = Tail.drop
    /// Steps of an epoch of several sets; nil: as many as their rows fill.
    public var epochSteps: Int?
    public var world = World()
    public init() {}

    /// All numbers, checked.
    /// - Throws: `.invalidArgument` for options that cannot be. Spec: [R-ORDER-1], [R-ORDER-2].
    package func shape() throws(ShardError) -> PlanShape {
        guard (1...PlanShape.maximumCount).contains(batchSize) else {
            throw .invalidArgument("a batch of \(batchSize) rows")
        }
        let lanes = lanes ?? PlanShape.defaultLanes(batchSize: batchSize)
        guard (1...PlanShape.maximumLanes).contains(lanes), batchSize % lanes == 0 else {
            throw .invalidArgument("\(lanes) lanes cannot share a batch of \(batchSize) rows equally")
        }
        guard (1...PlanShape.maximumCount).contains(blockRows) else {
            throw .invalidArgument("blocks of \(blockRows) rows")
        }
        let windowBlocks =
            windowBlocks ?? PlanShape.defaultWindow(batchSize: batchSize, lanes: lanes, blockRows: blockRows)
        guard (1...PlanShape.maximumCount).contains(windowBlocks) else {
            throw .invalidArgument("a window of \(windowBlocks) blocks")
        }
        guard (1...PlanShape.maximumCount).contains(epochSteps ?? 1) else {
            throw .invalidArgument("an epoch of \(epochSteps ?? 0) steps")
        }
        guard world.worldSize >= 1, world.rank >= 0, world.rank < world.worldSize else {
            throw .invalidArgument("rank \(world.rank) of \(world.worldSize): ranks are counted from 0")
        }
        guard lanes % world.worldSize == 0 else {
            throw .invalidArgument(
                "\(lanes) lanes cannot be shared equally by \(world.worldSize) ranks; give a number of lanes that can")
        }
        return PlanShape(
            seed: seed, batchSize: batchSize, lanes: lanes, blockRows: blockRows, windowBlocks: windowBlocks,
            order: order, variants: variants, tail: tail, epochSteps: epochSteps)
    }
}

/// The numbers of a plan that make its order: the same for all ranks.
public struct PlanShape: Hashable, Sendable {
    public let seed: UInt64
    public let batchSize: Int
    public let lanes: Int
    public let blockRows: Int
    public let windowBlocks: Int
    public let order: RowOrder
    public let variants: VariantMode
    public let tail: Tail
    public let epochSteps: Int?

    static let maximumLanes = 65_536
    static let maximumCount = 1 << 31
    /// Of the axes of a part, and of the sets of a mix.
    static let maximumWeight = 65_536

    /// Rows of a batch in each lane.
    public var laneRows: Int { batchSize / lanes }
    /// Rows of a lane's window.
    public var windowRows: Int { windowBlocks * blockRows }

    static func defaultLanes(batchSize: Int) -> Int {
        var lanes = 8
        while lanes < 64, batchSize / (2 * lanes) >= 32 { lanes *= 2 }
        return greatestCommonDivisor(lanes, batchSize)
    }

    static func defaultWindow(batchSize: Int, lanes: Int, blockRows: Int) -> Int {
        let rows = (8 * batchSize + lanes * blockRows - 1) / (lanes * blockRows)
        return max(rows, (32 + lanes - 1) / lanes)
    }

    private static func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int {
        b == 0 ? a : greatestCommonDivisor(b, a % b)
    }
}
