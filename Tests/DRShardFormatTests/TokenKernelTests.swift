import CDRKernels
import DRShardFormat
import TestSupport
import Testing

/// A table of tokens that was read, and units of it. What comes back from the kernels is copied out.
// SAFETY: the memory is private, made in init and freed in deinit; every buffer is passed with its own count.
@safe private final class TokenUnits {
    private let table = UnsafeMutablePointer<cdr_token_table>.allocate(capacity: 1)
    private var ranks = [UInt16](repeating: 0, count: 1 << 16)

    /// Nil if the payload is rejected.
    init?(payload: [UInt8]) {
        guard unsafe cdr_token_table_read(table, payload, payload.count) == CDR_TOKENS_OK else { return nil }
        unsafe cdr_token_ranks(table, &ranks)
    }
    deinit { unsafe table.deallocate() }

    convenience init?(ids: [UInt16]) {
        self.init(payload: ([UInt16(ids.count), 0] + ids).flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] })
    }

    func encode(_ plain: [UInt8], cells: Int, width: Int, capacity: Int? = nil) -> [UInt8] {
        let room = capacity ?? 2 * plain.count + 64
        var stored = [UInt8](repeating: 0xEE, count: room + 16)
        let count = unsafe cdr_tokens_encode(ranks, UInt32(width), plain, plain.count, cells, &stored, room)
        #expect(stored[room...].allSatisfy { $0 == 0xEE }, "written behind the capacity")
        return Array(stored[..<count])
    }

    /// The plain bytes, or nil if the unit is corrupt. What lies behind it must not matter.
    func decode(_ stored: [UInt8], cells: Int, width: Int, plainByteCount: Int) -> [UInt8]? {
        let guarded = stored + [UInt8](repeating: 0xA5, count: CDR_TOKENS_SLACK)
        var plain = [UInt8](repeating: 0xEE, count: plainByteCount + 64)
        let status = unsafe guarded.withUnsafeBufferPointer { bytes in
            var source = unsafe cdr_token_source(
                stored: bytes.baseAddress, stored_count: stored.count, plain_count: plainByteCount, cells: cells,
                element: UInt32(width))
            return unsafe cdr_tokens_decode(table, &source, &plain)
        }
        #expect(plain[plainByteCount...].allSatisfy { $0 == 0xEE }, "written behind the target")
        return status == CDR_TOKENS_OK ? Array(plain[..<plainByteCount]) : nil
    }

    /// The rows of the cells that are wanted, and their lengths.
    func rows(
        _ stored: [UInt8], cells: Int, width: Int, plainByteCount: Int, row: cdr_token_row, wanted: [UInt32]?
    ) -> (status: cdr_tokens_status, ids: [Int32], lengths: [Int32]) {
        let guarded = stored + [UInt8](repeating: 0xA5, count: CDR_TOKENS_SLACK)
        let count = wanted?.count ?? cells
        let idCount = count * Int(row.context)
        var ids = [Int32](repeating: -9, count: idCount + 16)
        var lengths = [Int32](repeating: -9, count: count)
        var row = row
        let status = unsafe guarded.withUnsafeBufferPointer { bytes in
            var source = unsafe cdr_token_source(
                stored: bytes.baseAddress, stored_count: stored.count, plain_count: plainByteCount, cells: cells,
                element: UInt32(width))
            guard let wanted else {
                return unsafe cdr_tokens_rows(table, &source, &row, nil, count, &ids, &lengths)
            }
            return unsafe cdr_tokens_rows(table, &source, &row, wanted, count, &ids, &lengths)
        }
        #expect(ids[idCount...].allSatisfy { $0 == -9 }, "written behind the rows")
        return (status, Array(ids[..<idCount]), lengths)
    }
}

/// Cells of tokens, and what must come of them.
private struct TokenCells {
    let width: Int
    let cells: [[UInt32]]

    var plain: [UInt8] {
        var bytes: [UInt8] = []
        for cell in cells {
            var count = cell.count * width
            while count > 127 { bytes.append(UInt8(count & 127 | 128)); count >>= 7 }
            bytes.append(UInt8(count))
        }
        for token in cells.joined() { for i in 0..<width { bytes.append(UInt8(token >> (8 * UInt32(i)) & 0xFF)) } }
        return bytes
    }

    func row(_ cell: Int, _ row: cdr_token_row) -> [Int32] {
        let tokens = cells[cell].prefix(Int(row.context) - 2).map { Int32(bitPattern: $0) }
        let ids = [row.start] + tokens + [row.end]
        return ids + [Int32](repeating: 0, count: Int(row.context) - ids.count)
    }

