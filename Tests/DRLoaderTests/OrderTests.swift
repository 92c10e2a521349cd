import DRLoader
import DRShardFormat
import Testing

@Suite struct OrderTests {
    private let digest = SequenceDigest()

    private func plan(rows: Int, epoch: Int = 0, _ change: (inout PlanOptions) -> Void = { _ in }) throws -> EpochPlan {
        var options = PlanOptions()
        change(&options)
        return try EpochPlan(rowSetDigest: digest, rowCount: rows, epoch: epoch, options: options)
    }

    // The numbers of the next three tests come from a Python program that was written from the definitions.

    @Test func keysAreThoseOfTheDefinition() throws {
        let other = try SequenceDigest(validating: 0x0123_4567_89ab_cdef_0011_2233_4455_6677)
        #expect(OrderKey.key(rowSetDigest: digest, seed: 0, epoch: 0, stream: "rows") == 0x1577_4395_b656_c68b)
        #expect(OrderKey.key(rowSetDigest: other, seed: 42, epoch: 3, stream: "rows") == 0x6a1f_cd58_7501_23c8)
        #expect(OrderKey.key(rowSetDigest: other, seed: 42, epoch: 3, stream: "axis view") == 0x8468_05e3_bb79_7664)
    }

    @Test func permutationsAreThoseOfTheDefinition() throws {
        let seven = try SequenceDigest(validating: 7)
        let key = OrderKey.key(rowSetDigest: seven, seed: 1, epoch: 2, stream: "rows")
        let expected = [
            2: [1, 0], 3: [1, 2, 0], 10: [3, 0, 1, 9, 7, 2, 4, 5, 8, 6],
            1000: [658, 446, 43, 225, 97, 875, 376, 442, 377, 551],
            1_000_000_000: [714_139_618, 30_115_927, 56_233_727, 513_390_439],
            (1 << 62) + 1: [1_940_738_567_252_901_963, 2_299_963_588_825_104_486, 2_257_211_760_787_980_028],
        ]
        for (count, numbers) in expected {
            let permutation = KeyedPermutation(count: count, key: key)
            for (place, number) in numbers.enumerated() { #expect(permutation[place] == number, "\(count)") }
        }
    }

    @Test func drawsAreThoseOfTheDefinition() throws {
        let seven = try SequenceDigest(validating: 7)
        let draw = Draw(key: OrderKey.key(rowSetDigest: seven, seed: 1, epoch: 2, stream: "axis view"))
        #expect((0..<16).map { draw.index(row: $0, count: 10) } == [9, 7, 5, 4, 3, 6, 4, 2, 7, 9, 5, 0, 6, 1, 9, 1])
        #expect(draw.index(row: 1_000_000_000, count: 4096) == 3351)
        #expect(draw.index(row: 5, count: 1) == 0)
    }

    @Test func everySmallPermutationHasEachNumberOnce() {
        for count in 0...300 {
            for key in [0, 1, UInt64.max] {
                let permutation = KeyedPermutation(count: count, key: key)
                #expect((0..<count).map { permutation[$0] }.sorted() == Array(0..<count), "\(count), key \(key)")
            }
        }
    }

    @Test(arguments: [65_536, 65_537, 1_000_003]) func largePermutationHasEachNumberOnce(count: Int) {
        let permutation = KeyedPermutation(count: count, key: 99)
        var seen = [Bool](repeating: false, count: count)
        for place in 0..<count { seen[permutation[place]] = true }
        #expect(!seen.contains(false))
    }

    @Test(arguments: [1 << 40, (1 << 40) + 1, (1 << 62) + 12345, Int.max])
    func sampleOfAHugePermutationIsDistinctAndSpread(count: Int) {
        let permutation = KeyedPermutation(count: count, key: 5)
        var seen = Set<Int>()
        var eighths = [Int](repeating: 0, count: 8)
        for place in 0..<8000 {
            let number = permutation[place]
            #expect((0..<count).contains(number) && seen.insert(number).inserted)
            eighths[number / (count / 8 + 1)] += 1
        }
        // 1,000 expected in each, with a standard deviation of 30.
        #expect(eighths.allSatisfy { (850...1150).contains($0) }, "\(eighths)")
    }

    @Test func smallPermutationsAreEquallyLikely() {
        var seen: [[Int]: Int] = [:]
        for key in 0..<24_000 as Range<UInt64> {
            let permutation = KeyedPermutation(count: 4, key: key)
            seen[(0..<4).map { permutation[$0] }, default: 0] += 1
        }
        // 1,000 expected of each of the 24, with a standard deviation of 31.
        #expect(seen.count == 24 && seen.values.allSatisfy { (850...1150).contains($0) }, "\(seen)")
    }

    @Test func drawsAreUniformAndIndependentOfOtherAxesAndEpochs() throws {
        let streams = try [
            plan(rows: 1).draw(axis: "view"), plan(rows: 1).draw(axis: "real"),
            plan(rows: 1, epoch: 1).draw(axis: "view"),
        ]
        for (a, b) in [(0, 1), (0, 2)] {
            var pairs = [Int](repeating: 0, count: 50)
            for row in 0..<50_000 {
                pairs[streams[a].index(row: row, count: 10) * 5 + streams[b].index(row: row, count: 5)] += 1
            }
            // 1,000 expected of each pair.
            #expect(pairs.allSatisfy { (850...1150).contains($0) }, "\(pairs)")
        }
    }

    @Test func rowsOfAnEpochAreAllRowsOnce() throws {
        let short = try plan(rows: 1000) { $0.tail = .short }
        #expect(short.stepCount == 4)
        #expect((0..<4).flatMap { short.rows(step: $0) }.sorted() == Array(0..<1000))
        #expect(short.rows(step: 3).count == 1000 - 3 * 256)
        let dropped = try plan(rows: 1000)
        #expect(dropped.stepCount == 3)
        #expect((0..<3).allSatisfy { dropped.rows(step: $0) == short.rows(step: $0) })
        #expect(try plan(rows: 0) { $0.tail = .short }.stepCount == 0)
        #expect(try plan(rows: 512) { $0.tail = .short }.stepCount == 2)
    }

    @Test func anotherSeedEpochOrRowSetIsAnotherOrder() throws {
        let first = try plan(rows: 300).rows(step: 0)
        #expect(try plan(rows: 300).rows(step: 0) == first)
        #expect(try plan(rows: 300, epoch: 1).rows(step: 0) != first)
        #expect(try plan(rows: 300) { $0.seed = 1 }.rows(step: 0) != first)
        let other = try EpochPlan(
            rowSetDigest: SequenceDigest(validating: 1), rowCount: 300, epoch: 0, options: PlanOptions())
        #expect(other.rows(step: 0) != first)
    }

    @Test(arguments: [1, 2, 3, 4, 6, 12]) func ranksShareEveryGlobalBatchInOrder(worldSize: Int) throws {
        let whole = try plan(rows: 101) {
            $0.batchSize = 24
            $0.tail = .short
        }
        let ranks = try (0..<worldSize).map { rank in
            try plan(rows: 101) {
                $0.batchSize = 24
                $0.tail = .short
                $0.world = World(rank: rank, worldSize: worldSize)
            }
        }
        for step in 0..<whole.stepCount {
            #expect(ranks.flatMap { $0.rows(step: step) } == whole.rows(step: step))
            if step < 4 { #expect(ranks.allSatisfy { $0.rows(step: step).count == 24 / worldSize }) }
        }
    }

    @Test func impossibleOptionsAreNamed() {
        let attempts: [(String, (inout PlanOptions) -> Void)] = [
            ("rank 2 of 2", { $0.world = World(rank: 2, worldSize: 2) }),
            ("rank -1 of 2", { $0.world = World(rank: -1, worldSize: 2) }),
            ("rank 0 of 0", { $0.world = World(rank: 0, worldSize: 0) }),
            ("a batch of 0 rows", { $0.batchSize = 0 }),
            ("256 rows cannot be shared equally by 3 ranks", { $0.world = World(rank: 0, worldSize: 3) }),
        ]
        for (text, change) in attempts {
            let error = #expect(throws: ShardError.self) { try plan(rows: 1000, change) }
            #expect(
                error?.code == .invalidArgument && error?.reason.contains(text) == true,
                "\(text): \(error?.reason ?? "")")
        }
        #expect(throws: ShardError.invalidArgument("")) { try plan(rows: 1000, epoch: -1) }
    }
}
