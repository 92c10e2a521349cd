internal import DRShard
package import DRShardFormat
internal import Synchronization

/// Writes shards in formats that others read: one output for each shard, of its name.
package final class Exporter: Sendable {
    /// Called, on any thread, with what is done and all there is, in rows of tables.
    package typealias Progress = @Sendable (_ done: Int, _ total: Int) -> Void

    /// One file or folder.
    private struct Output {
        let reader: ShardReader
        let format: ExportOptions.Format
        let path: String
    }

    private let options: ExportOptions
    private let outputs: [Output]
    private let layout: DataCompDRLayout?
    private let progress: Progress?
    private let total: Int
    private let done = Mutex(0)

    /// Runs an export.
    ///
    /// - Parameter source: a shard, or a folder of shards of one set.
    /// - Throws: `.invalidArgument` for what the format cannot hold, named, unless that may be given up; `.io` if an
    ///   output exists and the run does not resume; errors of the shards. No unfinished output keeps a name.
    /// Cost: memory for a few blocks of 16 MiB for each job, whatever the sizes of the shards.
    package static func run(
        _ source: String, _ options: ExportOptions, progress: Progress? = nil
    ) throws(ShardError) -> ExportReport {
        try options.check()
        let set = try DataSet(path: source)
        var report = ExportReport()
        report.rowCount = set.rowCount
        let exporter = try Exporter(set, options, progress: progress, &report)
        try exporter.run(&report)
        return report
    }

    private init(
        _ set: DataSet, _ options: ExportOptions, progress: Progress?, _ report: inout ExportReport
    ) throws(ShardError) {
        self.options = options
        self.progress = progress
        layout =
            options.format == .datacompdr ? try DataCompDRLayout(set.schema, options, &report.losses) : nil
        var outputs: [Output] = []
        var total = 0
        for reader in set.shards {
            for format in options.withJSONLines ? [options.format, .jsonl] : [options.format] {
                let path = Exporter.path(of: reader.path, format, options)
                if options.resumes, ExportFile.isThere(path) {
                    report.alreadyThere.append(path)
                    continue
                }
                // Better now than after hours of work.
                try AtomicFile.checkAbsence(of: path)
                outputs.append(Output(reader: reader, format: format, path: path))
                let plan = format.isArrays ? try ArrayPlan(reader, options).arrays.count : 1
                total += plan * reader.rowCount
            }
        }
        Exporter.nameRest(set.schema, options, &report.losses)
        self.outputs = outputs
        self.total = total
        try TarFolder.makeFolder(options.output)
    }

    private static func path(of shard: String, _ format: ExportOptions.Format, _ options: ExportOptions) -> String {
        var name = shard.split(separator: "/").last.map(String.init) ?? shard
        if name.hasSuffix(".drs") { name = String(name.dropLast(4)) }
        let suffix =
            switch format {
            case .datacompdr: ".tar"
            case .npy: ""
            case .npz: ".npz"
            case .safetensors: ".safetensors"
            case .jsonl: ".jsonl"
            }
        return FolderListing.join(options.output, name + suffix)
    }

    /// Columns that neither arrays nor lines have a place for.
    private static func nameRest(_ schema: Schema, _ options: ExportOptions, _ losses: inout ExportLosses) {
        guard options.format != .datacompdr else { return }
        let hasLines = options.format == .jsonl || options.withJSONLines
        for (i, column) in schema.columns.enumerated() {
            var isNumbers = TokenRows(schema, column: i) != nil
            if case .tensor = column.type { isNumbers = true }
            let isInArrays = options.format.isArrays && isNumbers
            let isInLines = hasLines && JSONLinesExport.carries(schema, i, options)
            guard !isInArrays && !isInLines else { continue }
            let isForLines = JSONLinesExport.carries(schema, i, options)
            let how =
                isForLines
                ? " (--with-jsonl carries it)"
                : hasLines && isNumbers && column.role == .tokens
                    ? " (--tokens carries it)" : ""
            losses.leaveOut("column \"\(column.name)\"" + how)
        }
    }

    private func run(_ report: inout ExportReport) throws(ShardError) {
        let results = Mutex([Int: (file: ExportReport.File, losses: ExportLosses)]())
        try WorkerThreads.run(count: outputs.count, threadCount: options.jobs) { i throws(ShardError) in
            let result = try self.write(self.outputs[i])
            results.withLock { $0[i] = result }
        }
        for (_, result) in results.withLock({ $0 }).sorted(by: { $0.key < $1.key }) {
            report.files.append(result.file)
            report.losses.merge(result.losses)
        }
    }

    private func count(_ rows: Int) {
        let sum = done.withLock { done in
            done += rows
            return done
        }
        progress?(sum, total)
    }

    private func write(_ output: Output) throws(ShardError) -> (file: ExportReport.File, losses: ExportLosses) {
        let reader = output.reader
        var rowCount = reader.rowCount
        let losses: ExportLosses
        switch output.format {
        case .datacompdr:
            guard let layout else { preconditionFailure("tars are written by a layout") }
            var export = DataCompDRExport(layout: layout, options: options)
            rowCount = try ExportFile.write(output.path, resumes: options.resumes) { file throws(ShardError) in
                try export.write(reader, to: file, progress: count)
            }
            losses = export.losses
        case .jsonl:
            var export = try JSONLinesExport(reader, options)
            try ExportFile.write(output.path, resumes: options.resumes) { file throws(ShardError) in
                try export.write(to: file, progress: count)
            }
            losses = export.losses
        case .npy, .npz, .safetensors: losses = try writeArrays(output)
        }
        let byteCount = ExportFile.byteCount(output.path)
        return (.init(path: output.path, byteCount: byteCount, rowCount: rowCount), losses)
    }

    private func writeArrays(_ output: Output) throws(ShardError) -> ExportLosses {
        var files = ArrayFiles(output.reader, try ArrayPlan(output.reader, options))
        switch output.format {
        case .npy:
            try ExportFile.writeFolder(output.path, resumes: options.resumes) { folder throws(ShardError) in
                for array in files.plan.arrays {
                    let path = FolderListing.join(folder, array.name + ".npy")
                    try ExportFile.write(path, resumes: false) { file throws(ShardError) in
                        try files.writeNpy(array, to: file, progress: count)
                    }
                }
            }
        case .npz:
            try ExportFile.write(output.path, resumes: options.resumes) { file throws(ShardError) in
                try files.writeNpz(to: file, progress: count)
            }
        default:
            try ExportFile.write(output.path, resumes: options.resumes) { file throws(ShardError) in
                try files.writeSafetensors(to: file, progress: count)
            }
        }
        return files.losses
    }
}
