import DRLoader
import DRShardFormat
import Testing

/// ORDER.md, compared with the table that its second implementation made.
@Suite struct OrderTests {
    // R-ORDER-4
    @Test func keysAreThoseOfTheTable() throws {
        for entry in try OrderTable.load().keys {
            let key = OrderKey.key(
                rowSetDigest: entry.row_set.value, seed: entry.seed.word, epoch: entry.epoch.word, stream: entry.stream)
            #expect(key == entry.key.word, "\(entry)")
        }
    }

    // R-ORDER-3, R-ORDER-5
    @Test func drawsAreThoseOfTheTable() throws {
        for entry in try OrderTable.load().draws where entry.count.value <= UInt128(Int.max) {
            #expect(OrderKey.draw(entry.key.word, entry.n.word, count: entry.count.int) == entry.draw.int, "\(entry)")
        }
    }

    // R-ORDER-6
    @Test func permutationsAndTheirInversesAreThoseOfTheTable() throws {
        for entry in try OrderTable.load().permutations {
            let permutation = KeyedPermutation(count: entry.count.int, key: entry.key.word)
            for (place, image) in zip(entry.places, entry.images) {
                #expect(permutation[place.int] == image.int, "\(entry.count.int)")
                #expect(permutation.place(of: image.int) == place.int, "\(entry.count.int)")
            }
        }
    }

    // R-ORDER-8
    @Test func splitsAreThoseOfTheTable() throws {
        for entry in try OrderTable.load().splits {
            for (id, part) in zip(entry.ids, entry.buckets) {
                let bytes = stride(from: 0, to: id.count, by: 2).compactMap {
                    UInt8(id.dropFirst($0).prefix(2), radix: 16)
                }
                #expect(RowFilter.part(of: bytes.span, name: entry.name, count: entry.count) == part, "\(entry.name)")
            }
        }
    }

    // R-ORDER-7, R-ORDER-9 to R-ORDER-18, R-ORDER-20, R-ORDER-22, R-ORDER-23
    @Test func epochsAreThoseOfTheTable() throws {
        let epochs = try OrderTable.load().epochs
        #expect(epochs.count > 50)
        for entry in epochs {
            let plan = try EpochPlan(sets: entry.plan.sets(), epoch: entry.epoch, options: entry.plan.options())
            #expect(plan.stepCount == entry.step_count)
            for step in entry.steps {
                let samples = try plan.samples(step: step.step)
                #expect(samples.map(\.row) == step.rows, "\(entry.plan), epoch \(entry.epoch), step \(step.step)")
                #expect(samples.map(\.named) == step.named)
                #expect(samples.map(\.set) == step.sets)
                #expect(samples.indices.filter { samples[$0].isRepetition } == step.repeated)
                #expect(samples.compactMap { $0.view.map { [$0.axis, $0.variant] } } == step.view)
                #expect(samples.compactMap { $0.real.map { [$0.axis, $0.variant] } } == step.real)
                #expect(samples.compactMap { $0.synthetic.map { [$0.axis, $0.variant] } } == step.synthetic)
            }
        }
    }

    // R-ORDER-15
    @Test func ranksOfAnyWorldTogetherHaveTheGlobalBatch() throws {
        for entry in try OrderTable.load().epochs where entry.step_count < 100 {
            for worldSize in (1...entry.plan.lanes).filter({ entry.plan.lanes % $0 == 0 }) {
                let plans = try (0..<worldSize).map { rank in
                    try EpochPlan(
                        sets: entry.plan.sets(), epoch: entry.epoch,
                        options: entry.plan.options(world: World(rank: rank, worldSize: worldSize)))
                }
                for step in entry.steps {
                    let rows = try plans.flatMap { try $0.samples(step: step.step).map(\.row) }
                    #expect(rows == step.rows)
                    #expect(plans.reduce(0) { $0 + $1.sampleCount(step: step.step) } == step.rows.count)
                }
            }
        }
    }

