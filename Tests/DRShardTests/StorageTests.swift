import DRShard
import DRShardFormat
import Foundation
import TestSupport
import Testing

/// Every way to store a column gives back what was written, alone and packed again.
@Suite struct StorageTests {
    private static let bf16: [ColumnStorage] = [.plain, .zstd, .lz4, .fast, .balanced, .archive]

    private static func pages(_ path: String, column: Int) throws -> Set<String> {
        Set(try DataSet(path: path).statistics()[column].total.codecs.keys)
    }

    @Test(arguments: bf16, [1, 24, 300]) func embeddingsComeBackFromEveryStorage(storage: ColumnStorage, dims: Int)
        throws
    {
        let folder = try TemporaryFolder()
        let data = try MiniatureData(rowCount: 150, dims: dims)
        let path = folder.file("a.drs")
        try data.write(to: path, options: smallOptions(bf16: storage))
        #expect(ShardVerifier.verify(path: path, depth: .decode) == [])
        let column = MiniatureData.views
        for access in [Access.read, .mapped] {
            let reader = try ShardReader(path: path, access: access)
            let addresses =
                (0..<150).flatMap { row in (0..<3).map { CellAddress(row: row, variant: $0) } }.reversed() + []
            let cells = try reader.cells(column: column, addresses)
            let missing = Set(cells.missing.map(\.index))
            for (i, address) in addresses.enumerated() {
                let value = data.rows[address.row][column][address.variant]
                #expect(missing.contains(i) == (value == nil))
                let found = Array(cells.bytes[i * dims * 2..<(i + 1) * dims * 2])
                #expect(found == value ?? Array(repeating: 0, count: dims * 2))
            }
        }
        if dims > 24 { #expect(try Self.pages(path, column: column) == [Self.name(storage)]) }
    }

    private static func name(_ storage: ColumnStorage) -> String { "\(storage.encoding)/\(storage.codec)" }

    @Test(arguments: bf16) func embeddingsAreReadAsOtherFloats(storage: ColumnStorage) throws {
        let folder = try TemporaryFolder()
        let data = try MiniatureData(rowCount: 70, dims: 300)
        try data.write(to: folder.file("a.drs"), options: smallOptions(bf16: storage))
        let set = try DataSet(path: folder.path)
        let addresses = (0..<70).map { CellAddress(row: $0, variant: 1) }
        let plain = UnsafeMutableRawBufferPointer.allocate(byteCount: 70 * 600, alignment: 64)
        let wide = UnsafeMutableRawBufferPointer.allocate(byteCount: 70 * 1200, alignment: 64)
        defer {
            unsafe plain.deallocate()
            unsafe wide.deallocate()
        }
        unsafe wide.initializeMemory(as: UInt8.self, repeating: 0xEE)
        let missing = try unsafe set.readCells(column: MiniatureData.views, addresses, into: plain)
        #expect(try unsafe set.readCells(column: MiniatureData.views, addresses, into: wide, as: .f32) == missing)
        #expect(missing.count < 70)
        for i in 0..<70 * 300 {
            let value = unsafe plain.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self)
            #expect(unsafe wide.loadUnaligned(fromByteOffset: 4 * i, as: UInt32.self) == UInt32(value) << 16)
        }
        #expect(throws: ShardError.invalidArgument("")) {
            try unsafe set.readCells(column: MiniatureData.views, addresses, into: wide, as: .i32)
        }
    }

    @Test func storageThatIsNotForTheTypeIsRefused() throws {
        let folder = try TemporaryFolder()
        let data = try MiniatureData(rowCount: 1)
        for (column, storage) in [(MiniatureData.text, ColumnStorage.balanced), (MiniatureData.views, .tokenRanks)] {
            var options = smallOptions()
            options.storage[column] = storage
            #expect(throws: ShardError.invalidArgument("")) {
                try data.write(to: folder.file("a.drs"), options: options)
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
        }
    }

    // R-REC-3: tables of committed row groups are taken up.
    @Test(arguments: bf16) func resumedWriterGoesOnWithItsTables(storage: ColumnStorage) throws {
        let folder = try TemporaryFolder()
        let data = try MiniatureData(rowCount: 150, dims: 300)
        let path = folder.file("a.drs")
        let options = smallOptions(bf16: storage)
        try data.write(to: path, options: options)
        let whole = try contents(path)
        let footer = try ShardReader(path: path).footer
        for kept in [0, 64, 128] {
            let group = footer.groups[kept / 64]
            let folder = try TemporaryFolder()
            try write(Array(whole[..<Int(group.position + 64)]), folder.file("a.drs.part"))
            let writer = try ShardWriter(resuming: folder.file("a.drs"), schema: data.schema, options: options)
            #expect(writer.rowCount == kept)
            try data.append(to: writer, rows: kept..<150)
            try writer.finish()
            #expect(try contents(folder.file("a.drs")) == whole)
        }
    }

    @Test func resumingWithAnotherStorageIsAMismatch() throws {
        let folder = try TemporaryFolder()
        let data = try MiniatureData(rowCount: 150, dims: 300)
        try data.write(to: folder.file("a.drs"), options: smallOptions(bf16: .fast))
        let footer = try ShardReader(path: folder.file("a.drs")).footer
        let part = try contents(folder.file("a.drs"))[..<Int(footer.groups[1].position)]
        try write(Array(part), folder.file("b.drs.part"))
        for storage in [ColumnStorage.balanced, .plain] {
            #expect(throws: ShardError.schemaMismatch("")) {
                _ = try ShardWriter(
                    resuming: folder.file("b.drs"), schema: data.schema, options: smallOptions(bf16: storage))
            }
        }
    }

    @Test(arguments: bf16) func repackedShardIsTheOneThatWouldHaveBeenWritten(storage: ColumnStorage) throws {
        let folder = try TemporaryFolder()
        let data = try MiniatureData(rowCount: 150, dims: 300)
        try data.write(to: folder.file("direct.drs"), options: smallOptions(bf16: storage))
        for first in Self.bf16 {
            try data.write(to: folder.file("\(first).drs"), options: smallOptions(bf16: first))
            let source = try ShardReader(path: folder.file("\(first).drs"))
            var options = RepackOptions()
            options.bf16Storage = storage
            let target = folder.file("\(first)-again.drs")
            try Repacker.repack(source, to: target, options: options)
            #expect(try contents(target) == contents(folder.file("direct.drs")))
        }
    }

    @Test func repackedRowGroupsHaveTheSameDigests() throws {
        let folder = try TemporaryFolder()
        let data = try MiniatureData(rowCount: 150)
        let old = try data.write(to: folder.file("a.drs"), options: smallOptions())
        let source = try ShardReader(path: folder.file("a.drs"))
        var options = RepackOptions()
        options.rowsPerGroup = 50
        options.storage["text"] = .plain
        let new = try Repacker.repack(source, to: folder.file("b.drs"), options: options)
        #expect(new.groups.count == 3 && new.contentDigest == old.contentDigest && new.rowSetDigest == old.rowSetDigest)
        #expect(ShardVerifier.verify(path: folder.file("b.drs"), depth: .decode) == [])
        options.storage["no such"] = .plain
        #expect(throws: ShardError.invalidArgument("")) {
            try Repacker.repack(source, to: folder.file("c.drs"), options: options)
        }
    }

    @Test func damagedSourceGivesNoRepackedShard() throws {
        let folder = try TemporaryFolder()
        let data = try MiniatureData(rowCount: 150, dims: 300)
        try data.write(to: folder.file("a.drs"), options: smallOptions())
        var bytes = try contents(folder.file("a.drs"))
        let place = try #require(try ShardReader(path: folder.file("a.drs")).footer.groups.first).position
        for _ in 0..<64 { bytes[Int(place) + 70_000] ^= 0xFF }
        bytes[Int(place) + 70_000] ^= 1
        let source = try ShardReader(source: MemorySource(bytes))
        #expect(throws: ShardError.checksumMismatch("")) {
            try Repacker.repack(source, to: folder.file("b.drs"), options: RepackOptions())
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["a.drs"])
    }

    // Two row groups of text that is much alike: what is learnt from the first serves both.
    @Test func textGetsADictionaryWhereItPays() throws {
        let folder = try TemporaryFolder()
        let schema = try Schema(
            axes: [],
            columns: [
                Column(name: "uid", role: .rowID, type: .tensor(.u8, dims: [8])),
                Column(name: "text", role: .text, type: .utf8),
            ])
        func write(_ rowCount: Int, to path: String) throws -> Footer {
            var options = WriterOptions(shardTag: 1)
            options.rowsPerGroup = 20_000
            let writer = try ShardWriter(path: path, schema: schema, options: options)
            var random = SeededGenerator(seed: 5)
            let words = (0..<3000).map { _ in String(random.next() % 2_000_000_000, radix: 36) }
            for row in 0..<rowCount {
                try writer.set((0..<8).map { UInt8(truncatingIfNeeded: row >> (8 * $0)) }, column: 0)
                // Words as they are used: a few often, most seldom.
                let text = (0..<12).map { _ in
                    words[Int(0.9 / (Double(random.next() >> 11) * 0x1p-53 + 0x1p-12)) % 3000]
                }
                try writer.set(text.joined(separator: " "), column: 1)
                try writer.endRow()
            }
            return try writer.finish()
        }
        let small = try write(100, to: folder.file("small.drs"))
        #expect(small.auxiliaries.isEmpty)
        let large = try write(40_000, to: folder.file("large.drs"))
        #expect(large.auxiliaries.map(\.kind) == [1])
        #expect(ShardVerifier.verify(path: folder.file("large.drs"), depth: .decode) == [])
        let again = try write(40_000, to: folder.file("again.drs"))
        #expect(again.auxiliaries == large.auxiliaries)
    }

    @Test(arguments: [ColumnStorage.plain, .zstd, .lz4, .tokenRanks]) func tokensBecomeRowsFromEveryStorage(
        storage: ColumnStorage
    ) throws {
        let folder = try TemporaryFolder()
        let data = try MiniatureData(rowCount: 300)
        var options = smallOptions()
        options.storage[MiniatureData.tokens] = storage
        for name in ["a.drs", "b.drs"] { try data.write(to: folder.file(name), options: options) }
        #expect(try Self.pages(folder.path, column: MiniatureData.tokens) == [Self.name(storage)])
        let shape = TokenRowShape(contextLength: 20, start: 7, end: 8, vocabularySize: 1 << 16)
        for access in [Access.read, .mapped] {
            let set = try DataSet(path: folder.path, access: access)
            let addresses = (0..<600).map { CellAddress(row: $0 * 7 % 600) }
            let slots = addresses.indices.map { ($0 + 5) % 600 }
            let rows = UnsafeMutableBufferPointer<Int32>.allocate(capacity: 600 * 20)
            let lengths = UnsafeMutableBufferPointer<Int32>.allocate(capacity: 600)
            defer {
                unsafe rows.deallocate()
                unsafe lengths.deallocate()
            }
            unsafe rows.initialize(repeating: -1)
            let missing = try unsafe set.readTokens(
                column: MiniatureData.tokens, addresses, slots: slots, shape: shape, rows: rows, lengths: lengths)
            #expect(Set(missing.map(\.index)).count == missing.count && !missing.isEmpty)
            for (i, address) in addresses.enumerated() {
                let value = data.rows[address.row % 300][MiniatureData.tokens][0]
                let tokens = value.map { value in
                    (0..<value.count / 2).map { Int32(value[2 * $0]) | Int32(value[2 * $0 + 1]) << 8 }
                }
                let expected = tokens.map { [7] + $0.prefix(18) + [8] } ?? []
                #expect(missing.contains { $0.index == i } == (value == nil))
                #expect(unsafe lengths[slots[i]] == expected.count)
                let row = unsafe Array(rows[slots[i] * 20..<(slots[i] + 1) * 20])
                #expect(row == expected + Array(repeating: 0, count: 20 - expected.count))
            }
            let narrow = TokenRowShape(contextLength: 20, start: 7, end: 8, vocabularySize: 10)
            #expect(throws: ShardError.corrupt("")) {
                try unsafe set.readTokens(
                    column: MiniatureData.tokens, addresses, shape: narrow, rows: rows, lengths: lengths)
            }
            #expect(throws: ShardError.invalidArgument("")) {
                try unsafe set.readTokens(
                    column: MiniatureData.tokens, addresses, slots: slots.map { $0 + 1 }, shape: shape, rows: rows,
                    lengths: lengths)
            }
        }
    }

    @Test(arguments: [ColumnStorage.plain, .zstd, .lz4, .operationTable]) func recordsComeBackFromEveryStorage(
        storage: ColumnStorage
    ) throws {
        let folder = try TemporaryFolder()
        let data = try MiniatureData(rowCount: 300)
        var options = smallOptions()
        options.storage[MiniatureData.parameters] = storage
        try data.write(to: folder.file("a.drs"), options: options)
        #expect(try Self.pages(folder.path, column: MiniatureData.parameters) == [Self.name(storage)])
        let cells = try ShardReader(path: folder.file("a.drs"))
            .values(column: MiniatureData.parameters, (0..<300).map { CellAddress(row: $0, variant: 2) })
        for row in 0..<300 { #expect(cells[row] == data.rows[row][MiniatureData.parameters][2] ?? []) }
        #expect(ShardVerifier.verify(path: folder.file("a.drs"), depth: .decode) == [])
    }

    // R-REC-3: a table that is damaged costs its row group, if that is the last one.
    @Test(arguments: [true, false]) func resumedWriterGivesUpAGroupWithADamagedTable(inHeader: Bool) throws {
        let folder = try TemporaryFolder()
        let data = try MiniatureData(rowCount: 150, dims: 300)
        let options = smallOptions(bf16: .balanced)
        try data.write(to: folder.file("a.drs"), options: options)
        let whole = try contents(folder.file("a.drs"))
        let footer = try ShardReader(path: folder.file("a.drs")).footer
        var damaged = whole
        for position in [footer.auxiliaries[0].firstPosition, footer.auxiliaries[0].secondPosition] {
            let start = Int(position)
            if inHeader {
                // A column that is not there, behind a right checksum.
                (damaged[start + 20], damaged[start + 21]) = (0xFF, 0xFF)
                let sum = crc32c(Array(damaged[start..<start + 60]))
                for i in 0..<4 { damaged[start + 60 + i] = UInt8(truncatingIfNeeded: sum >> (8 * UInt32(i))) }
            } else {
                for i in 64..<80 { damaged[start + i] = 0 }
            }
        }
        let folders = try (TemporaryFolder(), TemporaryFolder())
        try write(Array(damaged[..<Int(footer.groups[1].position)]), folders.0.file("a.drs.part"))
        let writer = try ShardWriter(resuming: folders.0.file("a.drs"), schema: data.schema, options: options)
        #expect(writer.rowCount == 0)
        try data.append(to: writer, rows: 0..<150)
        try writer.finish()
        #expect(try contents(folders.0.file("a.drs")) == whole)
        try write(Array(damaged[..<Int(footer.groups[2].position)]), folders.1.file("a.drs.part"))
        #expect(throws: ShardError.corrupt("")) {
            _ = try ShardWriter(resuming: folders.1.file("a.drs"), schema: data.schema, options: options)
        }
    }

    @Test func tablesAreMadeFromCellsThatAreThere() throws {
        let folder = try TemporaryFolder()
        var data = try MiniatureData(rowCount: 128, dims: 300, absence: false)
        for row in stride(from: 0, to: 128, by: 2) {
            for variant in 0..<3 { data.rows[row][MiniatureData.views][variant] = nil }
        }
        for storage in [ColumnStorage.fast, .balanced, .archive] {
            let path = folder.file("\(storage).drs")
            try data.write(to: path, options: smallOptions(bf16: storage))
            #expect(try Self.pages(path, column: MiniatureData.views) == [Self.name(storage)])
            #expect(ShardVerifier.verify(path: path, depth: .decode) == [])
        }
    }

    @Test func reportsOfHugeOrMissingCellsTakeNoMemoryForThem() throws {
        let folder = try TemporaryFolder()
        let schema = try Schema(
            axes: [],
            columns: [
                Column(name: "uid", role: .rowID, type: .tensor(.u8, dims: [4])),
                Column(name: "huge", role: .other, type: .tensor(.bf16, dims: [1 << 28])),
                Column(name: "single", role: .other, type: .tensor(.bf16, dims: [])),
            ])
        var options = WriterOptions(shardTag: 1)
        options.rowsPerGroup = 4
        try ShardWriter(path: folder.file("none.drs"), schema: schema, options: options).finish()
        let reports = try DataSet(path: folder.path).storageReports()
        #expect(reports.map(\.column) == ["uid", "huge", "single"] && reports.allSatisfy { $0.floorBits == nil })
    }
}
