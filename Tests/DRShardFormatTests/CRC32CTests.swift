import CDRKernels
import DRShardFormat
import TestSupport
import Testing

@Suite struct CRC32CTests {
    static let variants = [CDR_CRC32C_ONE, CDR_CRC32C_THREE, CDR_CRC32C_FOLD256, CDR_CRC32C_FOLD512]
        .filter { cdr_crc32c_available($0) != 0 }

    private let bytes: [UInt8]

    init() {
        var random = SeededGenerator(seed: 7)
        bytes = (0..<100_000).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    @Test func checkValueIsTheCatalogues() {
        #expect(crc32c(Array("123456789".utf8)) == 0xE306_9283)
        #expect(crc32c([]) == 0)
    }

    /// Lengths 0 to 4,096, each at the alignment of its remainder by 64, and every 61st at all of them; release builds
    /// take every length at every alignment.
    /// RFC 3720, B.4.
    @Test func answersAreThoseOfTheStandard() {
        #expect(crc32c([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(crc32c([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
        #expect(crc32c(Array(0..<32)) == 0x46DD_794E)
    }

    @Test func everyLengthAndAlignmentIsAsByTables() {
        #if DEBUG
            let step = 61
        #else
            let step = 1
        #endif
        unsafe bytes.withUnsafeBytes { buffer in
            for alignment in 0..<64 {
                let start = unsafe buffer.baseAddress! + alignment
                var expected: UInt32 = 5
                for count in 0...4096 {
                    if count > 0 { expected = unsafe cdr_crc32c_plain(expected, start + count - 1, 1) }
                    guard count % step == 0 || count % 64 == alignment else { continue }
                    for variant in Self.variants where unsafe cdr_crc32c_with(variant, 5, start, count) != expected {
                        Issue.record("variant \(variant.rawValue), alignment \(alignment), \(count) bytes")
                        return
                    }
                }
            }
        }
    }

    @Test func longInputsAreAsByTables() {
        var random = SeededGenerator(seed: 8)
        for _ in 0..<50 {
            let count = Int.random(in: 4097...99_000, using: &random)
            let alignment = Int.random(in: 0..<64, using: &random)
            unsafe bytes.withUnsafeBytes { buffer in
                let start = unsafe buffer.baseAddress! + alignment
                let expected = unsafe cdr_crc32c_plain(9, start, count)
                for variant in Self.variants {
                    let found = unsafe cdr_crc32c_with(variant, 9, start, count)
                    #expect(found == expected, "variant \(variant.rawValue), \(count) bytes")
                }
                #expect(unsafe cdr_crc32c(9, start, count) == expected)
            }
        }
    }

    @Test func aChecksumIsContinued() {
        let whole = crc32c(bytes)
        unsafe bytes.withUnsafeBytes { buffer in
            for cut in [0, 1, 7, 247, 248, 5000, 99_999, 100_000] {
                let first = unsafe cdr_crc32c(0, buffer.baseAddress, cut)
                #expect(unsafe cdr_crc32c(first, buffer.baseAddress! + cut, 100_000 - cut) == whole)
            }
        }
    }
}
