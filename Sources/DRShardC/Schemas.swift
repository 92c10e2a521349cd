internal import CDRShard
internal import DRShardFormat

/// A number of `drs_element`; nil: as stored.
func elementType(_ number: Int32) throws(ShardError) -> ElementType? {
    guard number != Int32(bitPattern: DRS_AS_STORED.rawValue) else { return nil }
    guard let type = UInt8(exactly: number).flatMap(ElementType.init) else {
        throw .invalidArgument("there is no element type \(number)")
    }
    return type
}

extension Schema {
    /// How rows of a column of tokens look.
    /// - Throws: `.invalidArgument` for a column that has no tokenizer.
    func tokenRowShape(column: Int) throws(ShardError) -> TokenRowShape {
        guard columns.indices.contains(column), let number = columns[column].tokenizer else {
            throw .invalidArgument("column \(column) has no tokenizer")
        }
        let record = metadata.tokenizers[number]
        guard (2...1 << 20).contains(record.contextLength), let start = Int32(exactly: record.start),
            let end = Int32(exactly: record.end)
        else { throw .schemaMismatch("tokenizer \"\(record.name)\" cannot be used") }
        return TokenRowShape(
            contextLength: Int(record.contextLength), start: start, end: end, vocabularySize: record.vocabularySize)
    }
}
