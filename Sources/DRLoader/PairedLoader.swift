public import DRShard
public import DRShardFormat
public import Logging

/// A data set that a loader takes rows from.
public struct LoaderSet: Sendable {
    public var dataSet: DataSet
    /// Against the loader's other sets: of 3 and 1, three rows in four.
    public var weight = 1
    /// Nil: all rows.
    public var selection: RowSelection?
    /// Rows that are not read.
    public var quarantine: Quarantine?

    public init(_ dataSet: DataSet, weight: Int = 1, selection: RowSelection? = nil, quarantine: Quarantine? = nil) {
        self.dataSet = dataSet
        self.weight = weight
        self.selection = selection
        self.quarantine = quarantine
    }
}

/// Delivers epochs of a data set, or of several, as paired batches, in an order that is a pure function: ORDER.md.
///
/// Every batch is a pure function of data sets, options, epoch and step. Many threads may use one loader.
public final class PairedLoader: Sendable {
    public let options: LoaderOptions
    public let shape: PlanShape
    let context: LoadContext
    private let logger: Logger
    private let losses: LossCounter
    private let meter = LoadMeter()
    private let earlierReads: ReadCounts
    /// Of this process: a forked child makes one of its own.
    private let pools = Guarded<(processID: Int32, pool: BatchPool)?>(nil)

    /// - Throws: what `PairedColumns` and `EpochPlan` throw; `.schemaMismatch` for sets that do not fit each other, or a
    ///   quarantine list of other rows; `.invalidArgument` for options that cannot be, or a batch that is larger than the
    ///   data, if the tail is dropped: there would be none.
    public init(sets: [LoaderSet], options: LoaderOptions = LoaderOptions(), logger: Logger? = nil) throws(ShardError) {
        let shape = try options.plan.shape()
        var loaded: [LoadedSet] = []
        for set in sets {
            do throws(ShardError) { loaded.append(try LoadedSet(set, options, isMixed: sets.count > 1)) } catch {
                throw error.with(.init(path: set.dataSet.path))
            }
        }
        guard let first = loaded.first else { throw .invalidArgument("a loader without a data set") }
        for other in loaded.dropFirst() {
            do throws(ShardError) {
                try first.columns.checkFits(other.columns, first.dataSet.schema, other.dataSet.schema)
            } catch { throw error.with(.init(path: other.dataSet.path)) }
        }
        try PairedLoader.check(options, first)
        let plan = try EpochPlan(sets: loaded.map(\.planned), epoch: 0, options: options.plan)
        let rowCount = loaded.reduce(0) { $0 + $1.planned.rowCount }
        guard rowCount == 0 || plan.stepCount > 0 else {
            throw ShardError.invalidArgument(
                "a batch of \(shape.batchSize) rows, of \(rowCount): without the tail there is nothing"
            ).with(.init(path: first.dataSet.path))
        }
        self.options = options
        self.shape = shape
        // Of a set that is smaller than a batch, no more than it has.
        let lengths = plan.stepCount == 0 ? [] : [0, plan.stepCount - 1].map { plan.sampleCount(step: $0) }
        context = LoadContext(sets: loaded, options: options, capacity: lengths.max() ?? 0)
        guard context.layout.byteCount <= PairedLoader.maximumBatchByteCount else {
            throw ShardError.limitExceeded("a batch of \(context.layout.byteCount) bytes").with(
                .init(path: first.dataSet.path))
        }
        let logger = logger ?? Logger(label: "drshard.loader")
        try PairedLoader.checkMemory(context, plan, first, logger)
        self.logger = logger
        losses = LossCounter(policy: options.damage, sets: loaded.map(\.dataSet)) { logger.warning("\($0)") }
        earlierReads = loaded.reduce(ReadCounts()) { $0 + $1.dataSet.readCounts }
    }

    public convenience init(
        dataSet: DataSet, options: LoaderOptions = LoaderOptions(), logger: Logger? = nil
    ) throws(ShardError) {
        try self.init(sets: [LoaderSet(dataSet)], options: options, logger: logger)
    }

