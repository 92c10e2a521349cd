internal import DRShard
internal import DRShardFormat
internal import DRText

/// What the conversions of all inputs share.
struct ConversionContext: Sendable {
    let options: ConvertOptions
    let layout: SetLayout
    let reading: ConversionInput.Reading
    let captions: CaptionStore?
    let tokenizer: CLIPTokenizer?
    let ledger: UIDLedger
    let meter: ConversionMeter

    func shardPath(of input: ConversionInput) -> String {
        FolderListing.join(options.output, input.name + ".drs")
    }

    func writerOptions(of input: ConversionInput) throws(ShardError) -> WriterOptions {
        var writerOptions = WriterOptions(shardTag: ShardTag.of(name: input.name + ".drs"))
        writerOptions.rowsPerGroup = layout.rowsPerGroup
        writerOptions.packsBehind = true
        writerOptions.storage = try WriterOptions.storage(
            named: options.storage, bf16: options.bf16Storage, of: layout.schema)
        return writerOptions
    }
}

/// The conversion of one input into one shard. One thread at a time.
struct ShardConversion {
    private let context: ConversionContext
    private let input: ConversionInput
    /// Its place among the inputs.
    private let number: Int
    private var options: ConvertOptions { context.options }
    private var report = ConvertReport()
    private var uids: Set<UInt128> = []
    /// Samples that are left out since a shard before has their uids.
    private var excluded: Set<UInt128> = []
    /// Of a shard that was there before, and is verified: rows that it has not were left out.
    private var storedUIDs: Set<UInt128>?
    /// What was left out first.
    private var firstLeftOut: String?

    private init(_ context: ConversionContext, _ input: ConversionInput, number: Int) {
        self.context = context
        self.input = input
        self.number = number
    }

    /// Converts the input, or takes over the shard that is there.
    /// - Throws: the first error; no file stands under the shard's name then, unless it was there before.
    static func run(
        _ context: ConversionContext, _ input: ConversionInput, number: Int
    ) throws(ShardError) -> ConvertReport {
        var conversion = ShardConversion(context, input, number: number)
        do throws(ShardError) {
            try conversion.run()
            return conversion.report
        } catch {
            context.ledger.fail(number: number)
            throw error
        }
    }

    private mutating func run() throws(ShardError) {
        let path = context.shardPath(of: input)
        if options.resumes {
            try AtomicFile.removeUnfinished(path)
            if let finished = try FinishedShard(path: path, input: input, context: context) {
                try take(finished)
                guard options.verifies else { return }
                // It may have been stopped before it was verified.
                storedUIDs = Set(finished.uids)
                defer { context.captions?.end(input: input.path) }
                try beginCaptions()
                return try verify(path)
            }
        }
        defer { context.captions?.end(input: input.path) }
        do throws(ShardError) { try beginCaptions() } catch { throw options.onError.advised(error) }
        while try !convert(to: path) {}
        report.inputByteCount = input.byteCount
        if options.verifies, !report.shards.isEmpty { try verify(path) }
    }

    private mutating func beginCaptions() throws(ShardError) {
        guard let own = try context.captions?.begin(input: input.path) else { return }
        report.counts.joined[own.name, default: .init()].samples = own.samples
    }

    /// Writes the shard.
    /// - Returns: false if it has uids of shards before it, and has to be written again without them.
    private mutating func convert(to path: String) throws(ShardError) -> Bool {
        let fresh = report
        let file = try AtomicFile(path: path)
        do throws(ShardError) {
            let writer = try ShardWriter(
                sink: file, schema: context.layout.schema, options: try context.writerOptions(of: input))
            try pass(into: writer)
            let ordered = uids.sorted()
            guard let duplicates = context.ledger.duplicates(number: number, ordered) else {
                throw .io("another input has failed")
            }
            if let uid = duplicates.min() {
                guard options.onError == .skip else {
                    throw options.onError.advised(
                        ShardError.schemaMismatch("uid \(uid.uidText) was in an input before").with(
                            .init(path: input.path)))
                }
                writer.discard()
                context.meter.takeBack(input: number)
                report = fresh
                excluded = duplicates
                return false
            }
            if writer.rowCount == 0, report.counts.leftOut > 0 {
                // An empty shard would look like a whole one.
                writer.discard()
                report.comparesAllUIDs = context.ledger.enter([])
                return true
            }
            writer.notes = try notes()
            report.rowCount = try writer.finish().rowCount
            report.comparesAllUIDs = context.ledger.enter(ordered)
        } catch {
            file.discard()
            throw error
        }
        report.shards = [input.name + ".drs"]
        report.outputByteCount = TarFolder.byteCount(path)
        return true
    }

