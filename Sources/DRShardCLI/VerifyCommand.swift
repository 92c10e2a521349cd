internal import ArgumentParser
internal import DRShard
internal import DRShardFormat

struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check shards: structure, every checksum, all padding.",
        discussion: "Prints what is wrong, one finding a line: file, row group, column, page, byte position, what.")

    @Argument(help: "Shards, or folders of shards.", completion: .file(extensions: ["drs"]))
    var paths: [String]

    @Flag(help: "Check structure alone: the footer, all indexes and group blocks.")
    var fast = false

    @Flag(help: "Also decode every value, and compare the digests.")
    var decode = false

    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        if fast && decode { throw ValidationError("--fast and --decode exclude each other.") }
    }

    func run() throws {
        let depth: ShardVerifier.Depth = fast ? .fast : decode ? .decode : .full
        var results: [Result] = []
        var errors: [ShardError] = []
        for path in paths {
            for shard in try DataSet.shardPaths(path) {
                let bar = ProgressBar(shard)
                let findings = ShardVerifier.verify(path: shard, depth: depth) { bar.update($0, of: $1) }
                bar.end()
                errors += findings
                results.append(Result(path: shard, findings: findings.map(Finding.init)))
                if !json { try report(shard, findings) }
            }
            if errors.isEmpty, let set = try DataSet.shardPaths(path).first, set != path { _ = try DataSet(path: path) }
        }
        if json { try Console.json(results) }
        try Console.flush()
        let status = ExitStatus.of(errors)
        guard status == .ok else { throw ExitCode(status.rawValue) }
    }

    private func report(_ shard: String, _ findings: [ShardError]) throws(ShardError) {
        for finding in findings { try Console.line("\(finding)") }
        try Console.line(findings.isEmpty ? "\(shard): sound" : "\(shard): \(findings.count) findings")
    }

    private struct Result: Encodable {
        var path: String
        var findings: [Finding]
    }

    private struct Finding: Encodable {
        var code: String
        var reason: String
        var rowGroup: Int?
        var column: String?
        var variant: Int?
        var page: Int?
        var row: Int?
        var position: UInt64?

        init(_ error: ShardError) {
            code = error.code.description
            reason = error.reason
            rowGroup = error.context.rowGroup
            column = error.context.column
            variant = error.context.variant
            page = error.context.page
            row = error.context.row
            position = error.context.position
        }
    }
}
