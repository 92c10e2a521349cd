internal import DRShard
internal import DRShardFormat

/// Token rows under construction.
struct TokenRows {
    private let column: TokenColumn
    private let ids: BatchMatrix
    private let lengths: BatchBuffer

    init(column: TokenColumn, count: Int) {
        self.column = column
        ids = BatchMatrix(element: .i32, rowCount: count, width: column.contextLength)
        lengths = BatchBuffer(byteCount: 4 * count)
    }

    var batch: TokenBatch {
        let lengths = lengths.withInt32s(0..<ids.rowCount) { numbers in numbers.indices.map { Int(numbers[$0]) } }
        return TokenBatch(ids: ids, lengths: lengths)
    }

    /// Reads cells into rows.
    /// - Returns: the cells that are not present, by their place in `addresses`.
    /// - Throws: `.corrupt` for a token that the tokenizer does not have; errors of the files.
    func read(_ dataSet: DataSet, _ addresses: [CellAddress], slots: [Int]) throws(ShardError) -> [MissingCell] {
        let shape = TokenRowShape(
            contextLength: column.contextLength, start: column.start, end: column.end,
            vocabularySize: column.vocabularySize)
        return try ids.buffer.readTokens(
            dataSet, column: column.column, addresses, slots: slots, shape: shape, lengths: lengths)
    }
}
