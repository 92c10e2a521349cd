/// A permutation of `[0, count)` that a key names: O(1) memory, any place by itself, both ways. Spec: [R-ORDER-6].
///
/// Up to 16 numbers are a shuffled list, in 4 bits each. Above, a Feistel network with cycle walking (Black and Rogaway
/// 2002, methods 2 and 3): with b the bits of `count − 1`, a number x below 2^b is `high ‖ low`, where low has `b / 2`
/// bits, rounded down. Rounds r = 0…7: for even r `high ^= F(r, low)`, cut to high's bits; for odd r `low ^= F(r, high)`,
/// cut to low's bits. `F(r, y) = mix(output(key, r) ^ y)`, with `mix` and `output` of `OrderKey`; cut: the least
/// significant bits. A place goes through all rounds, and again until it is below `count`: fewer than 2 times on average,
/// since 2^b < 2 · `count`.
///
/// Q: Why eight rounds? A: Four do for large counts; with a few bits a half, a round has few functions to choose from.
public struct KeyedPermutation: Sendable {
    public let count: Int
    private let lowBits: UInt64
    private let lowMask: UInt64
    private let highMask: UInt64
    private let keys: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)
    /// Of few numbers: the number at place p in bits 4 p and up.
    private let list: UInt64
    private static let largestList = 16

    /// - Parameter count: not negative.
    public init(count: Int, key: UInt64) {
        precondition(count >= 0, "a permutation of \(count) numbers")
        self.count = count
        let bits = count > 1 ? UInt64(Int.bitWidth - (count - 1).leadingZeroBitCount) : 0
        lowBits = bits / 2
        lowMask = (1 << lowBits) - 1
        highMask = (1 << (bits - lowBits)) - 1
        func output(_ round: UInt64) -> UInt64 { OrderKey.output(key, round) }
        guard count > Self.largestList else {
            list = Self.shuffledList(count: count, key: key)
            keys = (0, 0, 0, 0, 0, 0, 0, 0)
            return
        }
        list = 0
        keys = (output(0), output(1), output(2), output(3), output(4), output(5), output(6), output(7))
    }

    /// Durstenfeld's shuffle (1964).
    private static func shuffledList(count: Int, key: UInt64) -> UInt64 {
        var list: UInt64 = 0xFEDC_BA98_7654_3210
        for last in stride(from: count - 1, to: 0, by: -1) {
            let other = OrderKey.draw(key, UInt64(last), count: last + 1)
            let difference = (list >> UInt64(4 * last) ^ list >> UInt64(4 * other)) & 15
            list ^= difference << UInt64(4 * last)
            list ^= difference << UInt64(4 * other)
        }
        return list
    }

    private var isList: Bool { count <= Self.largestList }

    /// The number at a place of the permuted sequence. Cost: the same for all counts, and no memory.
    public subscript(place: Int) -> Int {
        precondition(place >= 0 && place < count, "place \(place) of \(count)")
        guard !isList else { return Int(list >> UInt64(4 * place) & 15) }
        var x = UInt64(place)
        repeat { x = pass(x) } while x >= UInt64(count)
        return Int(x)
    }

    /// The place of a number in the permuted sequence: the rounds backwards.
    public func place(of number: Int) -> Int {
        precondition(number >= 0 && number < count, "number \(number) of \(count)")
        guard !isList else { return (0..<count).first { list >> UInt64(4 * $0) & 15 == UInt64(number) } ?? 0 }
        var x = UInt64(number)
        repeat { x = passBack(x) } while x >= UInt64(count)
        return Int(x)
    }

    private func passBack(_ x: UInt64) -> UInt64 {
        var low = x & lowMask
        var high = x >> lowBits
        low ^= OrderKey.mix(keys.7 ^ high) & lowMask
        high ^= OrderKey.mix(keys.6 ^ low) & highMask
        low ^= OrderKey.mix(keys.5 ^ high) & lowMask
        high ^= OrderKey.mix(keys.4 ^ low) & highMask
        low ^= OrderKey.mix(keys.3 ^ high) & lowMask
        high ^= OrderKey.mix(keys.2 ^ low) & highMask
        low ^= OrderKey.mix(keys.1 ^ high) & lowMask
        high ^= OrderKey.mix(keys.0 ^ low) & highMask
        return high << lowBits | low
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
