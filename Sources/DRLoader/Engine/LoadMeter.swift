public import DRShard
internal import Synchronization

/// What a loader did since it was made. Times are sums, in nanoseconds.
public struct LoaderCounts: Hashable, Sendable {
    public var batchCount: UInt64 = 0
    public var sampleCount: UInt64 = 0
    /// Bytes of the matrices and values of all batches.
    public var deliveredByteCount: UInt64 = 0
    /// What was asked of the data sets' shards, by whomever, since the loader was made.
    public var reads = ReadCounts()
    /// Time that callers waited for a batch: the loader is too slow for them.
    public var waitNanoseconds: UInt64 = 0
    /// Time that the loader's threads worked, together; of this, `reads.nanoseconds` were spent in reads.
    public var workNanoseconds: UInt64 = 0
    /// Time that the loader's threads had nothing to do, together: they are far enough ahead of the caller.
    public var idleNanoseconds: UInt64 = 0
    /// Batches that were there when one was asked for, added up: divided by `batchCount`, the depth of the queue.
    public var readyBatchCount: UInt64 = 0
    /// Rows that could not be read, and were substituted.
    public var lostRowCount: UInt64 = 0
    public init() {}

    /// The part of `waitNanoseconds` that reads are to blame for; the rest is decoding's.
    public var readWaitNanoseconds: UInt64 {
        guard workNanoseconds > 0 else { return 0 }
        let share = min(1, Double(reads.nanoseconds) / Double(workNanoseconds))
        return UInt64(Double(waitNanoseconds) * share)
    }

    /// What came after `earlier`, which was taken before from the same loader.
    public static func - (later: LoaderCounts, earlier: LoaderCounts) -> LoaderCounts {
        var rest = later
        rest.batchCount -= earlier.batchCount
        rest.sampleCount -= earlier.sampleCount
        rest.deliveredByteCount -= earlier.deliveredByteCount
        rest.reads = later.reads - earlier.reads
        rest.waitNanoseconds -= earlier.waitNanoseconds
        rest.workNanoseconds -= earlier.workNanoseconds
        rest.idleNanoseconds -= earlier.idleNanoseconds
        rest.readyBatchCount -= earlier.readyBatchCount
        rest.lostRowCount -= earlier.lostRowCount
        return rest
    }
}

/// Counts of a loader, from all threads.
final class LoadMeter: Sendable {
    private let counts = Guarded(LoaderCounts())
    /// Portions in a row that were in memory already when the system was told of them; kept from epoch to epoch.
    let quietPortionCount = Atomic<Int>(0)

    func addWork(_ nanoseconds: UInt64) { counts.withLock { $0.workNanoseconds += nanoseconds } }
    func addIdle(_ nanoseconds: UInt64) { counts.withLock { $0.idleNanoseconds += nanoseconds } }
    func addWait(_ nanoseconds: UInt64) { counts.withLock { $0.waitNanoseconds += nanoseconds } }
    func addDepth(_ count: Int) { counts.withLock { $0.readyBatchCount += UInt64(count) } }

    func addBatch(_ batch: PairedBatch) {
        let byteCount = batch.byteCount
        counts.withLock { counts in
            counts.batchCount += 1
            counts.sampleCount += UInt64(batch.count)
            counts.deliveredByteCount += UInt64(byteCount)
        }
    }

    var snapshot: LoaderCounts { counts.withLock { $0 } }
}
