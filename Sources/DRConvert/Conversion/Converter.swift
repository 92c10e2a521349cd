internal import DRShard
package import DRShardFormat
internal import DRText

/// Converts tars of the DataCompDR layout, or units of arrays: each becomes a shard of its name.
package enum Converter {
    /// Called with rows and input bytes that are done, and input bytes that there are; from any thread, one at a time.
    package typealias Progress = @Sendable (_ rows: Int, _ bytes: UInt64, _ totalBytes: UInt64) -> Void

    /// Runs a conversion.
    ///
    /// Equal inputs and options make equal shards and reports, whatever `jobs` is.
    /// - Throws: the first error in the order of the inputs, with its file and place; under `.skip` only those that
    ///   concern the whole run. No file stands under the name of a shard that was not finished.
    package static func run(_ options: ConvertOptions, progress: Progress? = nil) throws(ShardError) -> ConvertReport {
        let (inputs, context) = try prepare(options, progress: progress)
        try TarFolder.makeFolder(options.output)
        let reports = Guarded([ConvertReport?](repeating: nil, count: inputs.count))
        try WorkerThreads.run(count: inputs.count, threadCount: options.jobs) { number throws(ShardError) in
            let report = try ShardConversion.run(context, inputs[number], number: number)
            reports.withLock { $0[number] = report }
        }
        var sum = ConvertReport()
        for report in reports.withLock({ $0 }) { if let report { sum.add(report) } }
        sum.duplicateTextRow = context.reading.textRows.duplicate
        let joined = context.captions?.skipped() ?? []
        sum.skipped += joined
        sum.counts.leftOut += joined.count
        return sum
    }

    /// Lists the inputs, looks at the first rows, and makes what all threads share. Writes nothing.
    static func prepare(
        _ options: ConvertOptions, progress: Progress?
    ) throws(ShardError) -> ([ConversionInput], ConversionContext) {
        let inputs = try ConversionInput.list(options)
        var tokenizer: CLIPTokenizer?
        var record: Tokenizer?
        if let path = options.tokenizer {
            let bytes = try TarFolder.readFile(path)
            do throws(ShardError) { tokenizer = try CLIPTokenizer(vocabulary: bytes) } catch {
                throw error.with(.init(path: path))
            }
            record = tokenizer.map { self.record(of: $0, file: bytes) }
        }
        let captions: CaptionStore? =
            if let folder = options.captions {
                try CaptionStore(folder: folder, onError: options.onError, pairsByName: options.pairsByName)
            } else { nil }
        let probe = try SetProbe(inputs, options: options)
        var reading = probe.reading
        reading.arrays.tokenizer = tokenizer
        let layout = try SetLayout(rows: probe.rows, options: options, tokenizer: record)
        let context = ConversionContext(
            options: options, layout: layout, reading: reading, captions: captions, tokenizer: tokenizer,
            ledger: UIDLedger(), meter: ConversionMeter(inputs, progress))
        // Better now than after hours of work.
        if !options.resumes {
            for input in inputs { try AtomicFile.checkAbsence(of: context.shardPath(of: input)) }
        }
        return (inputs, context)
    }

    private static func record(of tokenizer: CLIPTokenizer, file: [UInt8]) -> Tokenizer {
        let size = UInt32(tokenizer.vocabularySize)
        return Tokenizer(
            name: "CLIP byte-pair encoding", vocabularySHA256: SHA256.digest(file), vocabularySize: size,
            contextLength: UInt32(CLIPTokenizer.contextLength), start: size - 2, end: size - 1)
    }
}

/// How far all inputs are.
final class ConversionMeter: Sendable {
    private struct State {
        var rows: [Int]
        var bytes: [UInt64]
        var rowSum = 0
        var byteSum: UInt64 = 0
    }
    private let state: Guarded<State>
    private let totalByteCount: UInt64
    private let progress: Converter.Progress?

    init(_ inputs: [ConversionInput], _ progress: Converter.Progress?) {
        state = Guarded(
            State(rows: Array(repeating: 0, count: inputs.count), bytes: Array(repeating: 0, count: inputs.count)))
        totalByteCount = inputs.reduce(0) { $0 + $1.byteCount }
        self.progress = progress
    }

    func set(input: Int, rows: Int, bytes: UInt64) {
        guard let progress else { return }
        state.withLock { state in
            // Reading again to verify is not shown.
            guard rows > state.rows[input] || bytes > state.bytes[input] else { return }
            state.rowSum += rows - state.rows[input]
            state.byteSum = state.byteSum - state.bytes[input] + bytes
            state.rows[input] = rows
            state.bytes[input] = bytes
            progress(state.rowSum, state.byteSum, totalByteCount)
        }
    }

    /// The input starts anew.
    func takeBack(input: Int) {
        state.withLock { state in
            state.rowSum -= state.rows[input]
            state.byteSum -= state.bytes[input]
            state.rows[input] = 0
            state.bytes[input] = 0
        }
    }
}
