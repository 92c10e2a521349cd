internal import ArgumentParser
internal import DRConvert
internal import DRShardFormat
internal import Foundation

struct ConvertCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "convert",
        abstract: "Convert tars of the DataCompDR layout, or arrays, into shards.",
        discussion: """
            Reads `.pth.gz` (bfloat16) and `.npz` (float32) tars and writes one shard for each into the output folder. \
            float32 becomes bfloat16, to nearest and ties to even, unless --keep-f32 is given. A report of what was \
            done and skipped is written beside the shards, as report.json.

            Arrays (--from arrays) are a folder of .npy files, an .npz or a .safetensors for each shard, or a folder of \
            such, as `export` writes them: image_emb [N, A, D]; text_emb [N, 1 + S, D], or [N, 1, D] with syn_text_emb \
            [N, S, D] apart; NAME_bf16 holds bits of bfloat16, NAME_state says what is there (0), absent (1) or lost (2); \
            uids, or uid. Beside them NAME.jsonl (in a folder of .npy also rows.jsonl) may have a line for each row: uid, \
            sha256, url, text, syn_text, param_aug, original_width, original_height; other fields are ignored. Arrays of \
            other names are errors, unless --columns says what they are. Arrays of tokens are only compared with what \
            --tokenizer makes of the texts.

            CLIP's vocabulary is the file bpe_simple_vocab_16e6.txt.gz of the Python package open_clip_torch; \
            without it texts are stored, and no tokens.

            Whether a teacher's embeddings are normalised, and magnitudes that are not in the published recipe, are \
            taken from the first samples. To add to a set that was converted before, give one of its shards with \
            --schema-from: shards of one set have one schema.
            """)

    @Argument(
        help: "Tars or arrays, folders of them, patterns in quotes, or @FILE, a list of them, one a line.",
        completion: .file(extensions: ["tar", "npz", "safetensors"]))
    var inputs: [String] = []

    @Option(name: .shortAndLong, help: "The folder for the shards; it is made if it is not there.")
    var output: String?

    @OptionGroup var arrays: ArrayArguments

    @Option(help: "Inputs that are converted at once, each by one thread that decodes and one that packs.")
    var jobs = 1

    @Flag(
        help: ArgumentHelp(
            "Go on with a conversion that was stopped.",
            discussion: "Shards that are there are kept, if they are of these inputs and options; others are made."))
    var resume = false

    @Flag(help: "Read every shard and its input again, and compare all cells, bit for bit.")
    var verify = false

    @Flag(help: "Look at the first samples, and print what would be made of them; write nothing.")
    var dryRun = false

    @Option(help: "A folder of tars, or of loose files, with the real captions and images, joined by uid.")
    var captions: String?

    @Flag(
        name: .customLong("captions-by-name"),
        help: "Look for a caption in the tar of the input's name alone: no memory for others, however many there are.")
    var captionsByName = false

    @Option(help: "CLIP's vocabulary, bpe_simple_vocab_16e6.txt.gz.")
    var tokenizer: String?

    @Flag(name: .customLong("keep-f32"), help: "Keep float32 embeddings as they are.")
    var keepsFloat32 = false

    @Option(help: "What becomes of joined images: store (their bytes), locate (where they lie) or none.")
    var images = ConvertOptions.Images.store

    @Option(
        help: "What to do about bad input: stop, or skip and count it. A tar of which nothing is left gets no shard.")
    var onError = ConvertOptions.OnError.stop

    @Option(
        name: .customLong("text-rows"),
        help: ArgumentHelp(
            "Which rows of text_emb are what, such as real=0,syn=2-6.",
            discussion: "Needed only where it has another number of rows than captions, and equal rows do not say why.",
            valueName: "rows"))
    var textRows: TextRows?

    @Option(
        name: .customLong("optional"),
        help: "A member that samples may lack: json, url.txt, syn.json or paug.json; once for each.")
    var optionalMembers: [String] = []

    @Flag(
        help: ArgumentHelp(
            "Move crop boxes from pixels of the original to those of the image that is there.",
            discussion: "For images that were resized after the crops were drawn."))
    var rescaleCrops = false

    @Flag(help: "Keep samples that have no real caption, with absent cells; without it they are bad input.")
    var allowMissingCaptions = false

    @Option(
        name: .customLong("schema-from"),
        help:
            "A shard whose schema, teachers and licences included, the new shards get, so that they belong to its set.",
        completion: .file(extensions: ["drs"]))
    var schemaShard: String?

    @Option(
        name: .customLong("teacher"),
        help: "A teacher and its part of the embeddings, as NAME:FIRST:COUNT[:LOGIT-SCALE]; once for each.")
    var teachers: [TeacherArgument] = []

    @Option(
        name: .customLong("captioner"),
        help: "What made the synthetic captions, as NAME, or KEY=NAME where there are several sets; once for each.")
    var captioners: [CaptionerArgument] = []

    @Option(name: .customLong("licence"), help: "A source and its licence, as NAME=LICENCE; once for each.")
    var licences: [LicenceArgument] = []

    @Flag(help: "Views are independent draws: a loader may treat their numbers as meaningless.")
    var exchangeableViews = false

    @Flag(help: "Synthetic captions are independent draws.")
    var exchangeableCaptions = false

    @Option(help: "Rows of a row group; without it they are chosen from a budget of 128 MiB.")
    var rowsPerGroup: Int?

    @OptionGroup var storage: StorageOptions

    @Flag(help: "Print the report as JSON.")
    var json = false

    func validate() throws {
        guard !arrays.printColumnsExample else { return }
        guard !inputs.isEmpty else { throw ValidationError("Missing expected argument '<inputs> ...'") }
        guard output != nil else { throw ValidationError("Missing expected argument '--output <output>'") }
        if (allowMissingCaptions || captionsByName) && captions == nil {
            throw ValidationError("--allow-missing-captions and --captions-by-name are for --captions.")
        }
        guard jobs >= 1 else { throw ValidationError("--jobs is at least 1.") }
        let members = ["json", "url.txt", "syn.json", "paug.json"]
        guard optionalMembers.allSatisfy(members.contains) else {
            throw ValidationError("--optional is one of \(members.joined(separator: ", ")).")
        }
    }

    func run() throws {
        guard !arrays.printColumnsExample else { return try Console.line(ColumnsFile.example) }
        var options = options()
        try arrays.add(to: &options)
        if dryRun {
            return try ConvertCommand.reading { () throws(ShardError) in try DryRun(options) }.print(json: json)
        }
        let bar = ProgressBar("converting")
        let report = try ConvertCommand.reading { () throws(ShardError) in
            try Converter.run(options) { rows, bytes, total in
                bar.update(bytes, of: total) {
                    "\(rows) rows, \(Console.decimal(Double(rows) / bar.elapsed, 0)) rows/s, "
                        + "\(Console.decimal(Double(bytes) / bar.elapsed / 1e6, 0)) MB/s"
                }
            }
        }
        bar.end()
        let output = ConvertOutput(report, seconds: bar.elapsed)
        try output.write(to: options.output + "/report.json")
        if json { try Console.json(output) } else { try show(report, in: options.output, seconds: bar.elapsed) }
        guard report.rowCount == 0, report.counts.leftOut > 0 else { return }
        try Console.flush()
        Console.error("drshard: all samples were left out; the report says why")
        throw ExitCode(ExitStatus.damaged.rawValue)
    }

    private func options() -> ConvertOptions {
        var options = ConvertOptions(inputs: inputs, output: output ?? "")
        options.captions = captions
        options.pairsByName = captionsByName
        options.tokenizer = tokenizer
        options.keepsFloat32 = keepsFloat32
        options.images = images
        options.rescalesCrops = rescaleCrops
        options.textRows = textRows
        options.optionalMembers = Set(optionalMembers)
        options.onError = onError
        options.allowsMissingCaptions = allowMissingCaptions
        options.schemaShard = schemaShard
        options.teachers = teachers.map(\.slice)
        options.captioners = captioners.map(\.captioner)
        options.sources = licences.map(\.source)
        options.exchangeableViews = exchangeableViews ? .yes : .unknown
        options.exchangeableCaptions = exchangeableCaptions ? .yes : .unknown
        options.rowsPerGroup = rowsPerGroup
        options.storage = storage.named
        options.bf16Storage = storage.encoding
        options.jobs = jobs
        options.resumes = resume
        options.verifies = verify
        return options
    }

    private func show(_ report: ConvertReport, in output: String, seconds: Double) throws {
        let resumed = report.resumedShardCount == 0 ? "" : " (\(report.resumedShardCount) were there)"
        try Console.line(
            "\(report.rowCount) rows in \(report.shards.count) shards\(resumed), "
                + "\(Console.bytes(report.inputByteCount)) read, \(Console.bytes(report.outputByteCount)) written, "
                + "\(Console.decimal(seconds, 1)) s")
        if report.verifiedRowCount > 0 {
            try Console.line("\(report.verifiedRowCount) rows were read again, and are equal to the source bit for bit")
        }
        for cost in report.counts.precision {
            try Console.line(
                "bfloat16 cost \(cost.name): 1 - cosine \(cost.mean) on average, \(cost.largest) at most, of \(cost.count) embeddings"
            )
        }
        for warning in report.warnings { Console.error("warning: \(warning)") }
        for skipped in report.skipped.prefix(10) { Console.error("skipped \(skipped.what): \(skipped.why)") }
        if report.skipped.count > 10 {
            Console.error("... and \(report.skipped.count - 10) more, in \(output)/report.json")
        }
    }
}

