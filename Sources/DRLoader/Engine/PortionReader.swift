internal import DRShard
internal import DRShardFormat

/// Reads portions: every cell from the file straight to its place in a batch. Belongs to one thread.
final class PortionReader {
    private let context: LoadContext
    private let plan: EpochPlan
    private let wanted: WantedSteps
    private let losses: LossCounter
    /// The samples of the portion, in the order of their rows.
    private var samples: [Sample] = []

    /// A sample of the portion.
    struct Sample {
        let named: Int
        /// Logical, and of the data set.
        var logical: Int
        var row: Int
        let step: Int
        let slot: Int
        let isRepetition: Bool
        /// Its batch, by its place in the portion's steps.
        let batch: Int
    }

    init(context: LoadContext, plan: EpochPlan, wanted: WantedSteps, losses: LossCounter) {
        self.context = context
        self.plan = plan
        self.wanted = wanted
        self.losses = losses
    }

    /// Reads a portion into the batches of its steps.
    /// - Parameters:
    ///   - steps: of the portion's, those that are wanted and not delivered yet: it has no other wanted row.
    ///   - batches: of the steps, in order.
    ///   - filled: gets the samples of each step that are done with, whether they could be read or not.
    /// - Returns: what is wrong with steps, by their place among them: errors of the files, `.schemaMismatch` for a row
    ///   that lacks all variants of a part.
    func read(_ portion: Portion, steps: [Int], into batches: [BatchMemory], filled: inout [Int]) -> [Int: ShardError] {
        guard let firstStep = steps.first else { return [:] }
        let window = BatchWindow(batches)
        var failures: [Int: ShardError] = [:]
        for var group in plan.rows(of: portion, from: wanted.first) {
            if wanted.stride > 1 { group.rows.removeAll { !wanted.contains($0.step) } }
            guard !group.rows.isEmpty else { continue }
            for row in group.rows { filled[place(row.step, firstStep)] += 1 }
            read(group, firstStep: firstStep, window, &failures)
        }
        return failures
    }

    /// The place of a step among those that are read now.
    private func place(_ step: Int, _ firstStep: Int) -> Int { (step - firstStep) / wanted.stride }

    private func read(
        _ group: PlacedRows, firstStep: Int, _ window: BatchWindow, _ failures: inout [Int: ShardError]
    ) {
        let set = context.sets[group.set]
        var rest = group
        // Each round loses a row, so that they come to an end.
        while !rest.rows.isEmpty {
            do throws(ShardError) { try place(rest, set, firstStep: firstStep) } catch {
                for row in rest.rows { add(error, row.step, firstStep, &failures) }
                return
            }
            if reads(rest, set, window) { return }
            let (bad, lost) = giveUp(rest, set, window)
            for (step, error) in bad { add(error, step, firstStep, &failures) }
            // All others are there by now.
            rest.rows.removeAll { !lost.contains($0.named) || bad[$0.step] != nil }
        }
    }

    private func add(_ error: ShardError, _ step: Int, _ firstStep: Int, _ failures: inout [Int: ShardError]) {
        let number = place(step, firstStep)
        failures[number] = failures[number] ?? error
    }

    /// Reads the samples, and if that fails once more: a network or a cable may have been at fault.
    private func reads(_ group: PlacedRows, _ set: LoadedSet, _ window: BatchWindow) -> Bool {
        for _ in 0..<2 {
            do throws(ShardError) {
                try readSamples(group, set, window)
                return true
            } catch { continue }
        }
        return false
    }

    /// Lists the samples with the rows that are delivered for them.
    private func place(_ group: PlacedRows, _ set: LoadedSet, firstStep: Int) throws(ShardError) {
        let lost = losses.lost(set: group.set, epoch: group.epoch.number)
        samples.removeAll(keepingCapacity: true)
        samples.reserveCapacity(group.rows.count)
        var last = -1
        var isSorted = true
        for row in group.rows {
            let logical = try group.epoch.delivered(row.named, lost: lost)
            let number = set.row(logical)
            isSorted = isSorted && number >= last
            last = number
            samples.append(
                Sample(
                    named: row.named, logical: logical, row: number, step: row.step, slot: row.slot,
                    isRepetition: row.isRepetition, batch: place(row.step, firstStep)))
        }
        if !isSorted { samples.sort { ($0.row, $0.step, $0.slot) < ($1.row, $1.step, $1.slot) } }
    }

    private func readSamples(_ group: PlacedRows, _ set: LoadedSet, _ window: BatchWindow) throws(ShardError) {
        let layout = context.layout
        for sample in samples {
            let (batch, slot) = (sample.batch, sample.slot)
            window.set(layout.rows, batch: batch, row: slot, Int64(sample.row))
            window.set(layout.named, batch: batch, row: slot, Int64(set.row(sample.named)))
            window.set(layout.repetitions, batch: batch, row: slot, UInt8(sample.isRepetition ? 1 : 0))
            if let sets = layout.sets { window.set(sets, batch: batch, row: slot, Int32(group.set)) }
        }
        var cells = CellRun(set: set, samples: samples, window: window)
        if let ids = layout.rowIDs {
            cells.choose(samples.indices)
            _ = try cells.read(column: set.columns.rowID, ids, as: .u8)
        }
        if let images = layout.images, let column = set.columns.image {
            cells.choose(samples.indices)
            _ = try cells.read(column: column, ragged: images)
        }
        for (number, part) in layout.parts.enumerated() {
            guard let draws = group.epoch.parts[number] else { continue }
            try read(part, draws, axes: set.columns.parts[number], window, &cells)
        }
    }

