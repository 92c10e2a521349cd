/// A digest of a sequence, made so that digests of parts give the digest of the whole. Spec: FORMAT.md section 8.2.
public struct SequenceDigest: Hashable, Sendable, CustomStringConvertible {
    private static let modulus: UInt128 = (1 << 127) - 1
    private static let base: UInt128 = 0x1b43_782f_0821_a386_f0bb_c0ae_b139_e1f6

    /// The number itself, below 2^127 − 1.
    public private(set) var value: UInt128 = 0

    /// The digest of no terms.
    public init() {}

    /// - Throws: `.corrupt` if the number cannot be a digest.
    package init(validating value: UInt128) throws(ShardError) {
        guard value < Self.modulus else { throw .corrupt("a digest is not below 2^127 - 1") }
        self.value = value
    }

    package mutating func append(term: UInt128) {
        value = Self.reduce(Self.multiply(value, Self.base) + term)
    }

    /// Adds the sequence of `other`, which has `count` terms, behind this one. Cost: O(log count).
    public mutating func append(_ other: SequenceDigest, count: UInt64) {
        var power = Self.base
        var factor: UInt128 = 1
        var rest = count
        while rest > 0 {
            if rest & 1 == 1 { factor = Self.multiply(factor, power) }
            power = Self.multiply(power, power)
            rest >>= 1
        }
        value = Self.reduce(Self.multiply(value, factor) + other.value)
    }

    private static func reduce(_ x: UInt128) -> UInt128 {
        let folded = (x & modulus) + (x >> 127)
        return folded >= modulus ? folded - modulus : folded
    }

    /// The product modulo 2^127 − 1, since 2^127 is 1 there.
    private static func multiply(_ a: UInt128, _ b: UInt128) -> UInt128 {
        let product = a.multipliedFullWidth(by: b)
        return reduce((product.low & modulus) + (product.high << 1 | product.low >> 127))
    }

    /// 32 hexadecimal digits, most significant first.
    public var description: String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 32 - digits.count) + digits
    }
}

extension SequenceDigest {
    /// The digest of one term, made of bytes as that of a row is made of its id.
    package static func single(of bytes: Span<UInt8>) -> SequenceDigest {
        var digest = SequenceDigest()
        digest.append(term: term(rowID: bytes))
        return digest
    }

    /// The term of a row: the first 15 bytes of the SHA-256 of its id.
    package static func term(rowID: Span<UInt8>) -> UInt128 {
        let hash = SHA256.digest(rowID)
        var q: UInt128 = 0
        for i in (0..<15).reversed() { q = q << 8 | UInt128(hash[i]) }
        return 1 + q
    }

    /// The term of a cell, from its state and canonical value.
    package static func term(state: CellState, byteCount: Int, crc32c: UInt32) -> UInt128 {
        1 << 66 | UInt128(state.rawValue) << 64 | UInt128(UInt32(truncatingIfNeeded: byteCount)) << 32 | UInt128(crc32c)
    }
}

/// Whether a cell has a value. Spec: FORMAT.md section 5.3.
public enum CellState: UInt8, Sendable {
    /// It has a value.
    case present = 0
    /// It never had one.
    case absent = 1
    /// Its value was damaged, and given up by a repair.
    case lost = 2
}
