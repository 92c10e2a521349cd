internal import DRShardFormat
internal import Synchronization

/// What was asked of the sources of shards since they were opened.
public struct ReadCounts: Hashable, Sendable {
    /// Bytes that were asked for: cells, and the indexes and tables that lead to them. Of a map: the bytes of the units
    /// that were used, whether they came from the disk or not.
    public var byteCount: UInt64 = 0
    /// Reads; of a map: units.
    public var requestCount: UInt64 = 0
    /// Time that threads spent in reads, together; of a map: none, since its reads cannot be seen.
    public var nanoseconds: UInt64 = 0

    public init() {}

    public static func + (a: ReadCounts, b: ReadCounts) -> ReadCounts {
        var sum = a
        sum.byteCount += b.byteCount
        sum.requestCount += b.requestCount
        sum.nanoseconds += b.nanoseconds
        return sum
    }

    /// What came after `earlier`, which was taken before from the same shards.
    public static func - (later: ReadCounts, earlier: ReadCounts) -> ReadCounts {
        var rest = later
        rest.byteCount -= earlier.byteCount
        rest.requestCount -= earlier.requestCount
        rest.nanoseconds -= earlier.nanoseconds
        return rest
    }
}

/// Counts of one shard, from all threads.
final class ReadCounter: Sendable {
    private let byteCount = Atomic<UInt64>(0)
    private let requestCount = Atomic<UInt64>(0)
    private let nanoseconds = Atomic<UInt64>(0)

    func add(byteCount: Int, requestCount: Int = 1) {
        self.byteCount.wrappingAdd(UInt64(byteCount), ordering: .relaxed)
        self.requestCount.wrappingAdd(UInt64(requestCount), ordering: .relaxed)
    }

    /// Counts one read, and the time that it takes.
    func counting<Value>(byteCount: Int, _ read: () throws(ShardError) -> Value) throws(ShardError) -> Value {
        let start = MonotonicClock.nanoseconds
        defer { nanoseconds.wrappingAdd(MonotonicClock.nanoseconds &- start, ordering: .relaxed) }
        add(byteCount: byteCount)
        return try read()
    }

    var counts: ReadCounts {
        var counts = ReadCounts()
        counts.byteCount = byteCount.load(ordering: .relaxed)
        counts.requestCount = requestCount.load(ordering: .relaxed)
        counts.nanoseconds = nanoseconds.load(ordering: .relaxed)
        return counts
    }
}
