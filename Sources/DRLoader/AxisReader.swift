internal import DRShard
internal import DRShardFormat

/// Reads the cells of one axis for a batch: every column at the same variant of a row.
struct AxisReader {
    private let dataSet: DataSet
    private let columns: AxisColumns
    private let rows: [Int]
    private(set) var embeddings: [BatchMatrix] = []
    private var tokens: TokenRows?
    private(set) var augmentations: [Augmentation]?
    private(set) var texts: [String]?

    init(_ dataSet: DataSet, _ columns: AxisColumns, content: BatchContent, rows: [Int]) {
        self.dataSet = dataSet
        self.columns = columns
        self.rows = rows
        if content.contains(.embeddings) {
            embeddings = columns.embeddings.map {
                BatchMatrix(column: dataSet.schema.columns[$0], rowCount: rows.count)
            }
        }
        if content.contains(.tokens), let column = columns.tokens {
            tokens = TokenRows(column: column, count: rows.count)
        }
        if content.contains(.augmentations), columns.augmentation != nil {
            augmentations = Array(repeating: Augmentation(items: []), count: rows.count)
        }
        if content.contains(.texts), columns.text != nil { texts = Array(repeating: "", count: rows.count) }
    }

    var tokenBatch: TokenBatch? { tokens?.batch }

    /// Reads the drawn variants; where one lacks a cell, the next one of the same row.
    /// - Returns: what was drawn and what was read.
    /// - Throws: `.schemaMismatch` for a row none of whose variants has all cells.
    mutating func read(draw: Draw) throws(ShardError) -> VariantChoice {
        let drawn = rows.map { draw.index(row: $0, count: columns.variantCount) }
        var delivered = drawn
        var pending = Array(rows.indices)
        for attempt in 0..<columns.variantCount where !pending.isEmpty {
            for slot in pending { delivered[slot] = (drawn[slot] + attempt) % columns.variantCount }
            pending = try readAll(pending, variants: delivered)
        }
        if let slot = pending.first {
            let place = dataSet.locate(row: rows[slot])
            throw ShardError.schemaMismatch(
                "row \(rows[slot]) of the data set lacks all variants of axis \"\(columns.name)\", or a part of each"
            ).with(.init(path: dataSet.shards[place.shard].path, row: place.row))
        }
        return VariantChoice(drawn: drawn, delivered: delivered)
    }

    /// Reads all columns for some samples.
    /// - Returns: the samples that lack a cell, ascending.
    private mutating func readAll(_ slots: [Int], variants: [Int]) throws(ShardError) -> [Int] {
        let addresses = slots.map { CellAddress(row: rows[$0], variant: variants[$0]) }
        var isMissing = Array(repeating: false, count: slots.count)
        for (matrix, column) in zip(embeddings, columns.embeddings) {
            for cell in try matrix.buffer.read(dataSet, column: column, addresses, slots: slots) {
                isMissing[cell.index] = true
            }
        }
        for cell in try tokens?.read(dataSet, addresses, slots: slots) ?? [] { isMissing[cell.index] = true }
        if augmentations != nil, let column = columns.augmentation {
            try Self.readValues(dataSet, column, addresses, &isMissing) { i, cells throws(ShardError) in
                augmentations?[slots[i]] = try Augmentation(parsing: cells[i])
            }
        }
        if texts != nil, let column = columns.text {
            try Self.readValues(dataSet, column, addresses, &isMissing) { i, cells throws(ShardError) in
                texts?[slots[i]] = cells.text(i)
            }
        }
        return slots.indices.filter { isMissing[$0] }.map { slots[$0] }
    }

    private static func readValues(
        _ dataSet: DataSet, _ column: Int, _ addresses: [CellAddress], _ isMissing: inout [Bool],
        _ body: (Int, RaggedCells) throws(ShardError) -> Void
    ) throws(ShardError) {
        let cells = try dataSet.values(column: column, addresses)
        var next = 0
        for i in addresses.indices {
            if next < cells.missing.count, cells.missing[next].index == i {
                isMissing[i] = true
                next += 1
                continue
            }
            do throws(ShardError) { try body(i, cells) } catch {
                let place = dataSet.locate(row: addresses[i].row)
                throw error.with(
                    .init(
                        path: dataSet.shards[place.shard].path, column: dataSet.schema.columns[column].name,
                        variant: addresses[i].variant, row: place.row))
            }
        }
    }
}

extension BatchMatrix {
    /// A matrix for cells of a tensor column; of one that is none: empty rows.
    init(column: Column, rowCount: Int) {
        let element = column.type.element ?? .u8
        self.init(element: element, rowCount: rowCount, width: (column.type.cellByteCount ?? 0) / element.byteCount)
    }
}
