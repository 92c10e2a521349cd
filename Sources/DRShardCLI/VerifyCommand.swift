internal import ArgumentParser
internal import DRLoader
internal import DRShard
internal import DRShardFormat

struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check shards: structure, every checksum, all padding.",
        discussion: """
            Prints what is wrong, one finding a line: file, row group, column, page, byte position, what. A finding of a \
            folder says that its shards, each sound, do not belong together.
            """)

    @Argument(help: "Shards, or folders of shards.", completion: .file(extensions: ["drs"]))
    var paths: [String]

    @Flag(help: "Check structure alone: the footer, all indexes and group blocks.")
    var fast = false

    @Flag(help: "Also decode every value, and compare the digests.")
    var decode = false

    @Option(
        help: "Write the rows of a damaged data set that cannot be read to this list, which `load` and trainers take.",
        completion: .file())
    var quarantine: String?

    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        if quarantine != nil && (paths.count != 1 || fast) {
            throw ValidationError("--quarantine is for one data set, and not with --fast.")
        }
        if fast && decode { throw ValidationError("--fast and --decode exclude each other.") }
    }

    func run() throws {
        let depth: ShardVerifier.Depth = fast ? .fast : decode ? .decode : .full
        var results: [Result] = []
        var errors: [ShardError] = []
        func add(_ path: String, _ findings: [ShardError]) throws(ShardError) {
            errors += findings
            results.append(Result(path: path, findings: findings.map(Finding.init)))
            if !json { try report(path, findings) }
        }
        for path in paths {
            let shards: [String]
            do throws(ShardError) { shards = try DataSet.shardPaths(path) } catch {
                // The other paths are still to be verified.
                try add(path, [error])
                continue
            }
            var allAreSound = true
            for shard in shards {
                let bar = ProgressBar(shard)
                let findings = ShardVerifier.verify(path: shard, depth: depth) { bar.update($0, of: $1) }
                bar.end()
                allAreSound = allAreSound && findings.isEmpty
                try add(shard, findings)
            }
            let isFolder = shards != [path]
            guard isFolder, allAreSound else { continue }
            // Sound shards may still not belong together.
            do throws(ShardError) { _ = try DataSet(path: path) } catch { try add(path, [error]) }
        }
        if json { try Console.json(results) }
        try Console.flush()
        if let quarantine { try writeQuarantine(quarantine, isSound: errors.isEmpty) }
        let status = ExitStatus.of(errors)
        guard status == .ok else { throw ExitCode(status.rawValue) }
    }

    /// Shards are read by their footers here: one that has none must be repaired first.
    private func writeQuarantine(_ path: String, isSound: Bool) throws(ShardError) {
        let dataSet = try DataSet(path: paths[0])
        var rows: Set<Int> = []
        for (number, shard) in dataSet.shards.enumerated() where !isSound {
            rows.formUnion(shard.unreadableRows().map { dataSet.firstRows[number] + $0 })
        }
        let list = Quarantine(rowSetDigest: dataSet.rowSetDigest, rows: rows)
        try LoaderArguments.write(list, to: path)
        Console.error("\(rows.count) rows of \(dataSet.rowCount) cannot be read; they stand in \(path)")
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
