import DRShardFormat
import Testing

import DRDoctor

@Suite struct DuplicateIDTests {
    /// The repeated entries as (id, row), sorted.
    private func duplicates(_ ids: [UInt128], limit: Int) throws -> [[UInt128]] {
        var finder = DuplicateIDs(limit: limit)
        for (row, id) in ids.enumerated() { try finder.add(id, file: row % 3, row: row) }
        var found: [[UInt128]] = []
        try finder.forEachDuplicate { entry, first in
            found.append([entry.id, UInt128(entry.row), UInt128(first.row)])
            #expect(entry.id == first.id)
        }
        return found.sorted { $0.lexicographicallyPrecedes($1) }
    }

    @Test(arguments: [64, 1000, 2500, 1 << 20])
    func idsInTemporaryFilesGiveWhatIdsInMemoryGive(limit: Int) throws {
        // Ids that count up, as tests and home-made sets have them, in their low bits or in their high ones.
        for shift: UInt128 in [0, 96] {
            var ids = (0..<5000).map { UInt128($0) << shift }
            ids += (0..<50).map { UInt128($0 * 97) << shift }
            let found = try duplicates(ids, limit: limit)
            let expected = Set((0..<50).map { UInt128($0 * 97) << shift })
            #expect(Set(found.map { $0[0] }) == expected)
            #expect(found.count == 50)
        }
    }

    @Test func oneIdThatFillsEverythingIsCountedToo() throws {
        let found = try duplicates(Array(repeating: 5, count: 1000), limit: 10)
        #expect(found.count == 999)
    }

    @Test func idsOfOtherLengthsAreToldApart() {
        #expect(DuplicateIDs.key([1, 2]) != DuplicateIDs.key([1, 3]))
        let counted: [UInt8] = Array(0..<16)
        #expect(DuplicateIDs.key(counted) == 0x0001_0203_0405_0607_0809_0A0B_0C0D_0E0F)
    }
}
