internal import ArgumentParser
internal import DRShard
internal import DRShardFormat
internal import Foundation
internal import Synchronization

struct RepackCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repack",
        abstract: "Store the same rows otherwise: another encoding, another size of row groups.",
        discussion: """
            Values, row ids, missing cells, tags and notes stay as they are, and so do all digests, which are compared \
            before a shard appears. The source is not touched.
            """)

    @Argument(help: "A shard, or a folder of shards.", completion: .file(extensions: ["drs"]))
    var source: String

    @Argument(help: "The new shard, or the folder for the new shards.")
    var target: String

    @OptionGroup var storage: StorageOptions

    @Option(help: "Rows of a row group; without it they stay as they are.")
    var rowsPerGroup: Int?

    @Option(help: "Shards that are packed at once.")
    var jobs = 1

    @Flag(help: "Print the report as JSON.")
    var json = false

    func validate() throws {
        guard jobs >= 1 else { throw ValidationError("--jobs is at least 1.") }
    }

    func run() throws {
        let options = options()
        let pairs = try pairs()
        let readers = try pairs.map { try ShardReader(path: $0.source) }
        let bar = ProgressBar("repacking")
        let total = readers.reduce(0) { $0 + $1.rowCount }
        let done = Mutex(0)
        try WorkerThreads.run(count: pairs.count, threadCount: jobs) { i throws(ShardError) in
            var last = 0
            try Repacker.repack(readers[i], to: pairs[i].target, options: options) { rows, _ in
                let sum = done.withLock { done in
                    done += rows - last
                    return done
                }
                last = rows
                bar.update(UInt64(sum), of: UInt64(total))
            }
        }
        bar.end()
        let report = Report(
            shards: try zip(readers, pairs).map { reader, pair in
                try Report.Shard(
                    path: pair.target, rows: reader.rowCount, bytesBefore: reader.fileByteCount,
                    bytes: ShardReader(path: pair.target).fileByteCount)
            }, seconds: bar.elapsed)
        if json { return try Console.json(report) }
        let before = report.shards.reduce(0) { $0 + $1.bytesBefore }
        let after = report.shards.reduce(0) { $0 + $1.bytes }
        try Console.line(
            "\(total) rows in \(pairs.count) shards: \(Console.bytes(before)) became \(Console.bytes(after)), "
                + "\(Console.decimal(bar.elapsed, 1)) s")
    }

    private func options() -> RepackOptions {
        var options = RepackOptions()
        options.storage = storage.named
        options.bf16Storage = storage.encoding
        options.rowsPerGroup = rowsPerGroup
        return options
    }

    /// Which file becomes which; the folders are made.
    private func pairs() throws(ShardError) -> [(source: String, target: String)] {
        let shards = try DataSet.shardPaths(source)
        guard shards != [source] else { return [(source, target)] }
        do {
            guard URL(fileURLWithPath: source).standardizedFileURL != URL(fileURLWithPath: target).standardizedFileURL
            else { throw ShardError.invalidArgument("source and target are the same folder") }
            try FileManager.default.createDirectory(atPath: target, withIntermediateDirectories: true)
        } catch let error as ShardError { throw error } catch {
            throw ShardError.io("cannot make the folder: \(error.localizedDescription)").with(.init(path: target))
        }
        return shards.map { ($0, FolderListing.join(target, URL(fileURLWithPath: $0).lastPathComponent)) }
    }

    private struct Report: Encodable {
        struct Shard: Encodable {
            var path: String
            var rows: Int
            var bytesBefore: UInt64
            var bytes: UInt64
        }
        var shards: [Shard]
        var seconds: Double
    }
}
