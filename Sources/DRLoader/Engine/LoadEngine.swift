internal import DRShard
internal import DRShardFormat

/// Makes the batches of one rank's epoch ahead of who asks for them, on threads of its own, and hands them out in order.
///
/// Threads take portions in the order in which they are needed, and scatter their rows over the batches of the portion's
/// steps. Batches that are being made are those of the next `capacity` steps: that is all the memory there is, and what
/// keeps the threads from running ahead.
// SAFETY: all vars are used under the monitor's lock alone.
final class LoadEngine: @unchecked Sendable {
    /// A batch that is being made.
    private struct Slot {
        let memory: BatchMemory
        /// Samples that are not there yet.
        var missing: Int
        /// What went wrong, and in which portion: of several, the first.
        var failure: (portion: Int, error: ShardError)?
    }

    /// What is there for who asks for the next batch.
    enum Answer {
        case batch(PairedBatch)
        case failure(ShardError)
        case end
        case notYet
    }

    private enum Condition {
        static let work = 0
        static let batch = 1
    }

    let plan: EpochPlan
    private let wanted: WantedSteps
    let processID = getProcessID()
    private let context: LoadContext
    private let losses: LossCounter
    private let pool: BatchPool
    private let meter: LoadMeter
    private let threadCount: Int
    private let capacity: Int
    private let monitor = Monitor(conditionCount: 2)
    private var portions: PortionSequence
    /// The portion that is to be taken next, and its number.
    private var pending: Portion?
    private var pendingNumber = 0
    private var slots: [Slot?]
    private(set) var nextStep: Int
    private var isCancelled = false
    private var mayWait = true
    private var hasNoThread = false
    private var threads: [WorkerThread] = []
    private var readAhead: ReadAhead?
    /// Called once when the next batch is there, or will never be.
    private var waiter: (@Sendable () -> Void)?

    init(
        context: LoadContext, plan: EpochPlan, wanted: WantedSteps, pool: BatchPool, losses: LossCounter,
        meter: LoadMeter
    ) {
        self.context = context
        self.plan = plan
        self.wanted = wanted
        self.pool = pool
        self.losses = losses
        self.meter = meter
        nextStep = wanted.first
        threadCount = LoadEngine.threadCount(context.options)
        capacity = LoadEngine.capacity(
            plan, context.options, batchByteCount: context.layout.byteCount, stride: wanted.stride)
        portions = PortionSequence(plan, from: wanted.first)
        slots = Array(repeating: nil, count: capacity)
        pending = portions.next()
    }

    static func threadCount(_ options: LoaderOptions) -> Int {
        max(1, options.threadCount ?? min(8, processorCount()))
    }

    /// Steps that are made at once: those that one portion goes to, and what the budget has room for on top.
    static func capacity(_ plan: EpochPlan, _ options: LoaderOptions, batchByteCount: Int, stride: Int = 1) -> Int {
        let ahead = options.prefetchByteCount / max(1, batchByteCount)
        return plan.largestSpan + min(max(ahead, 2), 64) * stride
    }

    // MARK: Threads

    /// Starts the threads. Without a single one, the first answer is a failure.
    func start() {
        monitor.lock()
        defer { monitor.unlock() }
        guard threads.isEmpty, !isCancelled else { return }
        for _ in 0..<threadCount { if let thread = WorkerThread({ self.work() }) { threads.append(thread) } }
        hasNoThread = threads.isEmpty
        guard context.options.readAheadByteCount > 0 else { return }
        readAhead = ReadAhead(context: context, plan: plan, firstStep: wanted.first, meter: meter)
    }

    private func work() {
        let reader = PortionReader(context: context, plan: plan, wanted: wanted, losses: losses)
        while waitForPortion() {
            // A fork waits for who is inside; so nobody goes in who holds a lock, and nobody waits inside.
            ForkGate.shared.enter()
            while let task = takePortion() {
                let start = MonotonicClock.nanoseconds
                var filled = [Int](repeating: 0, count: task.steps.count)
                let failures = reader.read(task.portion, steps: task.steps, into: task.memories, filled: &filled)
                meter.addWork(MonotonicClock.nanoseconds &- start)
                finish(task, filled: filled, failures)?()
                guard !ForkGate.shared.isClosed else { break }
            }
            ForkGate.shared.leave()
        }
    }

    /// Waits until a portion can be read.
    /// - Returns: false at the end.
    private func waitForPortion() -> Bool {
        monitor.lock()
        defer { monitor.unlock() }
        while !isCancelled, let portion = pending {
            if portion.steps.upperBound < nextStep + capacity { return true }
            let start = MonotonicClock.nanoseconds
            monitor.wait(Condition.work)
            meter.addIdle(MonotonicClock.nanoseconds &- start)
        }
        return false
    }

    private struct Task {
        let portion: Portion
        let number: Int
        /// Those of the portion that are wanted, and not delivered yet.
        let steps: [Int]
        let memories: [BatchMemory]
    }

