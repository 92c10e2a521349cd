internal import DRShardFormat
internal import DRText

/// Compares padded rows of token ids with what the tokenizer makes of the texts. What is stored is made of the texts.
struct TokenComparison {
    private let tokens: [ArrayColumns.Tokens]
    /// nil while it is not known: nothing is compared then.
    private var encoder: CLIPTokenizer.Encoder?
    private let start: UInt64
    private let end: UInt64

    /// - Returns: nil if there are no tokens.
    /// - Throws: `.schemaMismatch` if there is no tokenizer, or there are no lines with texts.
    init?(_ columns: ArrayColumns, hasLines: Bool, _ reading: ArrayReading) throws(ShardError) {
        guard let first = columns.tokens.first else { return nil }
        guard reading.makesTokens, hasLines else {
            let leaving = columns.tokens.map { "--ignore-array \($0.array.name)" }.joined(separator: " ")
            throw .schemaMismatch(
                "\"\(first.array.name)\": tokens are made of texts, and such arrays are only compared with them: give "
                    + "--tokenizer and lines with the texts, or leave them out with \(leaving)")
        }
        tokens = columns.tokens
        encoder = reading.tokenizer?.makeEncoder()
        let size = UInt64(reading.tokenizer?.vocabularySize ?? 2)
        (start, end) = (size - 2, size - 1)
    }

    /// - Throws: `.schemaMismatch` for a text that is not there, or whose tokens are others.
    mutating func check(_ row: ArrayRow) throws(ShardError) {
        guard var encoder = encoder.take() else { return }
        defer { self.encoder = encoder }
        for tokens in tokens {
            let texts = tokens.textKey == "text" ? [row.line?.caption] : row.line?.captionSets[tokens.textKey] ?? []
            guard texts.count == tokens.variantCount else {
                throw .schemaMismatch(
                    "\"\(tokens.array.name)\" has \(tokens.variantCount) rows of tokens, the line has \(texts.count) "
                        + "texts \"\(tokens.textKey)\"")
            }
            for (variant, text) in texts.enumerated() {
                guard let text else { continue }
                let ids = encoder.encode(text)
                guard try isSame(tokens, row.number, variant, ids) else {
                    throw .schemaMismatch(
                        "\"\(tokens.array.name)\", text \(variant): the tokens are not those that the tokenizer makes of it"
                    )
                }
            }
        }
    }

    private func isSame(
        _ tokens: ArrayColumns.Tokens, _ row: Int, _ variant: Int, _ ids: [UInt16]
    ) throws(ShardError) -> Bool {
        let (array, shape) = (tokens.array, tokens.array.shape)
        let length = shape[shape.count - 1]
        // As open_clip cuts: the end stays.
        let wanted = [start] + ids.prefix(length - 2).map(UInt64.init) + [end]
        let width = array.element.byteCount
        let found = try array.row(row)
        for i in 0..<length {
            let id = try found.number((variant * length + i) * width, width, "token")
            guard id == (i < wanted.count ? wanted[i] : 0) else { return false }
        }
        guard let lengths = tokens.lengths else { return true }
        return try lengths.row(row).number(variant * 4, 4, "length") == UInt64(wanted.count)
    }
}
