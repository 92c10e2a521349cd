internal import ArgumentParser
internal import DRShard
internal import DRShardFormat

struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Show what a shard or a folder of shards holds. Reads only the ends of the files.")

    @Argument(help: "A shard, or a folder of shards.", completion: .file(extensions: ["drs"]))
    var path: String

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        let set = try DataSet(path: path)
        if json { return try Console.json(Summary(set)) }
        try Console.line("\(set.rowCount) rows in \(set.shards.count) shards, row set \(set.rowSetDigest)")
        var rows = [["shard", "format", "tag", "rows", "row groups", "bytes"]]
        for shard in set.shards {
            rows.append([
                shard.path, "\(shard.header.majorVersion).\(shard.header.minorVersion)", hex(shard.header.shardTag),
                String(shard.rowCount), String(shard.footer.groups.count), String(shard.fileByteCount),
            ])
        }
        try Console.table(rows, right: [3, 4, 5])
        try Console.line("")
        try SchemaText.print(set.schema)
    }

    private struct Summary: Encodable {
        struct Shard: Encodable {
            var path: String
            var formatVersion: String
            var tag: String
            var rows: Int
            var rowGroups: Int
            var rowsPerGroup: Int
            var bytes: UInt64
            var rowSetDigest: String
            var contentDigest: String
            var notes: [SchemaOutput.Pair]
        }
        var rows: Int
        var rowSetDigest: String
        var shards: [Shard]
        var schema: SchemaOutput

        init(_ set: DataSet) {
            rows = set.rowCount
            rowSetDigest = set.rowSetDigest.description
            schema = SchemaOutput(set.schema)
            shards = set.shards.map { shard in
                Shard(
                    path: shard.path, formatVersion: "\(shard.header.majorVersion).\(shard.header.minorVersion)",
                    tag: hex(shard.header.shardTag), rows: shard.rowCount, rowGroups: shard.footer.groups.count,
                    rowsPerGroup: shard.header.rowsPerGroup, bytes: shard.fileByteCount,
                    rowSetDigest: shard.footer.rowSetDigest.description, contentDigest: hex(shard.footer.contentDigest),
                    notes: shard.footer.notes.map { SchemaOutput.Pair(key: $0.key, value: $0.value) })
            }
        }
    }
}

struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema",
        abstract: "Show axes, columns and what the numbers mean. Reads only the ends of the files.")

    @Argument(help: "A shard, or a folder of shards.", completion: .file(extensions: ["drs"]))
    var path: String

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        let schema = try DataSet(path: path).schema
        if json { return try Console.json(SchemaOutput(schema)) }
        try SchemaText.print(schema)
    }
}
