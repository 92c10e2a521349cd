public import DRShardFormat

/// The canonical dump of a shard: text that any correct reader prints alike. Spec: FORMAT.md appendix B.
public struct CanonicalDump {
    private let reader: ShardReader

    public init(_ reader: ShardReader) { self.reader = reader }

    /// Calls `line` with each line, without its line feed. Cost: all cells are decoded, row by row in blocks.
    public func write(_ line: (String) throws(ShardError) -> Void) throws(ShardError) {
        for text in headLines() { try line(text) }
        let schema = reader.schema
        var row = 0
        while row < reader.rowCount {
            let rows =
                row..<min(
                    row + 64, reader.rowCount, (row / reader.header.rowsPerGroup + 1) * reader.header.rowsPerGroup)
            var columns: [(cells: RaggedCells, states: [Int: CellState])] = []
            for column in schema.columns.indices {
                let variants = schema.variantCount(of: column)
                let cells = try reader.values(
                    column: column, rows.flatMap { row in (0..<variants).map { CellAddress(row: row, variant: $0) } })
                columns.append((cells, Dictionary(uniqueKeysWithValues: cells.missing.map { ($0.index, $0.state) })))
            }
            for row in rows {
                for column in schema.columns.indices {
                    let variants = schema.variantCount(of: column)
                    for variant in 0..<variants {
                        let index = (row - rows.lowerBound) * variants + variant
                        let value =
                            switch columns[column].states[index] {
                            case .absent: "absent"
                            case .lost: "lost"
                            default:
                                try CanonicalDump.text(of: columns[column].cells[index], column: schema.columns[column])
                            }
                        try line("cell \(row) \(column) \(variant) \(value)")
                    }
                }
            }
            row = rows.upperBound
        }
    }

    /// The lines before the cells.
    public func headLines() -> [String] {
        let header = reader.header
        let schema = reader.schema
        var lines = [
            "drshard-dump 1", "format \(header.majorVersion) \(header.minorVersion)", "tag \(hex(header.shardTag))",
            "features \(hex(header.requiredFeatures)) \(hex(header.optionalFeatures))", "rows \(reader.rowCount)",
            "rows_per_group \(header.rowsPerGroup)",
        ]
        lines += CanonicalDump.lines(of: schema)
        for note in reader.footer.notes { lines.append("note \(quoted(note.key)) \(quoted(note.value))") }
        lines.append("digest rows \(reader.footer.rowSetDigest)")
        for column in schema.columns.indices {
            lines.append("digest column \(column) \(reader.footer.columnDigest(column))")
        }
        return lines
    }

    /// A schema's lines of the dump.
    public static func lines(of schema: Schema) -> [String] {
        var lines: [String] = []
        for (i, axis) in schema.axes.enumerated() {
            lines.append(
                "axis \(i) \(quoted(axis.name)) kind=\(axis.kind.rawValue) count=\(axis.count) "
                    + "exchangeable=\(axis.exchangeable.rawValue) source=\(quoted(axis.source)) "
                    + "defining_column=\(orDash(axis.definingColumn))")
        }
        for (i, column) in schema.columns.enumerated() {
            var dims = "-"
            if case .tensor(_, let list) = column.type {
                dims = list.isEmpty ? "()" : list.map(String.init).joined(separator: "x")
            }
            lines.append(
                "column \(i) \(quoted(column.name)) role=\(column.role.rawValue) type=\(column.type.name) "
                    + "element=\(column.type.element?.description ?? "-") dims=\(dims) axis=\(orDash(column.axis)) "
                    + "tokenizer=\(orDash(column.tokenizer))")
        }
        return lines + self.lines(of: schema.metadata)
    }

    private static func lines(of metadata: SchemaMetadata) -> [String] {
        var lines: [String] = []
        for (i, teacher) in metadata.teachers.enumerated() {
            let slices = teacher.slices.map { "\($0.column):\($0.first):\($0.count)" }.joined(separator: ",")
            lines.append(
                "teacher \(i) \(quoted(teacher.name)) normalised=\(teacher.normalised.rawValue) "
                    + "logit_scale=\(teacher.logitScale.map { hex($0.bitPattern) } ?? "-") "
                    + "weights_sha256=\(teacher.weightsSHA256.map(hex) ?? "-") slices=\(slices)")
        }
        for (i, captioner) in metadata.captioners.enumerated() {
            lines.append(
                "captioner \(i) \(quoted(captioner.name)) axis=\(captioner.axis) settings=\(quoted(captioner.settings))"
            )
        }
        for (i, tokenizer) in metadata.tokenizers.enumerated() {
            lines.append(
                "tokenizer \(i) \(quoted(tokenizer.name)) vocabulary_sha256=\(hex(tokenizer.vocabularySHA256)) "
                    + "vocabulary_size=\(tokenizer.vocabularySize) context_length=\(tokenizer.contextLength) "
                    + "start=\(tokenizer.start) end=\(tokenizer.end)")
        }
        for entry in metadata.operations {
            let magnitudes = entry.magnitudes.map { hex($0.bitPattern) }.joined(separator: ",")
            lines.append("operation \(entry.operation) \(quoted(entry.name)) magnitudes=\(magnitudes)")
        }
        for (i, source) in metadata.sources.enumerated() {
            lines.append(
                "source \(i) \(quoted(source.name)) licence=\(quoted(source.licence)) reference=\(quoted(source.reference))"
            )
        }
        for (i, note) in metadata.provenance.enumerated() {
            lines.append("provenance \(i) \(quoted(note.key)) \(quoted(note.value))")
        }
        if let side = metadata.side {
            let axes = side.axes.map { "\($0.axis):\($0.digest)" }.joined(separator: ",")
            lines.append("side row_set_digest=\(side.rowSetDigest) row_count=\(side.rowCount) axes=\(axes)")
        }
        return lines
    }

