internal import DRShardFormat

/// Token rows under construction.
struct TokenRows {
    private let column: TokenColumn
    private let ids: BatchMatrix
    private var lengths: [Int]
    private var row: [Int32] = []

    init(column: TokenColumn, count: Int) {
        self.column = column
        ids = BatchMatrix(element: .i32, rowCount: count, width: column.contextLength)
        lengths = Array(repeating: 0, count: count)
        row.reserveCapacity(column.contextLength)
    }

    var batch: TokenBatch { TokenBatch(ids: ids, lengths: lengths) }

    /// Sets row `slot` to a caption's stored tokens: little-endian numbers at `range` of `bytes`.
    /// - Throws: `.corrupt` for a token that the tokenizer does not have.
    mutating func set(_ slot: Int, bytes: [UInt8], range: Range<Int>) throws(ShardError) {
        let size = column.element.byteCount
        let count = min(range.count / size, column.contextLength - 2)
        row.removeAll(keepingCapacity: true)
        row.append(column.start)
        for i in 0..<count {
            let at = range.lowerBound + i * size
            var token = UInt32(bytes[at]) | UInt32(bytes[at + 1]) << 8
            if size == 4 { token |= UInt32(bytes[at + 2]) << 16 | UInt32(bytes[at + 3]) << 24 }
            guard token < column.vocabularySize, let id = Int32(exactly: token) else {
                throw .corrupt("token \(i) is \(token), the tokenizer has \(column.vocabularySize)")
            }
            row.append(id)
        }
        row.append(column.end)
        lengths[slot] = row.count
        while row.count < column.contextLength { row.append(0) }
        ids.buffer.setInt32s(row, at: slot * column.contextLength)
    }
}
