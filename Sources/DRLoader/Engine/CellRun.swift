internal import DRShard
internal import DRShardFormat

/// Cells of one data set that are read together: some samples of a portion, each with a variant.
// SAFETY: places lie in the memories of the window, where nobody else writes to the samples' rows.
@safe struct CellRun {
    let set: LoadedSet
    private let samples: [PortionReader.Sample]
    private let window: BatchWindow
    /// The chosen samples, ascending, and their cells as their shard counts them.
    private var chosen: [Int] = []
    private var addresses: [CellAddress] = []
    /// The chosen samples of each shard: the shard, and the end of its part.
    private var shards: [(shard: Int, end: Int)] = []

    init(set: LoadedSet, samples: [PortionReader.Sample], window: BatchWindow) {
        self.set = set
        self.samples = samples
        self.window = window
    }

    /// Chooses samples, ascending, and the variant of each.
    mutating func choose(_ chosen: some Sequence<Int>, variant: (Int) -> Int = { _ in 0 }) {
        self.chosen.removeAll(keepingCapacity: true)
        addresses.removeAll(keepingCapacity: true)
        shards.removeAll(keepingCapacity: true)
        var shard = -1
        var rows = 0..<0
        for i in chosen {
            let row = samples[i].row
            if !rows.contains(row) {
                if shard >= 0 { shards.append((shard, addresses.count)) }
                shard = set.dataSet.locate(row: row).shard
                rows = set.firstRows[shard]..<set.firstRows[shard + 1]
            }
            self.chosen.append(i)
            addresses.append(CellAddress(row: row - rows.lowerBound, variant: variant(i)))
        }
        if shard >= 0 { shards.append((shard, addresses.count)) }
    }

    /// Calls `body` with each shard, its part of the cells, and the part's samples.
    /// - Returns: the samples whose cells `body` names as missing.
    private func forEachShard(
        _ body: (ShardReader, [CellAddress], Range<Int>) throws(ShardError) -> [MissingCell]
    ) throws(ShardError) -> [Int] {
        var missing: [Int] = []
        var start = 0
        for (shard, end) in shards {
            let part = start == 0 && end == addresses.count ? addresses : Array(addresses[start..<end])
            for cell in try body(set.dataSet.shards[shard], part, start..<end) {
                missing.append(chosen[start + cell.index])
            }
            start = end
        }
        return missing
    }

    /// Reads cells of a tensor column into rows of a matrix.
    /// - Returns: the samples whose cell is not present.
    func read(column: Int, _ matrix: MatrixLayout, as element: ElementType) throws(ShardError) -> [Int] {
        // Rows that share their lines with others are better collected in the cache.
        let isStreamed = window.isLarge && matrix.stride % 64 == 0
        return try forEachShard { (shard, addresses, range) throws(ShardError) in
            var places: [UnsafeMutableRawPointer] = unsafe []
            unsafe places.reserveCapacity(range.count)
            for i in range {
                let sample = samples[chosen[i]]
                unsafe places.append(window.place(matrix, batch: sample.batch, row: sample.slot))
            }
            return try unsafe shard.readCells(
                column: column, addresses, places: places, as: element, isStreamed: isStreamed)
        }
    }

    /// Reads cells of a column of tokens into rows of a matrix, and their lengths into another.
    func read(tokens: TokenColumn, _ ids: MatrixLayout, lengths: MatrixLayout) throws(ShardError) -> [Int] {
        return try forEachShard { (shard, addresses, range) throws(ShardError) in
            let places = range.map { i in
                let sample = samples[chosen[i]]
                // SAFETY: lengths are a matrix of i32.
                return unsafe TokenPlace(
                    ids: window.place(ids, batch: sample.batch, row: sample.slot),
                    length: window.place(lengths, batch: sample.batch, row: sample.slot).assumingMemoryBound(
                        to: Int32.self))
            }
            return try shard.readTokens(
                column: tokens.column, addresses, shape: tokens.rowShape, places: places, as: ids.element)
        }
    }

    /// Reads cells of any column as their canonical values into a ragged part.
    func read(column: Int, ragged number: Int) throws(ShardError) -> [Int] {
        let parts = window.memories.map { $0.ragged[number] }
        return try forEachShard { (shard, addresses, range) throws(ShardError) in
            var missing: [MissingCell] = []
            try unsafe shard.forEachCell(column: column, addresses) { index, value, state in
                let sample = samples[chosen[range.lowerBound + index]]
                unsafe parts[sample.batch].set(sample.slot, state == .present ? value : nil)
                if state != .present { missing.append(MissingCell(index: index, state: state)) }
            }
            return missing
        }
    }
}
