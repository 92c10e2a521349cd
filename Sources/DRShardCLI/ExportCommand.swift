internal import ArgumentParser
internal import DRConvert
internal import DRShardFormat

struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write shards in formats that others read: DataCompDR tars, NumPy, safetensors, JSON lines.",
        discussion: """
            One output for each shard, of its name, that appears when it is complete; nothing is overwritten.

            datacompdr: NAME.tar, as the released trainer and `convert` read it: .pth.gz for bf16, .npz for f32. With \
            one captioner, syn_text, its embeddings stand behind the real one in text_emb; otherwise each captioner's \
            stand in <key>_emb, as in DFNDR.
            npy, npz: NAME/COLUMN.npy or NAME.npz: every column of numbers as [rows, variants, dims]. NumPy has no \
            bfloat16: it becomes f32, which holds it exactly, or its bits as u2 under COLUMN_bf16. Uids become `uids`, \
            pairs of numbers as DataComp packs them ("u8,u8"), in the order of the rows. Tokens become padded rows of \
            int32, and COLUMN_length.
            safetensors: NAME.safetensors, the same arrays, bf16 as it is, uids as bytes.
            jsonl: NAME.jsonl, an object for each row: ids, url, captions, param_aug, original size.

            A column of numbers that lacks cells gets COLUMN_state beside it in arrays: 0 present, 1 absent, 2 lost. \
            What a format cannot hold is an error that names it; with --lossy it is left out and counted. Columns that \
            are not meant for a format, such as embeddings in jsonl, are named in the report.
            """)

    @Argument(help: "A shard, or a folder of shards.", completion: .file(extensions: ["drs"]))
    var source: String

    @Option(name: .customLong("to"), help: "datacompdr, npy, npz, safetensors or jsonl.")
    var format: ExportOptions.Format

    @Option(name: .shortAndLong, help: "The folder for the outputs; it is made if it is not there.")
    var output: String

    @Option(help: "Element type of embeddings in tars and safetensors: bf16 or f32; without it as stored.")
    var element: Element?

    @Flag(help: "Let --element bf16 round float32, to nearest and ties to even.")
    var allowRounding = false

    @Option(name: .customLong("bf16-as"), help: "What bfloat16 becomes in npy and npz: f32, or u16 (its bits).")
    var bf16As = ExportOptions.BF16As.f32

    @Option(help: "Compression of .pth.gz and .npz in tars, 0 to 12.")
    var level = 6

    @Flag(name: .customLong("with-jsonl"), help: "Write NAME.jsonl beside arrays.")
    var withJSONLines = false

    @Flag(help: "Token ids in jsonl too.")
    var tokens = false

    @Flag(help: "Leave out what the format cannot hold, and count it.")
    var lossy = false

    @Option(help: "Shards that are written at once.")
    var jobs = 1

    @Flag(help: "Leave outputs that are there as they are, and begin unfinished ones again.")
    var resume = false

    @Flag(help: "Print the report as JSON.")
    var json = false

    enum Element: String, ExpressibleByArgument, CaseIterable { case bf16, f32 }

    func validate() throws {
        guard jobs >= 1 else { throw ValidationError("--jobs is at least 1.") }
    }

    func run() throws {
        var options = ExportOptions(format: format, output: output)
        options.element = element.map { $0 == .bf16 ? .bf16 : .f32 }
        options.allowsRounding = allowRounding
        options.bf16As = bf16As
        options.level = level
        options.isLossy = lossy
        options.withJSONLines = withJSONLines
        options.withTokens = tokens
        options.jobs = jobs
        options.resumes = resume
        let bar = ProgressBar("exporting")
        let report = try Exporter.run(source, options) { bar.update(UInt64($0), of: UInt64($1)) }
        bar.end()
        for warning in report.losses.warnings { Console.error("warning: \(warning)") }
        if json { return try Console.json(Report(report, seconds: bar.elapsed)) }
        let rate = Console.decimal(Double(report.byteCount) / max(bar.elapsed, 1e-9) / 1e6, 0)
        let left = report.alreadyThere.isEmpty ? "" : ", \(report.alreadyThere.count) were there"
        try Console.line(
            "\(report.rowCount) rows, \(report.files.count) outputs written\(left), "
                + "\(Console.bytes(report.byteCount)), \(Console.decimal(bar.elapsed, 1)) s, \(rate) MB/s")
    }

    private struct Report: Encodable {
        struct File: Encodable {
            var path: String
            var bytes: UInt64
            var rows: Int
        }
        var rows: Int
        var bytes: UInt64
        var files: [File]
        var alreadyThere: [String]
        /// Columns and facts that the format has no place for.
        var notCarried: [String]
        /// What was left out or is missing, and how often.
        var counts: [String: Int]
        var seconds: Double

        init(_ report: ExportReport, seconds: Double) {
            rows = report.rowCount
            bytes = report.byteCount
            files = report.files.map { File(path: $0.path, bytes: $0.byteCount, rows: $0.rowCount) }
            alreadyThere = report.alreadyThere
            notCarried = report.losses.notCarried
            counts = report.losses.counts
            self.seconds = seconds
        }
    }
}

extension ExportOptions.Format: ExpressibleByArgument {}
extension ExportOptions.BF16As: ExpressibleByArgument {}
