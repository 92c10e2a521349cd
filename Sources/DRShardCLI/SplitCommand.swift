internal import ArgumentParser
internal import DRShard
internal import DRShardFormat

struct SplitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "split",
        abstract: "Divide the rows of shards, or take rows out by their ids.",
        discussion: """
            With --rows or --shards, rows are divided anew, in order, into 00000000.drs, 00000001.drs and so on. With \
            --keep or --drop, every shard gets a new one of its name with only the rows of a list, or without them; one of \
            which nothing remains gets none. A list is a text file: one row id a line, in hexadecimal, remarks behind #. \
            Columns are stored as they were. Each new shard has a tag of its own, and notes that say what it came from.
            """)

    @Argument(help: "A shard, or a folder of shards.", completion: .file(extensions: ["drs"]))
    var source: String

    @Argument(help: "The folder for the new shards.", completion: .directory)
    var output: String

    @Option(help: "Rows of a new shard; the last one has what remains.")
    var rows: Int?

    @Option(help: "How many new shards; their rows differ by one at most.")
    var shards: Int?

    @Option(help: "Keep only the rows whose ids are in this list.", completion: .file())
    var keep: String?

    @Option(help: "Leave out the rows whose ids are in this list.", completion: .file())
    var drop: String?

    @Option(help: "Write the ids of the list that no row has to this file, one a line.", completion: .file())
    var unmatched: String?

    @Option(help: "Rows of a row group, with --rows or --shards; without it they stay as they are.")
    var rowsPerGroup: Int?

    @OptionGroup var copy: CopyOptions

    private var list: String? { keep ?? drop }

    func validate() throws {
        let ways = [rows != nil, shards != nil, keep != nil, drop != nil].count(where: \.self)
        guard ways == 1 else { throw ValidationError("One of --rows, --shards, --keep and --drop says how.") }
        guard unmatched == nil || list != nil else { throw ValidationError("--unmatched is for --keep and --drop.") }
        guard rowsPerGroup == nil || list == nil else {
            throw ValidationError("--rows-per-group is for --rows and --shards.")
        }
    }

    func run() throws {
        let set = try DataSet(path: source)
        if let list { return try filter(set, list) }
        let division = rows.map { SetArranger.Division.rows($0) } ?? .shards(shards ?? 1)
        let plans = try SetArranger.split(set, into: output, by: division, rowsPerGroup: rowsPerGroup)
        CopyOptions.warnOfSideShards(source, "which do not fit the new shards")
        try CopyOptions.makeFolder(output, source: source, only: plans)
        let (written, seconds) = try copy.run(plans, label: "splitting")
        try SetArranger.check(written, are: set)
        let report = CopyReport(written, seconds: seconds)
        if copy.json { return try Console.json(report) }
        try Console.line(report.text)
    }

    private func filter(_ set: DataSet, _ path: String) throws {
        let list = try RowIDList(path: path, schema: set.schema)
        let filtered = try SetArranger.filter(set, into: output, by: list, keeps: keep != nil)
        if let unmatched, !copy.resume { try AtomicFile.checkAbsence(of: unmatched) }
        CopyOptions.warnOfSideShards(
            source, "which still hold rows that are left out here, and do not fit the new shards")
        try CopyOptions.makeFolder(output, source: source, only: filtered.plans)
        let (written, seconds) = try copy.run(filtered.plans, label: "splitting")
        if let unmatched { try write(filtered.unmatched, to: unmatched) }
        var report = CopyReport(written, seconds: seconds)
        report.emptied = filtered.emptied
        report.leftOutRows = set.rowCount - report.rows
        report.unmatchedIDs = filtered.unmatched.count
        if copy.json { return try Console.json(report) }
        try Console.line(report.text)
        try Console.line("\(set.rowCount - report.rows) of \(set.rowCount) rows are left out")
        for path in filtered.emptied { try Console.line("\(path): nothing remains, so it has no new shard") }
        guard let first = filtered.unmatched.first else { return }
        try Console.line(
            "\(filtered.unmatched.count) of \(list.count) ids of the list are in no row"
                + (unmatched.map { "; they stand in \($0)" } ?? ", the first: \(hex(first)); --unmatched lists them"))
    }

    private func write(_ ids: [[UInt8]], to path: String) throws(ShardError) {
        let text = ids.flatMap { Array(hex($0).utf8) + [UInt8(ascii: "\n")] }
        if copy.resume {
            try AtomicFile.removeUnfinished(path)
            // Of the run that goes on here, which was killed behind its last step.
            if AtomicFile.exists(path), let file = try? FileSource(path: path), file.byteCount == UInt64(text.count),
                try file.bytes(at: 0, count: text.count) == text
            {
                return
            }
        }
        let file = try AtomicFile(path: path)
        do throws(ShardError) {
            try file.write(text)
            try file.commit()
        } catch {
            file.discard()
            throw error
        }
    }
}
