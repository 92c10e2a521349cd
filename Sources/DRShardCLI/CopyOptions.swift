internal import ArgumentParser
internal import DRConvert
internal import DRShard
internal import DRShardFormat
internal import Foundation

/// What the commands share that make shards of shards.
struct CopyOptions: ParsableArguments {
    @Option(help: "Shards that are written at once.")
    var jobs = 1

    @Flag(
        help: ArgumentHelp(
            "Go on with a run that was killed: complete shards stay, if they are what this run makes.",
            discussion:
                "An unfinished shard is made again from its start. With which level of zstd a shard was made does not show."
        ))
    var resume = false

    @Flag(help: "Print the report as JSON.")
    var json = false

    func validate() throws {
        guard jobs >= 1 else { throw ValidationError("--jobs is at least 1.") }
    }

    /// Writes the shards of the plans, with a progress bar.
    func run(_ plans: [ShardPlan], label: String) throws(ShardError) -> (
        written: [ShardCopier.Written], seconds: Double
    ) {
        let bar = ProgressBar(label)
        defer { bar.end() }
        let written = try ShardCopier.run(plans, jobs: jobs, resumes: resume) { bar.update(UInt64($0), of: UInt64($1)) }
        return (written, bar.elapsed)
    }

    /// Whether two paths name one folder.
    static func isSameFolder(_ a: String, _ b: String) -> Bool {
        func resolved(_ path: String) -> URL {
            URL(fileURLWithPath: path).resolvingSymlinksInPath().standardizedFileURL
        }
        return resolved(a) == resolved(b)
    }

    /// Makes the folder for new shards.
    /// - Parameter plans: if they are all that the folder is to hold: other shards there are an error then.
    static func makeFolder(_ folder: String, source: String, only plans: [ShardPlan]? = nil) throws(ShardError) {
        guard !isSameFolder(folder, source) else {
            throw .invalidArgument("source and target are the same folder")
        }
        try TarFolder.makeFolder(folder)
        guard let plans else { return }
        // A folder without shards is what is hoped for.
        let found = (try? FolderListing.files(folder, suffix: ".drs")) ?? []
        if let other = Set(found).subtracting(plans.map(\.path)).min() {
            throw ShardError.io("it is there, and this run makes no such shard; remove it or choose another folder")
                .with(
                    .init(path: other))
        }
    }

    /// Warns of side shards beside a data set, which are not part of what is copied.
    static func warnOfSideShards(_ source: String, _ what: String) {
        let path = FolderListing.join(source, "side")
        // Of what is no folder there is no list.
        guard (try? FileManager.default.contentsOfDirectory(atPath: path)) != nil else { return }
        Console.error("drshard: \(path) has side shards, \(what)")
    }
}

/// What a command that makes shards of shards has done.
struct CopyReport: Encodable {
    struct Shard: Encodable {
        var path: String
        var rows: Int
        var bytes: UInt64
        /// Whether an earlier run had made it.
        var wasThere: Bool
    }
    var shards: [Shard]
    var rows: Int
    var bytes: UInt64
    var seconds: Double
    /// Of `split --keep` and `--drop`.
    var emptied: [String]?
    var leftOutRows: Int?
    var unmatchedIDs: Int?

    init(_ written: [ShardCopier.Written], seconds: Double) {
        shards = written.map { Shard(path: $0.path, rows: $0.rowCount, bytes: $0.byteCount, wasThere: $0.wasThere) }
        rows = written.reduce(0) { $0 + $1.rowCount }
        bytes = written.reduce(0) { $0 + $1.byteCount }
        self.seconds = seconds
    }

    /// The report in a line.
    var text: String {
        let kept = shards.count(where: \.wasThere)
        let resumed = kept == 0 ? "" : ", \(kept) of them there before"
        return
            "\(rows) rows in \(shards.count) shards\(resumed), \(Console.bytes(bytes)), \(Console.decimal(seconds, 1)) s"
    }
}
