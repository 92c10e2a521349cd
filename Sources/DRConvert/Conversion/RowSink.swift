internal import DRShard
internal import DRShardFormat

/// Where the cells of rows go, a row after the other.
///
/// Conformers: `ShardWriter`, which stores them, and `RowComparison`, which compares them with what is stored.
protocol RowSink: AnyObject {
    /// For errors.
    var path: String { get }
    /// Rows that are ended.
    var rowCount: Int { get }
    /// Whether it can take no more rows, whatever they are.
    var hasFailed: Bool { get }
    func set(_ value: Span<UInt8>, column: Int, variant: Int) throws(ShardError)
    func setMissing(_ state: CellState, column: Int, variant: Int) throws(ShardError)
    func endRow() throws(ShardError)
    /// Takes back what was set of the open row.
    func discardRow()
}

extension RowSink {
    func set(_ value: [UInt8], column: Int, variant: Int = 0) throws(ShardError) {
        try set(value.span, column: column, variant: variant)
    }

    func set(_ text: String, column: Int, variant: Int = 0) throws(ShardError) {
        try set(Array(text.utf8).span, column: column, variant: variant)
    }

    func setAbsent(column: Int, variant: Int) throws(ShardError) {
        try setMissing(.absent, column: column, variant: variant)
    }
}

extension ShardWriter: RowSink {}

/// Compares rows with those of a shard, in order, bit for bit.
final class RowComparison: RowSink {
    private struct Cell {
        let column: Int
        let variant: Int
        let state: CellState
        /// Where its value lies in `bytes`; empty if it is missing.
        let range: Range<Int>
    }

    private let reader: ShardReader
    private var open: [Cell] = []
    private var bytes: [UInt8] = []
    /// Stored cells of the rows from `firstRow` on, by column.
    private var stored: [RaggedCells] = []
    private var firstRow = 0
    private(set) var rowCount = 0
    private(set) var hasFailed = false

    private static let windowRowCount = 128

    init(_ reader: ShardReader) { self.reader = reader }

    var path: String { reader.path }

    func set(_ value: Span<UInt8>, column: Int, variant: Int) throws(ShardError) {
        let start = bytes.count
        // SAFETY: the bytes are only copied, inside the closure.
        unsafe value.withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
        open.append(Cell(column: column, variant: variant, state: .present, range: start..<bytes.count))
    }

    func setMissing(_ state: CellState, column: Int, variant: Int) throws(ShardError) {
        open.append(Cell(column: column, variant: variant, state: state, range: 0..<0))
    }

    func discardRow() {
        open.removeAll(keepingCapacity: true)
        bytes.removeAll(keepingCapacity: true)
    }

    /// - Throws: `.corrupt` naming the first cell that differs; what reading the shard throws.
    func endRow() throws(ShardError) {
        do throws(ShardError) { try compare() } catch {
            hasFailed = true
            throw error
        }
        rowCount += 1
        discardRow()
    }

    private func compare() throws(ShardError) {
        guard rowCount < reader.rowCount else {
            throw ShardError.corrupt("the source has more rows than the \(reader.rowCount) that are stored").with(
                .init(path: path))
        }
        if stored.isEmpty || rowCount >= firstRow + Self.windowRowCount { try loadWindow() }
        for cell in open {
            let index = (rowCount - firstRow) * reader.schema.variantCount(of: cell.column) + cell.variant
            let cells = stored[cell.column]
            let state = cells.missing.first { $0.index == index }?.state ?? .present
            let isSame = state != .present || bytes[cell.range] == cells.bytes[cells.ranges[index]]
            guard state == cell.state, isSame else {
                throw ShardError.corrupt("the cell that is stored is not the source's").with(
                    .init(
                        path: path, column: reader.schema.columns[cell.column].name, variant: cell.variant,
                        row: rowCount))
            }
        }
    }

    private func loadWindow() throws(ShardError) {
        firstRow = rowCount
        let rows = rowCount..<min(rowCount + Self.windowRowCount, reader.rowCount)
        stored = []
        for column in reader.schema.columns.indices {
            let variants = reader.schema.variantCount(of: column)
            stored.append(
                try reader.values(
                    column: column, rows.flatMap { row in (0..<variants).map { CellAddress(row: row, variant: $0) } }))
        }
    }
}
