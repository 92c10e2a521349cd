internal import DRShard
public import DRShardFormat

/// What an epoch of a loader will read and hold: from footers, and from the indexes of one row group. No cell is read.
///
/// Bytes are expected values: of a plane that is drawn at random, the mean of all.
public struct LoadEstimate: Hashable, Sendable {
    /// Of an epoch, of this rank.
    public var stepCount = 0
    public var sampleCount = 0
    /// Encoded bytes of the cells that are delivered.
    public var cellByteCount = 0
    /// Bytes that are asked of the files: cells, what is read with them, and what leads to them.
    public var fetchedByteCount = 0
    public var requestCount = 0
    /// Bytes of matrices and values that are delivered.
    public var deliveredByteCount = 0
    /// Memory of batches that are made at once, values of any length included.
    public var batchMemoryByteCount = 0
    public var batchesInFlight = 0
    /// Rows of all ranks that the rows of a batch come from.
    public var rowsInPlay = 0
    /// What a user may want to know before the run.
    public var remarks: [String] = []

    /// Bytes asked for, for each byte of a cell that is delivered.
    public var amplification: Double { cellByteCount == 0 ? 1 : Double(fetchedByteCount) / Double(cellByteCount) }
}

extension PairedLoader {
    /// Says what an epoch will take.
    /// - Throws: errors of the files, whose indexes are looked at.
    public func estimate(epoch: Int = 0) throws(ShardError) -> LoadEstimate {
        let plan = try plan(epoch: epoch)
        var estimate = LoadEstimate()
        estimate.stepCount = plan.stepCount
        estimate.sampleCount = sampleCount(plan)
        estimate.batchesInFlight = LoadEngine.capacity(plan, options, batchByteCount: context.layout.byteCount)
        estimate.rowsInPlay =
            shape.order == .blocks ? rowsInWindows(atMost: plan.rowTotal) : plan.rowTotal
        let weights = plan.sets.map(\.weight)
        for (number, set) in context.sets.enumerated() {
            let share = Double(weights[number]) / Double(weights.reduce(0, +))
            try add(set, samples: Double(estimate.sampleCount) * share, to: &estimate)
        }
        let valueByteCount = estimate.sampleCount == 0 ? 0 : estimate.deliveredByteCount / estimate.sampleCount
        estimate.deliveredByteCount += context.layout.deliveredByteCount * estimate.sampleCount
        estimate.batchMemoryByteCount =
            estimate.batchesInFlight * (context.layout.byteCount + context.layout.capacity * valueByteCount)
        remark(plan, &estimate)
        return estimate
    }

    /// Rows of the windows of all lanes.
    private func rowsInWindows(atMost limit: Int) -> Int {
        let (rows, overflow) = shape.lanes.multipliedReportingOverflow(by: shape.windowRows)
        return overflow ? limit : min(rows, limit)
    }

    /// Samples of an epoch, of this rank.
    package func sampleCount(_ plan: EpochPlan) -> Int {
        guard plan.stepCount > 0 else { return 0 }
        return (plan.stepCount - 1) * plan.lanes.count * shape.laneRows + plan.sampleCount(step: plan.stepCount - 1)
    }

    /// Adds what samples of one set take.
    private func add(_ set: LoadedSet, samples: Double, to estimate: inout LoadEstimate) throws(ShardError) {
        var cells = 0.0
        var fetched = 0.0
        var requests = 0.0
        var values = 0.0
        for (number, axes) in set.columns.parts.enumerated() {
            let weight = axes.enumerated().reduce(0) { $0 + weightOfAxis(number, $1.offset) }
            for (i, axis) in axes.enumerated() {
                let share = Double(weightOfAxis(number, i)) / Double(max(1, weight))
                for column in columns(of: axis) {
                    let cost = try ColumnCost(set, column: column, isBlock: isBlock(set, axis), shape: shape)
                    cells += samples * share * cost.cellBytes
                    fetched += samples * share * cost.fetchedBytes
                    requests += samples * share * cost.requests
                    if column != axis.tokens?.column { values += samples * share * cost.valueBytes }
                }
            }
        }
        for column in rowColumns(set) {
            let cost = try ColumnCost(set, column: column, isBlock: shape.order != .global, shape: shape)
            cells += samples * cost.cellBytes
            fetched += samples * cost.fetchedBytes
            requests += samples * cost.requests
            values += samples * cost.valueBytes
        }
        estimate.deliveredByteCount += Int(values)
        estimate.cellByteCount += Int(cells)
        estimate.fetchedByteCount += Int(fetched)
        estimate.requestCount += Int(requests.rounded(.up))
    }

    private func weightOfAxis(_ part: Int, _ axis: Int) -> Int {
        let choices = [options.views, options.real, options.synthetic][part]
        return choices.isEmpty ? 1 : choices[axis].weight
    }

