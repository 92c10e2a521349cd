internal import ArgumentParser
internal import DRShard
internal import DRShardFormat

struct HeadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "head", abstract: "Show the first rows, or some rows, readably.",
        discussion: "Tensors of floats show their first elements.")

    @Argument(help: "A shard, or a folder of shards.", completion: .file(extensions: ["drs"]))
    var path: String

    @Option(name: .shortAndLong, help: "How many rows.")
    var rows = 3

    @Option(help: "The first row.")
    var skip = 0

    @Option(name: .customLong("column"), help: "Show only this column; once for each.")
    var columns: [String] = []

    @Option(help: "Show only this variant of columns that have several.")
    var variant: Int?

    func run() throws {
        let set = try DataSet(path: path)
        let wanted = try wantedColumns(set.schema)
        guard rows >= 0, skip >= 0 else { throw ShardError.invalidArgument("--rows and --skip are not negative") }
        let first = min(skip, set.rowCount)
        for row in first..<first + min(rows, set.rowCount - first) {
            let place = set.locate(row: row)
            try Console.line("row \(row)")
            for (i, column) in set.schema.columns.enumerated() where wanted.contains(i) {
                let count = set.schema.variantCount(of: i)
                for v in 0..<count where count == 1 || variant == nil || v == variant {
                    let value = try set.shards[place.shard].value(column: i, row: place.row, variant: v)
                    let name = count == 1 ? column.name : "\(column.name)[\(v)]"
                    try Console.line(
                        "  \(name): \(try value.map { value throws(ShardError) in try CellText.short(value, column) } ?? "not present")"
                    )
                }
            }
        }
    }

    /// The numbers of the columns that are to be shown.
    private func wantedColumns(_ schema: Schema) throws(ShardError) -> Set<Int> {
        guard !columns.isEmpty else { return Set(schema.columns.indices) }
        var wanted: Set<Int> = []
        for name in columns {
            guard let column = schema.columnIndex(named: name) else {
                let names = schema.columns.map(\.name).joined(separator: ", ")
                throw .invalidArgument("there is no column \"\(name)\"; there are \(names)")
            }
            wanted.insert(column)
        }
        return wanted
    }
}

struct DumpCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dump",
        abstract: "Print the canonical dump of a shard: its schema, then every cell.",
        discussion:
            "The format is defined in appendix B of the format's specification: every correct reader prints the same lines."
    )

    @Argument(help: "A shard.", completion: .file(extensions: ["drs"]))
    var path: String

    func run() throws {
        try CanonicalDump(try ShardReader(path: path)).write { line throws(ShardError) in try Console.line(line) }
    }
}

/// A value in a few words.
enum CellText {
    static func short(_ value: [UInt8], _ column: Column) throws(ShardError) -> String {
        if case .tensor(let element, _) = column.type, !element.isInteger {
            let count = value.count / element.byteCount
            let shown = (0..<min(6, count)).map { number(value, $0, element) }.joined(separator: ", ")
            return "\(element) [\(shown)\(count > 6 ? ", ... \(count) in all" : "")]"
        }
        if column.role == .imageHash { return hex(value) }
        switch column.type {
        case .tensor(.u8, _) where column.role == .imageHash: return hex(value)
        case .binary: return "\(value.count) bytes"
        case .operations:
            let record = try Augmentation(parsing: value)
            let crop =
                record.crop.map { "crop top \($0.top) left \($0.left) height \($0.height) width \($0.width)" }
                ?? "no crop"
            return crop + record.operations.map { ", \($0.operation):\($0.magnitude)" }.joined()
        default:
            let text = try CanonicalDump.text(of: value, column: column)
            return text.firstIndex(of: " ").map { String(text[text.index(after: $0)...]) } ?? text
        }
    }

    private static func number(_ value: [UInt8], _ index: Int, _ element: ElementType) -> String {
        var bits: UInt64 = 0
        let start = index * element.byteCount
        for i in (start..<start + element.byteCount).reversed() { bits = bits << 8 | UInt64(value[i]) }
        return switch element {
        case .bf16: Console.decimal(Double(Float(bitPattern: UInt32(bits) << 16)), 5)
        case .f32: Console.decimal(Double(Float(bitPattern: UInt32(bits))), 5)
        case .f64: Console.decimal(Double(bitPattern: bits), 5)
        default: "0x" + String(bits, radix: 16)
        }
    }
}
