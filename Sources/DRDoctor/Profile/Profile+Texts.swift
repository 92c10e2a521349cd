internal import DRShardFormat

/// Captions and their tokens.
extension Profile {
    /// Token counts that are told apart; longer captions count as this long.
    static let maximumTokenCount = 256

    mutating func examineTexts(_ block: RowBlock) {
        for column in layout.texts { findEmptyTexts(column, block) }
        findEqualTexts(block)
        for column in layout.tokens { countTokens(column, block) }
    }

    private mutating func findEmptyTexts(_ column: Int, _ block: RowBlock) {
        let cells = block.cells[column]
        for row in 0..<block.rowCount {
            for variant in 0..<cells.variantCount {
                // Blanks and control characters of ASCII: no word.
                guard let text = cells[row, variant], text.allSatisfy({ $0 <= 0x20 || $0 == 0x7F }) else { continue }
                let what = text.isEmpty ? "no character" : "\(text.count) blank characters"
                note(.emptyCaption, column, variant, block.places[row], what)
            }
        }
    }

    /// Texts of a row that were there before, whatever column they are in.
    private mutating func findEqualTexts(_ block: RowBlock) {
        for row in 0..<block.rowCount {
            var known: [ArraySlice<UInt8>: (Int, Int)] = [:]
            for column in layout.texts {
                for variant in 0..<block.cells[column].variantCount {
                    guard let text = block.cells[column][row, variant] else { continue }
                    guard let (other, first) = known[text] else {
                        known[text] = (column, variant)
                        continue
                    }
                    let otherName = name(other)
                    note(.equalCaptions, column, variant, block.places[row], "equals \(otherName) variant \(first)")
                }
            }
        }
    }

    private mutating func countTokens(_ column: Int, _ block: RowBlock) {
        guard case .ragged(let element) = layout.schema.columns[column].type,
            let number = layout.schema.columns[column].tokenizer
        else { return }
        let room = Int(layout.schema.metadata.tokenizers[number].contextLength) - 2
        let cells = block.cells[column]
        var lengths = tokenLengths[column] ?? Array(repeating: 0, count: Self.maximumTokenCount + 1)
        for row in 0..<block.rowCount {
            for variant in 0..<cells.variantCount {
                guard let tokens = cells[row, variant] else { continue }
                let count = tokens.count / element.byteCount
                lengths[min(count, Self.maximumTokenCount)] += 1
                guard count > room else { continue }
                note(.overlongTokens, column, variant, block.places[row], "\(count) tokens, \(room) fit")
            }
        }
        tokenLengths[column] = lengths
    }
}