    /// Whether rows of a block read one plane.
    private func isBlock(_ set: LoadedSet, _ axis: AxisColumns) -> Bool {
        guard shape.order != .global else { return false }
        return switch shape.variants {
        case .epoch: true
        case .balanced: axis.variantCount == 1 || set.dataSet.schema.axes[axis.axis].exchangeable == .yes
        case .independent: axis.variantCount == 1
        }
    }

    private func columns(of axis: AxisColumns) -> [Int] { axis.columns(options.content) }

    private func rowColumns(_ set: LoadedSet) -> [Int] {
        var columns: [Int] = []
        if context.layout.rowIDs != nil { columns.append(set.columns.rowID) }
        if context.layout.images != nil, let image = set.columns.image { columns.append(image) }
        return columns
    }

    private func remark(_ plan: EpochPlan, _ estimate: inout LoadEstimate) {
        if shape.order == .blocks, estimate.rowsInPlay < min(8 * shape.batchSize, plan.rowTotal) {
            estimate.remarks.append(
                "\(estimate.rowsInPlay) rows in play are fewer than 8 global batches: batches are less diverse")
        }
        if shape.order == .blocks, plan.rowTotal < 4 * shape.lanes * shape.blockRows {
            estimate.remarks.append("the set has few blocks: with the order global its rows are mixed better")
        }
        for set in context.sets {
            for axis in set.columns.parts.joined() {
                if shape.order == .blocks, !isBlock(set, axis) {
                    estimate.remarks.append(
                        "on axis \"\(axis.name)\" every row draws for itself\(shape.variants == .balanced ? ", since its variants are not exchangeable" : ""): its cells are read one by one"
                    )
                }
                let spanning = columns(of: axis).filter { column in
                    set.dataSet.shards.contains { $0.spansVariants(column: column) }
                }
                for column in spanning {
                    estimate.remarks.append(
                        "column \"\(set.dataSet.schema.columns[column].name)\" is stored with all variants of a row together: each is decoded for one"
                    )
                }
            }
        }
    }
}

/// What one cell of a column costs, on average.
private struct ColumnCost {
    /// Of the cell alone.
    var cellBytes = 0.0
    /// Of a value of any length, decoded; of a tensor: 0.
    var valueBytes = 0.0
    var fetchedBytes = 0.0
    var requests = 0.0

    init(_ set: LoadedSet, column: Int, isBlock: Bool, shape: PlanShape) throws(ShardError) {
        let dataSet = set.dataSet
        guard dataSet.rowCount > 0 else { return }
        let variants = Double(dataSet.schema.variantCount(of: column))
        let total = dataSet.shards.reduce(0.0) { $0 + Double($1.storedByteCount(column: column)) }
        let cellCount = Double(dataSet.rowCount) * variants
        let perCell = total / cellCount
        if dataSet.schema.columns[column].type.cellByteCount == nil {
            valueBytes = dataSet.shards.reduce(0.0) { $0 + Double($1.plainByteCount(column: column)) } / cellCount
        }
        guard let sample = dataSet.shards.first(where: { $0.rowCount > 0 }) else { return }
        let layout = try sample.pageLayout(column: column)
        // Stored bytes hold the pages' tables; their share is what a cell does not need for itself.
        cellBytes = perCell * (1 - layout.tableShare)
        let variantsRead = sample.spansVariants(column: column) ? variants : 1
        let index = Double(sample.indexByteCount(column: column)) / Double(sample.header.rowsPerGroup)
        // Of a selection that leaves gaps, cells are too far apart to be read together.
        let density = Double(set.planned.rowCount) / Double(dataSet.rowCount)
        if isBlock, density > 0.9 {
            let rows = Double(min(shape.blockRows, dataSet.rowCount))
            // Units that are cut at a block's ends are read whole.
            let edge = Double(layout.rowsPerUnit - 1) / rows
            fetchedBytes = cellBytes * variantsRead * (1 + edge) + perCell * layout.tableShare + index / variants
            // Cells; then the tables of the pages and the index of each plane of a row group that some block takes.
            let blocks = max(1, Double(sample.header.rowsPerGroup) / rows)
            let planes = variants * (1 - pow(1 - 1 / variants, blocks))
            let pages = min(1 + rows / Double(layout.rows), Double(sample.header.rowsPerGroup) / Double(layout.rows))
            requests =
                max(1 / rows, cellBytes / Double(4 << 20))
                + (planes * max(1, pages) + planes) / Double(min(sample.header.rowsPerGroup, dataSet.rowCount))
        } else {
            fetchedBytes =
                cellBytes * variantsRead * Double(layout.rowsPerUnit) + perCell * layout.tableShare * variantsRead
                + index
            requests = 1 + variants / Double(layout.rows) + variants / Double(sample.header.rowsPerGroup)
        }
    }
}

/// `base` to the power of a number that is not negative, without the system's library.
private func pow(_ base: Double, _ exponent: Double) -> Double {
    (0..<Int(exponent.rounded())).reduce(1) { power, _ in power * base }
}