    /// - Returns: nil if no portion can be read now.
    private func takePortion() -> Task? {
        monitor.lock()
        defer { monitor.unlock() }
        guard !isCancelled, let portion = pending, portion.steps.upperBound < nextStep + capacity else { return nil }
        // A batch that was delivered lacks nothing: the portion has no row for it.
        let first = max(portion.steps.lowerBound, nextStep)
        let steps = first <= portion.steps.upperBound ? wanted.within(first...portion.steps.upperBound) : []
        let task = Task(
            portion: portion, number: pendingNumber, steps: steps, memories: steps.map { slot(step: $0).memory })
        pending = portions.next()
        pendingNumber += 1
        readAhead?.passed(pendingNumber)
        // Who else waits may go on, or end.
        monitor.signal(Condition.work)
        return task
    }

    /// The slot of a step that is within reach, made if need be.
    private func slot(step: Int) -> Slot {
        if let slot = slots[step % capacity] { return slot }
        let slot = Slot(memory: pool.take(), missing: plan.sampleCount(step: step))
        slots[step % capacity] = slot
        return slot
    }

    /// - Returns: what is to be called without the lock.
    private func finish(_ task: Task, filled: [Int], _ failures: [Int: ShardError]) -> (@Sendable () -> Void)? {
        monitor.lock()
        defer { monitor.unlock() }
        var isNextThere = false
        for (i, step) in task.steps.enumerated() where filled[i] > 0 {
            guard var slot = slots[step % capacity] else { continue }
            slot.missing -= filled[i]
            if let failure = failures[i], task.number < slot.failure?.portion ?? .max {
                slot.failure = (task.number, failure)
            }
            slots[step % capacity] = slot
            isNextThere = isNextThere || (step == nextStep && slot.missing == 0)
        }
        return isNextThere ? batchIsThere() : nil
    }

    private func batchIsThere() -> (@Sendable () -> Void)? {
        monitor.signal(Condition.batch)
        defer { waiter = nil }
        return waiter
    }

    // MARK: Who asks

    /// The next batch, waiting for it.
    /// - Parameter limit: nanoseconds after which the answer may be that it is not there yet; nil: none.
    func next(waitingAtMost limit: UInt64? = nil) -> Answer {
        monitor.lock()
        defer { monitor.unlock() }
        meter.addDepth(readyCount())
        let start = MonotonicClock.nanoseconds
        while true {
            let answer = answer()
            let waited = MonotonicClock.nanoseconds &- start
            if case .notYet = answer, waited < limit ?? .max {
                if let limit {
                    monitor.wait(Condition.batch, nanoseconds: limit - waited)
                } else {
                    monitor.wait(Condition.batch)
                }
                continue
            }
            meter.addWait(waited)
            return answer
        }
    }

    /// The next batch if it is there.
    /// - Parameter waited: nanoseconds that the caller has waited for it so far; 0 at the first try.
    func poll(waited: UInt64) -> Answer {
        monitor.lock()
        defer { monitor.unlock() }
        if waited == 0 { meter.addDepth(readyCount()) } else { meter.addWait(waited) }
        return answer()
    }

    /// Calls `body` when `poll` has something to say: at once, or from another thread.
    func whenReady(_ body: @escaping @Sendable () -> Void) {
        monitor.lock()
        let isReady = isCancelled || !mayWait || hasNoThread || nextStep >= plan.stepCount || isComplete(nextStep)
        if !isReady { waiter = body }
        monitor.unlock()
        if isReady { body() }
    }

    /// Calls whoever waits by `whenReady`, now or the next time, without a batch.
    func stopWaiting() {
        monitor.lock()
        let body = waiter
        waiter = nil
        mayWait = false
        monitor.unlock()
        body?()
    }

    private func isComplete(_ step: Int) -> Bool {
        guard let slot = slots[step % capacity] else { return plan.sampleCount(step: step) == 0 }
        return slot.missing == 0
    }

    private func answer() -> Answer {
        guard !isCancelled, nextStep < plan.stepCount else { return .end }
        guard !hasNoThread else { return .failure(.io("the system has no thread for the loader")) }
        guard isComplete(nextStep) else { return .notYet }
        let step = nextStep
        let slot = slot(step: step)
        // A batch that failed stays: asked again, it says so again.
        if let failure = slot.failure { return .failure(failure.error) }
        slots[step % capacity] = nil
        nextStep += wanted.stride
        monitor.broadcast(Condition.work)
        let batch = PairedBatch(
            epoch: plan.epoch, step: step, count: plan.sampleCount(step: step), context: context,
            lease: BatchLease(slot.memory, pool: pool))
        meter.addBatch(batch)
        return .batch(batch)
    }

    private func readyCount() -> Int {
        var step = nextStep
        var count = 0
        while step < min(plan.stepCount, nextStep + capacity), slots[step % capacity] != nil, isComplete(step) {
            step += wanted.stride
            count += 1
        }
        return count
    }

    // MARK: End

    /// Ends all threads and gives all memory back, but for batches that somebody holds.
    func cancel() {
        monitor.lock()
        isCancelled = true
        monitor.broadcast(Condition.work)
        let body = batchIsThere()
        let ending = threads
        threads = []
        let ahead = readAhead
        readAhead = nil
        monitor.unlock()
        body?()
        ahead?.cancel()
        for thread in ending { thread.join() }
        monitor.lock()
        for i in slots.indices {
            if let slot = slots[i] { pool.giveBack(slot.memory) }
            slots[i] = nil
        }
        monitor.unlock()
    }
}
