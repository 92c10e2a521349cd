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
    private var seenUIDs = UIDSet()
    /// Of all inputs; read only when a caption has no sample in the input that its tar belongs to.
    private var inputUIDs: UIDSet?
    /// What was left out of the open shard: how many samples or ends of tars, and the first of them.
    private var leftOut: (count: Int, first: String)?
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
            throw ShardError.invalidArgument("two inputs have this name; their shards would have one name too").with(
                .init(path: input))
        }
        var tokenizer: CLIPTokenizer?
        var record: Tokenizer?
        if let path = options.tokenizer {
            let bytes = try TarFolder.readFile(path)
            do throws(ShardError) { tokenizer = try CLIPTokenizer(vocabulary: bytes) } catch {
                throw error.with(.init(path: path))
            }
            record = tokenizer.map { Converter.record(of: $0, file: bytes) }
        }
        captions =
            if let folder = options.captions { try CaptionStore(folder: folder, onError: options.onError) } else { nil }
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
        report.unpairedCaptions = captions?.unusedCount() ?? 0
    }

    private func shardPath(of input: String) -> String {
        FolderListing.join(options.output, TarFolder.name(of: input) + ".drs")
    }

    private mutating func convert(_ input: String) throws(ShardError) {
        let name = TarFolder.name(of: input) + ".drs"
        let path = shardPath(of: input)
        var writerOptions = WriterOptions(shardTag: ShardTag.of(name: name))
        writerOptions.rowsPerGroup = layout.rowsPerGroup
        writerOptions.storage = try WriterOptions.storage(
            named: options.storage, bf16: options.bf16Storage, of: layout.schema)
        let file = try AtomicFile(path: path)
        leftOut = nil
        do throws(ShardError) {
            let writer = try ShardWriter(sink: file, schema: layout.schema, options: writerOptions)
            do throws(ShardError) { try captions?.begin(input: input) } catch { throw options.onError.advised(error) }
            try convertSamples(input, writer)
            try checkPairing(input)
            report.skipped += captions?.takeSkipped() ?? []
            seenUIDs.pack()
            if writer.rowCount == 0, leftOut != nil {
                // An empty shard would look like a whole one.
                file.discard()
                return
            }
            writer.notes = [Note(key: "source", value: TarFolder.name(of: input) + ".tar")]
            if let leftOut {
                writer.notes.append(Note(key: "left_out", value: "\(leftOut.count), the first: \(leftOut.first)"))
            }
            report.rowCount += try writer.finish().rowCount
        } catch {
            file.discard()
            throw error
        }
        report.shards.append(name)
        report.outputByteCount += TarFolder.byteCount(path)
    }

    /// Every caption sample of the tar that belongs to the input must have been asked for, or be for another input.
    private mutating func checkPairing(_ input: String) throws(ShardError) {
        guard options.onError == .stop, var unused = captions?.unusedUIDs(), !unused.isEmpty else { return }
        let inputUIDs = inputUIDs ?? Converter.uids(of: options.inputs)
        self.inputUIDs = inputUIDs
        unused.removeAll { inputUIDs.contains($0) }
        guard let first = unused.first else { return }
        let why =
            "\(unused.count) caption samples, the first of them \(first.uidText), have no sample in this tar or another"
        throw options.onError.advised(ShardError.schemaMismatch(why).with(.init(path: input)))
    }

    /// The uids that the headers of tars name. A tar that cannot be read is reported when it is converted.
    private static func uids(of inputs: [String]) -> UIDSet {
        var uids = UIDSet()
        for input in inputs {
            guard let tar = try? TarReader(path: input, blockByteCount: 1 << 14) else { continue }
            let reader = SampleGroupReader(tar, readsBytes: false)
            while let group = try? reader.next() {
                if let uid = try? UInt128(uid: group.name) { uids.insert(uid) }
            }
            uids.pack()
        }
        return uids
    }

    private mutating func convertSamples(_ input: String, _ writer: ShardWriter) throws(ShardError) {
        let reader: SampleGroupReader
        do throws(ShardError) { reader = SampleGroupReader(try TarReader(path: input)) } catch {
            return try skipOrThrow(error, what: input, part: "all")
        }
        while true {
            let group: SampleGroup
            do throws(ShardError) {
                guard let next = try reader.next() else { return }
                group = next
            } catch {
                if reader.canGoOn {
                    try skipOrThrow(error, what: "\(input): a sample", part: "a sample")
                    continue
                }
                // Behind damage of the tar itself nothing can be found.
                return try skipOrThrow(
                    error, what: "the rest of \(input), after \(writer.rowCount) samples",
                    part: "all after \(writer.rowCount) rows")
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
                    what: "\(input): sample \(group.name)", part: "a sample")
            }
            progress?(
                report.rowCount + writer.rowCount, doneByteCount + (group.members.last?.dataPosition ?? 0),
                totalByteCount)
        }
    }

    private mutating func convert(_ group: SampleGroup, _ writer: ShardWriter) throws(ShardError) {
        let sample = try decoder.decode(group)
        let uid = try UInt128(uid: sample.uid)
        guard !seenUIDs.contains(uid) else { throw .schemaMismatch("this uid was there before") }
        let caption = try caption(of: uid)
        if captions != nil, caption?.caption == nil, !options.allowsMissingCaptions {
            report.captionsMissing += 1
            throw .schemaMismatch("there is no caption for it; --allow-missing-captions keeps such rows")
        }
        // Counts of a row that fails are not the set's.
        var counted = report
        try rowConverter.set(sample, caption: caption, in: writer, report: &counted)
        try writer.endRow()
        report = counted
        seenUIDs.insert(uid)
    }

    private mutating func caption(of uid: UInt128) throws(ShardError) -> CaptionStore.Entry? {
        do throws(ShardError) { return try captions?.entry(uid: uid) } catch {
            // A caption that cannot be read is none, where none is good enough.
            guard options.onError == .skip else { throw error }
            guard options.allowsMissingCaptions else {
                report.captionsMissing += 1
                throw error
            }
            report.skipped.append(.init(what: "caption sample \(uid.uidText)", why: error.description))
            return nil
        }
    }

    /// - Parameter part: what is left out of the shard, without the names of this machine's folders.
    private mutating func skipOrThrow(_ error: ShardError, what: String, part: String) throws(ShardError) {
        guard options.onError == .skip else { throw options.onError.advised(error) }
        report.skipped.append(.init(what: what, why: error.description))
        let first = leftOut?.first ?? "\(part): \(error.code): \(error.reason)"
        leftOut = ((leftOut?.count ?? 0) + 1, first)
    }

    private static func record(of tokenizer: CLIPTokenizer, file: [UInt8]) -> Tokenizer {
        let size = UInt32(tokenizer.vocabularySize)
        return Tokenizer(
            name: "CLIP byte-pair encoding", vocabularySHA256: SHA256.digest(file), vocabularySize: size,
            contextLength: UInt32(CLIPTokenizer.contextLength), start: size - 2, end: size - 1)
    }
}
