import DRShard
import DRShardFormat

import TestSupport
import Testing

/// What readers keep of indexes, prologues and tables, within their budget.
@Suite struct KeptPagesTests {
    private static let shardCount = 3
    private static let rowsPerShard = 90

    /// Shards of three row groups with tables of several kinds.
    private static func write(_ folder: TemporaryFolder, bf16: ColumnStorage = .balanced) throws -> MiniatureData {
        let data = try MiniatureData(rowCount: shardCount * rowsPerShard)
        for shard in 0..<shardCount {
            let writer = try ShardWriter(
                path: folder.file("\(shard).drs"), schema: data.schema,
                options: smallOptions(rowsPerGroup: 32, tag: UInt64(shard), bf16: bf16))
            try data.append(to: writer, rows: shard * rowsPerShard..<(shard + 1) * rowsPerShard)
            try writer.finish()
        }
        return data
    }

    private static func open(_ path: String, access: Access = .read, keptByteCount: Int?) throws -> DataSet {
        var options = ReaderOptions()
        if let keptByteCount { options.keptByteCount = keptByteCount }
        return try DataSet(path: path, access: access, options: options)
    }

    private static func addresses(_ data: MiniatureData, column: Int) -> [CellAddress] {
        data.rows.indices.flatMap { row in
            data.rows[row][column].indices.map { CellAddress(row: row, variant: $0) }
        }
    }

    /// Reads all columns once: cell by cell, in batches, or plane by plane.
    private static func isSame(
        _ data: MiniatureData, _ set: DataSet, seed: UInt64, _ way: Int, check: () -> Void
    ) throws -> Bool {
        var random = SeededGenerator(seed: seed)
        var isSame = true
        for column in data.schema.columns.indices.shuffled(using: &random) {
            let addresses = addresses(data, column: column).shuffled(using: &random)
            switch way {
            case 0:
                for address in addresses.prefix(60) {
                    let place = set.locate(row: address.row)
                    let value = try set.shards[place.shard].value(
                        column: column, row: place.row, variant: address.variant)
                    isSame = isSame && value == data.rows[address.row][column][address.variant]
                }
            case 1:
                for first in stride(from: 0, to: addresses.count, by: 100) {
                    let batch = Array(addresses[first..<min(first + 100, addresses.count)])
                    let cells = try set.values(column: column, batch)
                    let missing = Set(cells.missing.map(\.index))
                    for (i, address) in batch.enumerated() {
                        let value = data.rows[address.row][column][address.variant]
                        isSame = isSame && (missing.contains(i) ? value == nil : value == cells[i])
                    }
                    check()
                }
            default:
                for (number, shard) in set.shards.enumerated() {
                    for variant in data.rows[0][column].indices {
                        try shard.scanPlane(column: column, variant: variant) { row, value, state in
                            let bytes = value.indices.map { value[$0] }
                            let expected = data.rows[number * rowsPerShard + row][column][variant]
                            isSame = isSame && (state == .present ? bytes : nil) == expected
                        }
                    }
                }
            }
            check()
        }
        return isSame
    }

