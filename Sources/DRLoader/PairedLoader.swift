public import DRShard
public import DRShardFormat
internal import Synchronization

/// What a loader did since it was made.
public struct LoaderCounts: Hashable, Sendable {
    public var batchCount: UInt64 = 0
    public var sampleCount: UInt64 = 0
    /// Bytes of the matrices of all batches.
    public var deliveredByteCount: UInt64 = 0
    /// What was asked of the data set's shards, by whomever, since the loader was made.
    public var reads = ReadCounts()
    public init() {}
}

/// Delivers shuffled epochs of a data set as paired batches.
///
/// Every batch is a pure function of data set, options, epoch and step. Many threads may use one loader.
public final class PairedLoader: Sendable {
    public let dataSet: DataSet
    public let options: LoaderOptions
    public let columns: PairedColumns
    public let rowSetDigest: SequenceDigest
    private let delivered = Mutex(LoaderCounts())
    private let earlierReads: ReadCounts

    /// - Throws: what `PairedColumns` and `EpochPlan` throw; `.invalidArgument` for a batch that is larger than the
    ///   data set, if the tail is dropped: there would be none.
    public init(dataSet: DataSet, options: LoaderOptions = LoaderOptions()) throws(ShardError) {
        do throws(ShardError) {
            columns = try PairedColumns(schema: dataSet.schema, options: options)
            try EpochPlan.check(options.plan)
            let rowCount = dataSet.rowCount
            guard rowCount == 0 || options.plan.tail == .short || options.plan.batchSize <= rowCount else {
                throw .invalidArgument(
                    "a batch of \(options.plan.batchSize) rows, of \(rowCount): without the tail there is nothing"
                )
            }
        } catch { throw error.with(.init(path: dataSet.path)) }
        self.dataSet = dataSet
        self.options = options
        rowSetDigest = dataSet.rowSetDigest
        earlierReads = dataSet.readCounts
    }

    public var counts: LoaderCounts {
        var counts = delivered.withLock { $0 }
        counts.reads = dataSet.readCounts - earlierReads
        return counts
    }

    /// Which rows and variants an epoch has.
    /// - Throws: `.invalidArgument` for a negative epoch.
    public func plan(epoch: Int) throws(ShardError) -> EpochPlan {
        try EpochPlan(rowSetDigest: rowSetDigest, rowCount: dataSet.rowCount, epoch: epoch, options: options.plan)
    }

    /// The batches of an epoch, in order.
    /// - Parameter step: the first one; the number of steps: none.
    /// - Throws: `.invalidArgument` for a negative epoch, or a step that the epoch does not have.
    public func epoch(_ epoch: Int, startingAt step: Int = 0) throws(ShardError) -> PairedEpoch {
        let plan = try plan(epoch: epoch)
        guard (0...plan.stepCount).contains(step) else {
            throw .invalidArgument("step \(step): epoch \(epoch) has \(plan.stepCount)")
        }
        return PairedEpoch(loader: self, plan: plan, nextStep: step)
    }

    /// Reads one batch of a plan of this loader.
    /// - Throws: `.schemaMismatch` for a row that lacks all variants of an axis; errors of the files, with their place.
    public func batch(step: Int, of plan: EpochPlan) throws(ShardError) -> PairedBatch {
        let rows = plan.rows(step: step)
        var view = AxisReader(dataSet, columns.view, content: options.content, rows: rows)
        var real = AxisReader(dataSet, columns.real, content: options.content, rows: rows)
        var synthetic = AxisReader(dataSet, columns.synthetic, content: options.content, rows: rows)
        let views = try view.read(draw: plan.draw(axis: columns.view.name))
        let realCaptions = try real.read(draw: plan.draw(axis: columns.real.name))
        let syntheticCaptions = try synthetic.read(draw: plan.draw(axis: columns.synthetic.name))
        let batch = PairedBatch(
            epoch: plan.epoch, step: step, rows: rows, rowIDs: try rowIDs(rows),
            image: ImagePart(views: views, embeddings: view.embeddings, augmentations: view.augmentations),
            real: CaptionPart(
                captions: realCaptions, embeddings: real.embeddings, tokens: real.tokenBatch, texts: real.texts),
            synthetic: CaptionPart(
                captions: syntheticCaptions, embeddings: synthetic.embeddings, tokens: synthetic.tokenBatch,
                texts: synthetic.texts))
        delivered.withLock { counts in
            counts.batchCount += 1
            counts.sampleCount += UInt64(batch.count)
            counts.deliveredByteCount += UInt64(batch.byteCount)
        }
        return batch
    }

    private func rowIDs(_ rows: [Int]) throws(ShardError) -> BatchMatrix? {
        guard options.content.contains(.rowIDs) else { return nil }
        let matrix = BatchMatrix(column: dataSet.schema.columns[columns.rowID], rowCount: rows.count)
        let addresses = rows.map { CellAddress(row: $0) }
        _ = try matrix.buffer.read(dataSet, column: columns.rowID, addresses, slots: Array(rows.indices))
        return matrix
    }
}

/// The batches of an epoch, in order, read when they are asked for. Belongs to one thread.
public final class PairedEpoch {
    public let plan: EpochPlan
    /// The step that `next` delivers.
    public private(set) var nextStep: Int
    private let loader: PairedLoader

    init(loader: PairedLoader, plan: EpochPlan, nextStep: Int) {
        self.loader = loader
        self.plan = plan
        self.nextStep = nextStep
    }

    /// The next batch; nil at the end of the epoch. It is empty for a rank to whom a short last batch leaves nothing.
    /// - Throws: what `PairedLoader.batch` throws; the step is then tried again by the next call.
    public func next() throws(ShardError) -> PairedBatch? {
        guard nextStep < plan.stepCount else { return nil }
        let batch = try loader.batch(step: nextStep, of: plan)
        nextStep += 1
        return batch
    }
}
