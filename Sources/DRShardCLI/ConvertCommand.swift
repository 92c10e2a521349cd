internal import ArgumentParser
internal import DRConvert
internal import DRShardFormat
internal import Foundation

struct ConvertCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "convert",
        abstract: "Convert tars of the DataCompDR layout into shards.",
        discussion: """
            Reads `.pth.gz` (bfloat16) and `.npz` (float32) tars and writes one shard for each into the output folder. \
            float32 becomes bfloat16, to nearest and ties to even, unless --keep-f32 is given. A report of what was \
            done and skipped is written beside the shards, as report.json.

            CLIP's vocabulary is the file bpe_simple_vocab_16e6.txt.gz of the Python package open_clip_torch; \
            without it texts are stored, and no tokens.

            Whether a teacher's embeddings are normalised, and magnitudes that are not in the published recipe, are \
            taken from the first samples. To add to a set that was converted before, give one of its shards with \
            --schema-from: shards of one set have one schema.
            """)

    @Argument(help: "Tars, or folders of tars.", completion: .file(extensions: ["tar"]))
    var inputs: [String]

    @Option(name: .shortAndLong, help: "The folder for the shards; it is made if it is not there.")
    var output: String

    @Option(help: "A folder of tars with the real captions and images, joined by uid.")
    var captions: String?

    @Option(help: "CLIP's vocabulary, bpe_simple_vocab_16e6.txt.gz.")
    var tokenizer: String?

    @Flag(name: .customLong("keep-f32"), help: "Keep float32 embeddings as they are.")
    var keepsFloat32 = false

    @Option(help: "What becomes of joined images: store (their bytes), locate (where they lie) or none.")
    var images = ConvertOptions.Images.store

    @Option(
        help: "What to do about bad input: stop, or skip and count it. A tar of which nothing is left gets no shard.")
    var onError = ConvertOptions.OnError.stop

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

    @Option(help: "What made the synthetic captions.")
    var captioner: String?

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
        if allowMissingCaptions && captions == nil {
            throw ValidationError("--allow-missing-captions is for --captions.")
        }
    }

    func run() throws {
        var options = ConvertOptions(inputs: inputs, output: output)
        options.captions = captions
        options.tokenizer = tokenizer
        options.keepsFloat32 = keepsFloat32
        options.images = images
        options.onError = onError
        options.allowsMissingCaptions = allowMissingCaptions
        options.schemaShard = schemaShard
        options.teachers = teachers.map(\.slice)
        options.captioner = captioner
        options.sources = licences.map(\.source)
        options.exchangeableViews = exchangeableViews ? .yes : .unknown
        options.exchangeableCaptions = exchangeableCaptions ? .yes : .unknown
        options.rowsPerGroup = rowsPerGroup
        options.storage = storage.named
        options.bf16Storage = storage.encoding
        let bar = ProgressBar("converting")
        let report = try ConvertCommand.convert(options, bar)
        bar.end()
        let output = ConvertOutput(report, seconds: bar.elapsed)
        try output.write(to: self.output + "/report.json")
        if json { return try Console.json(output) }
        try Console.line(
            "\(report.rowCount) rows in \(report.shards.count) shards, \(Console.bytes(report.inputByteCount)) read, "
                + "\(Console.bytes(report.outputByteCount)) written, \(Console.decimal(bar.elapsed, 1)) s")
        for warning in report.warnings { Console.error("warning: \(warning)") }
        for skipped in report.skipped.prefix(10) { Console.error("skipped \(skipped.what): \(skipped.why)") }
        if report.skipped.count > 10 {
            Console.error("... and \(report.skipped.count - 10) more, in \(self.output)/report.json")
        }
    }
}

extension ConvertCommand {
    private static func convert(_ options: ConvertOptions, _ bar: ProgressBar) throws -> ConvertReport {
        let result = Result { () throws(ShardError) in
            try Converter.run(options) { rows, bytes, total in
                bar.update(bytes, of: total) {
                    "\(rows) rows, \(Console.decimal(Double(rows) / bar.elapsed, 0)) rows/s, "
                        + "\(Console.decimal(Double(bytes) / bar.elapsed / 1e6, 0)) MB/s"
                }
            }
        }
        // A tar, zip or pickle that is more than a data set needs is bad input, and no newer format of ours.
        if case .failure(let error) = result, error.code == .unsupportedFeature {
            try Console.flush()
            Console.error("drshard: \(error)")
            throw ExitCode(ExitStatus.damaged.rawValue)
        }
        return try result.get()
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

struct LicenceArgument: ExpressibleByArgument {
    let source: Source
    init?(argument: String) {
        guard let split = argument.firstIndex(of: "="), split > argument.startIndex else { return nil }
        source = Source(name: String(argument[..<split]), licence: String(argument[argument.index(after: split)...]))
    }
}

/// The report as JSON.
struct ConvertOutput: Encodable {
    struct Skipped: Encodable {
        var what: String
        var why: String
    }
    var shards: [String]
    var rows: Int
    var inputBytes: UInt64
    var outputBytes: UInt64
    var seconds: Double
    var skipped: [Skipped]
    var warnings: [String]
    var unpairedCaptions: Int
    var captionsMissing: Int
    var rowsWithoutCaption: Int
    var doubtfulTexts: [String: Int]
    var overlongTexts: Int
    var loneSurrogates: Int
    var crops: Int
    var cropsOutsideOriginal: Int
    var cropsOutsideImage: Int
    var images: Int
    var resizedImages: Int

    init(_ report: ConvertReport, seconds: Double) {
        shards = report.shards
        rows = report.rowCount
        inputBytes = report.inputByteCount
        outputBytes = report.outputByteCount
        self.seconds = seconds
        skipped = report.skipped.map { Skipped(what: $0.what, why: $0.why) }
        warnings = report.warnings
        unpairedCaptions = report.unpairedCaptions
        captionsMissing = report.captionsMissing
        rowsWithoutCaption = report.rowsWithoutCaption
        doubtfulTexts = report.doubtfulTexts
        overlongTexts = report.overlongTexts
        loneSurrogates = report.loneSurrogates
        crops = report.cropCount
        cropsOutsideOriginal = report.cropsOutsideOriginal
        cropsOutsideImage = report.cropsOutsideImage
        images = report.imageCount
        resizedImages = report.resizedImages
    }

    func write(to path: String) throws(ShardError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        do { try encoder.encode(self).write(to: URL(fileURLWithPath: path), options: .atomic) } catch {
            throw ShardError.io("cannot write the report: \(error.localizedDescription)").with(.init(path: path))
        }
    }
}
