internal import DRShard
internal import DRShardFormat
internal import DRText

/// Writes rows as JSON, an object a line: ids, texts, parameters, sizes, and where images lie.
///
/// Texts stand under their columns' names: a list where the column has an axis, one string where it has none or one real
/// caption. A missing cell is `null`. Embeddings and images are not written.
struct JSONLinesExport {
    private let schema: Schema
    private let options: ExportOptions
    private let reader: ShardReader
    /// The columns that are written, in the schema's order.
    private let columns: [Int]
    private(set) var losses = ExportLosses()
    private static let blockByteCount = 4 << 20

    /// - Throws: `.invalidArgument` if two members of an object would have one name.
    init(_ reader: ShardReader, _ options: ExportOptions) throws(ShardError) {
        schema = reader.schema
        self.reader = reader
        self.options = options
        columns = schema.columns.indices.filter { JSONLinesExport.carries(reader.schema, $0, options) }
        var names: Set<String> = []
        for name in columns.flatMap(names(of:)) where !names.insert(name).inserted {
            throw .invalidArgument("two members of a line would have the name \"\(name)\"")
        }
    }

    static func carries(_ schema: Schema, _ column: Int, _ options: ExportOptions) -> Bool {
        let (type, role) = (schema.columns[column].type, schema.columns[column].role)
        switch type {
        case .utf8, .operations, .locator: return true
        case .ragged: return options.withTokens && TokenRows(schema, column: column) != nil
        case .tensor(.u8, _): return [.rowID, .imageHash].contains(role) && schema.columns[column].axis == nil
        case .tensor(.u32, dims: [2]): return role == .imageSize && schema.columns[column].axis == nil
        default: return false
        }
    }

    private func names(of column: Int) -> [String] {
        switch (schema.columns[column].role, schema.columns[column].type) {
        case (.rowID, _): ["uid"]
        case (.augmentation, .operations): ["param_aug"]
        case (.imageSize, .tensor): ["original_width", "original_height"]
        default: [schema.columns[column].name]
        }
    }

    /// Writes all rows into a sink, and commits it.
    mutating func write(to sink: any ByteSink, progress: (Int) -> Void) throws(ShardError) {
        let step = RowBlock.rowCount(reader, columns: columns, byteCount: JSONLinesExport.blockByteCount)
        for row in stride(from: 0, to: reader.rowCount, by: step) {
            let block = try RowBlock(reader, rows: row..<min(row + step, reader.rowCount), columns: columns)
            var lines: [UInt8] = []
            for row in block.rows {
                do throws(ShardError) { lines += try line(row, block).utf8 } catch {
                    throw error.with(.init(path: reader.path, row: row))
                }
                lines.append(UInt8(ascii: "\n"))
            }
            try sink.write(lines)
            progress(block.rows.count)
        }
        try sink.commit()
    }

    private mutating func line(_ row: Int, _ block: RowBlock) throws(ShardError) -> String {
        var members: [(key: String, value: String)] = []
        for column in columns {
            if names(of: column).count == 2 {
                let size = block.size(column, row: row)
                countLost(column, block.state(column, row: row))
                members.append(("original_width", size.map { String($0.width) } ?? "null"))
                members.append(("original_height", size.map { String($0.height) } ?? "null"))
                continue
            }
            var values: [String] = []
            for variant in 0..<schema.variantCount(of: column) {
                countLost(column, block.state(column, row: row, variant: variant))
                values.append(try value(column, row, variant, block))
            }
            members.append((names(of: column)[0], isList(column) ? JSONText.array(values) : values[0]))
        }
        return "{" + members.map { JSONText.unicode($0.key) + ": " + $0.value }.joined(separator: ", ") + "}"
    }

    private func isList(_ column: Int) -> Bool {
        guard let axis = schema.columns[column].axis else { return false }
        return schema.axes[axis].count > 1 || schema.axes[axis].kind != .realCaption
    }

    private mutating func countLost(_ column: Int, _ state: CellState) {
        guard state == .lost else { return }
        losses.add("lost cells of column \"\(schema.columns[column].name)\", which are null like absent ones")
    }

    private mutating func value(
        _ column: Int, _ row: Int, _ variant: Int, _ block: RowBlock
    ) throws(ShardError) -> String {
        guard let bytes = block.value(column, row: row, variant: variant) else { return "null" }
        switch schema.columns[column].type {
        case .utf8: return JSONText.unicode(try block.text(column, row: row, variant: variant) ?? "")
        case .operations:
            let record = try Augmentation(parsing: Array(bytes))
            if let text = AugmentationText.pair(record) ?? AugmentationText.items(record) { return text }
            let name = schema.columns[column].name
            try losses.giveUp(
                "augmentations of column \"\(name)\" with a number that JSON does not have",
                isAllowed: options.isLossy,
                why: "column \"\(name)\", variant \(variant): a number is not finite, which JSON does not have")
            return "null"
        case .locator: return JSONLinesExport.text(of: try Locator(parsing: Array(bytes)))
        case .ragged(let element):
            try TokenRows.checkWhole(bytes, element.byteCount)
            let ids = stride(from: bytes.startIndex, to: bytes.endIndex, by: element.byteCount).map { start in
                let token = bytes[start..<start + element.byteCount]
                return String(token.reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
            }
            return JSONText.array(ids)
        default: return JSONText.string(hex(Array(bytes)))
        }
    }

    private static func text(of locator: Locator) -> String {
        var members = [
            (key: "container", value: JSONText.unicode(locator.container)), ("position", String(locator.position)),
            ("byte_count", String(locator.byteCount)),
        ]
        switch locator.hash {
        case .none: break
        case .sha256(let digest): members.append(("sha256", JSONText.string(hex(digest))))
        case .crc32c(let sum): members.append(("crc32c", String(sum)))
        }
        return JSONText.object(members)
    }
}