    private func notes() throws(ShardError) -> [Note] {
        var notes = try FinishedShard.notes(of: input, context)
        notes.append(try report.counts.note())
        if let firstLeftOut {
            notes.append(Note(key: "left_out", value: "\(report.counts.leftOut), the first: \(firstLeftOut)"))
        }
        return notes
    }

    private mutating func take(_ finished: FinishedShard) throws(ShardError) {
        let path = context.shardPath(of: input)
        guard let duplicates = context.ledger.duplicates(number: number, finished.uids) else {
            throw .io("another input has failed")
        }
        if let uid = duplicates.min() {
            throw ShardError.schemaMismatch("uid \(uid.uidText) is in a shard before it; remove it to convert it again")
                .with(.init(path: path))
        }
        report.comparesAllUIDs = context.ledger.enter(finished.uids)
        report.counts = finished.counts
        report.rowCount = finished.uids.count
        report.shards = [input.name + ".drs"]
        report.resumedShardCount = 1
        report.inputByteCount = input.byteCount
        report.outputByteCount = TarFolder.byteCount(path)
        context.meter.set(input: number, rows: report.rowCount, bytes: input.byteCount)
    }

    // MARK: Rows

    /// Puts all rows of the input into a sink.
    private mutating func pass<Sink: RowSink>(into sink: Sink) throws(ShardError) {
        uids = []
        firstLeftOut = nil
        var converter = RowConverter(
            layout: context.layout, options: options, encoder: context.tokenizer?.makeEncoder())
        let source: any RowSource
        do throws(ShardError) { source = try input.source(context.reading) } catch {
            return try skipOrThrow(error, what: input.path, part: "all")
        }
        while true {
            do throws(ShardError) {
                guard let row = try source.next() else { break }
                try set(row, source, &converter, sink)
            } catch {
                guard !sink.hasFailed, !isAboutSink(error, sink) else { throw error }
                guard source.canGoOn else {
                    // Behind damage of the input itself nothing can be found.
                    return try skipOrThrow(
                        error, what: "the rest of \(input.path), after \(sink.rowCount) samples",
                        part: "all after \(sink.rowCount) rows")
                }
                try skipOrThrow(
                    error, what: "\(input.path): " + (source.rowName.map { "sample \($0)" } ?? "a sample"),
                    part: "a sample")
            }
            context.meter.set(input: number, rows: sink.rowCount, bytes: source.doneByteCount)
        }
    }

    /// What is wrong with the output will not be better with the next sample.
    private func isAboutSink<Sink: RowSink>(_ error: ShardError, _ sink: Sink) -> Bool {
        error.code == .limitExceeded && error.context.path == sink.path
    }

