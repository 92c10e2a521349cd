import DRShardFormat
import Testing

/// The numbers were computed from the text by another program, in numbers of any size.
@Suite struct SequenceDigestTests {
    private static let modulus: UInt128 = (1 << 127) - 1

    /// `t_i = 2^66 + (i mod 3) 2^64 + (7919 i mod 2^32) 2^32 + (2654435761 i mod 2^32)`.
    private static func term(_ i: Int) -> UInt128 {
        let low = UInt64(truncatingIfNeeded: i * 7919) << 32 | UInt64(UInt32(truncatingIfNeeded: i * 2_654_435_761))
        return 1 << 66 | UInt128(i % 3) << 64 | UInt128(low)
    }

    private static func digest(_ terms: some Sequence<UInt128>) -> SequenceDigest {
        var digest = SequenceDigest()
        for term in terms { digest.append(term: term) }
        return digest
    }

    @Test(
        arguments: [
            (0, 0), (1, 0x40000000000000000), (2, 0x42ef02bac4e787ddda1be067df4495e8),
            (3, 0x5447625167a9ebb9a5965fe45aca2b1f), (255, 0x6f718fc6df5a4ff647b6cdcb1b302241),
            (256, 0x81473b09e17bea073882ea01535b1c2), (300, 0x3f6fc904e37e92f98861a0d566af33f),
        ] as [(Int, UInt128)]) func digestIsThatOfTheText(count: Int, value: UInt128)
    {
        #expect(Self.digest((0..<count).map(Self.term)).value == value)
    }

    @Test func largestTermsDoNotOverflow() {
        let p = Self.modulus
        let mixed: [UInt128] = [1 << 120, 1, (1 << 120) + (1 << 119) - 1, p - 1, p - 1, p - 1]
        #expect(Self.digest(mixed).value == 0x2f98d80a65177d4cc5d1cdc7be45bed1)
        #expect(Self.digest(Array(repeating: p - 1, count: 7)).value == 0x32e71fa94045b1a80de1c38110668e01)
    }

    @Test func termOfARowIsTheStartOfTheHashOfItsID() {
        let ids = (0..<5).map { Array("row \($0)".utf8) }
        let terms = ids.map { SequenceDigest.term(rowID: $0.span) }
        #expect(terms[0] == 0xdf48f6c62181ce696f9dc5624d3b98)
        #expect(terms[4] == 0xa5c756defffa8181b06c920a182746)
        #expect(Self.digest(terms).value == 0x5bba0d616b4e1d1a11df430a3583d6df)
    }

    @Test func termOfACellHoldsStateSizeAndSum() {
        let one: UInt128 = 1
        let present = one << 66 | 5 << 32 | 7
        #expect(SequenceDigest.term(state: .present, byteCount: 5, crc32c: 7) == present)
        let lost = one << 66 | 2 << 64
        #expect(SequenceDigest.term(state: .lost, byteCount: 0, crc32c: 0) == lost)
        let large = one << 66 | one << 62 | 0xFFFF_FFFF
        #expect(SequenceDigest.term(state: .present, byteCount: 1 << 30, crc32c: .max) == large)
    }

    @Test func digestsOfPartsMakeTheDigestOfTheWhole() {
        let terms = (0..<300).map(Self.term)
        let whole = Self.digest(terms)
        for cut in 0...300 {
            var joined = Self.digest(terms[..<cut])
            joined.append(Self.digest(terms[cut...]), count: UInt64(300 - cut))
            #expect(joined == whole, "cut at \(cut)")
        }
        // In three parts, joined from either side.
        var left = Self.digest(terms[..<100])
        left.append(Self.digest(terms[100..<101]), count: 1)
        left.append(Self.digest(terms[101...]), count: 199)
        var right = Self.digest(terms[100..<101])
        right.append(Self.digest(terms[101...]), count: 199)
        var all = Self.digest(terms[..<100])
        all.append(right, count: 200)
        #expect(left == whole && all == whole)
    }

    /// So many terms of 1 by doubling: the counts reach all bits.
    @Test(
        arguments: [
            (1_000_000_000_000, 0x3d0765c7120ba82ff49206cf569f11b5), (.max, 0x47c632c5a9e57b9d3ef5ec6c58452e6e),
        ] as [(UInt64, UInt128)]) func countsOfAnySizeAreJoined(count: UInt64, value: UInt128)
    {
        var digest = SequenceDigest()
        var done: UInt64 = 0
        for bit in (0..<64).reversed() {
            digest.append(digest, count: done)
            done = done &* 2
            guard count >> UInt64(bit) & 1 == 1 else { continue }
            digest.append(term: 1)
            done += 1
        }
        #expect(done == count && digest.value == value)
    }

    @Test func numberThatIsNoDigestIsCorrupt() throws {
        #expect(try SequenceDigest(validating: Self.modulus - 1).value == Self.modulus - 1)
        for value in [Self.modulus, Self.modulus + 1, .max] {
            #expect(throws: ShardError.corrupt("")) { try SequenceDigest(validating: value) }
        }
    }

    @Test func descriptionHas32Digits() throws {
        #expect(try SequenceDigest(validating: 0xAB).description == String(repeating: "0", count: 30) + "ab")
        #expect(SequenceDigest().description == String(repeating: "0", count: 32))
    }
}
