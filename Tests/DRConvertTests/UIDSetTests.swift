import DRConvert
import Testing

@Suite struct UIDSetTests {
    @Test func aPackedSetHoldsWhatWasPutIn() {
        let seed: UInt64 = 7
        var generator = SampleGenerator(seed: seed)
        var set = UIDSet()
        var expected: Set<UInt128> = []
        for shard in 0..<40 {
            for _ in 0..<generator.integer(0...60) {
                // Few enough that some come twice.
                let uid = UInt128(generator.integer(0...4000)) << 100 | 1
                guard !set.contains(uid) else { continue }
                set.insert(uid)
                expected.insert(uid)
            }
            set.pack()
            #expect(set.count == expected.count, "seed \(seed), shard \(shard)")
        }
        for number in 0...4000 {
            let uid = UInt128(number) << 100 | 1
            #expect(set.contains(uid) == expected.contains(uid), "seed \(seed), \(number)")
        }
        #expect(!set.contains(0) && !set.contains(UInt128.max))
    }
}
