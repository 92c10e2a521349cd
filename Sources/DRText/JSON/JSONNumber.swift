/// A decimal number taken apart: `significand * 10^exponent`, and what it is exactly or when correctly rounded.
package struct JSONNumber {
    package var isNegative = false
    package var isInteger = true
    package var exponent = 0
    @usableFromInline var significand: UInt64 = 0
    /// Digits did not fit; only the text knows the number.
    @usableFromInline var isTooLong = false

    package init() {}

    @inlinable @inline(__always)
    package mutating func append(_ digit: UInt8, isFraction: Bool) {
        // Below 2^64 / 10, so that one more digit fits whichever it is: 19 digits do.
        guard significand < 1_844_674_407_370_955_161, !isTooLong else {
            isTooLong = true
            return
        }
        significand = significand * 10 + UInt64(digit)
        if isFraction { exponent -= 1 }
    }

    /// The value, if it was written as a whole number and fits.
    package var integer: Int64? {
        guard isInteger, !isTooLong else { return nil }
        return isNegative ? Int64(exactly: -Int128(significand)) : Int64(exactly: significand)
    }

    private static let powersOfFive: [UInt64] = (0...27).reduce(into: []) { powers, _ in
        powers.append((powers.last ?? 0) == 0 ? 1 : (powers.last ?? 0) * 5)
    }

    /// The correctly rounded value where a 128-bit division finds it: up to 19 digits and exponents -27...0, which is
    /// every number in an augmentation record. Nil otherwise.
    ///
    /// Q: why is it right? `significand * 2^64 / 5^k` has at least 64 significant bits here, far more than the 53 of
    /// a Double, and the remainder says whether anything is below them, so one rounding to even sees the exact number.
    /// No result is subnormal: the smallest is 10^-27.
    package var quickDouble: Double? {
        guard !isTooLong, (-27...0).contains(exponent) else { return nil }
        guard significand != 0 else { return isNegative ? -0.0 : 0.0 }
        let power = -exponent
        let shift = significand.leadingZeroBitCount
        let numerator = UInt128(significand << UInt64(shift)) << 64
        let (quotient, remainder) = numerator.quotientAndRemainder(dividingBy: UInt128(Self.powersOfFive[power]))
        // Keep 54 bits: 53 and the half; everything below only matters as zero or not.
        let excess = 128 - quotient.leadingZeroBitCount - 54
        var bits = UInt64(truncatingIfNeeded: quotient >> UInt128(excess))
        let isExact = remainder == 0 && quotient & (UInt128(1) << UInt128(excess) - 1) == 0
        let isHalf = bits & 1 == 1
        bits >>= 1
        if isHalf && (!isExact || bits & 1 == 1) { bits += 1 }
        // value = bits * 2^(excess + 1) * 2^-64 * 2^-shift * 2^-power
        let value = Double(sign: .plus, exponent: excess + 1 - 64 - shift - power, significand: Double(bits))
        return isNegative ? -value : value
    }
}
