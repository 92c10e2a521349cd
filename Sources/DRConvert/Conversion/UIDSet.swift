internal import DRShardFormat

/// A set of uids that only grows, at 16 bytes each: those of finished shards lie in a few sorted arrays.
package struct UIDSet {
    private var open: Set<UInt128> = []
    /// Ascending; each more than twice as long as the next, so there are O(log count) of them.
    private var runs: [[UInt128]] = []

    package init() {}

    package var count: Int { runs.reduce(open.count) { $0 + $1.count } }

    package func contains(_ uid: UInt128) -> Bool {
        if open.contains(uid) { return true }
        return runs.contains { run in
            let place = UIDSet.lowerBound(run.count) { run[$0] < uid }
            return place < run.count && run[place] == uid
        }
    }

    package mutating func insert(_ uid: UInt128) { open.insert(uid) }

    /// Packs what came since the last call.
    package mutating func pack() {
        guard !open.isEmpty else { return }
        var run = open.sorted()
        open = []
        while let last = runs.last, last.count <= 2 * run.count {
            runs.removeLast()
            run = UIDSet.merged(last, run)
        }
        runs.append(run)
    }

    private static func merged(_ a: [UInt128], _ b: [UInt128]) -> [UInt128] {
        var merged: [UInt128] = []
        merged.reserveCapacity(a.count + b.count)
        var (i, j) = (0, 0)
        while i < a.count, j < b.count {
            if a[i] < b[j] {
                merged.append(a[i])
                i += 1
            } else {
                merged.append(b[j])
                j += 1
            }
        }
        return merged + a[i...] + b[j...]
    }

    /// The first of `0..<count` for which `isBelow` is false, or `count`; it is true for all before.
    static func lowerBound(_ count: Int, where isBelow: (Int) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = low + (high - low) / 2
            if isBelow(middle) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

extension UInt128 {
    /// A uid from its 32 hexadecimal digits.
    /// - Throws: `.schemaMismatch` for anything else.
    init(uid text: String) throws(ShardError) {
        let bytes = try RowConverter.bytes(hex: text, count: 16, what: "uid")
        self = bytes.reduce(0) { $0 << 8 | UInt128($1) }
    }

    /// The 32 hexadecimal digits of a uid.
    var uidText: String {
        let digits = String(self, radix: 16)
        return String(repeating: "0", count: 32 - digits.count) + digits
    }
}
