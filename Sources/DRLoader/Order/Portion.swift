internal import DRShardFormat

/// What a loader reads together: rows that lie near each other, and where they go.
package struct Portion: Sendable {
    enum Content: Sendable {
        /// Some of one block in a window of a lane. Positions are of the sequence.
        case piece(set: Int, epoch: SetEpoch, lane: Int, window: SetOrder.Window, positions: Range<Int>)
        /// All of the rank's rows at a step.
        case step(Int)
        /// What a padded last batch repeats.
        case repetitions(Int)
    }

    let content: Content
    /// The steps that it may go to.
    package let steps: ClosedRange<Int>
}

/// A row, and its place in a batch of the rank.
package struct PlacedRow: Sendable {
    package let named: Int
    package let step: Int
    package let slot: Int
    package let isRepetition: Bool
}

/// Rows of one epoch of one set.
package struct PlacedRows: Sendable {
    package let set: Int
    package let epoch: SetEpoch
    package internal(set) var rows: [PlacedRow]
}

extension EpochPlan {
    /// The rows of a portion that belong to steps from `firstStep` on. Cost: some ns a row.
    package func rows(of portion: Portion, from firstStep: Int) -> [PlacedRows] {
        switch portion.content {
        case .piece(let set, let epoch, let lane, let window, let positions):
            return [
                PlacedRows(
                    set: set, epoch: epoch,
                    rows: rows(set, epoch, lane, window, positions, from: firstStep))
            ]
        case .step(let step): return grouped(step: step) { _ in true }
        case .repetitions(let step): return grouped(step: step) { $0 }
        }
    }

    private func rows(
        _ set: Int, _ epoch: SetEpoch, _ lane: Int, _ window: SetOrder.Window, _ positions: Range<Int>,
        from firstStep: Int
    ) -> [PlacedRow] {
        let start = epoch.order.laneStart(lane) + window.places.lowerBound
        let block = epoch.order.piece(position: positions.lowerBound)
        let wanted = firstStep * shape.laneRows..<stepCount * shape.laneRows
        var rows: [PlacedRow] = []
        rows.reserveCapacity(positions.count)
        let isMixed = sets.count > 1
        let first = (lane - lanes.lowerBound) * shape.laneRows
        let lastStep = stepCount - 1
        let lastSlot = stepCount > 0 ? slotStart(lane: lane, step: lastStep) : 0
        for position in positions {
            var place = window.places.lowerBound + window.permutation.place(of: position - start)
            if isMixed {
                place = clock.lanePlace(lane: lane, of: .init(set: set, epoch: epoch.number, place: place))
            }
            guard wanted.contains(place) else { continue }
            let (step, i) = place.quotientAndRemainder(dividingBy: shape.laneRows)
            rows.append(
                PlacedRow(
                    named: block.firstRow + position - block.positions.lowerBound, step: step,
                    slot: (step == lastStep ? lastSlot : first) + i, isRepetition: false))
        }
        return rows
    }

    /// The rank's rows at a step, by set and epoch, those of each in ascending order.
    private func grouped(step: Int, where isWanted: (_ isRepetition: Bool) -> Bool) -> [PlacedRows] {
        var groups: [PlacedRows] = []
        for lane in lanes {
            let slot = slotStart(lane: lane, step: step)
            for i in 0..<rowCount(lane: lane, step: step) {
                let place = clock.place(lane: lane, step: step, i)
                var group = groups.firstIndex { $0.set == place.set && $0.epoch.number == place.epoch }
                if group == nil {
                    groups.append(PlacedRows(set: place.set, epoch: setEpoch(place.set, place.epoch), rows: []))
                    group = groups.count - 1
                }
                guard let group else { continue }
                let (named, isRepetition) = groups[group].epoch.order.namedRow(lane: lane, place: place.place)
                guard isWanted(isRepetition) else { continue }
                groups[group].rows.append(
                    PlacedRow(named: named, step: step, slot: slot + i, isRepetition: isRepetition))
            }
        }
        return groups
    }
}

