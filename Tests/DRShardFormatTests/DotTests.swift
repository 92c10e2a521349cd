import CDRKernels
import DRShardFormat
import TestSupport
import Testing

extension FloatKernelTests {
    /// Exponents near 1; over the whole range, where products overflow and underflow; any bits, NaNs and infinities
    /// included.
    enum Range: CaseIterable { case nearOne, finite, any }

    static func row(_ count: Int, _ range: Range, using random: inout some RandomNumberGenerator) -> [UInt16] {
        (0..<count).map { _ in
            let bits = UInt16.random(in: 0...UInt16.max, using: &random)
            return switch range {
            case .nearOne: bits & 0x807F | (120 + bits >> 7 & 15) << 7
            case .finite: bits & 0x7F80 == 0x7F80 ? bits & 0xBFFF : bits
            case .any: bits
            }
        }
    }

    @Test(arguments: Range.allCases) func dotFollowsItsRuleToTheBit(range: Range) {
        var random = SeededGenerator(seed: 4)
        for count in Array(0...100) + [1536, 4095, 4096, 4097, 10_000] {
            let a = Self.row(count, range, using: &random)
            let b = Self.row(count, range, using: &random)
            let dot = FloatReference.dot(a, b)
            let norm = FloatReference.dot(a, a)
            KernelLevels.forEach { level in
                let found = FloatKernels.bf16Dot(a.span, b.span)
                #expect(found.bitPattern == dot.bitPattern, "dot of \(count), level \(level.rawValue)")
                let foundNorm = FloatKernels.bf16SquaredNorm(a.span)
                #expect(foundNorm.bitPattern == norm.bitPattern, "norm of \(count), level \(level.rawValue)")
            }
        }
    }

    @Test func dotIsWithinItsBound() {
        var random = SeededGenerator(seed: 5)
        for count in [1, 768, 1536, 4096, 100_000] {
            let a = Self.row(count, .nearOne, using: &random)
            let b = Self.row(count, .nearOne, using: &random)
            var exact = 0.0
            var sizes = 0.0
            for i in 0..<count {
                let first = Double(Float(bitPattern: UInt32(a[i]) << 16))
                let product = first * Double(Float(bitPattern: UInt32(b[i]) << 16))
                exact += product
                sizes += product.magnitude
            }
            #expect((FloatKernels.bf16Dot(a.span, b.span) - exact).magnitude <= sizes * 0x1p-17)
        }
    }

    @Test func dotNeedsNoAlignment() {
        var random = SeededGenerator(seed: 6)
        let values = Self.row(150, .nearOne, using: &random)
        let expected = FloatReference.dot(values, values)
        var bytes = [UInt8](repeating: 0, count: 512)
        KernelLevels.forEach { _ in
            for alignment in 0..<64 {
                for (i, value) in values.enumerated() {
                    bytes[alignment + 2 * i] = UInt8(truncatingIfNeeded: value)
                    bytes[alignment + 2 * i + 1] = UInt8(truncatingIfNeeded: value >> 8)
                }
                let found = unsafe bytes.withUnsafeBytes { buffer in
                    let row = unsafe UnsafeRawBufferPointer(rebasing: buffer[alignment..<alignment + 300])
                    return unsafe (FloatKernels.bf16SquaredNorm(row), FloatKernels.bf16Dot(row, row))
                }
                #expect(found == (expected, expected))
            }
        }
    }
}
