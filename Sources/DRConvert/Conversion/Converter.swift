package import DRShardFormat
internal import DRShard

/// Converts tars of the DataCompDR layout: each becomes a shard of its name.
package struct Converter {
    /// Called with rows and input bytes that are done, and input bytes that there are.
    package typealias Progress = (_ rows: Int, _ bytes: UInt64, _ totalBytes: UInt64) -> Void

    private let options: ConvertOptions
    private let progress: Progress?
    private let layout: SetLayout
    private let captions: CaptionStore?
    private let decoder: DRSampleDecoder
    private var rowConverter: RowConverter
    private var report = ConvertReport()
    private var seenUIDs: Set<String> = []
    private var doneByteCount: UInt64 = 0
    private let totalByteCount: UInt64

    /// Runs a conversion.
    /// - Throws: the first error, with its file and place; under `.skip` only those that concern the whole run. No file
    ///   stands under the name of a shard that was not finished.
    package static func run(_ options: ConvertOptions, progress: Progress? = nil) throws(ShardError) -> ConvertReport {
        var options = options
        var inputs: [String] = []
        for input in options.inputs { inputs += try TarFolder.list(input) }
        options.inputs = inputs
        var converter = try Converter(options, progress: progress)
        try converter.run()
        return converter.report
    }

    private init(_ options: ConvertOptions, progress: Progress?) throws(ShardError) {
        self.options = options
        self.progress = progress
        var names: Set<String> = []
        for input in options.inputs where !names.insert(TarFolder.name(of: input)).inserted {
            throw ShardError.invalidArgument("two inputs have this name; their shards would have one name too").with(.init(path: input))
        }
        var tokenizer: CLIPTokenizer?
        var record: Tokenizer?
        if let path = options.tokenizer {
            let bytes = try TarFolder.readFile(path)
            do throws(ShardError) { tokenizer = try CLIPTokenizer(vocabulary: bytes) } catch { throw error.with(.init(path: path)) }
            record = tokenizer.map { Converter.record(of: $0, file: bytes) }
        }
        captions = if let folder = options.captions { try CaptionStore(folder: folder, onError: options.onError) } else { nil }
        layout = try SetLayout(options: options, tokenizer: record)
        decoder = try DRSampleDecoder()
        rowConverter = RowConverter(layout: layout, options: options, encoder: tokenizer?.makeEncoder())
        totalByteCount = options.inputs.reduce(0) { $0 + TarFolder.byteCount($1) }
    }

    private mutating func run() throws(ShardError) {
        // Better now than after hours of work.
        for input in options.inputs { try AtomicFile.checkAbsence(of: shardPath(of: input)) }
        try TarFolder.makeFolder(options.output)
        for input in options.inputs {
            try convert(input)
            doneByteCount += TarFolder.byteCount(input)
            report.inputByteCount = doneByteCount
        }
    }

    private func shardPath(of input: String) -> String {
        FolderListing.join(options.output, TarFolder.name(of: input) + ".drs")
    }

    private mutating func convert(_ input: String) throws(ShardError) {
        let name = TarFolder.name(of: input) + ".drs"
        let path = shardPath(of: input)
        var writerOptions = WriterOptions(shardTag: Converter.tag(of: name))
        writerOptions.rowsPerGroup = layout.rowsPerGroup
        writerOptions.codecs = try codecs()
        let file = try AtomicFile(path: path)
        do throws(ShardError) {
            let writer = try ShardWriter(sink: file, schema: layout.schema, options: writerOptions)
            try captions?.begin(input: input)
            try convertSamples(input, writer)
            if let unused = captions?.unused(input: input), let first = unused.first {
                report.unpairedCaptions += unused.count
                let why = "\(unused.count) caption samples, the first of them \(first), have no sample in this tar; leave them out with --on-error skip"
                if options.onError == .stop { throw ShardError.schemaMismatch(why).with(.init(path: input)) }
            }
            captions?.end(input: input)
            report.skipped += captions?.takeSkipped() ?? []
            writer.notes = [Note(key: "source", value: TarFolder.name(of: input) + ".tar")]
            report.rowCount += try writer.finish().rowCount
        } catch {
            file.discard()
            throw error
        }
        report.shards.append(name)
        report.outputByteCount += TarFolder.byteCount(path)
    }

    private mutating func convertSamples(_ input: String, _ writer: ShardWriter) throws(ShardError) {
        let reader: SampleGroupReader
        do throws(ShardError) { reader = SampleGroupReader(try TarReader(path: input)) } catch {
            return try skipOrThrow(error, what: input)
        }
        while true {
            let group: SampleGroup
            do throws(ShardError) {
                guard let next = try reader.next() else { return }
                group = next
            } catch {
                if reader.canGoOn {
                    try skipOrThrow(error, what: "\(input): a sample")
                    continue
                }
                // Behind damage of the tar itself nothing can be found.
                return try skipOrThrow(error, what: "the rest of \(input), after \(writer.rowCount) samples")
            }
            do throws(ShardError) { try convert(group, writer) } catch {
                writer.discardRow()
                let position = group.members.first?.dataPosition
                // What is wrong with the output will not be better with the next sample.
                let isGroupTooLarge = error.code == .limitExceeded && error.context.path == writer.path
                guard !writer.hasFailed, !isGroupTooLarge else { throw error }
                try skipOrThrow(
                    ShardError(error.code, "sample \(group.name): \(error.reason)", context: error.context)
                        .with(.init(path: input, position: position)),
                    what: "\(input): sample \(group.name)")
            }
            progress?(report.rowCount + writer.rowCount, doneByteCount + (group.members.last?.dataPosition ?? 0), totalByteCount)
        }
    }

    private mutating func convert(_ group: SampleGroup, _ writer: ShardWriter) throws(ShardError) {
        let sample = try decoder.decode(group)
        guard seenUIDs.insert(sample.uid).inserted else { throw .schemaMismatch("this uid was there before") }
        do throws(ShardError) {
            let caption = try captions?.entry(uid: sample.uid)
            if captions != nil, caption?.caption == nil, options.onError == .stop {
                throw .schemaMismatch("there is no caption for it in \(options.captions ?? ""); go on without with --on-error skip")
            }
            var image: [UInt8]?
            if options.images != .none, let caption { image = try captions?.imageBytes(caption) }
            // Counts of a row that fails are not the set's.
            var counted = report
            try rowConverter.set(sample, caption: caption, image: image, in: writer, report: &counted)
            try writer.endRow()
            report = counted
        } catch {
            seenUIDs.remove(sample.uid)
            throw error
        }
    }

    private mutating func skipOrThrow(_ error: ShardError, what: String) throws(ShardError) {
        guard options.onError == .skip else { throw options.onError.advised(error) }
        report.skipped.append(.init(what: what, why: error.description))
    }

    private func codecs() throws(ShardError) -> [Int: Codec] {
        var codecs: [Int: Codec] = [:]
        for (name, codec) in options.codecs {
            guard let column = layout.schema.columnIndex(named: name) else {
                let names = layout.schema.columns.map(\.name).joined(separator: ", ")
                throw .invalidArgument("there is no column \"\(name)\" to compress; there are \(names)")
            }
            codecs[column] = codec
        }
        return codecs
    }

    private static func record(of tokenizer: CLIPTokenizer, file: [UInt8]) -> Tokenizer {
        let size = UInt32(tokenizer.vocabularySize)
        return Tokenizer(
            name: "CLIP byte-pair encoding", vocabularySHA256: SHA256.digest(file), vocabularySize: size,
            contextLength: UInt32(CLIPTokenizer.contextLength), start: size - 2, end: size - 1)
    }

    /// The same name gives the same tag; names of a set give different ones.
    static func tag(of name: String) -> UInt64 {
        SHA256.digest(Array(name.utf8)).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
}
