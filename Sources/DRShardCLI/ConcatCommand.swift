internal import ArgumentParser
internal import DRShard
internal import DRShardFormat
internal import Foundation

struct ConcatCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "concat",
        abstract: "Join shards into one: their rows, in order.",
        discussion: """
            All sources have one schema. Columns are stored as they were; digests are compared before the shard appears. \
            The new shard has a tag of its own, and notes that say what it came from.
            """)

    @Argument(help: "Shards, or folders of shards.", completion: .file(extensions: ["drs"]))
    var sources: [String]

    @Option(name: .shortAndLong, help: "The new shard.", completion: .file(extensions: ["drs"]))
    var output: String

    @Option(help: "Rows of a row group; without it as in the first source.")
    var rowsPerGroup: Int?

    @OptionGroup var copy: CopyOptions

    func run() throws {
        let folder = URL(fileURLWithPath: output).deletingLastPathComponent().path
        for source in sources where CopyOptions.isSameFolder(source, folder) {
            throw ShardError.invalidArgument("the new shard would be one of those in the source").with(
                .init(path: source))
        }
        let plan = try SetArranger.concat(sources, to: output, rowsPerGroup: rowsPerGroup)
        for source in sources { CopyOptions.warnOfSideShards(source, "which do not fit the new shard") }
        let (written, seconds) = try copy.run([plan], label: "joining")
        let report = CopyReport(written, seconds: seconds)
        if copy.json { return try Console.json(report) }
        try Console.line(report.text)
    }
}
