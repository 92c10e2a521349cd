internal import ArgumentParser
internal import DRLoader
internal import DRShard
internal import DRShardFormat
internal import Foundation

struct LoadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load",
        abstract: "Load epochs of paired batches, and say how fast, with how many bytes, and what was waited for.",
        discussion: "In the order that a trainer with the same options gets. `plan` says beforehand what to expect.")

    @OptionGroup var source: LoaderArguments

    @Option(help: "Which epoch, from 0.")
    var epoch = 0

    @Option(help: "Load so many epochs, and show each.")
    var epochs = 1

    @Option(
        help: "Go on from the state in this file, if it is there, and keep the state in it, every second.",
        completion: .file())
    var state: String?

    @Option(help: "Stop after so many batches.")
    var steps: Int?

    @Option(
        help: "Write a list of the rows that could not be read to this file, those of --quarantine among them.",
        completion: .file())
    var writeQuarantine: String?

    @Flag(help: "Print a digest of all samples: equal for equal streams. Those of ranks' parts are not joined.")
    var digest = false

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        guard epoch >= 0, epochs >= 1, epochs <= 1 << 40, epoch < 1 << 52 else {
            throw ShardError.invalidArgument("--epoch is at least 0, and --epochs at least 1")
        }
        let loader = try source.loader()
        var results: [Result] = []
        var next = try begin(loader)
        for number in 0..<epochs {
            let result = try load(loader, next)
            results.append(result)
            if !json { try Console.line(result.text) }
            if result.isCut { break }
            if number + 1 < epochs { next = try loader.epoch(next.plan.epoch + 1) }
        }
        if json { try Console.json(results) }
    }

    private func begin(_ loader: PairedLoader) throws(ShardError) -> PairedEpoch {
        guard let state, FileManager.default.fileExists(atPath: state) else { return try loader.epoch(epoch) }
        do {
            let kept = try JSONDecoder().decode(LoaderState.self, from: Data(LoaderArguments.text(state).utf8))
            return try loader.epoch(resuming: kept)
        } catch let error as ShardError {
            throw error.with(.init(path: state))
        } catch { throw ShardError.corrupt("it is no state of a loader: \(error)").with(.init(path: state)) }
    }

    private func keep(_ epoch: PairedEpoch) throws(ShardError) {
        guard let state else { return }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        do { try encoder.encode(epoch.state).write(to: URL(fileURLWithPath: state), options: .atomic) } catch {
            throw ShardError.io("cannot write the state: \(error.localizedDescription)").with(.init(path: state))
        }
    }

    private func load(_ loader: PairedLoader, _ batches: PairedEpoch) throws(ShardError) -> Result {
        let before = loader.counts
        let number = batches.plan.epoch
        let bar = ProgressBar("epoch \(number)")
        var result = Result(epoch: number)
        var digest = SequenceDigest()
        var count = 0
        var stateClock = SecondClock()
        do throws(ShardError) {
            while count < steps ?? .max, let batch = try batches.next() {
                count += 1
                result.replacedVariants += batch.replacedVariantCount
                result.substitutedRows += batch.substitutedRowCount
                if self.digest { digest.append(batch.sampleDigest, count: UInt64(batch.count)) }
                if stateClock.isDue { try keep(batches) }
                bar.update(UInt64(batches.nextStep), of: UInt64(batches.plan.stepCount)) { "batch \(batches.nextStep)" }
            }
        } catch {
            bar.end()
            try keep(batches)
            try writeQuarantine(loader)
            throw error
        }
        bar.end()
        try keep(batches)
        try writeQuarantine(loader)
        result.isCut = batches.nextStep < batches.plan.stepCount
        result.seconds = bar.elapsed
        result.add(loader.counts - before)
        if self.digest { result.digest = "\(digest)" }
        return result
    }

    private func writeQuarantine(_ loader: PairedLoader) throws(ShardError) {
        guard let path = writeQuarantine else { return }
        let lists = loader.quarantines
        guard lists.count <= 1 else {
            throw .invalidArgument("--write-quarantine: rows of \(lists.count) data sets, and a list is for one")
        }
        let list = lists.first ?? Quarantine(rowSetDigest: loader.dataSets[0].rowSetDigest)
        try LoaderArguments.write(list, to: path)
    }

    /// Says once a second that something is due.
    private struct SecondClock {
        private var last = ContinuousClock.now
        var isDue: Bool {
            mutating get {
                guard ContinuousClock.now - last > .seconds(1) else { return false }
                last = .now
                return true
            }
        }
    }

    private struct Result: Encodable {
        var epoch: Int
        var batches: UInt64 = 0
        var samples: UInt64 = 0
        var seconds = 0.0
        var readBytes: UInt64 = 0
        var requests: UInt64 = 0
        var deliveredBytes: UInt64 = 0
        var replacedVariants = 0
        var substitutedRows = 0
        var lostRows: UInt64 = 0
        /// The caller waited for reads, and for decoding; the threads waited for the caller.
        var readWaitSeconds = 0.0
        var decodeWaitSeconds = 0.0
        var idleSeconds = 0.0
        var queueDepth = 0.0
        var isCut = false
        var digest: String?

        init(epoch: Int) { self.epoch = epoch }

        mutating func add(_ counts: LoaderCounts) {
            batches = counts.batchCount
            samples = counts.sampleCount
            readBytes = counts.reads.byteCount
            requests = counts.reads.requestCount
            deliveredBytes = counts.deliveredByteCount
            lostRows = counts.lostRowCount
            readWaitSeconds = Double(counts.readWaitNanoseconds) * 1e-9
            decodeWaitSeconds = Double(counts.waitNanoseconds - counts.readWaitNanoseconds) * 1e-9
            idleSeconds = Double(counts.idleNanoseconds) * 1e-9
            queueDepth = Double(counts.readyBatchCount) / Double(max(1, counts.batchCount))
        }

        var text: String {
            let rate = Console.decimal(Double(samples) / max(seconds, 1e-9), 0)
            let amplification =
                deliveredBytes == 0 ? "-" : Console.decimal(Double(readBytes) / Double(deliveredBytes), 2)
            var text =
                "epoch \(epoch): \(samples) samples in \(batches) batches, \(Console.decimal(seconds, 2)) s, \(rate) samples/s, "
                + "\(Console.bytes(readBytes)) read in \(requests) requests, \(Console.bytes(deliveredBytes)) delivered (\(amplification) read a byte); "
                + "waited \(Console.decimal(readWaitSeconds, 2)) s for reads, \(Console.decimal(decodeWaitSeconds, 2)) s for decoding; "
                + "threads idle \(Console.decimal(idleSeconds, 2)) s, \(Console.decimal(queueDepth, 1)) batches ahead"
            if replacedVariants > 0 { text += "; \(replacedVariants) absent variants replaced" }
            if substitutedRows > 0 { text += "; \(substitutedRows) rows substituted, \(lostRows) lost in this epoch" }
            if let digest { text += "; digest \(digest)" }
            return text
        }
    }
}
