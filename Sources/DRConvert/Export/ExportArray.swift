internal import DRShard
internal import DRShardFormat

/// One array of a shard's rows: `[rows, ...]`, made block by block.
struct ExportArray {
    enum Content {
        /// Uids as pairs of numbers: see `UIDPairs`.
        case uidPairs(column: Int)
        case cells(column: Int, FloatConversion?)
        /// Whether each cell has a value: `CellState`.
        case states(column: Int)
        case tokens(column: Int, TokenRows)
        case tokenLengths(column: Int, TokenRows)
    }

    let name: String
    let element: ElementType
    /// Extents of one row: the variants, where the column has an axis, and the cell's dims.
    let rowShape: [Int]
    let content: Content

    var rowByteCount: Int { rowShape.reduce(element.byteCount, *) }

    /// Rows of a block of at most about 8 MiB.
    var blockRowCount: Int { min(1 << 16, max(1, (8 << 20) / max(1, rowByteCount))) }

    /// The bytes of some rows. What a missing cell has are zeros.
    func bytes(_ reader: ShardReader, rows: Range<Int>, _ losses: inout ExportLosses) throws(ShardError) -> [UInt8] {
        let schema = reader.schema
        switch content {
        case .uidPairs(let column):
            let cells = try reader.cells(column: column, RowBlock.addresses(rows, variants: 1))
            return UIDPairs.bytes(cells.bytes)
        case .cells(let column, let conversion):
            let addresses = RowBlock.addresses(rows, variants: schema.variantCount(of: column))
            let cells = try reader.cells(column: column, addresses)
            return conversion.map { Array($0.converted(cells.bytes[...])) } ?? cells.bytes
        case .states(let column):
            // From the pages' tables: values, which may be a thousand times as large, are not read for it.
            var states: [UInt8] = []
            for address in RowBlock.addresses(rows, variants: schema.variantCount(of: column)) {
                states.append(try reader.state(column: column, address).rawValue)
            }
            return states
        case .tokens(let column, let shape):
            let cells = try reader.values(
                column: column, RowBlock.addresses(rows, variants: schema.variantCount(of: column)))
            return try shape.rows(cells, place: .init(path: reader.path, column: schema.columns[column].name), &losses)
        case .tokenLengths(let column, let shape):
            let cells = try reader.values(
                column: column, RowBlock.addresses(rows, variants: schema.variantCount(of: column)))
            return shape.lengths(cells)
        }
    }
}

/// How DataComp packs a uid of 32 hexadecimal digits: two numbers, of the first 16 digits and of the last 16, each
/// stored little-endian (`numpy.dtype("u8,u8")`). Source: the README of mlfoundations/datacomp, which also sorts them;
/// here they stay in the order of the rows.
enum UIDPairs {
    /// - Parameter uids: 16 bytes each, in the order of their digits.
    static func bytes(_ uids: [UInt8]) -> [UInt8] {
        var pairs: [UInt8] = []
        pairs.reserveCapacity(uids.count)
        for start in stride(from: 0, to: uids.count, by: 8) { pairs += uids[start..<start + 8].reversed() }
        return pairs
    }
}

/// Rows of token ids as a model takes them: start, tokens, end, zeros, in int32. A text with more tokens than there is
/// room for is cut, and its end stays, as open_clip's tokenizer cuts it.
struct TokenRows {
    let contextLength: Int
    let start: Int32
    let end: Int32
    let vocabularySize: UInt32
    /// Of one stored token.
    let byteCount: Int

    /// - Returns: nil for a column that has no tokens of a tokenizer.
    init?(_ schema: Schema, column: Int) {
        let column = schema.columns[column]
        guard let number = column.tokenizer, case .ragged(let element) = column.type, [.u16, .i32].contains(element)
        else { return nil }
        let tokenizer = schema.metadata.tokenizers[number]
        guard (2...65_536).contains(tokenizer.contextLength), let start = Int32(exactly: tokenizer.start),
            let end = Int32(exactly: tokenizer.end)
        else { return nil }
        contextLength = Int(tokenizer.contextLength)
        self.start = start
        self.end = end
        vocabularySize = tokenizer.vocabularySize
        byteCount = element.byteCount
    }

    /// - Throws: `.corrupt` for a token that the vocabulary does not have.
    func rows(_ cells: RaggedCells, place: ShardError.Context, _ losses: inout ExportLosses) throws(ShardError)
        -> [UInt8]
    {
        var bytes = [UInt8](repeating: 0, count: cells.count * contextLength * 4)
        let missing = Set(cells.missing.map(\.index))
        for cell in 0..<cells.count where !missing.contains(cell) {
            let value = cells.bytes[cells.ranges[cell]]
            do throws(ShardError) { try TokenRows.checkWhole(value, byteCount) } catch { throw error.with(place) }
            if value.count / byteCount > contextLength - 2 { losses.add("token rows cut to their context") }
            var ids = [start]
            for token in value.prefix((contextLength - 2) * byteCount).chunks(of: byteCount) {
                let id = token.reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
                guard id < vocabularySize else {
                    throw ShardError.corrupt("token \(id), the vocabulary has \(vocabularySize)").with(place)
                }
                ids.append(Int32(bitPattern: id))
            }
            ids.append(end)
            for (i, id) in ids.enumerated() {
                for byte in 0..<4 {
                    bytes[(cell * contextLength + i) * 4 + byte] = UInt8(truncatingIfNeeded: id >> (8 * Int32(byte)))
                }
            }
        }
        return bytes
    }

    /// - Throws: `.corrupt` for a value that ends inside a token.
    static func checkWhole(_ value: ArraySlice<UInt8>, _ byteCount: Int) throws(ShardError) {
        guard value.count.isMultiple(of: byteCount) else {
            throw .corrupt("\(value.count) bytes of tokens of \(byteCount) bytes")
        }
    }

    /// Of each row, the number of ids before the zeros; 0 for a missing cell.
    func lengths(_ cells: RaggedCells) -> [UInt8] {
        var bytes = ByteWriter()
        let missing = Set(cells.missing.map(\.index))
        for cell in 0..<cells.count {
            let count = min(cells.ranges[cell].count / byteCount, contextLength - 2) + 2
            bytes.little(missing.contains(cell) ? 0 : Int32(truncatingIfNeeded: count))
        }
        return bytes.bytes
    }
}

extension ArraySlice<UInt8> {
    /// Slices of `count` bytes, one behind the other.
    fileprivate func chunks(of count: Int) -> [ArraySlice<UInt8>] {
        stride(from: startIndex, to: endIndex, by: count).map { self[$0..<Swift.min($0 + count, endIndex)] }
    }
}