    static func random(
        width: Int, cells: Int, longest: Int, from ids: [UInt16], using random: inout SeededGenerator
    ) -> TokenCells {
        TokenCells(
            width: width,
            cells: (0..<cells).map { _ in
                (0..<Int.random(in: 0...longest, using: &random)).map { _ in
                    switch Int.random(in: 0..<12, using: &random) {
                    case 0: UInt32.random(in: 0...(width == 2 ? 0xFFFF : .max), using: &random)
                    case 1: UInt32.random(in: 0...0xFFFF, using: &random)
                    case 2...5: UInt32(ids.randomElement(using: &random) ?? 7)
                    default: UInt32(ids.prefix(20).randomElement(using: &random) ?? 9)
                    }
                }
            })
    }
}

@Suite struct TokenKernelTests {
    private static let clip = cdr_token_row(start: 49406, end: 49407, vocabulary: .max, context: 77)

    private func atEachLevel(_ body: (cdr_level) -> Void) {
        KernelLevels.forEach(body)
    }

    /// The example of section 6.6, and one of i32.
    @Test func tokensOfTheTextAreItsBytes() throws {
        let units = try #require(TokenUnits(payload: [0x02, 0, 0, 0, 0x40, 0x01, 0x0B, 0x01]))
        let cells = TokenCells(width: 2, cells: [[320, 1125, 267], []])
        let stored: [UInt8] = [0x02, 0xA3, 0xA1, 0xC2, 0x08, 0x00]
        #expect(cells.plain == [0x06, 0x00, 0x40, 0x01, 0x65, 0x04, 0x0B, 0x01])
        #expect(units.encode(cells.plain, cells: 2, width: 2) == stored)
        let wide = TokenCells(width: 4, cells: [[320, .max, 70_000]])
        let wideStored: [UInt8] = [0x02, 0xFB, 0x87, 0x87, 0xBF, 0x8F, 0x8F, 0xFF, 0xFF, 0x00, 0x00]
        #expect(units.encode(wide.plain, cells: 1, width: 4) == wideStored)
        atEachLevel { _ in
            #expect(units.decode(stored, cells: 2, width: 2, plainByteCount: 8) == cells.plain)
            #expect(units.decode(wideStored, cells: 1, width: 4, plainByteCount: 13) == wide.plain)
        }
    }

    @Test(arguments: [2, 4], [0, 1, 16, 17, 272, 273, 4368])
    func tokensComeBackAtEveryLevel(width: Int, idCount: Int) throws {
        var random = SeededGenerator(seed: UInt64(width * 10_000 + idCount))
        let ids = (0..<idCount).map { _ in UInt16.random(in: 0...UInt16.max, using: &random) }
        let units = try #require(TokenUnits(ids: ids))
        var cases = [(0, 0), (1, 0), (9, 0), (1, 1), (1, 16), (3, 17), (1, 5000)].map { cells, longest in
            TokenCells.random(width: width, cells: cells, longest: longest, from: ids, using: &random)
        }
        for _ in 0..<8 { cases.append(.random(width: width, cells: 64, longest: 40, from: ids, using: &random)) }
        for cells in cases {
            let plain = cells.plain
            let count = cells.cells.count
            let stored = units.encode(plain, cells: count, width: width)
            #expect(!stored.isEmpty)
            #expect(units.encode(plain, cells: count, width: width, capacity: stored.count - 1).isEmpty)
            let wanted = (0..<10).compactMap { _ in cells.cells.indices.randomElement(using: &random) }
            atEachLevel { level in
                let found = units.decode(stored, cells: count, width: width, plainByteCount: plain.count)
                #expect(found == plain, "level \(level.rawValue)")
                for context in [77, 2, 3, 18, 19, 33] as [UInt32] {
                    // The largest number that is an id, so that some are outside.
                    var row = Self.clip
                    row.context = context
                    let isInside = cells.cells.joined().allSatisfy { $0 < 1 << 31 }
                    let all = units.rows(
                        stored, cells: count, width: width, plainByteCount: plain.count, row: row, wanted: nil)
                    if all.status == CDR_TOKENS_OK {
                        #expect(all.ids == cells.cells.indices.flatMap { cells.row($0, row) })
                        #expect(all.lengths == cells.cells.map { Int32(min($0.count, Int(context) - 2) + 2) })
                    } else {
                        #expect(all.status == CDR_TOKENS_OUTSIDE && !isInside)
                    }
                    let some = units.rows(
                        stored, cells: count, width: width, plainByteCount: plain.count, row: row,
                        wanted: wanted.map { UInt32($0) })
                    if some.status == CDR_TOKENS_OK {
                        #expect(some.ids == wanted.flatMap { cells.row($0, row) })
                    }
                }
            }
        }
    }

