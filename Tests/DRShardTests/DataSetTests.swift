import DRShard
import DRShardFormat
import TestSupport
import Testing

@Suite struct DataSetTests {
    /// Three shards of 70, 0 and 61 rows.
    private func write(_ folder: TemporaryFolder) throws -> MiniatureData {
        let data = try MiniatureData(rowCount: 131)
        for (i, rows) in [0..<70, 70..<70, 70..<131].enumerated() {
            let writer = try ShardWriter(
                path: folder.file("\(i).drs"), schema: data.schema, options: smallOptions(tag: UInt64(i)))
            try data.append(to: writer, rows: rows)
            try writer.finish()
        }
        return data
    }

    @Test(arguments: [Access.read, .mapped]) func cellsOfSeveralShardsReachTheirSlots(access: Access) throws {
        let folder = try TemporaryFolder()
        let data = try write(folder)
        let set = try DataSet(path: folder.path, access: access)
        var random = SeededGenerator(seed: 3)
        let addresses = (0..<200).map { _ in
            CellAddress(row: Int.random(in: 0..<131, using: &random), variant: Int.random(in: 0..<3, using: &random))
        }
        let slots = (0..<200).shuffled(using: &random)
        var bytes = [UInt8](repeating: 0xEE, count: 200 * 50)
        let missing = try unsafe bytes.withUnsafeMutableBytes { target in
            try unsafe set.readCells(column: MiniatureData.views, addresses, slots: slots, into: target, stride: 50)
        }
        let values = try set.values(column: MiniatureData.views, addresses)
        #expect(values.missing == missing && !missing.isEmpty)
        for (i, address) in addresses.enumerated() {
            let expected = data.rows[address.row][MiniatureData.views][address.variant]
            #expect(Array(bytes[slots[i] * 50..<slots[i] * 50 + 48]) == expected ?? Array(repeating: 0, count: 48))
            #expect(values[i] == expected ?? [])
            #expect(missing.contains { $0.index == i } == (expected == nil))
        }
    }

    @Test func cellsAndSlotsThatDoNotExistAreRefused() throws {
        let folder = try TemporaryFolder()
        _ = try write(folder)
        let set = try DataSet(path: folder.path)
        var bytes = [UInt8](repeating: 0, count: 96)
        let address = CellAddress(row: 0)
        let attempts: [(addresses: [CellAddress], slots: [Int]?, stride: Int?)] = [
            ([CellAddress(row: 131)], nil, nil), ([CellAddress(row: -1)], nil, nil),
            ([CellAddress(row: 0, variant: 3)], nil, nil),
            ([address], [2], nil), ([address], [-1], nil), ([address], [0, 1], nil), ([address], [.max], nil),
            ([address, address, address], nil, nil), ([address], nil, 47),
        ]
        for attempt in attempts {
            #expect(throws: ShardError.invalidArgument("")) {
                try unsafe bytes.withUnsafeMutableBytes { target in
                    _ = try unsafe set.readCells(
                        column: MiniatureData.views, attempt.addresses, slots: attempt.slots, into: target,
                        stride: attempt.stride)
                }
            }
        }
    }

    @Test func readsAreCountedWithTheirIndexes() throws {
        let folder = try TemporaryFolder()
        _ = try write(folder)
        let set = try DataSet(path: folder.path)
        #expect(set.readCounts == ReadCounts())
        let address = [CellAddress(row: 0, variant: 1)]
        _ = try set.values(column: MiniatureData.views, address)
        let first = set.readCounts
        #expect(first.requestCount == 5)  // chunk index, prologue, table (its header, its bytes), unit
        _ = try set.values(column: MiniatureData.views, address)
        let second = set.readCounts - first
        #expect(second.requestCount == 1)
        // Rows of 48 bytes, encoded; a unit is as many of them as keep below 2 KiB.
        #expect(second.byteCount < 42 * 48 && second.byteCount > 21 * 48)
        #expect(first.byteCount > second.byteCount)
    }
}
