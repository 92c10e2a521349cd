public import DRShardFormat

/// A place of a batch, as the plan fills it.
public struct PlannedSample: Hashable, Sendable {
    /// Which set of a mix.
    public let set: Int
    /// The epoch of that set.
    public let setEpoch: Int
    /// The logical row that the order names.
    public let named: Int
    /// The logical row that is delivered: another one only for a row on a quarantine list.
    public let row: Int
    /// Whether a padded last batch repeats it.
    public let isRepetition: Bool
    /// The draws of its parts; nil for a part without axes.
    public let view: VariantDraw?
    public let real: VariantDraw?
    public let synthetic: VariantDraw?

    package init(
        set: Int, setEpoch: Int, named: Int, row: Int, isRepetition: Bool, view: VariantDraw?, real: VariantDraw?,
        synthetic: VariantDraw?
    ) {
        self.set = set
        self.setEpoch = setEpoch
        self.named = named
        self.row = row
        self.isRepetition = isRepetition
        self.view = view
        self.real = real
        self.synthetic = synthetic
    }
}

/// Which rows and variants an epoch delivers at which step: a pure function of the rows, the options and the epoch.
/// Spec: ORDER.md. Cost: O(1) time and memory for any step, whatever the number of rows.
public struct EpochPlan: Sendable {
    public let sets: [PlannedSet]
    public let shape: PlanShape
    public let world: World
    public let epoch: Int
    /// Global batches of the epoch.
    public let stepCount: Int
    let clock: LaneClock
    /// Of a single set.
    let single: SetEpoch?

    /// - Throws: `.invalidArgument` for options that cannot be, or a negative epoch.
    public init(sets: [PlannedSet], epoch: Int, options: PlanOptions) throws(ShardError) {
        let shape = try options.shape()
        try EpochPlan.check(sets, shape)
        guard epoch >= 0, epoch < 1 << 53 else { throw .invalidArgument("epoch \(epoch): epochs are counted from 0") }
        self.sets = sets
        self.shape = shape
        self.epoch = epoch
        world = options.world
        let rowCount = sets.reduce(0) { $0 + $1.rowCount }
        let full = rowCount / shape.batchSize
        let isSingle = sets.count == 1
        if isSingle {
            stepCount = shape.tail != .drop && rowCount % shape.batchSize > 0 ? full + 1 : full
        } else {
            stepCount = shape.epochSteps ?? full
        }
        try EpochPlan.checkPlaces(epoch: epoch, stepCount: stepCount, shape, isMixed: !isSingle)
        clock = LaneClock(sets: sets, shape: shape, epoch: epoch, stepCount: stepCount)
        single = isSingle ? SetEpoch(sets[0], epoch: epoch, shape: shape) : nil
    }

    private static func check(_ sets: [PlannedSet], _ shape: PlanShape) throws(ShardError) {
        guard !sets.isEmpty else { throw .invalidArgument("a plan without a set") }
        let isMixed = sets.count > 1
        for set in sets { try set.check(shape, isMixed: isMixed) }
        guard isMixed else {
            guard shape.epochSteps == nil else {
                throw .invalidArgument("an epoch of one set has the steps that its rows fill")
            }
            return
        }
        guard shape.order != .none else { throw .invalidArgument("several sets cannot be mixed in the order none") }
        guard shape.tail == .drop else {
            throw .invalidArgument("an epoch of several sets ends with a full batch: its tail can only be drop")
        }
        guard sets.reduce(0, { $0 + $1.weight }) <= PlanShape.maximumWeight else {
            throw .invalidArgument("the weights of the sets add up to more than \(PlanShape.maximumWeight)")
        }
    }

    /// Spec: [R-ORDER-2].
    private static func checkPlaces(epoch: Int, stepCount: Int, _ shape: PlanShape, isMixed: Bool) throws(ShardError) {
        guard isMixed else { return }
        let (steps, overflow) = (epoch + 1).multipliedReportingOverflow(by: stepCount)
        let (places, another) = steps.multipliedReportingOverflow(by: shape.laneRows)
        guard !overflow, !another, places <= 1 << 62 else {
            throw .invalidArgument("epoch \(epoch) of the mix lies too far ahead")
        }
    }

    package func setEpoch(_ set: Int, _ epoch: Int) -> SetEpoch {
        single ?? SetEpoch(sets[set], epoch: epoch, shape: shape)
    }