    @Test(arguments: [Access.read, .mapped], [0, 3000, 20_000, nil])
    func everyValueIsTheSameFromSeveralThreadsWhateverTheBudget(access: Access, budget: Int?) throws {
        let folder = try TemporaryFolder()
        let data = try Self.write(folder)
        let set = try Self.open(folder.path, access: access, keptByteCount: budget)
        let most = Guarded(0)
        let failures = Guarded<[String]>([])
        try WorkerThreads.run(count: 6, threadCount: 6) { number in
            do {
                let isSame = try Self.isSame(data, set, seed: UInt64(number), number % 3) {
                    let byteCount = set.use.byteCount
                    most.withLock { $0 = max($0, byteCount) }
                }
                if !isSame { failures.withLock { $0.append("thread \(number): other values") } }
            } catch { failures.withLock { $0.append("thread \(number): \(error)") } }
        }
        #expect(failures.withLock { $0 } == [])
        if let budget { #expect(most.withLock { $0 } <= budget) }
        #expect(set.use.byteCount == set.shards.reduce(0) { $0 + $1.keptByteCount })
        #expect((set.use.count == 0) == (budget == 0))
        #expect(budget ?? 20_000 < 20_000 || most.withLock { $0 } > 10_000)
    }

    @Test(arguments: [ColumnStorage.zstd, .fast, .balanced, .archive])
    func whatIsKeptIsWithinTheBudgetAfterEveryRead(storage: ColumnStorage) throws {
        let folder = try TemporaryFolder()
        let data = try Self.write(folder, bf16: storage)
        let large = try Self.open(folder.path, keptByteCount: nil)
        #expect(try Self.isSame(data, large, seed: 1, 1) {})
        for budget in [0, 5000, large.use.byteCount / 2, large.use.byteCount] {
            let set = try Self.open(folder.path, keptByteCount: budget)
            var most = 0
            for way in 0..<3 {
                let isSame = try Self.isSame(data, set, seed: 1, way) {
                    most = max(most, set.use.byteCount)
                    #expect(set.use.byteCount == set.shards.reduce(0) { $0 + $1.keptByteCount })
                }
                #expect(isSame)
            }
            #expect(most <= budget && most >= budget / 2)
        }
    }

    @Test func indexesAreReadOnceWithALargeBudgetAndAgainWithATinyOne() throws {
        let folder = try TemporaryFolder()
        let data = try Self.write(folder)
        let column = MiniatureData.views
        let addresses = Self.addresses(data, column: column)
        /// Requests of the first time and of the second.
        func requests(_ budget: Int?) throws -> (UInt64, UInt64) {
            let set = try Self.open(folder.path, keptByteCount: budget)
            _ = try set.values(column: column, addresses)
            let first = set.readCounts
            _ = try set.values(column: column, addresses)
            return (first.requestCount, (set.readCounts - first).requestCount)
        }
        let large = try requests(nil)
        let chunks = UInt64(Self.shardCount * 3 * 3)
        // An index and a prologue of each chunk, the head and the bytes of each shard's table.
        #expect(large.0 - large.1 == 2 * chunks + 2 * UInt64(Self.shardCount))
        let tiny = try requests(0)
        #expect(tiny.1 >= large.1 + 2 * chunks)
    }

    @Test func theOldestIsDroppedFirst() throws {
        let folder = try TemporaryFolder()
        _ = try Self.write(folder, bf16: .plain)
        let path = folder.file("0.drs")
        func read(_ set: DataSet, group: Int) throws -> UInt64 {
            let before = set.readCounts
            _ = try set.values(column: MiniatureData.size, [CellAddress(row: group * 32)])
            return (set.readCounts - before).requestCount
        }
        let large = try Self.open(path, keptByteCount: nil)
        for group in 0..<3 { #expect(try read(large, group: group) == 3) }
        for group in 0..<3 { #expect(try read(large, group: group) == 1) }
        // All but one byte: the third row group takes the place of the first, and this that of the second.
        let set = try Self.open(path, keptByteCount: large.use.byteCount - 1)
        for group in [0, 1, 0] { _ = try read(set, group: group) }
        #expect(set.use.count == 2)
        #expect(try read(set, group: 2) == 3)
        #expect(try read(set, group: 1) == 1)
        #expect(try read(set, group: 0) == 3)
        #expect(try read(set, group: 2) == 1)
        #expect(try read(set, group: 1) == 3)
    }

    @Test func aReaderThatGoesLeavesNothingInTheBudgetOfTheOthers() throws {
        let folder = try TemporaryFolder()
        let data = try Self.write(folder)
        var last: ShardReader?
        weak var gone: ShardReader?
        weak var goneSet: DataSet?
        do {
            var set: DataSet? = try Self.open(folder.path, keptByteCount: nil)
            goneSet = set
            #expect(try Self.isSame(data, try #require(set), seed: 1, 1) {})
            last = set?.shards[2]
            gone = set?.shards[0]
            #expect(gone != nil && set?.use.byteCount ?? 0 > last?.keptByteCount ?? 0)
            set = nil
        }
        #expect(goneSet == nil && gone == nil)
        let kept = try #require(last).keptByteCount
        #expect(kept > 0 && last?.budgetUse.byteCount == kept)
        weak let lastGone = last
        last = nil
        #expect(lastGone == nil)
    }

    @Test func aLoneReaderGoesWithAllItKept() throws {
        let folder = try TemporaryFolder()
        _ = try Self.write(folder)
        weak var gone: ShardReader?
        for budget in [0, 4000, 1 << 20] {
            var options = ReaderOptions()
            options.keptByteCount = budget
            do {
                let reader = try ShardReader(path: folder.file("1.drs"), options: options)
                gone = reader
                for row in 0..<reader.rowCount { _ = try reader.value(column: MiniatureData.views, row: row) }
                #expect(reader.keptByteCount <= budget && reader.budgetUse.byteCount == reader.keptByteCount)
            }
            #expect(gone == nil)
        }
    }
}

extension DataSet {
    /// What the budget of all shards counts.
    fileprivate var use: (byteCount: Int, count: Int) { shards[0].budgetUse }
}