    /// Only tokens that have room in the row are held to the vocabulary, as in rows that are made of plain bytes.
    @Test func tokensOutsideTheVocabularyAreReported() throws {
        let units = try #require(TokenUnits(ids: [5, 6]))
        let cells = TokenCells(width: 4, cells: [[5, 6, 5], [6, 100, 7], [5, 5, 0x8000_0000]])
        let stored = units.encode(cells.plain, cells: 3, width: 4)
        func status(_ cell: UInt32, _ vocabulary: UInt32, _ context: UInt32) -> cdr_tokens_status {
            let row = cdr_token_row(start: 1, end: 2, vocabulary: vocabulary, context: context)
            return units.rows(
                stored, cells: 3, width: 4, plainByteCount: cells.plain.count, row: row, wanted: [cell]
            ).status
        }
        atEachLevel { _ in
            #expect(status(0, 7, 77) == CDR_TOKENS_OK)
            #expect(status(0, 6, 77) == CDR_TOKENS_OUTSIDE)
            #expect(status(1, 101, 77) == CDR_TOKENS_OK)
            #expect(status(1, 100, 77) == CDR_TOKENS_OUTSIDE)
            #expect(status(1, 100, 3) == CDR_TOKENS_OK)
            #expect(status(2, .max, 77) == CDR_TOKENS_OUTSIDE)
            #expect(status(3, .max, 77) == CDR_TOKENS_ARGUMENT)
            #expect(status(0, .max, 1) == CDR_TOKENS_ARGUMENT)
        }
    }

    @Test func rowsOfPlainCellsAreTheSame() throws {
        let cells = TokenCells(width: 2, cells: [[], [1], Array(1...74), Array(1...75), Array(1...76), Array(1...300)])
        for (i, cell) in cells.cells.enumerated() {
            let value = cell.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
            var ids = [Int32](repeating: -9, count: 77)
            var length: Int32 = 0
            var row = Self.clip
            row.vocabulary = 301
            #expect(unsafe cdr_tokens_plain_row(value, cell.count, 2, &row, &ids, &length) == CDR_TOKENS_OK)
            #expect(ids == cells.row(i, row) && length == Int32(min(cell.count, 75) + 2))
            row.vocabulary = UInt32(max(1, min(cell.count, 75)))
            let status = unsafe cdr_tokens_plain_row(value, cell.count, 2, &row, &ids, &length)
            #expect(status == (cell.isEmpty ? CDR_TOKENS_OK : CDR_TOKENS_OUTSIDE))
        }
    }