    // MARK: Ranks

    /// The lanes of the plan's rank. Spec: [R-ORDER-15].
    public var lanes: Range<Int> {
        let count = shape.lanes / world.worldSize
        return world.rank * count..<(world.rank + 1) * count
    }

    /// Rows of a lane at a step, which exists.
    func rowCount(lane: Int, step: Int) -> Int {
        guard let single, shape.tail == .short, step == stepCount - 1 else { return shape.laneRows }
        return min(shape.laneRows, single.order.placeCount(lane: lane) - step * shape.laneRows)
    }

    /// The rank's place in its batch of a lane's first row at a step, which exists; of the lane behind its last one: the
    /// number of its rows.
    func slotStart(lane: Int, step: Int) -> Int {
        let first = lanes.lowerBound
        guard let single, shape.tail == .short, step == stepCount - 1 else { return (lane - first) * shape.laneRows }
        let before = step * shape.laneRows
        if shape.order == .none { return (first..<lane).reduce(0) { $0 + rowCount(lane: $1, step: step) } }
        return single.order.laneStart(lane) - single.order.laneStart(first) - (lane - first) * before
    }

    /// The rank's rows at a step; none for a rank to whom a short last batch leaves nothing.
    public func sampleCount(step: Int) -> Int {
        precondition(step >= 0 && step < stepCount, "step \(step) of \(stepCount)")
        return slotStart(lane: lanes.upperBound, step: step)
    }

    /// Logical rows of all sets.
    var rowTotal: Int { sets.reduce(0) { $0 + $1.rowCount } }

    /// The most steps that the rows of one portion may go to.
    package var largestSpan: Int {
        guard shape.order == .blocks, stepCount > 0 else { return 1 }
        let smallest = sets.map(\.weight).min() ?? 1
        let total = sets.reduce(0) { $0 + $1.weight }
        let window = min(shape.windowRows, sets.map(\.rowCount).max() ?? 1)
        let places = sets.count == 1 ? window : (window / smallest + 2) * total
        return min(stepCount, places / shape.laneRows + 2)
    }

    // MARK: Samples

    /// The rank's samples at a step, in the order of the batch. Cost: O(samples).
    /// - Throws: `.limitExceeded` if nearly all rows are on the quarantine list.
    public func samples(step: Int) throws(ShardError) -> [PlannedSample] {
        var samples: [PlannedSample] = []
        samples.reserveCapacity(sampleCount(step: step))
        var epochs: [SetPlace: SetEpoch] = [:]
        for lane in lanes {
            for i in 0..<rowCount(lane: lane, step: step) {
                let place = clock.place(lane: lane, step: step, i)
                let key = SetPlace(set: place.set, epoch: place.epoch)
                let setEpoch = epochs[key] ?? setEpoch(place.set, place.epoch)
                epochs[key] = setEpoch
                samples.append(try sample(place, lane: lane, setEpoch))
            }
        }
        return samples
    }

    private struct SetPlace: Hashable {
        let set: Int
        let epoch: Int
    }

    private func sample(_ place: LaneClock.Place, lane: Int, _ setEpoch: SetEpoch) throws(ShardError) -> PlannedSample {
        let (named, isRepetition) = setEpoch.order.namedRow(lane: lane, place: place.place)
        let row = try setEpoch.delivered(named)
        let draws = setEpoch.parts.map { $0?.draw(row: row) }
        return PlannedSample(
            set: place.set, setEpoch: place.epoch, named: named, row: row, isRepetition: isRepetition, view: draws[0],
            real: draws[1], synthetic: draws[2])
    }

    /// The rank's logical rows at a step, in the order of the batch, as the order names them.
    public func rows(step: Int) throws(ShardError) -> [Int] { try samples(step: step).map(\.named) }
}

extension SetOrder {
    /// The row at a place of a lane; behind the last place, what a padded batch repeats. Spec: [R-ORDER-16].
    func namedRow(lane: Int, place: Int) -> (row: Int, isRepetition: Bool) {
        let count = placeCount(lane: lane)
        guard place >= count else { return (row(lane: lane, place: place), false) }
        guard shape.order == .none else { return (row(lane: lane, place: place % count), true) }
        return (row(lane: lane, place: place) % rowCount, true)
    }
}
