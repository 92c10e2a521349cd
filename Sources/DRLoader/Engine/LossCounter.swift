internal import DRShard
internal import DRShardFormat

/// Rows that could not be read while a loader ran, from all threads.
final class LossCounter: Sendable {
    private let policy: DamagePolicy
    private let sets: [DataSet]
    private let rows: Guarded<[Set<Int>]>
    private let report: @Sendable (String) -> Void

    /// - Parameter report: gets a line for every row that is given up.
    init(policy: DamagePolicy, sets: [DataSet], report: @escaping @Sendable (String) -> Void) {
        self.policy = policy
        self.sets = sets
        rows = Guarded(Array(repeating: [], count: sets.count))
        self.report = report
    }

    var count: Int { rows.withLock { $0.reduce(0) { $0 + $1.count } } }

    /// The logical rows of a set that were lost.
    func lost(set: Int) -> Set<Int> { rows.withLock { $0[set] } }

    /// Counts a row as lost.
    /// - Parameters:
    ///   - row: of the data set.
    ///   - logical: the same, as the plan counts.
    /// - Throws: `error`, with the line for the quarantine list, if the policy has it so, or if there are too many.
    func add(set: Int, row: Int, logical: Int, _ error: ShardError) throws(ShardError) {
        let list = Quarantine(rowSetDigest: sets[set].rowSetDigest, rows: [row])
        let line = list.lines(reason: "\(error.code): \(error.reason)").joined()
        guard case .substitute(let maximum) = policy else {
            throw error.adding(
                "read twice; to go on without this row, add the last line of this to a quarantine list that begins with "
                    + "the line before it:\n\(list.head)\n\(line)")
        }
        let (isNew, count) = rows.withLock { known in
            let isNew = known[set].insert(logical).inserted
            return (isNew, known.reduce(0) { $0 + $1.count })
        }
        if isNew { report("substituting a row of \(sets[set].path) that cannot be read: \(line)") }
        guard count <= maximum else {
            throw error.adding("\(count) rows are lost by now, \(maximum) are allowed")
        }
    }
}
