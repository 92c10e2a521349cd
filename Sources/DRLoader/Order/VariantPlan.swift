internal import DRShardFormat

/// What a part of a batch is.
public enum PartKind: String, Hashable, Codable, Sendable, CaseIterable {
    case view, real, synthetic
}

/// An axis that a part of a batch draws from.
public struct PlannedAxis: Hashable, Sendable {
    public let name: String
    public let count: Int
    /// Whether the data set says that its variants are exchangeable.
    public let isExchangeable: Bool
    /// How often it is drawn, against the part's other axes.
    public let weight: Int

    public init(name: String, count: Int, isExchangeable: Bool, weight: Int = 1) {
        self.name = name
        self.count = count
        self.isExchangeable = isExchangeable
        self.weight = weight
    }
}

/// A variant of one of a part's axes.
public struct VariantDraw: Hashable, Sendable {
    /// The number of the axis in the part.
    public let axis: Int
    public let variant: Int
    public init(axis: Int, variant: Int) {
        self.axis = axis
        self.variant = variant
    }
}

/// The draws of one part in one epoch of a set: a pure function of the logical row. Spec: ORDER.md section 6.
package struct PartPlan: Sendable {
    let axes: [PlannedAxis]
    private let mode: VariantMode
    private let blockRows: Int
    private let epoch: Int
    /// Of all axes; of a single one it is 1, whatever its own is.
    private let totalWeight: Int
    private let choiceKey: UInt64
    /// Of each axis: for draws of single rows in this epoch.
    private let drawKeys: [UInt64]
    /// Of each axis: for the cycles of visits that may fall into this epoch, from `firstCycles` on.
    private let cycleKeys: [[UInt64]]
    private let firstCycles: [Int]

    init(_ kind: PartKind, axes: [PlannedAxis], digest: UInt128, epoch: Int, shape: PlanShape) {
        self.axes = axes
        self.epoch = epoch
        mode = shape.variants
        blockRows = shape.blockRows
        func key(_ epoch: Int, _ stream: String) -> UInt64 {
            OrderKey.key(rowSetDigest: digest, seed: shape.seed, epoch: UInt64(epoch), stream: stream)
        }
        let total = axes.count == 1 ? 1 : axes.reduce(0) { $0 + $1.weight }
        totalWeight = total
        choiceKey = key(mode == .balanced ? epoch / total : epoch, "choice \(kind.rawValue)")
        drawKeys = axes.map { key(epoch, "axis \($0.name)") }
        let visits = axes.map { axis in
            let weight = total == 1 ? 1 : axis.weight
            return epoch / total * weight..<epoch / total * weight + weight
        }
        firstCycles = axes.indices.map { visits[$0].lowerBound / axes[$0].count }
        cycleKeys = axes.indices.map { i in
            guard shape.variants == .balanced, axes[i].isExchangeable else { return [] }
            let last = (visits[i].upperBound - 1) / axes[i].count
            return (visits[i].lowerBound / axes[i].count...last).map { key($0, "axis \(axes[i].name)") }
        }
    }

    /// Whether all rows of a block have one draw.
    var isConstantInBlocks: Bool {
        switch mode {
        case .epoch: true
        case .balanced: axes.allSatisfy { $0.isExchangeable || $0.count == 1 }
        case .independent: axes.count == 1 && axes[0].count == 1
        }
    }

    package func draw(row: Int) -> VariantDraw {
        let (axis, visit) = choice(row: row)
        return VariantDraw(axis: axis, variant: variant(row: row, axis: axis, visit: visit))
    }

    /// Spec: [R-ORDER-17].
    private func choice(row: Int) -> (axis: Int, visit: Int) {
        guard axes.count > 1 else { return (0, epoch) }
        let ticket: Int
        switch mode {
        case .epoch: ticket = epoch % totalWeight
        case .independent: ticket = OrderKey.draw(choiceKey, UInt64(row), count: totalWeight)
        case .balanced:
            let key = OrderKey.output(choiceKey, UInt64(row / blockRows))
            ticket = KeyedPermutation(count: totalWeight, key: key)[epoch % totalWeight]
        }
        var before = 0
        for (axis, planned) in axes.enumerated() {
            if ticket < before + planned.weight {
                return (axis, epoch / totalWeight * planned.weight + ticket - before)
            }
            before += planned.weight
        }
        preconditionFailure("ticket \(ticket) of \(totalWeight)")
    }

    /// Spec: [R-ORDER-18].
    private func variant(row: Int, axis: Int, visit: Int) -> Int {
        let planned = axes[axis]
        guard planned.count > 1 else { return 0 }
        switch mode {
        case .epoch: return visit % planned.count
        case .balanced where planned.isExchangeable:
            let cycle = cycleKeys[axis][visit / planned.count - firstCycles[axis]]
            let key = OrderKey.output(cycle, UInt64(row / blockRows))
            return KeyedPermutation(count: planned.count, key: key)[visit % planned.count]
        case .balanced, .independent:
            return OrderKey.draw(drawKeys[axis], UInt64(row), count: planned.count)
        }
    }
}