    // MARK: Values

    /// The VALUE of a cell that is present.
    public static func text(of value: [UInt8], column: Column) throws(ShardError) -> String {
        if column.role == .rowID { return "id \(hex(value))" }
        switch column.type {
        case .tensor(let element, _), .ragged(let element):
            guard element.isInteger, value.count / element.byteCount <= 256 else { break }
            let numbers = integers(value, element)
            return "int \(numbers.isEmpty ? "-" : numbers.joined(separator: ","))"
        case .utf8: return "text \(quoted(bytes: value))"
        case .operations:
            let items = try Augmentation(parsing: value).items.map(text)
            return "ops \(items.isEmpty ? "-" : items.joined(separator: ";"))"
        case .locator: return text(of: try Locator(parsing: value))
        case .binary: break
        }
        return "sha256 \(hex(SHA256.digest(value)))"
    }

    private static func integers(_ value: [UInt8], _ element: ElementType) -> [String] {
        stride(from: 0, to: value.count, by: element.byteCount).map { start in
            var bits: UInt64 = 0
            for i in (start..<start + element.byteCount).reversed() { bits = bits << 8 | UInt64(value[i]) }
            guard element.isSigned else { return String(bits) }
            let unused = UInt64(64 - 8 * element.byteCount)
            return String(Int64(bitPattern: bits << unused) >> Int64(unused))
        }
    }

    private static func text(of locator: Locator) -> String {
        let (kind, hash) =
            switch locator.hash {
            case .none: (0, "-")
            case .sha256(let digest): (1, hex(digest))
            case .crc32c(let sum): (2, hex([0, 8, 16, 24].map { UInt8(truncatingIfNeeded: sum >> $0) }))
            }
        return "locator \(locator.position) \(locator.byteCount) \(kind) \(hash) \(quoted(locator.container))"
    }

    private static func text(_ item: Augmentation.Item) -> String {
        func number(_ x: Double) -> String { hex(x.bitPattern) }
        var operands: [String]
        let kind: Int
        switch item {
        case .crop(let box): (kind, operands) = (1, [box.top, box.left, box.height, box.width].map(String.init))
        case .randAugment(let list): (kind, operands) = (2, list.map { "\($0.operation):\(number($0.magnitude))" })
        case .flip(let applied): (kind, operands) = (3, [applied ? "1" : "0"])
        case .erase(let x, let y, let height, let width):
            (kind, operands) = (4, [x, y, height, width].map(String.init))
        case .colorJitter(let order, let factors): (kind, operands) = (5, order.map(String.init) + factors.map(number))
        case .mixup(let lambda, let partner): (kind, operands) = (6, [number(lambda), hex(partner)])
        case .cutmix(let lambda, let x1, let y1, let x2, let y2, let partner):
            (kind, operands) = (7, [number(lambda)] + [x1, y1, x2, y2].map(String.init) + [hex(partner)])
        case .randomCrop(let top, let left): (kind, operands) = (8, [top, left].map(String.init))
        case .resize(let size): (kind, operands) = (9, [String(size)])
        case .null(let kind): return "\(Augmentation.kindNames[Int(kind)] ?? "")=null"
        }
        operands.insert(Augmentation.kindNames[kind] ?? "", at: 0)
        return operands.joined(separator: ",")
    }
}

private let hexDigits = Array("0123456789abcdef".utf8)

/// Bytes in hexadecimal, in their order.
public func hex(_ bytes: [UInt8]) -> String {
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count * 2)
    for byte in bytes {
        text.append(hexDigits[Int(byte >> 4)])
        text.append(hexDigits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
}

/// A number in 16 hexadecimal digits, most significant first.
public func hex(_ number: UInt64) -> String {
    hex((0..<8).map { UInt8(truncatingIfNeeded: number >> UInt64(56 - 8 * $0)) })
}

/// Text in quotes; quotes, backslashes and control bytes are written `\xHH`.
package func quoted(bytes: [UInt8]) -> String {
    var text = [UInt8(ascii: "\"")]
    for byte in bytes {
        if byte < 0x20 || byte == 0x7F || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
            text += [UInt8(ascii: "\\"), UInt8(ascii: "x"), hexDigits[Int(byte >> 4)], hexDigits[Int(byte & 15)]]
        } else {
            text.append(byte)
        }
    }
    return String(decoding: text + [UInt8(ascii: "\"")], as: UTF8.self)
}

package func quoted(_ text: String?) -> String { text.map { quoted(bytes: Array($0.utf8)) } ?? "-" }

private func orDash(_ number: Int?) -> String { number.map(String.init) ?? "-" }
