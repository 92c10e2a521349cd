import DRLoader
import DRShardFormat
import Testing

/// Statistics of orders and draws with fixed seeds. Bounds are 5 standard deviations of what chance would give, so that a
/// fair function passes and a lopsided one does not.
@Suite struct StatisticsTests {
    private func plan(
        rows: Int, epoch: Int = 0, views: Int = 10, _ change: (inout PlanOptions) -> Void = { _ in }
    ) throws -> EpochPlan {
        var options = PlanOptions()
        options.batchSize = 256
        options.blockRows = 32
        change(&options)
        let set = PlannedSet(
            rowSetDigest: try SequenceDigest(validating: 99), rowCount: rows,
            axes: [
                .view: [PlannedAxis(name: "view", count: views, isExchangeable: true)],
                .synthetic: [PlannedAxis(name: "synthetic", count: 5, isExchangeable: true)],
            ])
        return try EpochPlan(sets: [set], epoch: epoch, options: options)
    }

    private func expectEven(_ counts: [Int], _ what: String) {
        let total = Double(counts.reduce(0, +))
        let mean = total / Double(counts.count)
        let bound = 5 * (mean * (1 - 1 / Double(counts.count))).squareRoot()
        #expect(counts.allSatisfy { abs(Double($0) - mean) <= bound }, "\(what): \(counts), mean \(mean) +- \(bound)")
    }

    /// Where a row is delivered in an epoch says nothing about where it is in the next, or what its neighbour's place is.
    @Test(arguments: [RowOrder.blocks, .global]) func placesAreUniformAndIndependentOfEpochs(order: RowOrder) throws {
        let rows = 16_384
        var sixteenths = [Int](repeating: 0, count: 16)
        var pairs = [Int](repeating: 0, count: 64)
        var before: [Int]?
        for epoch in 0..<24 {
            let plan = try plan(rows: rows, epoch: epoch) { $0.order = order }
            var step = [Int](repeating: 0, count: rows)
            for number in 0..<plan.stepCount { for row in try plan.rows(step: number) { step[row] = number } }
            // Of every 61st row, so that rows of one block don't count several times.
            for row in stride(from: 0, to: rows, by: 61) {
                sixteenths[step[row] * 16 / plan.stepCount] += 1
                if let before { pairs[before[row] * 8 / plan.stepCount * 8 + step[row] * 8 / plan.stepCount] += 1 }
            }
            before = step
        }
        expectEven(sixteenths, "steps")
        expectEven(pairs, "steps of two epochs")
    }

    @Test func rowsOfABlockAreSpreadOverTheirWindow() throws {
        let plan = try plan(rows: 65_536) {
            $0.lanes = 8
            $0.blockRows = 256
            $0.windowBlocks = 4
        }
        var step = [Int](repeating: 0, count: 65_536)
        for number in 0..<plan.stepCount { for row in try plan.rows(step: number) { step[row] = number } }
        var spans: [Int] = []
        for block in 0..<256 {
            let steps = (0..<256).map { step[block * 256 + $0] }
            spans.append((steps.max() ?? 0) - (steps.min() ?? 0))
        }
        // A window is 32 steps; a block lies in one, or in two that follow each other.
        #expect(spans.sorted()[128] >= 28 && spans.allSatisfy { $0 <= 64 }, "\(spans.sorted())")
        // Rows of a batch come from many blocks.
        let blocks = try (0..<plan.stepCount).map { Set(try plan.rows(step: $0).map { $0 / 256 }).count }
        #expect(blocks.sorted()[blocks.count / 2] >= 32, "\(blocks)")
    }

    // R-ORDER-18
    @Test func balancedViewsComeOnceEachInAsManyEpochsAndEquallyOftenInEach() throws {
        let rows = 32 * 2000
        var seen = [[Int]](repeating: [], count: 2000)
        var perEpoch = [[Int]](repeating: [Int](repeating: 0, count: 10), count: 20)
        for epoch in 0..<20 {
            let plan = try plan(rows: rows, epoch: epoch)
            for block in 0..<2000 {
                let sample = plan.draws(row: block * 32)
                seen[block].append(sample.view?.variant ?? -1)
                perEpoch[epoch][sample.view?.variant ?? 0] += 1
            }
        }
        for views in seen { for cycle in 0..<2 { #expect(Set(views[cycle * 10..<cycle * 10 + 10]).count == 10) } }
        #expect(seen.count { $0.prefix(10) == $0.suffix(10) } == 0, "each cycle has an order of its own")
        for (epoch, counts) in perEpoch.enumerated() { expectEven(counts, "views in epoch \(epoch)") }
    }

    @Test(arguments: VariantMode.allCases.filter { $0 != .epoch })
    func axesAreDrawnIndependentlyOfEachOtherAndOfEpochs(mode: VariantMode) throws {
        var pairs = [Int](repeating: 0, count: 50)
        var next = [Int](repeating: 0, count: 100)
        for epoch in [0, 7, 23] {
            let (plan, later) = try (
                plan(rows: 320_000, epoch: epoch) { $0.variants = mode },
                self.plan(rows: 320_000, epoch: epoch + 10) { $0.variants = mode }
            )
            for block in 0..<10_000 {
                let (a, b) = (plan.draws(row: block * 32 + block % 32), later.draws(row: block * 32))
                pairs[(a.view?.variant ?? 0) * 5 + (a.synthetic?.variant ?? 0)] += 1
                next[(a.view?.variant ?? 0) * 10 + (b.view?.variant ?? 0)] += 1
            }
        }
        expectEven(pairs, "views and captions")
        expectEven(next, "views ten epochs apart")
    }

    @Test func independentDrawsOfManyEpochsCoverViewsAsChanceHasIt() throws {
        // Of 30 views in 30 epochs a row sees 30 · (1 − (29/30)^30) = 19.15 on average.
        var total = 0
        let plans = try (0..<30).map { epoch in
            try plan(rows: 2048, epoch: epoch, views: 30) { $0.variants = .independent }
        }
        for row in 0..<2000 { total += Set(plans.map { $0.draws(row: row).view?.variant ?? -1 }).count }
        #expect(abs(Double(total) / 2000 - 19.15) < 0.2, "\(total)")
    }

    @Test func substitutesAreSpreadOverAllRows() throws {
        var counts = [Int](repeating: 0, count: 16)
        let bad = Set(stride(from: 0, to: 16_384, by: 4))
        let set = PlannedSet(
            rowSetDigest: SequenceDigest(), rowCount: 16_384, axes: [:], quarantined: bad)
        let plan = try EpochPlan(sets: [set], epoch: 0, options: PlanOptions())
        for step in 0..<plan.stepCount {
            for sample in try plan.samples(step: step) where sample.named != sample.row {
                #expect(bad.contains(sample.named) && !bad.contains(sample.row))
                counts[sample.row / 1024] += 1
            }
        }
        #expect(counts.reduce(0, +) == 4096)
        expectEven(counts, "substitutes")
    }
}

extension EpochPlan {
    /// The draws of a row of the only set, wherever it is delivered.
    fileprivate func draws(row: Int) -> (view: VariantDraw?, synthetic: VariantDraw?) {
        let parts = setEpoch(0, epoch).parts
        return (parts[0]?.draw(row: row), parts[2]?.draw(row: row))
    }
}