/// The portions of a rank's epoch from a step on, in the order in which they are needed.
package struct PortionSequence {
    private let plan: EpochPlan
    private let firstStep: Int
    private var streams: [LaneStream] = []
    private var nextStep: Int
    private var hasRepetitions: Bool
    /// Epochs of sets that streams are in.
    private var epochs: [SetEpoch?]

    package init(_ plan: EpochPlan, from step: Int) {
        self.plan = plan
        firstStep = step
        nextStep = step
        epochs = Array(repeating: plan.single, count: plan.sets.count)
        hasRepetitions = false
        guard step < plan.stepCount, plan.shape.order == .blocks else { return }
        hasRepetitions = plan.shape.tail == .pad && plan.sets.reduce(0, { $0 + $1.rowCount }) % plan.shape.batchSize > 0
        for lane in plan.lanes {
            for set in plan.sets.indices {
                let visits = PortionSequence.visits(plan, set: set, lane: lane, from: step)
                guard !visits.isEmpty else { continue }
                let count = plan.single == nil ? plan.clock.placeCount(set: set, lane: lane) : visits.upperBound
                streams.append(LaneStream(set: set, lane: lane, visits: visits, epochCount: count))
            }
        }
        for i in streams.indices { openWindow(i) }
    }

    private static func visits(_ plan: EpochPlan, set: Int, lane: Int, from step: Int) -> Range<Int> {
        guard let single = plan.single else { return plan.clock.visits(set: set, lane: lane, from: step) }
        let start = step * plan.shape.laneRows
        // Places behind the last step are dropped.
        let end = min(plan.stepCount * plan.shape.laneRows, single.order.placeCount(lane: lane))
        return start..<max(start, end)
    }

    /// The next portion; nil behind the last one.
    package mutating func next() -> Portion? {
        guard plan.shape.order == .blocks else {
            guard nextStep < plan.stepCount else { return nil }
            defer { nextStep += 1 }
            return Portion(content: .step(nextStep), steps: nextStep...nextStep)
        }
        guard let i = streams.indices.min(by: { streams[$0].firstStep < streams[$1].firstStep }),
            let window = streams[i].window, let epoch = streams[i].epoch
        else {
            guard hasRepetitions else { return nil }
            hasRepetitions = false
            let last = plan.stepCount - 1
            return Portion(content: .repetitions(last), steps: last...last)
        }
        let stream = streams[i]
        let end = min(epoch.order.piece(position: stream.position).positions.upperBound, stream.endPosition)
        let portion = Portion(
            content: .piece(
                set: stream.set, epoch: epoch, lane: stream.lane, window: window, positions: stream.position..<end),
            steps: max(stream.firstStep, firstStep)...min(stream.lastStep, plan.stepCount - 1))
        streams[i].position = end
        if end == stream.endPosition {
            streams[i].visit += window.places.upperBound - streams[i].place
            openWindow(i)
        }
        return portion
    }

    /// Goes to the window of a stream's next visit; behind the last one the stream ends.
    private mutating func openWindow(_ i: Int) {
        var stream = streams[i]
        guard stream.visit < stream.visits.upperBound else {
            stream.window = nil
            stream.firstStep = .max
            streams[i] = stream
            return
        }
        let number = plan.single == nil ? stream.visit / stream.epochCount : plan.epoch
        stream.place = plan.single == nil ? stream.visit % stream.epochCount : stream.visit
        let epoch = setEpoch(stream.set, number)
        let window = epoch.order.window(lane: stream.lane, place: stream.place)
        let start = epoch.order.laneStart(stream.lane)
        stream.epoch = epoch
        stream.window = window
        stream.position = start + window.places.lowerBound
        stream.endPosition = start + window.places.upperBound
        let visits = stream.visit..<stream.visit + window.places.upperBound - stream.place
        let steps = plan.clock.steps(set: stream.set, visits: visits)
        (stream.firstStep, stream.lastStep) = (steps.lowerBound, steps.upperBound)
        streams[i] = stream
    }

    private mutating func setEpoch(_ set: Int, _ number: Int) -> SetEpoch {
        if let known = epochs[set], known.number == number { return known }
        let epoch = plan.setEpoch(set, number)
        epochs[set] = epoch
        return epoch
    }
}

/// Where the reading of one lane of one set is.
private struct LaneStream {
    let set: Int
    let lane: Int
    /// Places of the lane that belong to the epoch, counted through all of the set's epochs; of a single set: places.
    let visits: Range<Int>
    /// Places of the lane in an epoch of the set.
    let epochCount: Int
    /// The first visit that is not read yet.
    var visit: Int
    /// Its place in its epoch.
    var place = 0
    var epoch: SetEpoch?
    /// Nil at the end.
    var window: SetOrder.Window?
    var position = 0
    var endPosition = 0
    var firstStep = Int.max
    var lastStep = 0

    init(set: Int, lane: Int, visits: Range<Int>, epochCount: Int) {
        self.set = set
        self.lane = lane
        self.visits = visits
        self.epochCount = epochCount
        visit = visits.lowerBound
    }
}