    /// What a loader reads, portion by portion, is what the plan says, place by place.
    @Test func portionsHaveTheRowsOfTheirStepsFromAnyStepOn() throws {
        for entry in try OrderTable.load().epochs where entry.step_count < 100 {
            for (rank, worldSize) in [(0, 1), (entry.plan.lanes - 1, entry.plan.lanes)] {
                let plan = try EpochPlan(
                    sets: entry.plan.sets(), epoch: entry.epoch,
                    options: entry.plan.options(world: World(rank: rank, worldSize: worldSize)))
                for first in Set([0, plan.stepCount / 2, max(0, plan.stepCount - 1), plan.stepCount]) {
                    try expectPortions(plan, from: first)
                }
            }
        }
    }

    private func expectPortions(_ plan: EpochPlan, from first: Int) throws {
        var found = try (0..<plan.stepCount).map { step in
            Array(repeating: nil as PlannedSample?, count: try plan.samples(step: step).count)
        }
        var portions = PortionSequence(plan, from: first)
        var lastStart = first
        while let portion = portions.next() {
            #expect(portion.steps.count <= plan.largestSpan)
            #expect(portion.steps.lowerBound >= lastStart, "portions come in the order in which they are needed")
            lastStart = portion.steps.lowerBound
            for group in plan.rows(of: portion, from: first) {
                for row in group.rows {
                    #expect(portion.steps.contains(row.step))
                    #expect(found[row.step][row.slot] == nil, "step \(row.step), slot \(row.slot)")
                    let delivered = try group.epoch.delivered(row.named)
                    let draws = group.epoch.parts.map { $0?.draw(row: delivered) }
                    found[row.step][row.slot] = PlannedSample(
                        set: group.set, setEpoch: group.epoch.number, named: row.named, row: delivered,
                        isRepetition: row.isRepetition, view: draws[0], real: draws[1], synthetic: draws[2])
                }
            }
        }
        for step in 0..<plan.stepCount {
            let expected: [PlannedSample?] = step < first ? found[step].map { _ in nil } : try plan.samples(step: step)
            #expect(found[step] == expected, "step \(step), from \(first), \(plan.shape)")
        }
    }

    // R-ORDER-1, R-ORDER-2
    @Test func impossibleOptionsAreNamed() {
        let attempts: [(String, (inout PlanOptions) -> Void)] = [
            ("rank 2 of 2", { $0.world = World(rank: 2, worldSize: 2) }),
            ("rank -1 of 2", { $0.world = World(rank: -1, worldSize: 2) }),
            ("rank 0 of 0", { $0.world = World(rank: 0, worldSize: 0) }),
            ("a batch of 0 rows", { $0.batchSize = 0 }),
            ("7 lanes cannot share a batch of 256 rows", { $0.lanes = 7 }),
            ("8 lanes cannot be shared equally by 3 ranks", { $0.world = World(rank: 0, worldSize: 3) }),
            ("blocks of 0 rows", { $0.blockRows = 0 }),
            ("a window of 0 blocks", { $0.windowBlocks = 0 }),
            ("an epoch of one set", { $0.epochSteps = 3 }),
        ]
        let set = PlannedSet(rowSetDigest: SequenceDigest(), rowCount: 1000, axes: [:])
        for (text, change) in attempts {
            var options = PlanOptions()
            change(&options)
            let error = #expect(throws: ShardError.self) { try EpochPlan(sets: [set], epoch: 0, options: options) }
            #expect(
                error?.code == .invalidArgument && error?.reason.contains(text) == true,
                "\(text): \(error?.reason ?? "")")
        }
        #expect(throws: ShardError.invalidArgument("")) {
            try EpochPlan(sets: [set], epoch: -1, options: PlanOptions())
        }
    }

    @Test func defaultsKeepEightBatchesAndManyBlocksInPlay() throws {
        for (batchSize, lanes, window) in [
            (256, 8, 4), (4096, 64, 2), (8192, 64, 4), (1, 1, 32), (48, 8, 4), (65_536, 64, 32),
        ] {
            var options = PlanOptions()
            options.batchSize = batchSize
            let shape = try options.shape()
            #expect(shape.lanes == lanes && shape.windowBlocks == window, "\(batchSize): \(shape)")
            #expect(shape.lanes * shape.windowRows >= 8 * batchSize)
        }
    }
}
