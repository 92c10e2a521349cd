import DRShardFormat
import TestSupport

/// The conversions from their definitions, by comparing distances in float64: nothing in common with the kernels' bit
/// tricks.
enum FloatReference {
    /// The sizes of all float16 values, by the bits without the sign; the last stands for infinity, as 2^16.
    static let float16Sizes: [Double] = (0...0x7C00).map { bits in
        let exponent = bits >> 10
        let fraction = Double(bits & 1023)
        if exponent == 0 { return fraction / 16_777_216 }
        return Double(sign: .plus, exponent: exponent - 25, significand: 1024 + fraction)
    }

    static func bf16ToF32(_ half: UInt16) -> UInt32 { UInt32(half) * 65536 }

    static func f16ToF32(_ half: UInt16) -> UInt32 {
        let sign = UInt32(half & 0x8000) * 65536
        let size = Int(half & 0x7FFF)
        if size > 0x7C00 { return sign | 0x7FC0_0000 | UInt32(size & 0x3FF) * 8192 }
        if size == 0x7C00 { return sign | Float.infinity.bitPattern }
        return sign | Float(float16Sizes[size]).bitPattern
    }

    static func f32ToBF16(_ bits: UInt32) -> UInt16 {
        let value = Float(bitPattern: bits)
        let sign = UInt16(bits >> 31) << 15
        if value.isNaN { return UInt16(bits / 65536) | 0x40 }
        if value.isInfinite { return sign | 0x7F80 }
        let below = UInt16(value.magnitude.bitPattern / 65536)
        func size(_ half: UInt16) -> Double {
            half == 0x7F80 ? 0x1p128 : Double(Float(bitPattern: UInt32(half) * 65536))
        }
        return sign | nearer(Double(value.magnitude), below, size(below), size(below + 1))
    }

    static func f32ToF16(_ bits: UInt32) -> UInt16 {
        let value = Float(bitPattern: bits)
        let sign = UInt16(bits >> 31) << 15
        if value.isNaN { return sign | 0x7E00 | UInt16(bits / 8192 & 0x3FF) }
        let size = Double(value.magnitude)
        if size >= 65536 { return sign | 0x7C00 }
        var below = 0
        var above = 0x7C00
        while above - below > 1 {
            let middle = (below + above) / 2
            if float16Sizes[middle] <= size { below = middle } else { above = middle }
        }
        return sign | nearer(size, UInt16(below), float16Sizes[below], float16Sizes[below + 1])
    }

    /// `below` or the next one, whichever is nearer; of two that are as near, the even one.
    private static func nearer(_ value: Double, _ below: UInt16, _ belowSize: Double, _ aboveSize: Double) -> UInt16 {
        let down = value - belowSize
        let up = aboveSize - value
        return down < up || (down == up && below % 2 == 0) ? below : below + 1
    }

    /// The rule of the sum of products, step by step.
    static func dot(_ a: [UInt16], _ b: [UInt16]) -> Double {
        var total = 0.0
        for start in stride(from: 0, to: a.count, by: 4096) {
            var lanes = [Float](repeating: 0, count: 32)
            for i in start..<min(start + 4096, a.count) {
                let product = Float(bitPattern: UInt32(a[i]) << 16) * Float(bitPattern: UInt32(b[i]) << 16)
                lanes[i % 32] += product
            }
            var sums = lanes.map(Double.init)
            for width in [16, 8, 4, 2, 1] { for j in 0..<width { sums[j] += sums[j + width] } }
            total += sums[0]
        }
        return total.isNaN ? Double.nan : total
    }
}

extension FloatReference {
    /// What must come out of the bits of one value. Debug builds are slow at generic code: all of this is concrete.
    static func result(_ conversion: FloatConversion, _ bits: UInt32) -> UInt32 {
        let half = UInt16(truncatingIfNeeded: bits)
        return switch conversion {
        case .bf16ToF32: bf16ToF32(half)
        case .f16ToF32: f16ToF32(half)
        case .f32ToBF16: UInt32(f32ToBF16(bits))
        case .f32ToF16: UInt32(f32ToF16(bits))
        case .bf16ToF16: UInt32(f32ToF16(bf16ToF32(half)))
        case .f16ToBF16: UInt32(f32ToBF16(f16ToF32(half)))
        }
    }

    /// All 65,536 patterns for 16-bit sources. For 32-bit sources each of the 65,536 results, the middle to the next one,
    /// and for both the neighbours on both sides; then random bits.
    static func inputs(_ conversion: FloatConversion, random: inout SeededGenerator) -> [UInt32] {
        guard conversion.sourceByteCount == 4 else { return Array(0...65535) }
        var inputs: [UInt32] = []
        inputs.reserveCapacity(500_000)
        for half in UInt16.min...UInt16.max {
            let exact = conversion == .f32ToBF16 ? bf16ToF32(half) : f16ToF32(half)
            let middle = conversion == .f32ToBF16 ? exact | 0x8000 : middleAfter(half, exact)
            inputs += [exact &- 1, exact, exact &+ 1, middle &- 1, middle, middle &+ 1]
        }
        for _ in 0..<50_000 {
            let bits = UInt32(truncatingIfNeeded: random.next())
            inputs.append(bits)
            // Most exponents of float32 are out of float16's range: these are in it or just outside.
            inputs.append(bits & 0x8FFF_FFFF | (bits & 0x1000_0000 == 0 ? 0x3000_0000 : 0x4000_0000))
        }
        return inputs
    }

    /// Half way from a float16 value to the next larger one; for infinities and NaNs the value itself.
    private static func middleAfter(_ half: UInt16, _ exact: UInt32) -> UInt32 {
        let size = Int(half & 0x7FFF)
        if size >= 0x7C00 { return exact }
        return Float((float16Sizes[size] + float16Sizes[size + 1]) / 2).bitPattern | UInt32(half & 0x8000) << 16
    }

    /// The low `byteCount` bytes of each value.
    static func bytes(_ values: [UInt32], _ byteCount: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(values.count * byteCount)
        for value in values {
            bytes.append(UInt8(truncatingIfNeeded: value))
            bytes.append(UInt8(truncatingIfNeeded: value >> 8))
            if byteCount == 4 {
                bytes.append(UInt8(truncatingIfNeeded: value >> 16))
                bytes.append(UInt8(truncatingIfNeeded: value >> 24))
            }
        }
        return bytes
    }
}
