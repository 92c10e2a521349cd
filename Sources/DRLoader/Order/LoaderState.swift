internal import DRShardFormat

/// All that a run has to keep to go on exactly where it was. Spec: ORDER.md section 9.
public struct LoaderState: Hashable, Codable, Sendable {
    public struct Axis: Hashable, Codable, Sendable {
        public var name: String
        public var count: Int
        public var exchangeable: Bool
        public var weight: Int

        public init(name: String, count: Int, exchangeable: Bool, weight: Int) {
            self.name = name
            self.count = count
            self.exchangeable = exchangeable
            self.weight = weight
        }
    }

    public var planVersion: UInt32
    public var rowSets: [String]
    public var seed: UInt64
    public var batchSize: Int
    public var lanes: Int
    public var blockRows: Int
    public var windowBlocks: Int
    public var order: RowOrder
    public var variants: VariantMode
    public var tail: Tail
    public var parts: [String: [Axis]]
    public var weights: [Int]
    public var epochSteps: Int?
    public var epoch: Int
    /// The next one.
    public var step: Int

    enum CodingKeys: String, CodingKey {
        case planVersion = "plan_version"
        case rowSets = "row_sets"
        case seed
        case batchSize = "batch_size"
        case lanes
        case blockRows = "block_rows"
        case windowBlocks = "window_blocks"
        case order, variants, tail, parts, weights
        case epochSteps = "epoch_steps"
        case epoch, step
    }

    init(sets: [PlannedSet], shape: PlanShape, epoch: Int, step: Int) {
        planVersion = OrderKey.planVersion
        rowSets = sets.map { "\($0.rowSetDigest)" }
        seed = shape.seed
        batchSize = shape.batchSize
        lanes = shape.lanes
        blockRows = shape.blockRows
        windowBlocks = shape.windowBlocks
        order = shape.order
        variants = shape.variants
        tail = shape.tail
        parts = [:]
        for kind in PartKind.allCases {
            parts[kind.rawValue] = (sets[0].axes[kind] ?? []).map {
                Axis(name: $0.name, count: $0.count, exchangeable: $0.isExchangeable, weight: $0.weight)
            }
        }
        weights = sets.count == 1 ? [1] : sets.map(\.weight)
        epochSteps = shape.epochSteps
        self.epoch = epoch
        self.step = step
    }

    /// All fields, those that are not set as null: whoever reads it sees that they are there.
    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(planVersion, forKey: .planVersion)
        try fields.encode(rowSets, forKey: .rowSets)
        try fields.encode(seed, forKey: .seed)
        try fields.encode(batchSize, forKey: .batchSize)
        try fields.encode(lanes, forKey: .lanes)
        try fields.encode(blockRows, forKey: .blockRows)
        try fields.encode(windowBlocks, forKey: .windowBlocks)
        try fields.encode(order, forKey: .order)
        try fields.encode(variants, forKey: .variants)
        try fields.encode(tail, forKey: .tail)
        try fields.encode(parts, forKey: .parts)
        try fields.encode(weights, forKey: .weights)
        try fields.encode(epochSteps, forKey: .epochSteps)
        try fields.encode(epoch, forKey: .epoch)
        try fields.encode(step, forKey: .step)
    }

    /// - Throws: `.invalidArgument` if another plan, or other rows, made the state: names what differs. Spec: [R-ORDER-25].
    func check(against own: LoaderState) throws(ShardError) {
        func same<Value: Equatable>(_ name: String, _ path: KeyPath<LoaderState, Value>) throws(ShardError) {
            let (theirs, mine) = (self[keyPath: path], own[keyPath: path])
            guard theirs != mine else { return }
            throw .invalidArgument(
                "the state is of another run: its \(name) is \(LoaderState.text(theirs)), here it is \(LoaderState.text(mine))"
            )
        }
        try same("plan version", \.planVersion)
        try same("row set", \.rowSets)
        try same("seed", \.seed)
        try same("batch size", \.batchSize)
        try same("number of lanes", \.lanes)
        try same("number of rows in a block", \.blockRows)
        try same("number of blocks in a window", \.windowBlocks)
        try same("row order", \.order)
        try same("variant mode", \.variants)
        try same("tail", \.tail)
        for kind in PartKind.allCases { try same("list of \(kind.rawValue) axes", \.parts[kind.rawValue]) }
        try same("list of weights", \.weights)
        try same("number of steps in an epoch", \.epochSteps)
    }

    private static func text(_ value: some Any) -> String {
        switch value {
        case let texts as [String]: return texts.joined(separator: ", ")
        case let order as RowOrder: return order.rawValue
        case let mode as VariantMode: return mode.rawValue
        case let tail as Tail: return tail.rawValue
        case let axes as [Axis]?:
            return (axes ?? []).map {
                "\($0.name) (\($0.count) variants\($0.exchangeable ? ", exchangeable" : ""), weight \($0.weight))"
            }.joined(separator: ", ")
        case let number as Int?: return number.map { "\($0)" } ?? "not set"
        default: return "\(value)"
        }
    }
}
