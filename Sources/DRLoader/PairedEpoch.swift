internal import DRShard
public import DRShardFormat

/// The batches of an epoch, in order, made ahead on threads of the loader's. Belongs to one thread.
///
/// The threads start with the first batch that is asked for, and end with this object, or when it is cancelled. A forked
/// child that goes on with its copy makes threads of its own, and goes on at the same step; the thread that forks must be
/// the one that this belongs to.
public final class PairedEpoch {
    public let plan: EpochPlan
    private let loader: PairedLoader
    /// Ends the epoch, from any thread.
    public let cancellation = EpochCancellation()
    /// The step that `next` delivers.
    public private(set) var nextStep: Int
    private let stride: Int

    init(loader: PairedLoader, plan: EpochPlan, firstStep: Int, stride: Int) {
        self.loader = loader
        self.plan = plan
        nextStep = firstStep
        self.stride = stride
    }

    deinit { cancel() }

    /// What a run has to keep to go on behind the last batch that was delivered.
    public var state: LoaderState { loader.state(epoch: plan.epoch, step: min(nextStep, plan.stepCount)) }

    /// The next batch; nil at the end of the epoch. It is empty for a rank to whom a short last batch leaves nothing.
    /// - Throws: errors of the files with their place; `.schemaMismatch` for a row that lacks all variants of a part. Asked
    ///   again, it throws again; an epoch that starts at the next step passes over it.
    /// Cost: waits if the batch is not there yet.
    public func next() throws(ShardError) -> PairedBatch? {
        guard let engine = runningEngine() else { return nil }
        return try take(engine.next())
    }

    /// What there is when the time is up.
    package enum Delivery {
        case batch(PairedBatch)
        case end
        case notYet
    }

    /// The same for who cannot wait for long.
    package func next(waitingAtMost nanoseconds: UInt64) throws(ShardError) -> Delivery {
        guard let engine = runningEngine() else { return .end }
        let answer = engine.next(waitingAtMost: nanoseconds)
        if case .notYet = answer { return .notYet }
        return try take(answer).map { .batch($0) } ?? .end
    }

    /// The engine with its threads; nil behind the last step.
    func runningEngine() -> LoadEngine? {
        guard nextStep < plan.stepCount else { return nil }
        return cancellation.engine { loader.engine(plan, WantedSteps(first: nextStep, stride: stride)) }
    }

    func take(_ answer: LoadEngine.Answer) throws(ShardError) -> PairedBatch? {
        switch answer {
        case .batch(let batch):
            nextStep = batch.step + stride
            return batch
        case .failure(let error): throw error
        case .end, .notYet: return nil
        }
    }

    /// Ends the threads and frees what they made. Batches that were delivered stay.
    public func cancel() { cancellation.cancel() }
}

/// Ends an epoch from another thread than the one that it belongs to: a call of `next` that waits returns nil.
public final class EpochCancellation: Sendable {
    private struct State {
        var isCancelled = false
        var engine: LoadEngine?
    }
    private let state = Guarded(State())

    /// The engine of this process, made and started if need be; nil if the epoch was cancelled.
    fileprivate func engine(_ make: () -> LoadEngine) -> LoadEngine? {
        state.withLock { state in
            guard !state.isCancelled else { return nil }
            if let engine = state.engine, engine.processID == getProcessID() { return engine }
            // An engine of a forked child's parent has no threads here. It is left as it is, its locks and its memory.
            let engine = make()
            state.engine = engine
            engine.start()
            return engine
        }
    }

    /// Waits for the threads, which end behind the portions that they are at.
    public func cancel() {
        let engine = state.withLock { state in
            defer { state.engine = nil }
            state.isCancelled = true
            return state.engine
        }
        guard let engine, engine.processID == getProcessID() else { return }
        engine.cancel()
    }
}
