internal import DRShardFormat

/// Decodes every value of a shard, and compares the digests. Spec: FORMAT.md sections 8.2 and 10.
struct ValueCheck {
    private let reader: ShardReader
    /// Of the rows so far.
    private var rowIDs: Set<UInt128> = []

    /// Bytes of values that are decoded at once.
    private let stepByteCount: UInt64
    /// And cells, which cost memory even if they are empty.
    private static let stepCellCount = 1 << 20

    init(reader: ShardReader, stepByteCount: UInt64) {
        self.reader = reader
        self.stepByteCount = stepByteCount
    }

    /// What is known of a column in a row group, step by step.
    private struct State {
        var digest = SequenceDigest()
        var rowSet = SequenceDigest()
        var plainByteCount: UInt64 = 0
        /// Some cells could not be had, so that sums over all of them mean nothing.
        var isIncomplete = false
        /// Some row id is not present: then the row-set digest cannot be computed. Spec: [R-SET-5].
        var misses = false
        var hasReportedToken = false
    }

    /// Checks a column of a row group, as far as its cells can be read.
    mutating func check(_ group: GroupEntry, column: Int, report: (ShardError) -> Void) {
        let chunks = group.chunks.filter { $0.column == column }
        let plain = chunks.reduce(0) { $0 + $1.plainByteCount }  // the footer was checked: this does not wrap
        let step = stepRowCount(group, column: column, plainByteCount: plain)
        let end = group.firstRow + group.rowCount
        var state = State()
        for row in stride(from: group.firstRow, to: end, by: step) {
            do throws(ShardError) {
                try checkStep(row..<min(row + step, end), column: column, &state, report)
            } catch {
                state.isIncomplete = true
                report(error)
            }
        }
        guard !state.isIncomplete else { return }
        if state.digest != group.columnDigests[column] {
            report(.corrupt("the values do not have the column's digest"))
        }
        if column == reader.schema.rowIDColumn, !state.misses, state.rowSet != group.rowSetDigest {
            report(.corrupt("the row ids do not have the row-set digest"))
        }
        if state.plainByteCount != plain {
            report(.corrupt("values of \(state.plainByteCount) bytes, the row group says \(plain)"))
        }
    }

    /// Rows whose values have about the bytes of a step, by their mean.
    private func stepRowCount(_ group: GroupEntry, column: Int, plainByteCount: UInt64) -> Int {
        let rowByteCount = max(1, plainByteCount / UInt64(group.rowCount))
        let byCells = Self.stepCellCount / reader.schema.variantCount(of: column)
        return max(1, min(Int(stepByteCount / min(rowByteCount, stepByteCount)), byCells))
    }

    private mutating func checkStep(
        _ rows: Range<Int>, column: Int, _ state: inout State, _ report: (ShardError) -> Void
    ) throws(ShardError) {
        let variants = reader.schema.variantCount(of: column)
        let type = reader.schema.columns[column].type
        let vocabularySize = reader.schema.vocabularySize(of: column)
        let addresses = rows.flatMap { row in (0..<variants).map { CellAddress(row: row, variant: $0) } }
        let cells = try reader.values(column: column, addresses)
        var states = [CellState](repeating: .present, count: addresses.count)
        for missing in cells.missing { states[missing.index] = missing.state }
        for i in addresses.indices {
            let value = cells.bytes.span.extracting(cells.ranges[i])
            let isPresent = states[i] == .present
            state.plainByteCount += UInt64(value.count)
            let sum = isPresent ? crc32c(value) : 0
            state.digest.append(term: SequenceDigest.term(state: states[i], byteCount: value.count, crc32c: sum))
            if let vocabularySize, isPresent, !state.hasReportedToken {
                do throws(ShardError) { try CellValue.check(value, tokensBelow: vocabularySize, type: type) } catch {
                    state.hasReportedToken = true
                    report(error.with(.init(variant: addresses[i].variant, row: addresses[i].row)))
                }
            }
            if column == reader.schema.rowIDColumn {
                checkRowID(value, states[i], row: addresses[i].row, &state, report)
            }
        }
    }

    private mutating func checkRowID(
        _ value: Span<UInt8>, _ cell: CellState, row: Int, _ state: inout State, _ report: (ShardError) -> Void
    ) {
        guard cell == .present else {
            state.misses = true
            if cell == .absent { report(.corrupt("a row id is absent").with(.init(row: row))) }
            return
        }
        let term = SequenceDigest.term(rowID: value)
        state.rowSet.append(term: term)
        if !rowIDs.insert(term).inserted { report(.corrupt("a row id occurs twice").with(.init(row: row))) }
    }
}
