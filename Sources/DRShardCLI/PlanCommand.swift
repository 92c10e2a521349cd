internal import ArgumentParser
internal import DRLoader
internal import DRShard
internal import DRShardFormat

struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Say what an epoch will read and hold in memory, without reading it.",
        discussion: "From the ends of the files, and the indexes of one row group. `load` measures the same.")

    @OptionGroup var source: LoaderArguments

    @Option(help: "Which epoch, from 0.")
    var epoch = 0

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        let loader = try source.loader()
        let estimate = try loader.estimate(epoch: epoch)
        let result = Result(loader.shape, estimate)
        guard !json else { return try Console.json(result) }
        try Console.table([
            ["what", "of this rank"],
            ["steps, samples", "\(estimate.stepCount), \(estimate.sampleCount)"],
            [
                "order",
                "\(result.order), \(result.lanes) lanes, blocks of \(result.blockRows) rows, windows of \(result.windowBlocks)",
            ],
            ["rows in play, of all ranks", "\(estimate.rowsInPlay)"],
            ["variants, tail", "\(result.variants), \(result.tail)"],
            ["cells, as stored", Console.bytes(UInt64(estimate.cellByteCount))],
            [
                "bytes asked for",
                "\(Console.bytes(UInt64(estimate.fetchedByteCount))) (\(Console.decimal(estimate.amplification, 3)) for each), about \(estimate.requestCount) requests",
            ],
            ["bytes delivered", Console.bytes(UInt64(estimate.deliveredByteCount))],
            [
                "memory of batches",
                "\(Console.bytes(UInt64(estimate.batchMemoryByteCount))) in \(estimate.batchesInFlight) batches",
            ],
        ])
        for remark in estimate.remarks { try Console.line("note: \(remark)") }
    }

    private struct Result: Encodable {
        var steps: Int
        var samples: Int
        var order: String
        var variants: String
        var tail: String
        var lanes: Int
        var blockRows: Int
        var windowBlocks: Int
        var rowsInPlay: Int
        var cellBytes: Int
        var fetchedBytes: Int
        var amplification: Double
        var requests: Int
        var deliveredBytes: Int
        var batchMemoryBytes: Int
        var batchesInFlight: Int
        var remarks: [String]

        init(_ shape: PlanShape, _ estimate: LoadEstimate) {
            steps = estimate.stepCount
            samples = estimate.sampleCount
            order = shape.order.rawValue
            variants = shape.variants.rawValue
            tail = shape.tail.rawValue
            lanes = shape.lanes
            blockRows = shape.blockRows
            windowBlocks = shape.windowBlocks
            rowsInPlay = estimate.rowsInPlay
            cellBytes = estimate.cellByteCount
            fetchedBytes = estimate.fetchedByteCount
            amplification = estimate.amplification
            requests = estimate.requestCount
            deliveredBytes = estimate.deliveredByteCount
            batchMemoryBytes = estimate.batchMemoryByteCount
            batchesInFlight = estimate.batchesInFlight
            remarks = estimate.remarks
        }
    }
}

struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Say which rows, views and captions a step has, and where they come from; reads no embedding.")

    @OptionGroup var source: LoaderArguments

    @Option(help: "Which epoch, from 0.")
    var epoch = 0

    @Option(help: "Which step, from 0.")
    var step = 0

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        let loader = try source.loader()
        let samples = try loader.explain(epoch: epoch, step: step).map(Sample.init)
        guard !json else { return try Console.json(samples) }
        let rows = samples.map { sample in
            [
                "\(sample.slot)", sample.shard, "\(sample.shardRow)", "\(sample.row)", Sample.text(sample.view),
                Sample.text(sample.real), Sample.text(sample.synthetic), sample.remark,
            ]
        }
        try Console.table(
            [["slot", "shard", "row there", "row", "view", "real", "synthetic", ""]] + rows, right: [0, 2, 3])
    }

    private struct Part: Encodable {
        var axis: String
        var variant: Int
        var deliveredAxis: String
        var deliveredVariant: Int
    }

    private struct Sample: Encodable {
        var slot: Int
        var set: Int
        var setEpoch: Int
        var shard: String
        var shardRow: Int
        var row: Int
        var namedRow: Int
        var isRepetition: Bool
        var view: Part?
        var real: Part?
        var synthetic: Part?

        init(_ sample: SampleExplanation) {
            slot = sample.slot
            set = sample.set
            setEpoch = sample.setEpoch
            shard = sample.shard
            shardRow = sample.shardRow
            row = sample.row
            namedRow = sample.namedRow
            isRepetition = sample.isRepetition
            func part(_ part: SampleExplanation.Part?) -> Part? {
                part.map {
                    Part(
                        axis: $0.axis, variant: $0.variant, deliveredAxis: $0.deliveredAxis,
                        deliveredVariant: $0.deliveredVariant)
                }
            }
            view = part(sample.view)
            real = part(sample.real)
            synthetic = part(sample.synthetic)
        }

        static func text(_ part: Part?) -> String {
            guard let part else { return "-" }
            let isDrawn = part.axis == part.deliveredAxis && part.variant == part.deliveredVariant
            return "\(part.axis) \(part.variant)"
                + (isDrawn ? "" : " (absent: \(part.deliveredAxis) \(part.deliveredVariant))")
        }

        var remark: String {
            let words = [row == namedRow ? nil : "for row \(namedRow)", isRepetition ? "repeated" : nil]
            return words.compactMap { $0 }.joined(separator: ", ")
        }
    }
}
