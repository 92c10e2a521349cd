internal import DRShard
internal import DRShardFormat

/// The uids of all shards, entered in the order of the inputs, whichever is converted first: so that of two samples of
/// one uid the same is the second one, for any number of jobs.
final class UIDLedger: Sendable {
    /// Uids that are kept: 256 MiB, and as much again while they are sorted.
    static let maximumCount = 16 << 20

    private struct State {
        var next = 0
        var uids = UIDSet()
        /// The first shard that has failed, in the order of the inputs.
        var failed: Int?
    }
    private let monitor = Monitor(conditionCount: 1)
    // SAFETY: used under the monitor's lock alone.
    private nonisolated(unsafe) var state = State()

    /// Waits until the shards before this one are entered.
    /// - Returns: those of the uids that one of them has; nil if one of them has failed, whose error counts then.
    func duplicates(number: Int, _ uids: [UInt128]) -> Set<UInt128>? {
        monitor.lock()
        defer { monitor.unlock() }
        // A shard behind this one that has failed changes nothing here.
        while unsafe state.next < number, unsafe state.failed ?? number >= number { monitor.wait(0) }
        guard unsafe state.next == number, unsafe state.failed ?? number >= number else { return nil }
        return Set(uids.filter { unsafe state.uids.contains($0) })
    }

    /// Enters the shard whose turn it is.
    /// - Returns: whether its uids were kept, so that later shards are compared with them.
    func enter(_ uids: [UInt128]) -> Bool {
        monitor.lock()
        defer { monitor.unlock() }
        let isKept = unsafe state.uids.count + uids.count <= Self.maximumCount
        if isKept {
            for uid in uids { unsafe state.uids.insert(uid) }
            unsafe state.uids.pack()
        }
        unsafe state.next += 1
        monitor.broadcast(0)
        return isKept
    }

    /// Ends the waiting of all shards behind this one: it has failed.
    func fail(number: Int) {
        monitor.lock()
        defer { monitor.unlock() }
        unsafe state.failed = min(state.failed ?? number, number)
        monitor.broadcast(0)
    }
}
