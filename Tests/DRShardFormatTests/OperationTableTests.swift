import CDRKernels
import DRShardFormat
import TestSupport
import Testing

/// A table of operations that was read, and units of it. What comes back from the kernels is copied out.
// SAFETY: the memory is private, made in init and freed in deinit; every buffer is passed with its own count.
@safe private final class OperationUnits {
    private let table = UnsafeMutablePointer<cdr_operations_table>.allocate(capacity: 1)
    let status: cdr_operations_status

    init(payload: [UInt8]) { status = unsafe cdr_operations_table_read(table, payload, payload.count) }
    deinit { unsafe table.deallocate() }

    func encode(_ plain: [UInt8], cells: Int, capacity: Int? = nil) -> [UInt8] {
        let room = capacity ?? 2 * plain.count + 600
        var stored = [UInt8](repeating: 0xEE, count: room + 16)
        let count = unsafe cdr_operations_encode(table, plain, plain.count, cells, &stored, room)
        #expect(stored[room...].allSatisfy { $0 == 0xEE }, "written behind the capacity")
        return Array(stored[..<count])
    }

    private func withSource<Result>(
        _ stored: [UInt8], _ cells: Int, _ plainByteCount: Int,
        _ body: (UnsafePointer<cdr_operations_source>) -> Result
    ) -> Result {
        // What lies behind the unit must not matter.
        let guarded = stored + [UInt8](repeating: 0xA5, count: CDR_OPERATIONS_SLACK)
        return unsafe guarded.withUnsafeBufferPointer { bytes in
            var source = unsafe cdr_operations_source(
                stored: bytes.baseAddress, stored_count: stored.count, plain_count: plainByteCount, cells: cells)
            return unsafe body(&source)
        }
    }

    /// The plain bytes, or nil if the unit is corrupt.
    func decode(_ stored: [UInt8], cells: Int, plainByteCount: Int) -> [UInt8]? {
        var plain = [UInt8](repeating: 0xEE, count: plainByteCount + 64)
        let status = unsafe withSource(stored, cells, plainByteCount) { source in
            unsafe cdr_operations_decode(table, source, &plain)
        }
        #expect(plain[plainByteCount...].allSatisfy { $0 == 0xEE }, "written behind the target")
        return status == CDR_OPERATIONS_OK ? Array(plain[..<plainByteCount]) : nil
    }

    /// One cell, into a target that has `room` bytes more than it needs.
    func cell(_ cell: Int, of stored: [UInt8], cells: Int, plainByteCount: Int, capacity: Int) -> [UInt8]? {
        var target = [UInt8](repeating: 0xEE, count: capacity + 64)
        var count = 0
        let status = unsafe withSource(stored, cells, plainByteCount) { source in
            unsafe cdr_operations_cell(table, source, cell, &target, capacity, &count)
        }
        #expect(target[capacity...].allSatisfy { $0 == 0xEE }, "written behind the target")
        return status == CDR_OPERATIONS_OK ? Array(target[..<count]) : nil
    }
}

@Suite struct OperationTableTests {
    private static let magnitude = 0.26999998092651367

    private static func crop(_ numbers: Int32..., operations: [(UInt8, Double)]) -> Augmentation {
        Augmentation(items: [
            .crop(.init(top: numbers[0], left: numbers[1], height: numbers[2], width: numbers[3])),
            .randAugment(operations.map { .init(operation: $0.0, magnitude: $0.1) }),
        ])
    }

    /// Records as they are in data sets: a crop, two operations of fixed magnitudes.
    private static func usual(_ count: Int, using random: inout SeededGenerator) throws -> [[UInt8]] {
        try (0..<count).map { _ in
            let operations = (0..<2).map { _ in
                let operation = UInt8.random(in: 0..<14, using: &random)
                return (operation, Bool.random(using: &random) ? magnitude : -magnitude * Double(operation))
            }
            return try crop(
                .random(in: 0..<700, using: &random), .random(in: 0..<900, using: &random),
                .random(in: 30..<1200, using: &random), .random(in: 30..<1200, using: &random),
                operations: operations
            ).serialized()
        }
    }

