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

    /// Counts rows as lost.
    /// - Parameter rows: of the data set, and as logical ones.
    /// - Throws: `error`, with the lines for the quarantine list, if the policy has it so; `.limitExceeded` for too many.
    func add(set: Int, rows: [Int: Int], _ error: ShardError) throws(ShardError) {
        let list = Quarantine(rowSetDigest: sets[set].rowSetDigest, rows: Set(rows.keys))
        let lines = list.lines(reason: "\(error.code): \(error.reason)").joined(separator: "\n")
        guard case .substitute(let maximum) = policy else {
            throw error.adding(
                "read twice; to go on without these rows, add to a quarantine list that begins with the line "
                    + "\"\(list.head)\":\n\(lines)")
        }
        let count = self.rows.withLock { known in
            known[set].formUnion(rows.values)
            return known.reduce(0) { $0 + $1.count }
        }
        report("substituting rows of \(sets[set].path) that cannot be read: \(lines)")
        guard count <= maximum else {
            throw error.adding("\(count) rows are lost by now, \(maximum) are allowed")
        }
    }
}