    /// Batches that are made at once: a block of a set that is drawn from rarely goes to many of them.
    private static func checkMemory(
        _ context: LoadContext, _ plan: EpochPlan, _ set: LoadedSet, _ logger: Logger
    ) throws(ShardError) {
        let batch = context.layout.byteCount
        let count = LoadEngine.capacity(plan, context.options, batchByteCount: batch)
        let (byteCount, overflow) = count.multipliedReportingOverflow(by: max(batch, 1))
        let advice = "order global, fewer rows in a block, or weights that differ less need fewer"
        guard !overflow, byteCount <= maximumBatchByteCount, count <= maximumBatchCount else {
            throw ShardError.limitExceeded("\(count) batches of \(batch) bytes would be made at once; \(advice)").with(
                .init(path: set.dataSet.path))
        }
        if byteCount > remarkableByteCount {
            logger.warning("\(count) batches are made at once, in \(byteCount >> 20) MiB; \(advice)")
        }
    }
    private static let maximumBatchCount = 1 << 20
    private static let remarkableByteCount = 4 << 30

    private static let maximumBatchByteCount = 64 << 30
    private static let maximumThreadCount = 1024

    private static func check(_ options: LoaderOptions, _ set: LoadedSet) throws(ShardError) {
        let floats: [ElementType] = [.bf16, .f16, .f32]
        if let element = options.embeddingElement, !floats.contains(element) {
            throw .invalidArgument("embeddings as \(element): bf16, f16 and f32 can be had")
        }
        guard [.i32, .i64, .u16].contains(options.tokenElement) else {
            throw .invalidArgument("token ids as \(options.tokenElement): i32, i64 and u16 can be had")
        }
        guard (1...maximumThreadCount).contains(options.threadCount ?? 1) else {
            throw .invalidArgument("\(options.threadCount ?? 0) threads; 1 to \(maximumThreadCount) are possible")
        }
        guard options.prefetchByteCount >= 0, options.readAheadByteCount >= 0 else {
            throw .invalidArgument("a loader makes no negative number of bytes ahead")
        }
        if options.tokenElement == .u16, options.content.contains(.tokens) {
            for tokens in set.columns.parts.flatMap({ $0.compactMap(\.tokens) }) where !tokens.rowShape.fitsUInt16 {
                throw ShardError.invalidArgument("a vocabulary of \(tokens.vocabularySize) does not fit u16").with(
                    .init(path: set.dataSet.path, column: set.dataSet.schema.columns[tokens.column].name))
            }
        }
        for axes in set.columns.parts where options.joinsEmbeddings && options.embeddingElement == nil {
            let elements = Set(axes[0].embeddings.map { set.dataSet.schema.columns[$0].type.element })
            guard elements.count <= 1 else {
                throw ShardError.schemaMismatch(
                    "embeddings of axis \"\(axes[0].name)\" have several element types: name one to join them"
                ).with(.init(path: set.dataSet.path))
            }
        }
        for column in set.columns.parts.flatMap({ $0.flatMap(\.embeddings) })
        where options.content.contains(.embeddings) {
            let stored = set.dataSet.schema.columns[column].type.element ?? .u8
            guard let element = options.embeddingElement, element != stored, !floats.contains(stored) else { continue }
            throw ShardError.invalidArgument("embeddings of \(stored) cannot become \(element)").with(
                .init(path: set.dataSet.path, column: set.dataSet.schema.columns[column].name))
        }
    }

    /// The data sets, in their order.
    public var dataSets: [DataSet] { context.sets.map(\.dataSet) }
    /// The columns that batches of a set are made of.
    public func columns(ofSet set: Int = 0) -> PairedColumns { context.sets[set].columns }

    /// What was done since the loader was made, by all of its epochs.
    public var counts: LoaderCounts {
        var counts = meter.snapshot
        counts.reads = context.sets.reduce(ReadCounts()) { $0 + $1.dataSet.readCounts } - earlierReads
        counts.lostRowCount = UInt64(losses.count)
        return counts
    }

    /// Of each data set that had some: its quarantine list, and the rows that were found damaged since the loader was made.
    public var quarantines: [Quarantine] {
        zip(context.sets, losses.found).compactMap { set, found in
            let rows = found.union(set.quarantine?.rows ?? [])
            return rows.isEmpty ? nil : Quarantine(rowSetDigest: set.dataSet.rowSetDigest, rows: rows)
        }
    }

