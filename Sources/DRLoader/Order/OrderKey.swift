internal import DRShardFormat

/// The mixing functions of the order of an epoch: the same numbers on every machine and in every language.
/// Spec: ORDER.md section 2.
///
/// All arithmetic is modulo 2^64.
public enum OrderKey {
    /// Of ORDER.md; part of every key.
    public static let planVersion: UInt32 = 2

    static let prefix = "drshard-order"
    /// The increment of SplitMix64: 2^64 divided by the golden ratio, made odd.
    static let increment: UInt64 = 0x9E37_79B9_7F4A_7C15

    /// The key of one stream of an epoch's numbers.
    ///
    /// SHA-256 of `"drshard-order" ‖ plan version u32 ‖ row-set digest u128 ‖ seed u64 ‖ epoch u64 ‖ stream` (numbers
    /// little-endian, text UTF-8 without a terminator); its first 8 bytes as a little-endian number. Spec: [R-ORDER-4].
    /// Axes have their names in their streams, since their numbers differ between a shard and its side shards.
    public static func key(rowSetDigest: UInt128, seed: UInt64, epoch: UInt64, stream: String) -> UInt64 {
        var bytes = Array(prefix.utf8)
        append(planVersion, to: &bytes)
        append(rowSetDigest, to: &bytes)
        append(seed, to: &bytes)
        append(epoch, to: &bytes)
        bytes.append(contentsOf: stream.utf8)
        return number(SHA256.digest(bytes)[0..<8])
    }

    /// Bytes as a little-endian number.
    static func number<Number: FixedWidthInteger>(_ bytes: some BidirectionalCollection<UInt8>) -> Number {
        bytes.reversed().reduce(0) { $0 << 8 | Number($1) }
    }

    static func append(_ number: some FixedWidthInteger, to bytes: inout [UInt8]) {
        for i in 0..<number.bitWidth / 8 { bytes.append(UInt8(truncatingIfNeeded: number >> (8 * i))) }
    }

    /// The output function of SplitMix64 (Steele, Lea, Flood 2014): a bijection of 64-bit numbers.
    static func mix(_ number: UInt64) -> UInt64 {
        var z = number
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Output number `counter`, from 0, of SplitMix64 with the seed `key`.
    static func output(_ key: UInt64, _ counter: UInt64) -> UInt64 { mix(key &+ (counter &+ 1) &* increment) }

    /// A uniform draw from `[0, count)`: `output · count` divided by 2^64, rounded down. No number is more than
    /// `count / 2^64` more likely than another. Spec: [R-ORDER-5].
    package static func draw(_ key: UInt64, _ counter: UInt64, count: Int) -> Int {
        Int(output(key, counter).multipliedFullWidth(by: UInt64(count)).high)
    }
}
