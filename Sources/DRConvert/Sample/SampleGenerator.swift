/// SplitMix64: the numbers behind a generated sample. Same seed, same numbers, on every platform.
/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014).
package struct SampleGenerator {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }

    /// A whole number of `range`, which is small next to 2^64 (the bias is below 2^-32).
    package mutating func integer(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + Int(next().multipliedFullWidth(by: UInt64(range.count)).high)
    }

    /// At least 0 and below 1, a multiple of 2^-53.
    package mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

    package mutating func uniform(_ range: ClosedRange<Double>) -> Double {
        range.lowerBound + uniform() * (range.upperBound - range.lowerBound)
    }

    /// Nearly normal with mean 0 and variance 1: eight uniform numbers of 16 bits each, added and scaled. No logarithm
    /// or cosine, whose last bits differ between platforms.
    package mutating func normal() -> Double {
        var sum = 0
        for _ in 0..<2 {
            let bits = next()
            sum += Int(bits & 0xFFFF) + Int(bits >> 16 & 0xFFFF) + Int(bits >> 32 & 0xFFFF) + Int(bits >> 48)
        }
        // Each has the variance (2^32 - 1) / 12 about (2^16 - 1) / 2.
        return (Double(sum) - 262_140) * (1.5.squareRoot() / 65_536)
    }

    /// `digitCount` hexadecimal digits.
    package mutating func hexadecimal(_ digitCount: Int) -> String {
        var text = ""
        while text.count < digitCount {
            let digits = String(next(), radix: 16)
            text += String(repeating: "0", count: 16 - digits.count) + digits
        }
        return String(text.prefix(digitCount))
    }
}
