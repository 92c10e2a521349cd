import CDRKernels
import DRShardFormat
import TestSupport
import Testing

@Suite struct PlaneKernelTests {
    /// Like a row of an embedding: about normal, by the sum of four uniform numbers. One in `rarity` has any bits.
    private func embedding(_ count: Int, rarity: Int = 500, using random: inout SeededGenerator) -> [UInt16] {
        (0..<count).map { _ in
            let bits = random.next()
            if rarity > 0, bits >> 32 % UInt64(rarity) == 0 { return UInt16(truncatingIfNeeded: bits) }
            var sum: Int64 = 0
            for _ in 0..<4 { sum += Int64(random.next() >> 44) - 1 << 19 }
            return UInt16(truncatingIfNeeded: (Float(sum) / 0x1p24).bitPattern >> 16)
        }
    }

    /// Exponents of such values, the most frequent first, less 120.
    private static let offsets: [UInt8] = [1, 2, 0, 255, 254, 3, 253, 252, 251, 250, 249, 248, 247, 246, 245]

    private func reference(planes: Int, levels: Int, cellValues: Int = 1) -> PlaneReference {
        let rankCount = 1 << planes - 1 + levels
        return PlaneReference(
            planes: planes, levels: levels, offsets: Array(Self.offsets[..<rankCount]),
            bases: (0..<cellValues).map { $0 % 7 == 3 ? 119 : 120 })
    }

    /// Encodes and decodes at every level; all have to be as the reference.
    private func expectRoundTrip(_ values: [UInt16], _ reference: PlaneReference, cellValues: Int) throws {
        let kernels = try #require(PlaneKernels(payload: reference.payload, cellValues: cellValues))
        var expected: [UInt8]? = reference.encode(values)
        #expect(reference.decode(expected!, count: values.count) == values)
        if expected!.count >= 2 * values.count { expected = nil }
        KernelLevels.forEach { level in
            let place = "level \(level.rawValue), \(values.count) values, cells of \(cellValues)"
            #expect(kernels.encode(values) == expected, "encoded at \(place)")
            guard let stored = expected else { return }
            #expect(kernels.decode(stored, count: values.count) == values, "decoded at \(place)")
            let widened = values.map { UInt32($0) << 16 }
            #expect(kernels.decodeF32(stored, count: values.count) == widened, "decoded to float32 at \(place)")
        }
    }

    @Test func planesOfEveryCountAreAsTheReference() throws {
        var random = SeededGenerator(seed: 11)
        let tables = [(3, 0), (2, 0), (2, 1), (2, 5), (2, 12)]
        for count in Array(1...200) + [255, 256, 257, 511, 512, 513, 576, 639, 1000, 1536] {
            let (planes, levels) = tables[count % tables.count]
            let cellValues = [1, count, 3, 100, 384][count / 3 % 5]
            let reference = reference(planes: planes, levels: levels, cellValues: cellValues)
            try expectRoundTrip(embedding(count, using: &random), reference, cellValues: cellValues)
        }
    }

    /// From 4,097 values on a unit is decoded and encoded in chunks.
    @Test(arguments: [4095, 4096, 4097, 4160, 8192, 8193, 20_001]) func planesOfLargeUnitsAreAsTheReference(
        count: Int
    ) throws {
        var random = SeededGenerator(seed: UInt64(count))
        for (planes, levels) in [(3, 0), (2, 7), (2, 12)] {
            for cellValues in [1, 100, 1536] {
                let reference = reference(planes: planes, levels: levels, cellValues: cellValues)
                try expectRoundTrip(embedding(count, using: &random), reference, cellValues: cellValues)
            }
        }
    }

    /// Nearly all values of high ranks: groups with more bits in a level than one load or store has room for.
    @Test func denseLevelsAreAsTheReference() throws {
        var random = SeededGenerator(seed: 16)
        let table = reference(planes: 2, levels: 12)
        for count in [64, 200, 1536, 4500, 9000] {
            for rarity in [8, 30, 200] {
                let values = (0..<count).map { _ in
                    let bits = random.next()
                    let rank = bits >> 32 % UInt64(rarity) == 0 ? Int(bits >> 20 & 3) : 4 + Int(bits >> 20 & 1)
                    return UInt16(120 &+ table.offsets[rank]) << 7 | UInt16(truncatingIfNeeded: bits) & 0x807F
                }
                try expectRoundTrip(values, table, cellValues: 1)
            }
        }
    }

