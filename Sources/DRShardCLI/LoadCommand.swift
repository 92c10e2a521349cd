internal import ArgumentParser
internal import DRLoader
internal import DRShard
internal import DRShardFormat

struct LoadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load",
        abstract: "Load one epoch of paired batches, and say how fast and with how many bytes.",
        discussion: "One thread, in the order that a trainer with the same seed gets.")

    @Argument(help: "A shard, or a folder of shards.", completion: .file(extensions: ["drs"]))
    var path: String

    @Option(help: "Rows of a batch.")
    var batchSize = 256

    @Option(help: "Another seed, another order.")
    var seed: UInt64 = 0

    @Option(help: "Which epoch, from 0.")
    var epoch = 0

    @Option(help: "Load so many epochs, and show each.")
    var epochs = 1

    @Flag(help: "Deliver the last rows too, in a smaller batch; without it they are dropped.")
    var short = false

    @Flag(help: "Map the files instead of reading them: for files that nobody truncates meanwhile.")
    var mapped = false

    @Flag(help: "Do not compare the checksums of values.")
    var unchecked = false

    @Flag(help: "Load embeddings alone: no tokens, no augmentations.")
    var embeddingsOnly = false

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        var reading = ReaderOptions()
        reading.checksUnits = !unchecked
        let set = try DataSet(path: path, access: mapped ? .mapped : .read, options: reading)
        var options = LoaderOptions()
        options.plan.batchSize = batchSize
        options.plan.seed = seed
        options.plan.tail = short ? .short : .drop
        if embeddingsOnly { options.content = [.rowIDs, .embeddings] }
        let loader = try PairedLoader(dataSet: set, options: options)
        guard epoch >= 0, epochs >= 1, epochs <= Int.max - epoch else {
            throw ShardError.invalidArgument(
                "--epoch is at least 0, --epochs at least 1, and their sum at most \(Int.max)")
        }
        var results: [Result] = []
        for number in epoch..<epoch + epochs {
            let result = try load(loader, epoch: number)
            results.append(result)
            if !json { try Console.line(result.text) }
        }
        if json { try Console.json(results) }
    }

    private func load(_ loader: PairedLoader, epoch number: Int) throws(ShardError) -> Result {
        let before = loader.counts
        let batches = try loader.epoch(number)
        let bar = ProgressBar("epoch \(number)")
        var replaced = 0
        while let batch = try batches.next() {
            replaced +=
                batch.image.views.replaced.count + batch.real.captions.replaced.count
                + batch.synthetic.captions.replaced.count
            bar.update(UInt64(batches.nextStep), of: UInt64(batches.plan.stepCount)) { "batch \(batches.nextStep)" }
        }
        bar.end()
        let after = loader.counts
        return Result(
            epoch: number, batches: after.batchCount - before.batchCount,
            samples: after.sampleCount - before.sampleCount,
            seconds: bar.elapsed, readBytes: after.reads.byteCount - before.reads.byteCount,
            requests: after.reads.requestCount - before.reads.requestCount,
            deliveredBytes: after.deliveredByteCount - before.deliveredByteCount, replacedVariants: replaced)
    }

    private struct Result: Encodable {
        var epoch: Int
        var batches: UInt64
        var samples: UInt64
        var seconds: Double
        var readBytes: UInt64
        var requests: UInt64
        var deliveredBytes: UInt64
        var replacedVariants: Int

        var text: String {
            let rate = Console.decimal(Double(samples) / max(seconds, 1e-9), 0)
            let amplification =
                deliveredBytes == 0 ? "-" : Console.decimal(Double(readBytes) / Double(deliveredBytes), 2)
            let replaced = replacedVariants == 0 ? "" : ", \(replacedVariants) absent variants replaced"
            return
                "epoch \(epoch): \(samples) samples in \(batches) batches, \(Console.decimal(seconds, 2)) s, \(rate) samples/s, "
                + "\(Console.bytes(readBytes)) read in \(requests) requests, \(Console.bytes(deliveredBytes)) delivered (\(amplification) read a byte)\(replaced)"
        }
    }
}
