internal import DRShardFormat

/// Which place of which set a lane's places are: of a single set its own, of a mix the sets' by their weights, both ways.
/// Spec: [R-ORDER-12], [R-ORDER-22], [R-ORDER-23].
struct LaneClock: Sendable {
    /// A place of a lane in one epoch of a set.
    struct Place: Equatable {
        let set: Int
        let epoch: Int
        let place: Int
    }

    private let laneRows: Int
    private let epoch: Int
    private let stepCount: Int
    private let weights: [Int]
    private let totalWeight: Int
    private let key: UInt64
    /// Places of a lane of each set of a mix: `rows · (lane + 1) / lanes − rows · lane / lanes`.
    private let rowCounts: [Int]
    private let laneCount: Int

    init(sets: [PlannedSet], shape: PlanShape, epoch: Int, stepCount: Int) {
        laneRows = shape.laneRows
        laneCount = shape.lanes
        self.epoch = epoch
        self.stepCount = stepCount
        weights = sets.map(\.weight)
        totalWeight = weights.reduce(0, +)
        rowCounts = sets.map(\.rowCount)
        guard sets.count > 1 else {
            key = 0
            return
        }
        key = OrderKey.key(rowSetDigest: Self.digest(sets), seed: shape.seed, epoch: 0, stream: "mix")
    }

    /// Spec: [R-ORDER-22].
    private static func digest(_ sets: [PlannedSet]) -> UInt128 {
        var bytes = Array("drshard-mix".utf8)
        for set in sets {
            OrderKey.append(set.rowSetDigest.value, to: &bytes)
            OrderKey.append(UInt32(set.weight), to: &bytes)
        }
        return OrderKey.number(SHA256.digest(bytes)[0..<16])
    }

    private var isMixed: Bool { weights.count > 1 }

    /// Places of a lane in an epoch of a set of a mix.
    func placeCount(set: Int, lane: Int) -> Int {
        let (quotient, remainder) = rowCounts[set].quotientAndRemainder(dividingBy: laneCount)
        return quotient + remainder * (lane + 1) / laneCount - remainder * lane / laneCount
    }

    private func permutation(lane: Int, period: Int) -> KeyedPermutation {
        KeyedPermutation(
            count: totalWeight, key: OrderKey.output(OrderKey.output(key, UInt64(lane)), UInt64(period)))
    }

    private func weightBefore(_ set: Int) -> Int { weights[..<set].reduce(0, +) }

    /// What lane `lane` has at its row `i` of a step.
    func place(lane: Int, step: Int, _ i: Int) -> Place {
        let place = step * laneRows + i
        guard isMixed else { return Place(set: 0, epoch: epoch, place: place) }
        let (period, rest) = (epoch * stepCount * laneRows + place).quotientAndRemainder(dividingBy: totalWeight)
        let ticket = permutation(lane: lane, period: period)[rest]
        var set = 0
        var before = 0
        while ticket >= before + weights[set] {
            before += weights[set]
            set += 1
        }
        let visit = period * weights[set] + ticket - before
        let count = placeCount(set: set, lane: lane)
        return Place(set: set, epoch: visit / count, place: visit % count)
    }

    /// Where in this epoch a lane delivers a place of a set: its own place, or a negative number or one behind its last
    /// one for what belongs to another epoch.
    func lanePlace(lane: Int, of place: Place) -> Int {
        guard isMixed else { return place.place }
        let visit = place.epoch * placeCount(set: place.set, lane: lane) + place.place
        let period = visit / weights[place.set]
        let ticket = weightBefore(place.set) + visit % weights[place.set]
        return period * totalWeight + permutation(lane: lane, period: period).place(of: ticket)
            - epoch * stepCount * laneRows
    }

    /// Places of a set that a lane delivers at steps from `step` on, counted through all of its epochs; there may be a few
    /// more at both ends.
    func visits(set: Int, lane: Int, from step: Int) -> Range<Int> {
        let start = (epoch * stepCount + step) * laneRows
        let end = (epoch + 1) * stepCount * laneRows
        guard start < end else { return 0..<0 }
        return start / totalWeight * weights[set]..<((end - 1) / totalWeight + 1) * weights[set]
    }

    /// The first and the last step at which visits of a set may be delivered, not cut to the epoch.
    func steps(set: Int, visits: Range<Int>) -> ClosedRange<Int> {
        let first = visits.lowerBound / weights[set] * totalWeight
        let last = ((visits.upperBound - 1) / weights[set] + 1) * totalWeight - 1
        let base = epoch * stepCount
        return
            (isMixed ? first / laneRows - base : visits.lowerBound / laneRows)...(isMixed
            ? last / laneRows - base : (visits.upperBound - 1) / laneRows)
    }
}
