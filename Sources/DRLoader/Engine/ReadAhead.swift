internal import DRShard
internal import DRShardFormat
internal import Synchronization

/// Tells the system, on a thread of its own, what the engine's threads will read soon, so that it is in memory by then.
///
/// Where all of it is there already, only every 32nd portion is told of, to notice when that ends.
// SAFETY: all vars are used under the monitor's lock alone, or by the thread alone where that is said.
final class ReadAhead: @unchecked Sendable {
    private let context: LoadContext
    private let plan: EpochPlan
    private let firstStep: Int
    private let meter: LoadMeter
    private let budget: Int
    private let monitor = Monitor(conditionCount: 1)
    private var isCancelled = false
    /// Portions that the engine has taken.
    private var passedCount = 0
    /// Bytes of portions that were told of and are not taken yet: number and bytes.
    private var outstanding: [(number: Int, byteCount: Int)] = []
    private var outstandingByteCount = 0
    private var thread: WorkerThread?
    private static let probe = 32

    init(context: LoadContext, plan: EpochPlan, firstStep: Int, meter: LoadMeter) {
        self.meter = meter
        self.context = context
        self.plan = plan
        self.firstStep = firstStep
        budget = context.options.readAheadByteCount
        thread = WorkerThread { [weak self] in self?.run() }
    }

    /// Says how many portions were taken.
    func passed(_ count: Int) {
        monitor.lock()
        passedCount = count
        while let first = outstanding.first, first.number < count {
            outstandingByteCount -= first.byteCount
            outstanding.removeFirst()
        }
        monitor.signal(0)
        monitor.unlock()
    }

    func cancel() {
        monitor.lock()
        isCancelled = true
        monitor.broadcast(0)
        let ending = thread
        thread = nil
        monitor.unlock()
        ending?.join()
    }

    private func run() {
        var portions = PortionSequence(plan, from: firstStep)
        var number = 0
        while let portion = portions.next() {
            guard let passed = waitForRoom(number) else { return }
            defer { number += 1 }
            // What is taken already needs no telling.
            if number < passed { continue }
            let quietCount = meter.quietPortionCount.load(ordering: .relaxed)
            if quietCount > Self.probe, number % Self.probe != 0 { continue }
            let before = ThreadReads.count
            ForkGate.shared.enter()
            let byteCount = advise(portion)
            ForkGate.shared.leave()
            meter.quietPortionCount.store(ThreadReads.count == before ? quietCount + 1 : 0, ordering: .relaxed)
            monitor.lock()
            if number >= passedCount {
                outstanding.append((number, byteCount))
                outstandingByteCount += byteCount
            }
            monitor.unlock()
        }
    }

    /// - Returns: the number of portions that were taken; nil if there is nothing to do any more.
    private func waitForRoom(_ number: Int) -> Int? {
        monitor.lock()
        defer { monitor.unlock() }
        // While all is in memory nothing is outstanding; then the distance is what counts.
        while !isCancelled, outstandingByteCount >= budget || number > passedCount + 4096 {
            monitor.wait(0)
        }
        return isCancelled ? nil : passedCount
    }

    /// - Returns: about how many bytes the portion takes.
    private func advise(_ portion: Portion) -> Int {
        var byteCount = 0
        for group in plan.rows(of: portion, from: firstStep) where !group.rows.isEmpty {
            let set = context.sets[group.set]
            for (column, variant, rows) in ranges(group, set) {
                let place = set.dataSet.locate(row: rows.lowerBound)
                let shard = set.dataSet.shards[place.shard]
                let part = place.row..<min(place.row + rows.count, shard.rowCount)
                // What cannot be read will be said by who reads it.
                byteCount += (try? shard.willRead(column: column, variant: variant, rows: part)) ?? 0
            }
        }
        return byteCount
    }

    /// Planes and rows of them that a group takes; rows that are not far apart are one range.
    private func ranges(_ group: PlacedRows, _ set: LoadedSet) -> [(column: Int, variant: Int, rows: Range<Int>)] {
        var found: [(column: Int, variant: Int, rows: Range<Int>)] = []
        let logical = group.rows.map(\.named).sorted()
        func add(_ columns: [Int], _ variant: Int, _ rows: [Int]) {
            for column in columns {
                var start = 0
                for i in rows.indices where i + 1 == rows.count || rows[i + 1] > rows[i] + 4 {
                    found.append((column, variant, rows[start]..<rows[i] + 1))
                    start = i + 1
                }
            }
        }
        for (number, plan) in group.epoch.parts.enumerated() {
            guard let plan else { continue }
            var rows: [VariantDraw: [Int]] = [:]
            for row in logical { rows[plan.draw(row: row), default: []].append(set.row(row)) }
            for (draw, rows) in rows {
                add(
                    set.columns.parts[number][draw.axis].columns(context.options.content), draw.variant, rows)
            }
        }
        if context.layout.images != nil, let image = set.columns.image { add([image], 0, logical.map(set.row)) }
        return found
    }
}