    private mutating func set<Sink: RowSink>(
        _ given: SourceRow, _ source: any RowSource, _ converter: inout RowConverter, _ sink: Sink
    ) throws(ShardError) {
        // Counts of a row that fails are not the set's.
        var counts = report.counts
        do throws(ShardError) {
            var row = given
            let uid = try UInt128(uid: row.uid)
            guard !uids.contains(uid), !excluded.contains(uid) else {
                throw .schemaMismatch("this uid was there before")
            }
            try join(&row, uid, &counts)
            try converter.set(row, in: sink, counts: &counts)
            if let storedUIDs, !storedUIDs.contains(uid) { throw .schemaMismatch("this uid was there before") }
            try sink.endRow()
            report.counts = counts
            uids.insert(uid)
        } catch {
            sink.discardRow()
            guard !sink.hasFailed, !isAboutSink(error, sink) else { throw error }
            let named = ShardError(error.code, "sample \(given.uid): \(error.reason)", context: error.context)
            // The place of a caption is in its own file.
            throw error.context.path == nil ? named.with(.init(path: input.path, position: source.rowPosition)) : named
        }
    }

    /// Adds what is joined by uid, where the row has not its own.
    private mutating func join(_ row: inout SourceRow, _ uid: UInt128, _ counts: inout RowCounts) throws(ShardError) {
        guard let captions = context.captions else { return }
        do throws(ShardError) {
            if let (sample, container) = try captions.sample(uid: uid, input: input.path) {
                counts.joined[container, default: .init()].uses += 1
                if let own = row.sha256, let other = sample.sha256, own != other { counts.hashesDiffer += 1 }
                row.caption = row.caption ?? sample.caption
                row.image = row.image ?? sample.image
                row.originalSize = row.originalSize ?? sample.originalSize
                row.sha256 = row.sha256 ?? sample.sha256
                row.loneSurrogateCount += sample.loneSurrogateCount
            }
        } catch {
            // A caption that cannot be read is none, where none is good enough.
            guard options.onError == .skip, options.allowsMissingCaptions, error.code != .io else {
                if options.onError == .skip { report.counts.captionsMissing += 1 }
                throw error
            }
            list(.init(what: "caption sample \(uid.uidText)", why: error.description))
            counts.leftOut += 1
        }
        if row.caption == nil, !options.allowsMissingCaptions {
            report.counts.captionsMissing += 1
            throw .schemaMismatch("there is no caption for it; --allow-missing-captions keeps such rows")
        }
    }

    /// - Parameter part: what is left out of the shard, without the names of this machine's folders.
    private mutating func skipOrThrow(_ error: ShardError, what: String, part: String) throws(ShardError) {
        // What the system cannot read is no bad input: it may be there the next time.
        guard options.onError == .skip, error.code != .io else { throw options.onError.advised(error) }
        list(.init(what: what, why: error.description))
        report.counts.leftOut += 1
        firstLeftOut = firstLeftOut ?? "\(part): \(error.code): \(error.reason)"
    }

    /// Lists what is left out: the first of an input; all are counted.
    private mutating func list(_ skipped: ConvertReport.Skipped) {
        if report.skipped.count < Self.maximumListedCount { report.skipped.append(skipped) }
    }

    private static let maximumListedCount = 1000

    // MARK: Verification

    /// Reads the source again, and compares every cell with the shard that was made of it.
    /// - Throws: `.corrupt` naming the cell that differs: the shard is then renamed to `NAME.rejected`. What reading the
    ///   source throws: the shard stays, unverified.
    private mutating func verify(_ path: String) throws(ShardError) {
        let found = report
        let comparison = RowComparison(try ShardReader(path: path))
        report = ConvertReport()
        report.counts.joined = found.counts.joined.mapValues { .init(samples: $0.samples) }.filter {
            $0.value.samples > 0
        }
        do throws(ShardError) { try pass(into: comparison) } catch {
            guard comparison.hasFailed else { throw error }
            try FinishedShard.reject(path, since: error)
        }
        // Whether a sample that is left out for its uid has a caption is not asked twice.
        report.counts.captionsMissing = found.counts.captionsMissing
        guard comparison.rowCount == found.rowCount, report.counts == found.counts else {
            try FinishedShard.reject(
                path,
                since: ShardError.corrupt(
                    "read again, the source gives \(comparison.rowCount) rows, \(found.rowCount) are stored, or other counts"
                ).with(.init(path: path)))
        }
        report = found
        report.verifiedRowCount = comparison.rowCount
    }
}