extension ConvertCommand {
    /// Runs `work`, which reads foreign files.
    private static func reading<Result>(_ work: () throws(ShardError) -> Result) throws -> Result {
        do throws(ShardError) { return try work() } catch {
            // A tar, zip or pickle that is more than a data set needs is bad input, and no newer format of ours.
            guard error.code == .unsupportedFeature else { throw error }
            try Console.flush()
            Console.error("drshard: \(error)")
            throw ExitCode(ExitStatus.damaged.rawValue)
        }
    }
}

extension ConvertOptions.Images: ExpressibleByArgument {}
extension ConvertOptions.OnError: ExpressibleByArgument {}

struct TeacherArgument: ExpressibleByArgument {
    let slice: ConvertOptions.TeacherSlice

    /// NAME may hold colons itself: the numbers are taken from the end.
    init?(argument: String) {
        let parts = argument.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        func make(_ name: ArraySlice<String>, _ first: String, _ count: String, _ scale: String?) -> ConvertOptions
            .TeacherSlice?
        {
            guard !name.isEmpty, let first = Int(first), let count = Int(count), first >= 0, count > 0 else {
                return nil
            }
            let logitScale = scale.flatMap(Double.init)
            guard scale == nil || logitScale != nil else { return nil }
            return .init(name: name.joined(separator: ":"), first: first, count: count, logitScale: logitScale)
        }
        let n = parts.count
        if n >= 4, let slice = make(parts[..<(n - 3)], parts[n - 3], parts[n - 2], parts[n - 1]) {
            self.slice = slice; return
        }
        if n >= 3, let slice = make(parts[..<(n - 2)], parts[n - 2], parts[n - 1], nil) { self.slice = slice; return }
        return nil
    }
}

extension TextRows: ExpressibleByArgument {}

struct CaptionerArgument: ExpressibleByArgument {
    let captioner: ConvertOptions.NamedCaptioner

    /// Keys of captions begin with `syn_text`; a name may hold an equals sign itself.
    init?(argument: String) {
        guard !argument.isEmpty else { return nil }
        if argument.hasPrefix("syn_text"), let split = argument.firstIndex(of: "=") {
            let name = String(argument[argument.index(after: split)...])
            guard !name.isEmpty else { return nil }
            captioner = .init(key: String(argument[..<split]), name: name)
        } else {
            captioner = .init(key: nil, name: argument)
        }
    }
}

struct LicenceArgument: ExpressibleByArgument {
    let source: Source
    init?(argument: String) {
        guard let split = argument.firstIndex(of: "="), split > argument.startIndex else { return nil }
        source = Source(name: String(argument[..<split]), licence: String(argument[argument.index(after: split)...]))
    }
}
