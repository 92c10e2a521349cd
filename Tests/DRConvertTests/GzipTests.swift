import DRConvert
import DRShardFormat
import Testing

private func decompress(_ bytes: ArraySlice<UInt8>, limit: Int = 1 << 20) throws -> [UInt8] {
    try Gzip.decompress(bytes, limit: limit, with: try Inflater())
}

private func gzip(_ bytes: [UInt8], level: Int = 6) throws -> [UInt8] {
    try Deflate.compress(bytes, as: .gzip, level: level)
}

@Test(arguments: [0, 1, 2, 63, 64, 65, 1000, 70_000]) func gzipRoundTrips(_ count: Int) throws {
    for (seed, level) in [(UInt64(1), 0), (2, 1), (3, 6), (4, 12)] {
        let plain = randomBytes(count, seed: seed, 0...(seed.isMultiple(of: 2) ? 3 : 255))
        #expect(try decompress(try gzip(plain, level: level)[...]) == plain)
    }
}

@Test(arguments: [0, 1, 6, 9]) func gzipCutAnywhereIsTruncated(_ level: Int) throws {
    for range in [0...255, 0...3, 65...70] {
        expectTruncated(try gzip(randomBytes(300, seed: 8, range), level: level)) { try decompress($0) }
    }
}

@Test(arguments: [0, 6]) func gzipWithFlippedBitsFailsOrIsTheSame(_ level: Int) throws {
    let plain = randomBytes(200, seed: 9, 0...15)
    flipBits(try gzip(plain, level: level), expecting: plain) { try decompress($0) }
}

@Test func gzipOfManyMembersIsReadToTheEnd() throws {
    let (a, b) = (randomBytes(5000, seed: 1), randomBytes(7, seed: 2))
    #expect(try decompress((try gzip(a) + gzip([]) + gzip(b))[...]) == a + b)
    let two = try gzip(a) + gzip(b)
    #expect(failure { try decompress(two[..<(two.count - 3)]) }.code == .truncated)
    #expect(failure { try decompress((two + [0x1F])[...]) }.code == .truncated)
}

@Test func gzipFollowedByGarbageIsCorrupt() throws {
    let error = failure { try decompress((try gzip([1, 2, 3]) + [0, 0])[...]) }
    #expect(error.code == .corrupt)
    #expect(error.reason == "2 bytes after the end of the gzip data")
}

@Test func gzipObeysTheLimitWhateverItsTrailerSays() throws {
    let plain = [UInt8](repeating: 7, count: 100_000)
    var bytes = try gzip(plain)
    #expect(try decompress(bytes[...], limit: 100_000) == plain)
    #expect(failure { try decompress(bytes[...], limit: 99_999) }.code == .limitExceeded)
    // A trailer that promises 4 GiB allocates no more than this input could give; then its size is found wrong.
    bytes.replaceSubrange((bytes.count - 4)..., with: [0xFF, 0xFF, 0xFF, 0xFF])
    #expect(failure { try decompress(bytes[...], limit: 1 << 40) }.code == .checksumMismatch)
    bytes.replaceSubrange((bytes.count - 4)..., with: [1, 0, 0, 0])
    #expect(failure { try decompress(bytes[...], limit: 99_999) }.code == .limitExceeded)
}

@Test func gzipWithAnotherChecksumIsAMismatch() throws {
    var bytes = try gzip(Array("some text".utf8))
    bytes[bytes.count - 8] ^= 1
    #expect(failure { try decompress(bytes[...]) }.code == .checksumMismatch)
}

@Test func gzipHeaderFieldsAreSkippedAndUnknownOnesRefused() throws {
    let plain = Array("text".utf8)
    let body = try gzip(plain)[10...]
    let header: [UInt8] = [0x1F, 0x8B, 8, 0x1C, 0, 0, 0, 0, 0, 255, 2, 0, 1, 2] + Array("name\0comment\0".utf8)
    #expect(try decompress((header + body)[...]) == plain)
    expectTruncated(header + body) { try decompress($0) }
    #expect(
        failure { try decompress(([0x1F, 0x8B, 7, 0, 0, 0, 0, 0, 0, 255] + body)[...]) }.code == .unsupportedFeature)
    #expect(
        failure { try decompress(([0x1F, 0x8B, 8, 32, 0, 0, 0, 0, 0, 255] + body)[...]) }.code == .unsupportedFeature)
    #expect(failure { try decompress(Array("PK\u{3}\u{4}".utf8)[...]) }.code == .corrupt)
}
