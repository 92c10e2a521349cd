import DRShard
import DRShardFormat
import TestSupport
import Testing

@Suite struct RoundTripTests {
    @Test(arguments: [0, 1, 63, 64, 65, 200]) func everyValueComesBack(rowCount: Int) throws {
        let folder = try TemporaryFolder()
        let data = try MiniatureData(rowCount: rowCount)
        let path = folder.file("a.drs")
        try data.write(to: path, options: smallOptions())
        for access in [Access.read, .mapped] {
            let reader = try ShardReader(path: path, access: access)
            #expect(reader.rowCount == rowCount)
            for column in data.schema.columns.indices {
                let variants = data.schema.variantCount(of: column)
                let addresses = (0..<rowCount).flatMap { row in
                    (0..<variants).map { CellAddress(row: row, variant: $0) }
                }
                let cells = try reader.values(column: column, addresses)
                let missing = Set(cells.missing.map(\.index))
                for (i, address) in addresses.enumerated() {
                    let value = data.rows[address.row][column][address.variant]
                    #expect(missing.contains(i) == (value == nil))
                    #expect(cells[i] == value ?? [])
                }
            }
        }
        #expect(ShardVerifier.verify(path: path, depth: .decode) == [])
    }

    @Test func equalRowsAndOptionsMakeEqualFiles() throws {
        let folder = try TemporaryFolder()
        let data = try MiniatureData(rowCount: 150)
        try data.write(to: folder.file("a.drs"), options: smallOptions())
        try data.write(to: folder.file("b.drs"), options: smallOptions())
        #expect(try contents(folder.file("a.drs")) == contents(folder.file("b.drs")))
    }

    @Test func batchesOfAddressesInAnyOrderReachTheirPlaces() throws {
        let folder = try TemporaryFolder()
        let data = try MiniatureData(rowCount: 300, absence: false)
        let path = folder.file("a.drs")
        try data.write(to: path, options: smallOptions())
        var random = SeededGenerator(seed: 9)
        let addresses = (0..<500).map { _ in
            CellAddress(row: Int.random(in: 0..<300, using: &random), variant: Int.random(in: 0..<3, using: &random))
        }
        for access in [Access.read, .mapped] {
            let reader = try ShardReader(path: path, access: access)
            let cells = try reader.cells(column: MiniatureData.views, addresses)
            for (i, address) in addresses.enumerated() {
                #expect(
                    Array(cells.bytes[i * 48..<i * 48 + 48])
                        == data.rows[address.row][MiniatureData.views][address.variant])
            }
        }
    }
}
