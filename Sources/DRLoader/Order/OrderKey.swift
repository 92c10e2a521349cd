public import DRShardFormat

/// The mixing functions of the order of an epoch: the same numbers on every machine and in every language.
///
/// All arithmetic is modulo 2^64.
public enum OrderKey {
    /// Of the definitions in this folder; part of every key.
    public static let planVersion: UInt32 = 1

    static let prefix = "drshard-order"
    /// The increment of SplitMix64: 2^64 divided by the golden ratio, made odd.
    static let increment: UInt64 = 0x9E37_79B9_7F4A_7C15

    /// The key of one stream of an epoch's numbers.
    ///
    /// SHA-256 of `"drshard-order" ‖ plan version u32 ‖ row-set digest u128 ‖ seed u64 ‖ epoch u64 ‖ stream` (numbers
    /// little-endian, text UTF-8 without a terminator); its first 8 bytes as a little-endian number.
    /// Streams: `rows` for the order of rows, `axis NAME` for the draws on the axis of that name. Names,
    /// since numbers of axes differ between a shard and its side shards.
    public static func key(rowSetDigest: SequenceDigest, seed: UInt64, epoch: UInt64, stream: String) -> UInt64 {
        var bytes = Array(prefix.utf8)
        append(planVersion, to: &bytes)
        append(rowSetDigest.value, to: &bytes)
        append(seed, to: &bytes)
        append(epoch, to: &bytes)
        bytes.append(contentsOf: stream.utf8)
        return SHA256.digest(bytes)[0..<8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    private static func append(_ number: some FixedWidthInteger, to bytes: inout [UInt8]) {
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
}

/// Counter-based draws of one stream: the draw of a row depends on nothing but key and row.
public struct Draw: Hashable, Sendable {
    public let key: UInt64
    public init(key: UInt64) { self.key = key }

    /// Output number `row` of SplitMix64 with the seed `key`.
    public func bits(row: Int) -> UInt64 { OrderKey.output(key, UInt64(row)) }

    /// A uniform draw from `[0, count)`: `bits · count` divided by 2^64, rounded down. No number is more than
    /// `count / 2^64` more likely than another.
    public func index(row: Int, count: Int) -> Int {
        Int(bits(row: row).multipliedFullWidth(by: UInt64(count)).high)
    }
}
