import CDRKernels
import DRShardFormat
import Testing

private func hex(_ bytes: [UInt8]) -> String {
    bytes.map { (($0 < 16 ? "0" : "") + String($0, radix: 16)) }.joined()
}

/// Bytes without a pattern: the top bits of a linear congruential generator.
private func noise(_ count: Int) -> [UInt8] {
    var state: UInt32 = 1
    return (0..<count).map { _ in
        state = state &* 1_664_525 &+ 1_013_904_223
        return UInt8(state >> 24)
    }
}

/// One at a time: they choose the compression function for the whole process, and give the same digests with either.
@Suite(.serialized) struct SHA256Tests {
    /// FIPS 180-4 examples, and one of several blocks.
    private static let known: [(bytes: [UInt8], digest: String)] = [
        ([], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (Array("abc".utf8), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (
            [UInt8](repeating: 0x61, count: 1_000_000),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        ),
        (
            (0..<768).map { UInt8(truncatingIfNeeded: $0) },
            "f3a25aa93aa2fbba28d79260535bbd6a5eb0fc1c24a8b0f04e12b484c1dfe363"
        ),
    ]

    @Test(arguments: [0, 1] as [CInt]) func knownAnswersComeFromBothCompressionFunctions(plain: CInt) {
        cdr_sha256_force_plain(plain)
        defer { cdr_sha256_force_plain(0) }
        for (bytes, digest) in Self.known { #expect(hex(SHA256.digest(bytes)) == digest, "\(bytes.count) bytes") }
    }

    @Test func bothCompressionFunctionsAgreeAtEveryLength() {
        let bytes = noise(300)
        defer { cdr_sha256_force_plain(0) }
        for count in 0...300 {
            cdr_sha256_force_plain(1)
            let plain = SHA256.digest(bytes.span.extracting(0..<count))
            cdr_sha256_force_plain(0)
            #expect(SHA256.digest(bytes.span.extracting(0..<count)) == plain, "\(count) bytes")
        }
    }

    @Test func piecesGiveTheDigestOfTheWhole() {
        let bytes = noise(300)
        let whole = SHA256.digest(bytes)
        for cut in 0...300 {
            var hash = SHA256()
            hash.update(bytes.span.extracting(0..<cut))
            _ = hash.finish()
            hash.update(bytes.span.extracting(cut..<300))
            #expect(hash.finish() == whole, "cut at \(cut)")
        }
    }
}
