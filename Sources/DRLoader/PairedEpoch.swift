public import DRShardFormat

/// The batches of an epoch, in order, made ahead on threads of the loader's. Belongs to one thread.
///
/// The threads start with the first batch that is asked for, and end with this object, or when `cancel` is called. A
/// forked child that goes on with its copy makes threads of its own, and goes on at the same step.
public final class PairedEpoch {
    public let plan: EpochPlan
    private let loader: PairedLoader
    private var engine: LoadEngine?
    private let firstStep: Int
    private var isCancelled = false
    /// The step that `next` delivers.
    public private(set) var nextStep: Int

    init(loader: PairedLoader, plan: EpochPlan, firstStep: Int) {
        self.loader = loader
        self.plan = plan
        self.firstStep = firstStep
        nextStep = firstStep
    }

    deinit { cancel() }

    /// What a run has to keep to go on behind the last batch that was delivered.
    public var state: LoaderState { loader.state(epoch: plan.epoch, step: nextStep) }

    /// The next batch; nil at the end of the epoch. It is empty for a rank to whom a short last batch leaves nothing.
    /// - Throws: errors of the files with their place; `.schemaMismatch` for a row that lacks all variants of a part. Asked
    ///   again, it throws again; an epoch that starts at the next step passes over it.
    /// Cost: waits if the batch is not there yet.
    public func next() throws(ShardError) -> PairedBatch? {
        guard let engine = runningEngine() else { return nil }
        return try take(engine.next())
    }

    /// The engine with its threads; nil behind the last step.
    func runningEngine() -> LoadEngine? {
        guard !isCancelled, nextStep < plan.stepCount else { return nil }
        if let engine, engine.processID == getProcessID() { return engine }
        // An engine of a forked child's parent has no threads here. It is left as it is, its locks and its memory.
        let engine = loader.engine(plan, firstStep: nextStep)
        self.engine = engine
        engine.start()
        return engine
    }

    func take(_ answer: LoadEngine.Answer) throws(ShardError) -> PairedBatch? {
        switch answer {
        case .batch(let batch):
            nextStep = batch.step + 1
            return batch
        case .failure(let error): throw error
        case .end, .notYet: return nil
        }
    }

    /// Ends the threads and frees what they made. Batches that were delivered stay.
    public func cancel() {
        isCancelled = true
        guard let engine, engine.processID == getProcessID() else { return }
        engine.cancel()
        self.engine = nil
    }
}