    /// Every prefix, every flipped bit and bytes behind the end: every level says the same, and never writes outside.
    /// Spec: [R-TOKENS-2], [R-TOKENS-3], [R-TOKENS-4], [R-TOKENS-5].
    @Test(arguments: [2, 4]) func damagedTokensHaveOneVerdict(width: Int) throws {
        var random = SeededGenerator(seed: 40)
        let ids = (0..<300).map { UInt16($0 * 7) }
        let units = try #require(TokenUnits(ids: ids))
        let cells = TokenCells.random(width: width, cells: 12, longest: 24, from: ids, using: &random)
        let plain = cells.plain
        let stored = units.encode(plain, cells: 12, width: width)
        var damaged = (0..<stored.count).map { Array(stored[..<$0]) } + [stored + [0]]
        let rejectedAlways = damaged.count
        for bit in 0..<8 * stored.count {
            damaged.append(stored)
            damaged[damaged.count - 1][bit / 8] ^= 1 << UInt8(bit % 8)
        }
        var verdicts: [[[UInt8]?]] = []
        var rowVerdicts: [[[Int32]?]] = []
        atEachLevel { _ in
            verdicts.append(
                damaged.map { units.decode($0, cells: 12, width: width, plainByteCount: plain.count) })
            rowVerdicts.append(
                damaged.map {
                    let rows = units.rows(
                        $0, cells: 12, width: width, plainByteCount: plain.count, row: Self.clip, wanted: nil)
                    return rows.status == CDR_TOKENS_OK ? rows.ids : nil
                })
            for off in [-1, 1] {
                #expect(
                    units.decode(stored, cells: 12, width: width, plainByteCount: plain.count + off) == nil
                        && units.decode(stored, cells: 12 + off, width: width, plainByteCount: plain.count) == nil)
            }
        }
        #expect(verdicts.allSatisfy { $0 == verdicts[0] } && rowVerdicts.allSatisfy { $0 == rowVerdicts[0] })
        #expect(verdicts[0][..<rejectedAlways].allSatisfy { $0 == nil })
        #expect(verdicts[0].allSatisfy { $0 != plain })
        // Some flipped bits of digits are other tokens.
        #expect(verdicts[0].contains { $0 != nil } && verdicts[0][rejectedAlways...].contains { $0 == nil })
    }

    /// A unit without a bit may claim no more cells than it has plain bytes, and a count no more than there are bits.
    @Test func hostileTokenUnitsEndAtOnce() throws {
        let units = try #require(TokenUnits(ids: []))
        atEachLevel { _ in
            #expect(units.decode([0], cells: 3, width: 2, plainByteCount: 3) == [0, 0, 0])
            #expect(units.decode([0], cells: .max, width: 2, plainByteCount: 3) == nil)
            #expect(units.decode([30, 0xFF, 0xFF, 0xFF, 0x3F], cells: 1, width: 2, plainByteCount: 1 << 20) == nil)
            #expect(units.decode([31, 0, 0, 0, 0], cells: 1, width: 2, plainByteCount: 1) == nil)
            // A token of rank 0, and no rank 0. Spec: [R-TOKENS-3].
            #expect(units.decode([1, 0x01], cells: 1, width: 2, plainByteCount: 3) == nil)
            #expect(units.decode([], cells: 0, width: 2, plainByteCount: 0) == nil)
            #expect(units.decode([0], cells: 0, width: 2, plainByteCount: 0) == [])
            #expect(units.decode([0], cells: 0, width: 3, plainByteCount: 0) == nil)
        }
    }

    /// Spec: [R-TOKENS-1].
    @Test func hostileTokenTablesAreRejected() {
        let most = [UInt8](repeating: 7, count: 2 * 4368)
        #expect(TokenUnits(payload: [0x10, 0x11, 0, 0] + most) != nil)
        #expect(TokenUnits(payload: [0, 0, 0, 0]) != nil)
        let rejected: [[UInt8]] = [
            [], [0, 0, 0], [0x11, 0x11, 0, 0] + most + [7, 7], [0x10, 0x11, 0, 0] + most.dropLast(),
            [1, 0, 0, 0], [1, 0, 0, 0, 5], [1, 0, 0, 0, 5, 5, 5], [1, 0, 1, 0, 5, 5], [0, 0, 0, 1],
        ]
        for payload in rejected { #expect(TokenUnits(payload: payload) == nil, "\(payload.prefix(8))") }
    }

    @Test func plainBytesThatAreNoneAreNotEncoded() throws {
        let units = try #require(TokenUnits(ids: [1]))
        let rejected: [(bytes: [UInt8], cells: Int, width: Int)] = [
            ([], 1, 2), ([2, 1], 1, 2), ([2, 1, 1, 1], 1, 2), ([1, 1], 1, 2), ([2, 1, 1], 1, 4), ([0x80], 1, 2),
            ([0x80, 0x00], 1, 2), ([0x80, 0x80, 0x80, 0x80, 0x10], 1, 2), ([0x80, 0x80, 0x80, 0x80, 0x80, 0], 1, 2),
            ([0, 0], 1, 2), ([2, 1, 1], 1, 3),
        ]
        for (bytes, cells, width) in rejected {
            #expect(units.encode(bytes, cells: cells, width: width).isEmpty, "\(bytes)")
        }
    }

    @Test func theTokenTableHasFrequentIDsFirst() {
        var table = TokenTableChoice()
        #expect(table.payload() == [0, 0, 0, 0])
        for token in [9, 9, 9, 9, 300, 300, 300, 300, 4, 4, 4, 4, 4, 6, 6, 6] as [UInt16] {
            let value = [UInt8(token & 0xFF), UInt8(token >> 8)]
            table.add(value.span, width: 2)
        }
        let negative: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 1, 0]
        for _ in 0..<9 { table.add(negative.span, width: 4) }
        #expect(table.payload() == [3, 0, 0, 0, 4, 0, 9, 0, 0x2C, 0x01])
    }
}
