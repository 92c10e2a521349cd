internal import ArgumentParser
internal import DRShard
internal import DRShardFormat

struct DiffCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Compare two data sets, however they are stored: schema, row ids, every cell bit for bit.",
        discussion: """
            Rows are compared in their order, and only where their ids are equal. Where row groups of both end at the same \
            rows and their digests are equal, no cell is read. Exit code 0: equal, 1: different (or damaged).
            """)

    @Argument(help: "A: a shard, or a folder of shards.", completion: .file(extensions: ["drs"]))
    var a: String

    @Argument(help: "B: the same.", completion: .file(extensions: ["drs"]))
    var b: String

    @Flag(help: "Match rows by their ids, in any order.")
    var byID = false

    @Flag(help: "Compare cells even where digests are equal.")
    var full = false

    @Option(
        name: .customLong("columns"), parsing: .upToNextOption,
        help: "Compare only these columns, and the row ids.")
    var columns: [String] = []

    @Option(help: "Differences that are shown of each column, and of rows.")
    var limit = 3

    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        guard limit >= 0 else { throw ValidationError("--limit is not negative.") }
    }

    func run() throws {
        var options = DataSetComparison.Options()
        options.columns = columns
        options.limit = limit
        options.isFull = full
        options.matchesByID = byID
        let (first, second) = (try DataSet(path: a), try DataSet(path: b))
        let bar = ProgressBar("comparing")
        defer { bar.end() }
        let comparison = try DataSetComparison(first, second, options: options) { bar.update($0, of: $1) }
        bar.end()
        if json { try Console.json(Output(comparison)) } else { try print(comparison) }
        try Console.flush()
        if !comparison.areEqual { throw ExitCode(ExitStatus.damaged.rawValue) }
    }

    private func print(_ comparison: DataSetComparison) throws(ShardError) {
        for difference in comparison.schema { try Console.line("schema: \(difference)") }
        try print(comparison.rows)
        for column in comparison.columns where column.differingCount > 0 {
            try Console.line(
                "column \(column.name): \(column.differingCount) cells differ, of \(column.comparedCount) that were compared"
            )
            for difference in column.differences { try Console.line("  " + DiffCommand.text(difference)) }
        }
        let compared = comparison.columns.reduce(0) { $0 + $1.comparedCount }
        let how = compared == 0 ? "by their digests" : "\(compared) cells were compared"
        try Console.line(
            comparison.areEqual ? "equal: \(comparison.rows.countA) rows, \(how)" : "different: \(how)")
    }

    private func print(_ rows: DataSetComparison.Rows) throws(ShardError) {
        if rows.countA != rows.countB { try Console.line("rows: \(rows.countA) in A, \(rows.countB) in B") }
        if rows.differingCount > 0 {
            try Console.line("rows: \(rows.differingCount) have other ids in B; --by-id matches rows by their ids")
        }
        for row in rows.differing {
            try Console.line("  row \(row.row): id \(row.a ?? "lost") in A, \(row.b ?? "lost") in B")
        }
        for (count, first, name) in [
            (rows.onlyInA, rows.firstOnlyInA, "A"), (rows.onlyInB, rows.firstOnlyInB, "B"),
        ] where count > 0 {
            try Console.line("rows: \(count) only in \(name)")
            for row in first { try Console.line("  row \(row.row): id \(row.a ?? row.b ?? "lost")") }
        }
    }

    private static func text(_ cell: CellDifference) -> String {
        let row = cell.rowA == cell.rowB ? "row \(cell.rowA)" : "row \(cell.rowA) (in B \(cell.rowB))"
        let place = cell.place.map { ", \(cell.placeIsElement ? "element" : "byte") \($0)" } ?? ""
        return "\(row), id \(cell.id ?? "lost"), variant \(cell.variant)\(place): \(cell.a) in A, \(cell.b) in B"
    }

    private struct Output: Encodable {
        struct Row: Encodable {
            var row: Int
            var a: String?
            var b: String?
            init(_ row: DataSetComparison.RowDifference) { (self.row, a, b) = (row.row, row.a, row.b) }
        }
        struct Rows: Encodable {
            var a: Int
            var b: Int
            var onlyInA: Int
            var onlyInB: Int
            var differing: Int
            var firstOnlyInA: [Row]
            var firstOnlyInB: [Row]
            var firstDiffering: [Row]
        }
        struct Cell: Encodable {
            var id: String?
            var rowA: Int
            var rowB: Int
            var variant: Int
            var element: Int?
            var byte: Int?
            var a: String
            var b: String
        }
        struct Column: Encodable {
            var name: String
            var compared: Int
            var differing: Int
            var differences: [Cell]
        }
        var equal: Bool
        var schema: [String]
        var rows: Rows
        var columns: [Column]

        init(_ comparison: DataSetComparison) {
            equal = comparison.areEqual
            schema = comparison.schema
            let found = comparison.rows
            rows = Rows(
                a: found.countA, b: found.countB, onlyInA: found.onlyInA, onlyInB: found.onlyInB,
                differing: found.differingCount, firstOnlyInA: found.firstOnlyInA.map(Row.init),
                firstOnlyInB: found.firstOnlyInB.map(Row.init), firstDiffering: found.differing.map(Row.init))
            columns = comparison.columns.map { column in
                let cells = column.differences.map { cell in
                    Cell(
                        id: cell.id, rowA: cell.rowA, rowB: cell.rowB, variant: cell.variant,
                        element: cell.placeIsElement ? cell.place : nil, byte: cell.placeIsElement ? nil : cell.place,
                        a: cell.a, b: cell.b)
                }
                return Column(
                    name: column.name, compared: column.comparedCount, differing: column.differingCount,
                    differences: cells)
            }
        }
    }
}
