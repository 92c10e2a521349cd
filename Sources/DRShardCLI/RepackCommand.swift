internal import ArgumentParser
internal import DRShard
internal import DRShardFormat
internal import Foundation

struct RepackCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repack",
        abstract:
            "Store the same rows otherwise: another encoding, another size of row groups, fewer columns or variants.",
        discussion: """
            Values, row ids, missing cells, tags and notes stay as they are, and so do the digests of all columns that are \
            kept whole, which are compared before a shard appears. Where columns or variants are left out, a note says so. \
            The source is not touched.
            """)

    @Argument(help: "A shard, or a folder of shards.", completion: .file(extensions: ["drs"]))
    var source: String

    @Argument(help: "The new shard, or the folder for the new shards.")
    var target: String

    @OptionGroup var storage: StorageOptions

    @Option(help: "Rows of a row group; without it they stay as they are.")
    var rowsPerGroup: Int?

    @Option(help: "Bytes of values after which a page is closed; without it 1 MiB.")
    var pageBytes: Int?

    @Option(help: "Level of zstd, 1 to 22; without it 3.")
    var level: Int?

    @Option(help: "Keep the first so many variants of every axis of views.")
    var views: Int?

    @Option(help: "Keep the first so many variants of every axis of synthetic captions.")
    var captions: Int?

    @Option(name: .customLong("drop"), help: "Leave out this column; once for each.")
    var dropped: [String] = []

    @OptionGroup var copy: CopyOptions

    func run() throws {
        let options = options()
        let pairs = try pairs()
        let readers = try pairs.map { try ShardReader(path: $0.source) }
        let plans = try zip(readers, pairs).map { try Repacker.plan($0, to: $1.target, options: options) }
        let (written, seconds) = try copy.run(plans, label: "repacking")
        let report = Report(
            shards: zip(readers, written).map { reader, shard in
                Report.Shard(
                    path: shard.path, rows: shard.rowCount, bytesBefore: reader.fileByteCount, bytes: shard.byteCount,
                    wasThere: shard.wasThere)
            }, seconds: seconds)
        if copy.json { return try Console.json(report) }
        let rows = written.reduce(0) { $0 + $1.rowCount }
        let before = report.shards.reduce(0) { $0 + $1.bytesBefore }
        let after = report.shards.reduce(0) { $0 + $1.bytes }
        try Console.line(
            "\(rows) rows in \(pairs.count) shards: \(Console.bytes(before)) became \(Console.bytes(after)), "
                + "\(Console.decimal(seconds, 1)) s")
    }

    private func options() -> RepackOptions {
        var options = RepackOptions()
        options.storage = storage.named
        options.bf16Storage = storage.encoding
        options.rowsPerGroup = rowsPerGroup
        options.pageByteCount = pageBytes
        options.compressionLevel = level
        options.views = views
        options.captions = captions
        options.dropped = dropped
        return options
    }

    /// Which file becomes which; the folders are made.
    private func pairs() throws(ShardError) -> [(source: String, target: String)] {
        let shards = try DataSet.shardPaths(source)
        guard shards != [source] else { return [(source, target)] }
        try CopyOptions.makeFolder(target, source: source)
        return shards.map { ($0, FolderListing.join(target, URL(fileURLWithPath: $0).lastPathComponent)) }
    }

    private struct Report: Encodable {
        struct Shard: Encodable {
            var path: String
            var rows: Int
            var bytesBefore: UInt64
            var bytes: UInt64
            /// Whether an earlier run had made it.
            var wasThere: Bool
        }
        var shards: [Shard]
        var seconds: Double
    }
}