    /// Records with items of every kind, and numbers of every size.
    private static func any(_ count: Int, using random: inout SeededGenerator) throws -> [[UInt8]] {
        try (0..<count).map { _ in
            var items: [Augmentation.Item] = []
            for _ in 0..<Int.random(in: 0...3, using: &random) { items.append(item(using: &random)) }
            return try Augmentation(items: items).serialized()
        }
    }

    private static func item(using random: inout SeededGenerator) -> Augmentation.Item {
        func i32() -> Int32 {
            Bool.random(using: &random)
                ? .random(in: 0...400, using: &random) : .random(in: .min ... .max, using: &random)
        }
        func f64() -> Double {
            [0, -0.0, 9, .infinity, Double(bitPattern: .random(in: 0...UInt64.max, using: &random))]
                .randomElement(using: &random) ?? 0
        }
        let partner = [UInt8](repeating: 5, count: Int.random(in: 0...3, using: &random) * 8)
        switch Int.random(in: 1...10, using: &random) {
        case 1: return .crop(.init(top: i32(), left: i32(), height: i32(), width: i32()))
        case 2:
            let count = [0, 1, 2, 2, 2, 30, 255].randomElement(using: &random) ?? 2
            return .randAugment((0..<count).map { _ in .init(operation: 3, magnitude: f64()) })
        case 3: return .flip(Bool.random(using: &random))
        case 4: return .erase(x: i32(), y: i32(), height: i32(), width: i32())
        case 5: return .colorJitter(order: [3, 1, 0, 2], factors: [f64(), f64(), f64(), f64()])
        case 6: return .mixup(lambda: f64(), partner: partner)
        case 7: return .cutmix(lambda: f64(), x1: i32(), y1: i32(), x2: i32(), y2: i32(), partner: partner)
        case 8: return .randomCrop(top: i32(), left: i32())
        case 9: return .resize(i32())
        default: return .null(kind: UInt8.random(in: 1...9, using: &random))
        }
    }

    private static func plain(_ cells: [[UInt8]]) -> [UInt8] {
        var bytes: [UInt8] = []
        for cell in cells {
            var count = cell.count
            while count > 127 { bytes.append(UInt8(count & 127 | 128)); count >>= 7 }
            bytes.append(UInt8(count))
        }
        return bytes + cells.joined()
    }

    private static func table(_ cells: [[UInt8]]) -> [UInt8] {
        var table = OperationTableChoice()
        for cell in cells { table.add(cell.span) }
        return table.payload()
    }

    /// The example of section 6.7.
    @Test func recordsOfTheTextAreItsBytes() throws {
        let cells = [
            try Self.crop(14, 347, 370, 427, operations: [(0, 0), (6, Self.magnitude)]).serialized(),
            try Self.crop(10, 340, 375, 420, operations: [(6, Self.magnitude), (0, 0)]).serialized(), [0x82],
        ]
        let payload: [UInt8] =
            [1, 0, 2, 0] + [0, 0, 0, 0, 0, 0, 0, 0, 0] + [6, 0, 0, 0, 0, 0xAE, 0x47, 0xD1, 0x3F]
            + [0x25, 1, 0x0A, 0, 0, 0, 0x54, 1, 0, 0, 0x72, 1, 0, 0, 0xA4, 1, 0, 0, 2, 2]
            + [UInt8](repeating: 0, count: 18)
        #expect(Self.table(Array(cells[..<2])) == payload)
        let units = OperationUnits(payload: payload)
        let stored: [UInt8] = [1, 4, 3, 3, 3, 3, 1, 1, 1, 0x3C, 0x2E, 0x50, 0x14, 0x82]
        #expect(units.status == CDR_OPERATIONS_OK)
        #expect(units.encode(Self.plain(cells), cells: 3) == stored)
        #expect(units.decode(stored, cells: 3, plainByteCount: 78) == Self.plain(cells))
    }

