public import DRShardFormat

/// What a plan knows of a data set: no files, only numbers and names.
public struct PlannedSet: Sendable {
    /// Of the logical rows: all rows of the set, or those of a selection. Spec: [R-ORDER-7].
    public let rowSetDigest: SequenceDigest
    public let rowCount: Int
    /// Against the other sets of a mix.
    public let weight: Int
    let axes: [PartKind: [PlannedAxis]]
    /// Logical rows that are not read. Spec: [R-ORDER-20].
    public let quarantined: Set<Int>

    /// - Parameter axes: of each part, in their order.
    public init(
        rowSetDigest: SequenceDigest, rowCount: Int, weight: Int = 1, axes: [PartKind: [PlannedAxis]],
        quarantined: Set<Int> = []
    ) {
        self.rowSetDigest = rowSetDigest
        self.rowCount = rowCount
        self.weight = weight
        self.axes = axes
        self.quarantined = quarantined
    }

    /// Spec: [R-ORDER-2], [R-ORDER-16], [R-ORDER-22].
    func check(_ shape: PlanShape, isMixed: Bool) throws(ShardError) {
        guard (0...1 << 48).contains(rowCount) else { throw .invalidArgument("\(rowCount) rows") }
        guard (1...PlanShape.maximumWeight).contains(weight) else {
            throw .invalidArgument("a set with the weight \(weight); 1 to \(PlanShape.maximumWeight) are possible")
        }
        for kind in PartKind.allCases {
            let axes = axes[kind] ?? []
            guard axes.allSatisfy({ (1...PlanShape.maximumWeight).contains($0.weight) && $0.count >= 1 }),
                axes.reduce(0, { $0 + $1.weight }) <= PlanShape.maximumWeight
            else {
                throw .invalidArgument(
                    "the weights of the \(kind.rawValue) axes are not 1 to \(PlanShape.maximumWeight)")
            }
        }
        let needsLanes = isMixed || (shape.tail == .pad && shape.order != .none && rowCount % shape.batchSize != 0)
        guard !needsLanes || rowCount >= shape.lanes || (rowCount == 0 && !isMixed) else {
            throw .invalidArgument("\(rowCount) rows for \(shape.lanes) lanes: choose fewer lanes")
        }
    }
}

/// One epoch of one set: its order, and the draws of its rows.
package final class SetEpoch: Sendable {
    /// From 0.
    package let number: Int
    let order: SetOrder
    /// In the order of `PartKind.allCases`; without axes: nil.
    package let parts: [PartPlan?]
    private let quarantined: Set<Int>
    private let substituteKey: UInt64
    private let rowCount: Int
    private static let maximumAttempts: UInt64 = 1000

    init(_ set: PlannedSet, epoch: Int, shape: PlanShape) {
        number = epoch
        let digest = set.rowSetDigest.value
        order = SetOrder(digest: digest, rowCount: set.rowCount, epoch: epoch, shape: shape)
        parts = PartKind.allCases.map { kind in
            guard let axes = set.axes[kind], !axes.isEmpty else { return nil }
            return PartPlan(kind, axes: axes, digest: digest, epoch: epoch, shape: shape)
        }
        quarantined = set.quarantined
        rowCount = set.rowCount
        substituteKey = OrderKey.key(
            rowSetDigest: digest, seed: shape.seed, epoch: UInt64(epoch), stream: "substitutes")
    }

    /// The row that is delivered where the order names `row`: itself, unless it is on the quarantine list, or lost.
    /// - Parameter lost: more rows that are not delivered.
    /// - Throws: `.limitExceeded` if no row is found: nearly all are on the list. Spec: [R-ORDER-20].
    package func delivered(_ row: Int, lost: Set<Int> = []) throws(ShardError) -> Int {
        guard !(quarantined.isEmpty && lost.isEmpty) else { return row }
        func isOut(_ row: Int) -> Bool { quarantined.contains(row) || lost.contains(row) }
        guard isOut(row) else { return row }
        let key = OrderKey.output(substituteKey, UInt64(row))
        for attempt in 0..<Self.maximumAttempts {
            let candidate = OrderKey.draw(key, attempt, count: rowCount)
            if !isOut(candidate) { return candidate }
        }
        throw .limitExceeded(
            "there is no substitute for row \(row): \(quarantined.count + lost.count) rows of \(rowCount) are lost")
    }
}