    /// All 65,536 patterns, each among seven ordinary values, so that the unit is smaller than its values.
    @Test func everyPatternComesBackFromPlanes() throws {
        var random = SeededGenerator(seed: 12)
        let ordinary = embedding(4096, rarity: 0, using: &random)
        var values: [UInt16] = []
        values.reserveCapacity(8 << 16)
        for pattern in UInt16.min...UInt16.max {
            let start = Int(pattern) * 7 % 4089
            values += ordinary[start..<start + 7]
            values.append(pattern)
        }
        for (planes, levels) in [(3, 0), (2, 8)] {
            let table = reference(planes: planes, levels: levels)
            let kernels = try #require(PlaneKernels(payload: table.payload, cellValues: 1536))
            let stored = try #require(kernels.encode(values))
            KernelLevels.forEach { level in
                #expect(kernels.encode(values) == stored, "level \(level.rawValue)")
                #expect(kernels.decode(stored, count: values.count) == values, "level \(level.rawValue)")
            }
        }
    }

    @Test func planesThatWouldNotShrinkAreRefused() throws {
        let kernels = try #require(
            PlaneKernels(payload: reference(planes: 2, levels: 12).payload, cellValues: 1))
        KernelLevels.forEach { _ in
            #expect(kernels.encode([0x3F80]) == nil)
            #expect(kernels.encode([]) == nil)
            #expect(kernels.encode([UInt16](repeating: 0x7F80, count: 1536)) == nil)
            #expect(kernels.encode([UInt16](repeating: 0xFFFF, count: 10_000)) == nil)
            #expect(kernels.decode([], count: 0) == [])
            #expect(kernels.decode([0], count: 0) == nil)
            #expect(kernels.decode([], count: 1) == nil)
        }
    }

    /// Bits turned, bytes cut off and put behind, and parts filled: at every level the reference's verdict, and where it
    /// is a unit still, the reference's values.
    @Test func damagedPlanesHaveTheReferencesVerdict() throws {
        var random = SeededGenerator(seed: 13)
        var verdicts = [0, 0]
        for round in 0..<600 {
            let count = [1536, 4097, 130, 64, 200][round % 5]
            let (planes, levels) = [(2, 8), (3, 0), (2, 12), (2, 1)][round % 4]
            let table = reference(planes: planes, levels: levels)
            let kernels = try #require(PlaneKernels(payload: table.payload, cellValues: 1))
            let stored = damaged(
                table.encode(embedding(count, rarity: 50, using: &random)), count, round, using: &random)
            let expected = table.decode(stored, count: count)
            verdicts[expected == nil ? 1 : 0] += 1
            KernelLevels.forEach { level in
                let place = "round \(round), level \(level.rawValue)"
                #expect(kernels.decode(stored, count: count) == expected, "\(place)")
                #expect(kernels.decodeF32(stored, count: count) == expected?.map { UInt32($0) << 16 }, "\(place)")
            }
        }
        #expect(verdicts[0] > 50 && verdicts[1] > 50, "\(verdicts)")
    }

    private func damaged(
        _ stored: [UInt8], _ count: Int, _ round: Int, using random: inout SeededGenerator
    ) -> [UInt8] {
        var stored = stored
        let start = round % 2 == 0 ? count : 0
        let place = Int.random(in: start..<stored.count, using: &random)
        switch round % 6 {
        case 0, 1: stored[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 2: stored.removeLast(stored.count - place)
        case 3: stored += (0...Int.random(in: 0..<9, using: &random)).map { UInt8($0 % 2) }
        case 4:
            let end = min(stored.count, place + Int.random(in: 1..<200, using: &random))
            for i in place..<end { stored[i] = 0xFF }
        default:
            for i in count..<stored.count { stored[i] = UInt8.random(in: 0...255, using: &random) }
        }
        return stored
    }

    /// Equal offsets, offsets that wrap around, bases of any number.
    @Test func anyTableThatIsOneWorks() throws {
        var random = SeededGenerator(seed: 14)
        for round in 0..<60 {
            let (planes, levels) = round % 4 == 0 ? (3, 0) : (2, round % 13)
            let cellValues = [5, 64, 100, 1][round % 4]
            let reference = PlaneReference(
                planes: planes, levels: levels,
                offsets: (0..<(1 << planes - 1 + levels)).map { _ in UInt8.random(in: 0...255, using: &random) },
                bases: (0..<cellValues).map { _ in UInt8.random(in: 0...255, using: &random) })
            let values = (0..<700).map { i in
                let rank = Int.random(in: 0..<reference.rankCount, using: &random)
                let exponent = reference.bases[i % cellValues] &+ reference.offsets[min(rank, rank % 4)]
                return UInt16(exponent) << 7 | UInt16.random(in: 0...UInt16.max, using: &random) & 0x807F
            }
            try expectRoundTrip(values, reference, cellValues: cellValues)
        }
    }

    @Test func tablesThatAreNotExactlyOneAreRefused() {
        let good = reference(planes: 2, levels: 8, cellValues: 3).payload
        #expect(PlaneKernels(payload: good, cellValues: 3) != nil)
        #expect(PlaneKernels(payload: good, cellValues: 4) == nil)
        for count in 0..<good.count { #expect(PlaneKernels(payload: Array(good[..<count]), cellValues: 3) == nil) }
        #expect(PlaneKernels(payload: good + [0], cellValues: 3) == nil)
        let changes = [(0, 1), (0, 3), (0, 4), (1, 13), (1, 255), (2, 1), (3, 1), (4, 1), (7, 255), (19, 1), (23, 1)]
        for (place, byte) in changes {
            var payload = good
            payload[place] = UInt8(byte)
            #expect(PlaneKernels(payload: payload, cellValues: 3) == nil, "byte \(place)")
        }
        #expect(PlaneKernels(payload: reference(planes: 3, levels: 0).payload, cellValues: 3) != nil)
        var withLevel = reference(planes: 3, levels: 0).payload
        withLevel[1] = 1
        #expect(PlaneKernels(payload: withLevel, cellValues: 3) == nil)
    }

    private func chosenTable(_ planes: Int, _ values: [UInt16], cellValues: Int) -> [UInt8] {
        var histogram = [UInt32](repeating: 0, count: 256 * cellValues)
        unsafe cdr_planes_count(values, values.count, cellValues, &histogram)
        var payload = [UInt8](repeating: 0xEE, count: Int(CDR_PLANES_TABLE_HEAD) + cellValues)
        let count = unsafe cdr_planes_choose(UInt32(planes), histogram, cellValues, &payload)
        return Array(payload[..<count])
    }

    /// Cells of small and odd sizes too, values that are all the same, and none.
    @Test(arguments: [1, 3, 100, 384, 1536]) func chosenTablesServe(cellValues: Int) throws {
        var random = SeededGenerator(seed: UInt64(cellValues))
        let count = max(40, 20_000 / cellValues) * cellValues
        let samples = [embedding(count, using: &random), [UInt16](repeating: 0, count: count), []]
        for planes in [2, 3] {
            for values in samples {
                let payload = chosenTable(planes, values, cellValues: cellValues)
                #expect(payload == chosenTable(planes, values, cellValues: cellValues))
                let kernels = try #require(PlaneKernels(payload: payload, cellValues: cellValues))
                guard values.count > 100 else { continue }
                let stored = try #require(kernels.encode(values))
                #expect(kernels.decode(stored, count: count) == values)
                #expect(Double(2 * count) / Double(stored.count) > (planes == 3 ? 1.36 : 1.4))
            }
        }
    }

    /// Places whose values differ in size by powers of two have bases of their own, others not.
    @Test func basesAreChosenWhereTheyPay() {
        var random = SeededGenerator(seed: 15)
        let values = embedding(100 * 200, rarity: 0, using: &random)
        #expect(chosenTable(2, values, cellValues: 100).count == 24 + 1)
        let scaled = values.enumerated().map { i, value in value &- UInt16(i % 100 % 5) << 8 }
        let payload = chosenTable(2, scaled, cellValues: 100)
        #expect(payload.count == 24 + 100)
        #expect((0..<95).allSatisfy { payload[24 + $0] &- payload[29 + $0] == 0 })
        #expect(payload[24] &- payload[25] == 2)
    }
}