    @Test func usualRecordsAreSmall() throws {
        var random = SeededGenerator(seed: 50)
        let cells = try Self.usual(64, using: &random)
        let units = OperationUnits(payload: Self.table(cells))
        let stored = units.encode(Self.plain(cells), cells: 64)
        #expect(stored.count <= 64 * 7 + 7)
        #expect(units.decode(stored, cells: 64, plainByteCount: 64 * 38) == Self.plain(cells))
    }

    @Test(arguments: 0..<60) func recordsComeBack(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(100 + seed))
        var cells = try Self.any([0, 1, 5, 40].randomElement(using: &random) ?? 5, using: &random)
        if Bool.random(using: &random) { cells += try Self.usual(seed, using: &random) }
        cells.shuffle(using: &random)
        // Tables of these records, of others, and of none.
        let others = seed % 3 == 0 ? cells : try Self.usual(seed, using: &random)
        let units = OperationUnits(payload: Self.table(others))
        #expect(units.status == CDR_OPERATIONS_OK)
        let plain = Self.plain(cells)
        let stored = units.encode(plain, cells: cells.count)
        #expect(!stored.isEmpty)
        #expect(units.encode(plain, cells: cells.count, capacity: stored.count - 1).isEmpty)
        #expect(units.decode(stored, cells: cells.count, plainByteCount: plain.count) == plain)
        for (i, cell) in cells.enumerated() {
            for room in [0, 100] {
                let found = units.cell(
                    i, of: stored, cells: cells.count, plainByteCount: plain.count, capacity: cell.count + room)
                #expect(found == cell)
            }
        }
        if let first = cells.first, !first.isEmpty {
            let found = units.cell(
                0, of: stored, cells: cells.count, plainByteCount: plain.count, capacity: first.count - 1)
            #expect(found == nil)
        }
        #expect(units.cell(cells.count, of: stored, cells: cells.count, plainByteCount: 0, capacity: 9) == nil)
    }

    /// Every prefix, every flipped bit and bytes behind the end. Spec: [R-OPS-2] to [R-OPS-6].
    @Test func damagedUnitsAreNeverWhatTheyWere() throws {
        var random = SeededGenerator(seed: 51)
        let cells = try Self.usual(9, using: &random) + [[0x82], []] + Self.any(3, using: &random)
        let units = OperationUnits(payload: Self.table(Array(cells[..<9])))
        let plain = Self.plain(cells)
        let stored = units.encode(plain, cells: cells.count)
        for count in 0..<stored.count {
            #expect(units.decode(Array(stored[..<count]), cells: cells.count, plainByteCount: plain.count) == nil)
        }
        #expect(units.decode(stored + [0], cells: cells.count, plainByteCount: plain.count) == nil)
        for off in [-1, 1] {
            #expect(units.decode(stored, cells: cells.count, plainByteCount: plain.count + off) == nil)
            #expect(units.decode(stored, cells: cells.count + off, plainByteCount: plain.count) == nil)
        }
        for bit in 0..<8 * stored.count {
            var damaged = stored
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(units.decode(damaged, cells: cells.count, plainByteCount: plain.count) != plain, "bit \(bit)")
            for cell in cells.indices {
                _ = units.cell(cell, of: damaged, cells: cells.count, plainByteCount: plain.count, capacity: 64)
            }
        }
    }

    @Test func hostileUnitsEndAtOnce() {
        // One pattern of one flip, no pairs; and one of a pair.
        let flip = OperationUnits(payload: [1, 0, 0, 0, 2, 3, 0])
        #expect(flip.decode([0, 1, 1], cells: 1, plainByteCount: 3) == [2, 3, 1])
        #expect(flip.decode([0, 9, 1, 0], cells: 1, plainByteCount: 3) == nil)
        #expect(flip.decode([0, 1, 3], cells: 1, plainByteCount: 3) == nil)
        #expect(flip.decode([2, 2, 0], cells: 1, plainByteCount: 1) == nil)
        #expect(flip.decode([5, 0, 0], cells: 1, plainByteCount: 1) == nil)
        #expect(flip.decode([0, 0], cells: .max, plainByteCount: 100) == nil)
        #expect(flip.decode([1, 1, 31, 0, 0, 0, 0], cells: 1, plainByteCount: 1) == nil)
        #expect(flip.decode([1, 1, 30, 0xFF, 0xFF, 0xFF, 0x3F], cells: 1, plainByteCount: 9) == nil)
        #expect(flip.decode([0], cells: 0, plainByteCount: 0) == [])
        #expect(flip.decode([], cells: 0, plainByteCount: 0) == nil)
        let pair = OperationUnits(payload: [1, 0, 0, 0, 11, 2, 1] + [UInt8](repeating: 0, count: 9))
        #expect(pair.status == CDR_OPERATIONS_OK)
        #expect(pair.decode([0, 0], cells: 1, plainByteCount: 12) == nil)
        #expect(pair.cell(0, of: [0, 0], cells: 1, plainByteCount: 12, capacity: 99) == nil)
    }

    /// Spec: [R-OPS-1].
    @Test func hostileTablesAreRejected() {
        let pair = [UInt8](repeating: 7, count: 9)
        let accepted: [[UInt8]] = [
            [0, 0, 0, 0], [0, 0, 1, 0] + pair, [1, 0, 0, 0, 0], [2, 0, 0, 0, 1, 0x81, 2, 2, 0],
            [1, 0, 0, 0, 2, 3, 200], [15, 0, 0, 4] + [UInt8](repeating: 0, count: 9 * 1024 + 15),
        ]
        for payload in accepted { #expect(OperationUnits(payload: payload).status == CDR_OPERATIONS_OK) }
        let corrupt: [[UInt8]] = [
            [], [0, 0, 0], [0, 0, 1, 0] + pair.dropLast(), [0, 0, 0, 0, 0], [1, 0, 0, 0],
            [1, 0, 0, 0, 1], [1, 0, 0, 0, 1, 1], [1, 0, 0, 0, 1, 2], [1, 0, 0, 0, 2, 2, 1], [1, 0, 0, 0, 1, 3],
            [1, 0, 0, 0, 11, 2, 1] + pair, [16, 0, 0, 0] + [UInt8](repeating: 0, count: 16),
            [0, 0, 1, 4] + [UInt8](repeating: 0, count: 9 * 1025), [1, 0, 0, 0, 1, 0x82, 0],
        ]
        for payload in corrupt {
            #expect(OperationUnits(payload: payload).status == CDR_OPERATIONS_CORRUPT, "\(payload.prefix(16))")
        }
        #expect(OperationUnits(payload: [0, 1, 0, 0]).status == CDR_OPERATIONS_UNSUPPORTED)
        for kind in [0, 10, 0x80, 0x8A, 0xFF] as [UInt8] {
            #expect(OperationUnits(payload: [1, 0, 0, 0, 1, kind]).status == CDR_OPERATIONS_UNSUPPORTED)
        }
    }

    @Test func tablesDoNotDependOnTheOrderOfRecords() throws {
        var random = SeededGenerator(seed: 52)
        var cells = try Self.usual(50, using: &random) + Self.any(100, using: &random)
        let payload = Self.table(cells)
        for _ in 0..<5 {
            cells.shuffle(using: &random)
            #expect(Self.table(cells) == payload)
        }
        // What is no record is left out.
        #expect(Self.table(cells + [[77], [1, 2, 3]]) == payload)
    }
}