    /// The draws of all samples: of one block often one and the same.
    private func draws(_ plan: PartPlan) -> [VariantDraw] {
        let size = self.plan.shape.blockRows
        if let first = samples.first, let last = samples.last, plan.isConstantInBlocks,
            first.logical / size == last.logical / size
        {
            return Array(repeating: plan.draw(row: first.logical), count: samples.count)
        }
        return samples.map { plan.draw(row: $0.logical) }
    }

    /// Reads one part of all samples: the drawn variants; where one lacks a cell, the next that has all.
    /// Spec: [R-ORDER-19].
    private func read(
        _ layout: PartLayout, _ plan: PartPlan, axes: [AxisColumns], _ window: BatchWindow, _ cells: inout CellRun
    ) throws(ShardError) {
        let drawn = draws(plan)
        var delivered = drawn
        var pending = Array(samples.indices)
        var attempt = 0
        let attempts = axes.reduce(0) { $0 + $1.variantCount }
        while !pending.isEmpty {
            guard attempt < attempts else { throw Self.lacking(samples[pending[0]].row, axes, cells.set) }
            if attempt > 0 { for i in pending { delivered[i] = Self.next(axes, drawn[i], attempt) } }
            var lacking: [Int] = []
            for axis in axes.indices {
                let chosen = axes.count == 1 ? pending : pending.filter { delivered[$0].axis == axis }
                guard !chosen.isEmpty else { continue }
                cells.choose(chosen) { delivered[$0].variant }
                lacking += try readAxis(layout, axes[axis], &cells)
            }
            pending = lacking
            attempt += 1
        }
        for (i, sample) in samples.enumerated() {
            window.set(layout.drawn, sample, drawn[i])
            window.set(layout.delivered, sample, delivered[i])
        }
    }

    /// The variant that is tried after so many others: those of the axis from the drawn one on, then those of the next axes.
    static func next(_ axes: [AxisColumns], _ drawn: VariantDraw, _ attempt: Int) -> VariantDraw {
        let count = axes[drawn.axis].variantCount
        guard attempt >= count else {
            return VariantDraw(axis: drawn.axis, variant: (drawn.variant + attempt) % count)
        }
        var rest = attempt - count
        var axis = (drawn.axis + 1) % axes.count
        while rest >= axes[axis].variantCount {
            rest -= axes[axis].variantCount
            axis = (axis + 1) % axes.count
        }
        return VariantDraw(axis: axis, variant: rest)
    }

    static func lacking(_ row: Int, _ axes: [AxisColumns], _ set: LoadedSet) -> ShardError {
        let names = axes.map { "\"\($0.name)\"" }.joined(separator: " and ")
        let place = set.dataSet.locate(row: row)
        return ShardError.schemaMismatch(
            "row \(row) of the data set lacks all variants of axis \(names), or a part of each"
        ).with(.init(path: set.dataSet.shards[place.shard].path, row: place.row))
    }

    /// Reads all columns of an axis for the chosen samples.
    /// - Returns: the samples that lack a cell, ascending.
    private func readAxis(_ layout: PartLayout, _ axis: AxisColumns, _ cells: inout CellRun) throws(ShardError) -> [Int]
    {
        var lacking: [Int] = []
        for (matrix, column) in zip(layout.embeddings, axis.embeddings) {
            lacking += try cells.read(column: column, matrix, as: matrix.element)
        }
        if let tokens = axis.tokens, let ids = layout.tokens, let lengths = layout.tokenLengths {
            lacking += try cells.read(tokens: tokens, ids, lengths: lengths)
        }
        if let number = layout.augmentations, let column = axis.augmentation {
            lacking += try cells.read(column: column, ragged: number)
        }
        if let number = layout.texts, let column = axis.text {
            lacking += try cells.read(column: column, ragged: number)
        }
        return lacking.isEmpty ? [] : Set(lacking).sorted()
    }

    // MARK: Damage

    /// Reads the samples one by one, and counts rows that cannot be read as lost, if they may be substituted.
    /// - Returns: errors of steps that have a row which is neither there nor substituted; the rows that the order names
    ///   for which others are to be read now.
    private func giveUp(_ group: PlacedRows, _ set: LoadedSet, _ window: BatchWindow) -> (
        bad: [Int: ShardError], lost: Set<Int>
    ) {
        let all = samples
        defer { samples = all }
        var failures: [Int: ShardError] = [:]
        var lost: Set<Int> = []
        for sample in all {
            samples = [sample]
            do throws(ShardError) { try readSamples(group, set, window) } catch {
                if let error = verdict(group, sample, error) {
                    failures[sample.step] = error
                } else {
                    lost.insert(sample.named)
                }
            }
        }
        return (failures, lost)
    }

    /// - Returns: what the batch of the sample fails with; nil if its row is substituted from now on.
    private func verdict(_ group: PlacedRows, _ sample: Sample, _ error: ShardError) -> ShardError? {
        guard error.isDamage else { return error }
        do throws(ShardError) {
            try losses.add(
                set: group.set, epoch: group.epoch.number, row: sample.row, logical: sample.logical, error)
            return nil
        } catch { return error }
    }
}

extension ShardError {
    /// Whether it tells of bytes that are not what they were, or cannot be read.
    var isDamage: Bool { [.corrupt, .checksumMismatch, .truncated, .io].contains(code) }
}

extension BatchWindow {
    fileprivate func set(_ matrix: MatrixLayout, _ sample: PortionReader.Sample, _ draw: VariantDraw) {
        set(matrix, batch: sample.batch, row: sample.slot, column: 0, Int32(draw.axis))
        set(matrix, batch: sample.batch, row: sample.slot, column: 1, Int32(draw.variant))
    }
}
