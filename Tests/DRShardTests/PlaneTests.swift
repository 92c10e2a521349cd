import DRShard
import DRShardFormat
import TestSupport
import Testing

@Suite struct PlaneTests {
    @Test(arguments: [ColumnStorage.plain, .zstd, .lz4]) func scansDeliverEveryRowInOrder(storage: ColumnStorage) throws
    {
        let folder = try TemporaryFolder()
        let data = try MiniatureData(rowCount: 200)
        var options = smallOptions()
        for column in data.schema.columns.indices { options.storage[column] = storage }
        try data.write(to: folder.file("a.drs"), options: options)
        for access in [Access.read, .mapped] {
            let reader = try ShardReader(path: folder.file("a.drs"), access: access)
            for column in data.schema.columns.indices {
                for rows in [0..<200, 60..<131, 64..<64] {
                    var next = rows.lowerBound
                    try reader.scanPlane(column: column, variant: 0, rows: rows) { row, value, state in
                        let expected = data.rows[row][column][0]
                        #expect(row == next && (state == .present) == (expected != nil))
                        #expect(value.count == expected?.count ?? 0)
                        for i in value.indices { #expect(value[i] == expected?[i]) }
                        next += 1
                    }
                    #expect(next == rows.upperBound)
                }
            }
        }
    }

    @Test(arguments: [8, 24, 32, 300]) func rawPagesShowTheCellsAsTheyAre(dims: Int) throws {
        let folder = try TemporaryFolder()
        let data = try MiniatureData(rowCount: 150, dims: dims, absence: false)
        try data.write(to: folder.file("a.drs"), options: smallOptions(bf16: .plain))
        let reader = try ShardReader(path: folder.file("a.drs"), access: .mapped)
        var seen = 0
        let isViewed = try reader.withRawPages(column: MiniatureData.views, variant: 1) { page, bytes in
            for row in page.rows {
                let start = (row - page.rows.lowerBound) * page.stride
                let expected = data.rows[row][MiniatureData.views][1] ?? []
                for i in 0..<page.cellByteCount { #expect(bytes[start + i] == expected[i]) }
                seen += 1
            }
        }
        #expect(isViewed && seen == 150)
    }

    @Test func viewsAreRefusedWherePagesArePackedOrNotInMemory() throws {
        let folder = try TemporaryFolder()
        let data = try MiniatureData(rowCount: 70)
        try data.write(to: folder.file("a.drs"), options: smallOptions())
        let mapped = try ShardReader(path: folder.file("a.drs"), access: .mapped)
        let read = try ShardReader(path: folder.file("a.drs"))
        #expect(try !mapped.withRawPages(column: MiniatureData.text) { _, _ in })
        #expect(try !read.withRawPages(column: MiniatureData.views) { _, _ in })
    }

    @Test func viewsAreRefusedWhereCellsAreMissingAndCountedElsewhere() throws {
        let folder = try TemporaryFolder()
        var data = try MiniatureData(rowCount: 130, dims: 32, absence: false)
        data.rows[70][MiniatureData.views][0] = nil  // in the second of three row groups
        try data.write(to: folder.file("a.drs"), options: smallOptions(bf16: .plain))
        let reader = try ShardReader(path: folder.file("a.drs"), access: .mapped)
        var seen: [Range<Int>] = []
        #expect(try !reader.withRawPages(column: MiniatureData.views) { page, _ in seen.append(page.rows) })
        #expect(seen == [0..<64], "no page behind the first that cannot be viewed")
        #expect(try reader.withRawPages(column: MiniatureData.views, variant: 1) { _, _ in })
        let before = reader.readCounts
        #expect(try reader.withRawPages(column: MiniatureData.views, variant: 1) { _, _ in })
        let counts = reader.readCounts - before
        #expect(counts.requestCount == 3 && counts.byteCount == 130 * 64)
    }

    // R-GROUP-2
    @Test func unitOfSeveralVariantsIsReadOnce() throws {
        let path = VectorIndex.path("valid/spanning.drs")
        for access in [Access.read, .mapped] {
            let reader = try ShardReader(path: path, access: access)
            let addresses = (0..<reader.schema.variantCount(of: 1)).map { CellAddress(row: 0, variant: $0) }
            let spanned = reader.footer.groups[0].chunks.filter { $0.column == 1 }
            #expect(spanned.count == 1 && addresses.count > 1)
            _ = try reader.values(column: 1, addresses)
            let before = reader.readCounts
            _ = try reader.values(column: 1, addresses)
            #expect((reader.readCounts - before).requestCount == 1)
        }
    }

    @Test func strideThatWrapsIsTheCallersMistake() throws {
        let reader = try ShardReader(source: MemorySource(try SmallShard().bytes))
        let addresses = (0..<3).map { CellAddress(row: $0) }
        let target = UnsafeMutableRawBufferPointer.allocate(byteCount: 64, alignment: 8)
        defer { unsafe target.deallocate() }
        for stride in [Int.max, Int.max / 2 + 1, 64, 3] {
            #expect(throws: ShardError.invalidArgument("")) {
                try unsafe reader.readCells(column: 0, addresses, into: target, stride: stride)
            }
        }
        #expect(try unsafe reader.readCells(column: 0, addresses, into: target, stride: 24).isEmpty)
    }

    @Test func damageInAViewIsFoundBeforeTheViewIsGiven() throws {
        let folder = try TemporaryFolder()
        let data = try MiniatureData(rowCount: 64, dims: 32, absence: false)
        try data.write(to: folder.file("a.drs"), options: smallOptions(bf16: .plain))
        var bytes = try contents(folder.file("a.drs"))
        let value = data.rows[40][MiniatureData.views][0] ?? []
        let place = try #require(bytes.firstRange(of: value))
        bytes[place.lowerBound + 5] ^= 1
        let reader = try ShardReader(source: MemorySource(bytes))
        #expect(throws: ShardError.checksumMismatch("")) {
            _ = try reader.withRawPages(column: MiniatureData.views) { _, _ in Issue.record("a view of damage") }
        }
        var options = ReaderOptions()
        options.checksUnits = false
        let unchecked = try ShardReader(source: MemorySource(bytes), options: options)
        #expect(try unchecked.withRawPages(column: MiniatureData.views) { _, _ in })
    }

    @Test func aGroupThatGrowsPastItsMaximumIsAnErrorAndLosesNothing() throws {
        let folder = try TemporaryFolder()
        let data = try MiniatureData(rowCount: 60, absence: false)
        var options = smallOptions()
        options.maximumGroupByteCount = 20_000
        let writer = try ShardWriter(path: folder.file("a.drs"), schema: data.schema, options: options)
        #expect(throws: ShardError.limitExceeded("")) { try data.append(to: writer, rows: 0..<60) }
        writer.discardRow()
        let rows = writer.rowCount
        try writer.finish()
        #expect(rows > 0 && ShardVerifier.verify(path: folder.file("a.drs"), depth: .decode) == [])
        #expect(try ShardReader(path: folder.file("a.drs")).rowCount == rows)
    }
}
