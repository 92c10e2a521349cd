internal import DRShardFormat

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Values of a block of rows of one column, read into memory that is used again for the next block.
struct CellBlock {
    /// Bytes of values that are held at once, of all columns of a row together.
    static let byteCount = 16 << 20
    /// And cells, which cost memory even if they are empty.
    static let cellCount = 1 << 18

    /// Values, joined; of a tensor each in its slot.
    private(set) var bytes: [UInt8] = []
    /// In order of their places.
    private(set) var missing: [MissingCell] = []
    private var slotByteCount: Int?
    private var ranges: [Range<Int>] = []

    /// Reads cells of a column.
    mutating func read(_ set: DataSet, column: Int, _ addresses: [CellAddress]) throws(ShardError) {
        slotByteCount = set.schema.columns[column].type.cellByteCount
        // A schema may say of cells without a value that they are large: no slots are made for those.
        if let slot = slotByteCount, slot <= Self.byteCount / max(1, addresses.count) {
            ranges = []
            missing = try set.readCells(column: column, addresses, into: &bytes)
            return
        }
        slotByteCount = nil
        let cells = try set.values(column: column, addresses)
        bytes = cells.bytes
        ranges = cells.ranges
        missing = cells.missing
    }

    /// Where the value of the cell at a place of the addresses lies; of a missing cell: zeros, or nothing.
    func range(_ index: Int) -> Range<Int> {
        if let slotByteCount { return index * slotByteCount..<(index + 1) * slotByteCount }
        return ranges[index]
    }

    /// Whether the first `count` slots of two blocks of a tensor have equal bytes; false if a block has no slots.
    static func haveSameBytes(_ a: CellBlock, _ b: CellBlock, count: Int) -> Bool {
        guard let slot = a.slotByteCount, b.slotByteCount == slot else { return false }
        // SAFETY: both arrays have the slots that were read into them.
        return unsafe a.bytes.withUnsafeBytes { first in
            unsafe b.bytes.withUnsafeBytes { second in
                guard let first = first.baseAddress, let second = second.baseAddress else { return count * slot == 0 }
                return unsafe memcmp(first, second, count * slot) == 0
            }
        }
    }

    /// The addresses of all cells of some rows, row by row.
    static func addresses(_ rows: [Int], variants: Int) -> [CellAddress] {
        var addresses: [CellAddress] = []
        addresses.reserveCapacity(rows.count * variants)
        for row in rows {
            for variant in 0..<variants { addresses.append(CellAddress(row: row, variant: variant)) }
        }
        return addresses
    }

    /// Rows of a block: those of the columns together have about its bytes and cells.
    /// - Parameter columns: numbers and the variants that are read of each.
    static func rowCount(_ set: DataSet, columns: [(number: Int, variants: Int)]) -> Int {
        var rowByteCount = 1.0
        var cells = 1
        for (column, variants) in columns {
            cells += variants
            let plain = set.shards.reduce(0.0) { $0 + Double($1.plainByteCount(column: column)) }
            let mean = plain / Double(max(1, set.rowCount))
            let slots = Double(set.schema.columns[column].type.cellByteCount ?? 0) * Double(variants)
            rowByteCount += max(mean, slots <= Double(byteCount) ? slots : 0)
        }
        return max(1, min(Int(Double(byteCount) / max(1, rowByteCount)), cellCount / cells))
    }
}
