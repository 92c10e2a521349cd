internal import DRShard
internal import DRShardFormat

/// Rows that could not be read while a loader ran, from all threads.
///
/// A row is lost for one epoch of its set: in another its other views may be sound, and a run that is taken up there knows
/// nothing of it. So what is delivered hangs on the files alone.
final class LossCounter: Sendable {
    private struct Place: Hashable {
        let set: Int
        let epoch: Int
    }
    private struct Losses {
        /// Logical rows.
        var byEpoch: [Place: Set<Int>] = [:]
        /// Rows of each data set that were ever found damaged.
        var found: [Set<Int>]
    }

    private let policy: DamagePolicy
    private let sets: [DataSet]
    private let losses: Guarded<Losses>
    private let report: @Sendable (String) -> Void

    /// - Parameter report: gets a line for every row that is given up.
    init(policy: DamagePolicy, sets: [DataSet], report: @escaping @Sendable (String) -> Void) {
        self.policy = policy
        self.sets = sets
        losses = Guarded(Losses(found: Array(repeating: [], count: sets.count)))
        self.report = report
    }

    /// Rows of all sets that were found damaged.
    var count: Int { losses.withLock { $0.found.reduce(0) { $0 + $1.count } } }

    /// Of each data set.
    var found: [Set<Int>] { losses.withLock { $0.found } }

    /// The logical rows of a set that were lost in an epoch.
    func lost(set: Int, epoch: Int) -> Set<Int> { losses.withLock { $0.byEpoch[Place(set: set, epoch: epoch)] ?? [] } }

    /// Counts a row as lost.
    /// - Parameters:
    ///   - epoch: of the set.
    ///   - row: of the data set.
    ///   - logical: the same, as the plan counts.
    /// - Throws: `error`, with the line for the quarantine list, if the policy has it so, or if there are too many.
    func add(set: Int, epoch: Int, row: Int, logical: Int, _ error: ShardError) throws(ShardError) {
        let (isNew, count) = losses.withLock { losses in
            let isNew = losses.found[set].insert(row).inserted
            return (isNew, losses.found.reduce(0) { $0 + $1.count })
        }
        let list = Quarantine(rowSetDigest: sets[set].rowSetDigest, rows: [row])
        let line = list.lines(reason: "\(error.code): \(error.reason)").joined()
        guard case .substitute(let maximum) = policy else {
            throw error.adding(
                "read twice; to go on without this row, add the last line of this to a quarantine list that begins with "
                    + "the line before it:\n\(list.head)\n\(line)")
        }
        if isNew { report("substituting a row of \(sets[set].path) that cannot be read: \(line)") }
        guard count <= maximum else {
            throw error.adding("\(count) rows are lost by now, \(maximum) are allowed")
        }
        losses.withLock { _ = $0.byEpoch[Place(set: set, epoch: epoch), default: []].insert(logical) }
    }
}
