internal import DRShard
internal import DRShardFormat

/// The arrays that a shard becomes: one for each column of numbers, under the column's name.
///
/// Row ids become `uids`, pairs of numbers, for NumPy, and bytes otherwise; tokens become padded rows and, as
/// `<name>_length`, their lengths. A column that lacks cells in this shard gets `<name>_state` beside it: 0 present, 1
/// absent, 2 lost. All other columns are for `.jsonl`, or for nothing.
struct ArrayPlan {
    let arrays: [ExportArray]
    /// Numbers of the columns that become no array.
    let rest: [Int]

    /// - Throws: `.invalidArgument` if two arrays would have one name, a name cannot be a file's, or numbers would be
    ///   rounded and may not.
    init(_ reader: ShardReader, _ options: ExportOptions) throws(ShardError) {
        let schema = reader.schema
        var arrays: [ExportArray] = []
        var rest: [Int] = []
        for (number, column) in schema.columns.enumerated() {
            let axes = column.axis.map { [schema.axes[$0].count] } ?? []
            let found = try ArrayPlan.arrays(number, schema, axes, options)
            guard !found.isEmpty else {
                rest.append(number)
                continue
            }
            arrays += found
            if reader.hasMissing(column: number) {
                arrays.append(
                    ExportArray(
                        name: column.name + "_state", element: .u8, rowShape: axes, content: .states(column: number)))
            }
        }
        var names: Set<String> = []
        for array in arrays {
            guard names.insert(array.name).inserted else {
                throw .invalidArgument("two arrays would have the name \"\(array.name)\"")
            }
            let isFileName = array.name.utf8.allSatisfy { (0x20...0x7E).contains($0) } && !array.name.contains("/")
            guard isFileName, !array.name.hasPrefix("."), array.name != "__metadata__" else {
                throw .invalidArgument("\"\(array.name)\" cannot be the name of an array")
            }
        }
        self.arrays = arrays
        self.rest = rest
    }

    private static func arrays(
        _ number: Int, _ schema: Schema, _ axes: [Int], _ options: ExportOptions
    ) throws(ShardError) -> [ExportArray] {
        let column = schema.columns[number]
        if let rows = TokenRows(schema, column: number) {
            return [
                ExportArray(
                    name: column.name, element: .i32, rowShape: axes + [rows.contextLength],
                    content: .tokens(column: number, rows)),
                ExportArray(
                    name: column.name + "_length", element: .i32, rowShape: axes,
                    content: .tokenLengths(column: number, rows)),
            ]
        }
        guard case .tensor(let stored, let dims) = column.type else { return [] }
        let isNumPy = options.format != .safetensors
        if isNumPy, column.role == .rowID, dims == [16] {
            return [ExportArray(name: "uids", element: .u64, rowShape: [2], content: .uidPairs(column: number))]
        }
        var (element, conversion) = try options.conversion(of: stored, column: column.name)
        var name = column.name
        if isNumPy, element == .bf16 {
            switch options.bf16As {
            case .f32: (element, conversion) = (.f32, .bf16ToF32)
            case .u16: (element, name) = (.u16, name + "_bf16")
            }
        }
        return [
            ExportArray(
                name: name, element: element, rowShape: axes + dims, content: .cells(column: number, conversion))
        ]
    }
}

extension ShardReader {
    /// Whether some cell of a column is not present.
    func hasMissing(column: Int) -> Bool {
        footer.groups.contains { $0.chunks.contains { $0.column == column && $0.hasMissing } }
    }
}
