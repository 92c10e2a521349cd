/// A permutation of `[0, count)` that a key names: O(1) memory, any place by itself.
///
/// A Feistel network with cycle walking (Black and Rogaway 2002, methods 2 and 3):
/// with b the bits of `count − 1`, a number x below 2^b is `high ‖ low`, where low has `b / 2` bits, rounded down.
/// Rounds r = 0…7: for even r `high ^= F(r, low)`, cut to high's bits; for odd r `low ^= F(r, high)`, cut to low's
/// bits. `F(r, y) = mix(output(key, r) ^ y)`, with `mix` and `output` of `OrderKey`; cut: the least significant bits.
/// The number at place p: p goes through all rounds, and again until it is below `count`: fewer than 2 times on
/// average, since 2^b < 2 · `count`. For a count of 1 it is the identity.
///
/// Q: Why eight rounds? A: Four do for large counts; with a few bits a half, a round has few functions to choose from.
public struct KeyedPermutation: Sendable {
    public let count: Int
    private let lowBits: UInt64
    private let lowMask: UInt64
    private let highMask: UInt64
    private let keys: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)

    /// - Parameter count: not negative.
    public init(count: Int, key: UInt64) {
        precondition(count >= 0, "a permutation of \(count) numbers")
        self.count = count
        let bits = count > 1 ? UInt64(Int.bitWidth - (count - 1).leadingZeroBitCount) : 0
        lowBits = bits / 2
        lowMask = (1 << lowBits) - 1
        highMask = (1 << (bits - lowBits)) - 1
        func output(_ round: UInt64) -> UInt64 { OrderKey.output(key, round) }
        keys = (output(0), output(1), output(2), output(3), output(4), output(5), output(6), output(7))
    }

    /// The number at a place of the permuted sequence. Cost: the same for all counts, and no memory.
    public subscript(place: Int) -> Int {
        precondition(place >= 0 && place < count, "place \(place) of \(count)")
        var x = UInt64(place)
        repeat { x = pass(x) } while x >= UInt64(count)
        return Int(x)
    }

    private func pass(_ x: UInt64) -> UInt64 {
        var low = x & lowMask
        var high = x >> lowBits
        high ^= OrderKey.mix(keys.0 ^ low) & highMask
        low ^= OrderKey.mix(keys.1 ^ high) & lowMask
        high ^= OrderKey.mix(keys.2 ^ low) & highMask
        low ^= OrderKey.mix(keys.3 ^ high) & lowMask
        high ^= OrderKey.mix(keys.4 ^ low) & highMask
        low ^= OrderKey.mix(keys.5 ^ high) & lowMask
        high ^= OrderKey.mix(keys.6 ^ low) & highMask
        low ^= OrderKey.mix(keys.7 ^ high) & lowMask
        return high << lowBits | low
    }
}
