internal import DRShard
public import DRShardFormat

/// Where a sample of a batch comes from. Made from the plan and the pages' tables: no embedding is read.
public struct SampleExplanation: Hashable, Sendable {
    /// One part: what was drawn, and what is delivered instead if that lacks a cell.
    public struct Part: Hashable, Sendable {
        public let axis: String
        public let variant: Int
        public let deliveredAxis: String
        public let deliveredVariant: Int
    }

    /// Its place in the rank's batch.
    public let slot: Int
    public let set: Int
    /// The epoch of that set.
    public let setEpoch: Int
    public let shard: String
    /// In the shard.
    public let shardRow: Int
    /// In the data set.
    public let row: Int
    /// The row that the order names: another one only where that stands on a quarantine list.
    public let namedRow: Int
    public let isRepetition: Bool
    public let view: Part?
    public let real: Part?
    public let synthetic: Part?
}

extension PairedLoader {
    /// Says where the samples of a step come from, in the order of the rank's batch.
    /// - Parameter rank: nil: that of the options.
    /// - Throws: `.invalidArgument` for a step or a rank that is not there; errors of the files, whose indexes and tables
    ///   are read; `.schemaMismatch` for a row that lacks all variants of a part.
    public func explain(epoch: Int, step: Int, rank: Int? = nil) throws(ShardError) -> [SampleExplanation] {
        var plan = options.plan
        plan.world.rank = rank ?? plan.world.rank
        let epochPlan = try EpochPlan(sets: context.sets.map(\.planned), epoch: epoch, options: plan)
        guard (0..<epochPlan.stepCount).contains(step) else {
            throw .invalidArgument("step \(step): epoch \(epoch) has \(epochPlan.stepCount)")
        }
        var explanations: [SampleExplanation] = []
        for (slot, sample) in try epochPlan.samples(step: step).enumerated() {
            let set = context.sets[sample.set]
            let row = set.row(sample.row)
            let place = set.dataSet.locate(row: row)
            let parts = [sample.view, sample.real, sample.synthetic]
            var explained: [SampleExplanation.Part?] = []
            for (number, draw) in parts.enumerated() {
                explained.append(try draw.map { draw throws(ShardError) in try explain(number, draw, set, row: row) })
            }
            explanations.append(
                SampleExplanation(
                    slot: slot, set: sample.set, setEpoch: sample.setEpoch, shard: set.dataSet.shards[place.shard].path,
                    shardRow: place.row, row: row, namedRow: set.row(sample.named), isRepetition: sample.isRepetition,
                    view: explained[0], real: explained[1], synthetic: explained[2]))
        }
        return explanations
    }

    private func explain(_ part: Int, _ draw: VariantDraw, _ set: LoadedSet, row: Int) throws(ShardError)
        -> SampleExplanation.Part
    {
        let axes = set.columns.parts[part]
        let place = set.dataSet.locate(row: row)
        let shard = set.dataSet.shards[place.shard]
        for attempt in 0..<axes.reduce(0, { $0 + $1.variantCount }) {
            let candidate = PortionReader.next(axes, draw, attempt)
            let address = CellAddress(row: place.row, variant: candidate.variant)
            var isWhole = true
            for column in axes[candidate.axis].columns(options.content) {
                guard isWhole else { break }
                isWhole = try shard.state(column: column, address) == .present
            }
            guard isWhole else { continue }
            return SampleExplanation.Part(
                axis: axes[draw.axis].name, variant: draw.variant, deliveredAxis: axes[candidate.axis].name,
                deliveredVariant: candidate.variant)
        }
        throw PortionReader.lacking(row, axes, set)
    }
}