    /// Memories of batches that somebody holds: callers, or the loader's threads.
    package var liveBatchCount: Int { pools.withLock { $0?.pool.liveCount ?? 0 } }

    /// Which rows and variants an epoch has.
    /// - Throws: `.invalidArgument` for a negative epoch.
    public func plan(epoch: Int) throws(ShardError) -> EpochPlan {
        try EpochPlan(sets: context.sets.map(\.planned), epoch: epoch, options: options.plan)
    }

    /// The batches of an epoch, in order.
    /// - Parameters:
    ///   - step: the first one; the number of steps: none.
    ///   - stride: of several takers, such as processes that decode images, each takes every so many steps, from another
    ///     one on. What others take is neither decoded nor kept.
    /// - Throws: `.invalidArgument` for a negative epoch, a step that the epoch does not have, or a stride below 1.
    public func epoch(_ epoch: Int, startingAt step: Int = 0, stride: Int = 1) throws(ShardError) -> PairedEpoch {
        let plan = try plan(epoch: epoch)
        guard (0...plan.stepCount).contains(step) else {
            throw .invalidArgument("step \(step): epoch \(epoch) has \(plan.stepCount)")
        }
        guard (1...PairedLoader.maximumStride).contains(stride) else {
            throw .invalidArgument("a stride of \(stride); 1 to \(PairedLoader.maximumStride) are possible")
        }
        logger.debug("epoch \(epoch) of \(plan.stepCount) steps begins at step \(step)")
        return PairedEpoch(loader: self, plan: plan, firstStep: step, stride: stride)
    }
    private static let maximumStride = 4096

    /// The batches from a state on: the rest of its epoch; of one that is at its end, the next.
    /// - Throws: `.invalidArgument` if another plan, or other rows, made the state: names what differs.
    public func epoch(resuming state: LoaderState) throws(ShardError) -> PairedEpoch {
        try state.check(against: self.state(epoch: state.epoch, step: state.step))
        let plan = try plan(epoch: state.epoch)
        guard state.step == plan.stepCount else { return try epoch(state.epoch, startingAt: state.step) }
        return try epoch(state.epoch + 1)
    }

    /// What a run that goes on at a step of an epoch has to keep.
    public func state(epoch: Int, step: Int) -> LoaderState {
        LoaderState(sets: context.sets.map(\.planned), shape: shape, epoch: epoch, step: step)
    }

    func engine(_ plan: EpochPlan, _ wanted: WantedSteps) -> LoadEngine {
        LoadEngine(context: context, plan: plan, wanted: wanted, pool: pool(plan), losses: losses, meter: meter)
    }

    private func pool(_ plan: EpochPlan) -> BatchPool {
        pools.withLock { known in
            let processID = getProcessID()
            if let known, known.processID == processID { return known.pool }
            let capacity = LoadEngine.capacity(plan, options, batchByteCount: context.layout.byteCount)
            let pool = BatchPool(layout: context.layout, keptCount: capacity + 2)
            known = (processID, pool)
            return pool
        }
    }
}

extension LoadedSet {
    init(_ set: LoaderSet, _ options: LoaderOptions, isMixed: Bool) throws(ShardError) {
        dataSet = set.dataSet
        columns = try PairedColumns(schema: set.dataSet.schema, options: options)
        selection = set.selection
        quarantine = set.quarantine
        let whole = set.dataSet.rowSetDigest
        var quarantined: Set<Int> = []
        if let list = set.quarantine {
            guard list.rowSetDigest == whole else {
                throw .schemaMismatch("a quarantine list of the row set \(list.rowSetDigest), not \(whole)")
            }
            if let row = list.rows.first(where: { $0 >= set.dataSet.rowCount }) {
                throw .schemaMismatch("row \(row) of a quarantine list, of \(set.dataSet.rowCount)")
            }
            quarantined = set.selection.map { selection in Set(list.rows.compactMap(selection.logical)) } ?? list.rows
        }
        planned = PlannedSet(
            rowSetDigest: set.selection?.rowSetDigest ?? whole,
            rowCount: set.selection?.rowCount ?? set.dataSet.rowCount,
            weight: isMixed ? set.weight : 1, axes: columns.plannedAxes(set.dataSet.schema, options),
            quarantined: quarantined)
    }
}
