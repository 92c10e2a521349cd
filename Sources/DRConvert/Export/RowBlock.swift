internal import DRShard
internal import DRShardFormat

/// Some rows of a shard, with the cells of some columns.
struct RowBlock {
    private struct Cells {
        var bytes: [UInt8]
        /// Nil: cell behind cell, of this size.
        var ranges: [Range<Int>]?
        var cellByteCount: Int
        var missing: [Int: CellState]
        var variantCount: Int
    }

    let rows: Range<Int>
    private let schema: Schema
    private var columns: [Int: Cells] = [:]

    /// - Throws: errors of the file, with their place.
    init(_ reader: ShardReader, rows: Range<Int>, columns wanted: some Sequence<Int>) throws(ShardError) {
        self.rows = rows
        schema = reader.schema
        for column in wanted {
            let variants = schema.variantCount(of: column)
            let addresses = RowBlock.addresses(rows, variants: variants)
            var cells: Cells
            let missing: [MissingCell]
            if let byteCount = schema.columns[column].type.cellByteCount {
                let read = try reader.cells(column: column, addresses)
                missing = read.missing
                cells = Cells(
                    bytes: read.bytes, ranges: nil, cellByteCount: byteCount, missing: [:], variantCount: variants)
            } else {
                let read = try reader.values(column: column, addresses)
                missing = read.missing
                cells = Cells(
                    bytes: read.bytes, ranges: read.ranges, cellByteCount: 0, missing: [:], variantCount: variants)
            }
            for cell in missing { cells.missing[cell.index] = cell.state }
            columns[column] = cells
        }
    }

    static func addresses(_ rows: Range<Int>, variants: Int) -> [CellAddress] {
        rows.flatMap { row in (0..<variants).map { CellAddress(row: row, variant: $0) } }
    }

    /// Rows whose values of some columns take about `byteCount` bytes; at least one.
    static func rowCount(_ reader: ShardReader, columns: some Sequence<Int>, byteCount: Int) -> Int {
        var plain: UInt64 = 0
        // A cell costs memory even if it is empty.
        var cellCount = 1
        for column in columns {
            plain += reader.plainByteCount(column: column)
            cellCount += reader.schema.variantCount(of: column)
        }
        let perRow = plain / UInt64(max(1, reader.rowCount)) + UInt64(64 * cellCount)
        return max(1, Int(UInt64(byteCount) / perRow))
    }

    private func cells(_ column: Int) -> Cells {
        guard let cells = columns[column] else { preconditionFailure("column \(column) was not read") }
        return cells
    }

    /// Whether a cell has a value.
    func state(_ column: Int, row: Int, variant: Int = 0) -> CellState {
        let cells = cells(column)
        return cells.missing[(row - rows.lowerBound) * cells.variantCount + variant] ?? .present
    }

    /// A cell's canonical value; nil if it is missing.
    func value(_ column: Int, row: Int, variant: Int = 0) -> ArraySlice<UInt8>? {
        let cells = cells(column)
        let index = (row - rows.lowerBound) * cells.variantCount + variant
        guard cells.missing[index] == nil else { return nil }
        guard let ranges = cells.ranges else {
            return cells.bytes[index * cells.cellByteCount..<(index + 1) * cells.cellByteCount]
        }
        return cells.bytes[ranges[index]]
    }

    /// The first variants of a row of a tensor column, one behind the other; missing ones are zeros.
    func matrix(_ column: Int, row: Int, variants: Int) -> ArraySlice<UInt8> {
        let cells = cells(column)
        let start = (row - rows.lowerBound) * cells.variantCount * cells.cellByteCount
        return cells.bytes[start..<start + variants * cells.cellByteCount]
    }

    /// The first variant of a row that is missing.
    func firstMissing(_ column: Int, row: Int) -> Int? {
        (0..<schema.variantCount(of: column)).first { state(column, row: row, variant: $0) != .present }
    }

    /// A cell of text; nil if it is missing.
    /// - Throws: `.corrupt` if it is not UTF-8.
    func text(_ column: Int, row: Int, variant: Int = 0) throws(ShardError) -> String? {
        guard let bytes = value(column, row: row, variant: variant) else { return nil }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ShardError.corrupt("text that is not UTF-8").with(
                .init(column: schema.columns[column].name, variant: variant, row: row))
        }
        return text
    }

    /// Width and height of an original; nil if the cell is missing.
    func size(_ column: Int, row: Int) -> (width: UInt32, height: UInt32)? {
        guard let bytes = value(column, row: row) else { return nil }
        func number(_ offset: Int) -> UInt32 {
            bytes[(bytes.startIndex + offset)..<(bytes.startIndex + offset + 4)].reversed().reduce(0) {
                $0 << 8 | UInt32($1)
            }
        }
        return (number(0), number(4))
    }

    /// Augmentation records of a row; nil in the place of a missing one.
    func augmentations(_ column: Int, row: Int) throws(ShardError) -> [Augmentation?] {
        var records: [Augmentation?] = []
        for variant in 0..<schema.variantCount(of: column) {
            guard let bytes = value(column, row: row, variant: variant) else {
                records.append(nil)
                continue
            }
            do throws(ShardError) { records.append(try Augmentation(parsing: Array(bytes))) } catch {
                throw error.with(.init(column: schema.columns[column].name, variant: variant, row: row))
            }
        }
        return records
    }
}
