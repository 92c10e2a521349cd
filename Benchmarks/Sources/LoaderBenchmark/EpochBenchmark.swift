import DRLoader
import DRShard
import DRShardFormat
import Foundation

/// Epochs of one loader, with its options.
struct EpochBenchmark {
    let folder: String
    let storage: String
    let isJSON: Bool
    let copies: Bool
    let isCold: Bool
    let epochs: Int
    var access = Access.mapped
    var reading = ReaderOptions()
    var options = LoaderOptions()

    init(folder: String, _ arguments: inout Arguments) throws {
        self.folder = folder
        storage = arguments.text("storage") ?? "plain"
        isJSON = arguments.flag("json")
        copies = !arguments.flag("no-memcpy")
        isCold = arguments.flag("cold")
        epochs = arguments.integer("epochs") ?? 5
        access = arguments.text("access") == "read" ? .read : .mapped
        reading.checksUnits = !arguments.flag("unchecked")
        options.plan.batchSize = arguments.integer("batch-size") ?? 256
        options.plan.lanes = arguments.integer("lanes")
        options.plan.order = arguments.text("order").flatMap(RowOrder.init) ?? .blocks
        options.plan.variants = arguments.text("variants").flatMap(VariantMode.init) ?? .balanced
        options.threadCount = arguments.integer("threads") ?? 1
        if arguments.text("content") == "embeddings" { options.content = .embeddings }
        if let mib = arguments.integer("read-ahead-mib") { options.readAheadByteCount = mib << 20 }
        if let element = arguments.text("embeddings") {
            options.embeddingElement = ["f32": .f32, "f16": .f16, "bf16": .bf16][element]
        }
    }

    func run() throws {
        if copies { try report(name: "memcpy", Copies(options: options, path: "\(folder)/plain/0.drs").rates(epochs)) }
        let set = try DataSet(path: "\(folder)/\(storage)", access: access, options: reading)
        let loader = try PairedLoader(dataSet: set, options: options)
        // All views once: a map's pages are all known then, as they are to peers.
        for number in 0..<Samples.viewCount { try epoch(loader, number) }
        let before = loader.counts
        let blocks = Self.deviceBlocks()
        var rates: [Double] = []
        for number in Samples.viewCount..<Samples.viewCount + epochs {
            if isCold { try Self.dropCache("\(folder)/\(storage)/0.drs") }
            let time = try seconds { try epoch(loader, number) }
            let samples = try loader.plan(epoch: number).stepCount * options.plan.batchSize
            rates.append(Double(samples) / time)
        }
        let counts = loader.counts - before
        try report(name: name, rates, counts, deviceByteCount: (Self.deviceBlocks() - blocks) * 512 / epochs)
    }

    /// Blocks of 512 bytes that this process had the system read from devices.
    private static func deviceBlocks() -> Int {
        var usage = rusage()
        getrusage(__rusage_who_t(0), &usage)
        return usage.ru_inblock
    }

    private func epoch(_ loader: PairedLoader, _ number: Int) throws {
        let epoch = try loader.epoch(number)
        while try epoch.next() != nil {}
    }

    private var name: String {
        var words = ["drshard", storage, access == .read ? "read" : "mapped"]
        if !reading.checksUnits { words.append("unchecked") }
        if options.plan.order != .blocks { words.append(options.plan.order.rawValue) }
        if options.plan.variants != .balanced { words.append(options.plan.variants.rawValue) }
        if let element = options.embeddingElement { words.append("as \(element)") }
        if options.content == .embeddings { words.append("embeddings alone") }
        if isCold { words.append("cold") }
        return words.joined(separator: " ")
    }

    /// Of bf16: three embeddings; two captions of 77 i32; a record.
    static let sampleByteCount = 3 * Samples.dims * 2 + 2 * Samples.context * 4 + 32

    private func report(
        name: String, _ rates: [Double], _ counts: LoaderCounts? = nil, deviceByteCount: Int = 0
    ) throws {
        let rate = median(rates)
        var fields: [String: Any] = [
            "name": name, "samples_per_second": rate, "bytes_per_second": rate * Double(Self.sampleByteCount),
            "threads": options.threadCount ?? 0, "batch_size": options.plan.batchSize,
            "spread": ((rates.max() ?? 0) - (rates.min() ?? 0)) / 2 / rate,
        ]
        if let counts {
            fields["read_bytes"] = counts.reads.byteCount / UInt64(epochs)
            fields["requests"] = counts.reads.requestCount / UInt64(epochs)
            fields["device_bytes"] = deviceByteCount
            fields["delivered_bytes"] = counts.deliveredByteCount / UInt64(epochs)
            fields["work_share"] =
                Double(counts.workNanoseconds) / Double(max(1, counts.workNanoseconds + counts.idleNanoseconds))
        }
        if isJSON {
            let data = try JSONSerialization.data(withJSONObject: fields, options: [.sortedKeys])
            print(String(decoding: data, as: UTF8.self))
        } else {
            print(
                String(
                    format: "%10.0f samples/s  %6.2f GB/s  +-%2.0f %%  ", rate,
                    rate * Double(Self.sampleByteCount) / 1e9, 100 * (fields["spread"] as? Double ?? 0)),
                "\(name), \(options.threadCount ?? 0) threads, batches of \(options.plan.batchSize)",
                counts.map { text($0, deviceByteCount) } ?? "", separator: "")
        }
    }

    private func text(_ counts: LoaderCounts, _ deviceByteCount: Int) -> String {
        let per = UInt64(epochs)
        let times = [counts.workNanoseconds, counts.idleNanoseconds, counts.waitNanoseconds].map {
            $0 / 1_000_000 / per
        }
        return
            "; \(counts.reads.byteCount / per) B in \(counts.reads.requestCount / per) requests, \(deviceByteCount) B of the device; "
            + "work \(times[0]) ms, idle \(times[1]) ms, wait \(times[2]) ms"
    }

    /// Makes the system forget what it holds of a file.
    static func dropCache(_ path: String) throws {
        let file = open(path, O_RDONLY)
        defer { close(file) }
        fsync(file)
        posix_fadvise(file, 0, 0, CInt(POSIX_FADV_DONTNEED))
    }
}

/// What memcpy does with the same pieces: out of a mapped file in order, to places in other batches' memory.
struct Copies {
    let options: LoaderOptions
    let path: String

    func rates(_ rounds: Int) throws -> [Double] {
        let file = try Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped)
        let piece = Samples.dims * 2
        let pieceCount = file.count / piece
        // As many places as there are in the batches of a window.
        let placeCount = 60 * 256 * 3
        let target = UnsafeMutableRawBufferPointer.allocate(byteCount: placeCount * piece, alignment: 2 << 20)
        madvise(target.baseAddress!, target.count, MADV_HUGEPAGE)
        defer { target.deallocate() }
        memset(target.baseAddress!, 1, target.count)
        let places = (0..<placeCount).shuffled()
        let threads = options.threadCount ?? 1
        nonisolated(unsafe) let base = target.baseAddress!
        var rates: [Double] = []
        for round in 0...rounds {
            let time = file.withUnsafeBytes { source in
                nonisolated(unsafe) let start = source.baseAddress!
                return seconds {
                    let workers = (0..<threads).map { thread in
                        let worker = Thread {
                            var place = thread * 1000
                            for i in pieceCount * thread / threads..<pieceCount * (thread + 1) / threads {
                                memcpy(base + places[place] * piece, start + i * piece, piece)
                                place = place + 1 < placeCount ? place + 1 : 0
                            }
                            finished.signal()
                        }
                        worker.start()
                        return worker
                    }
                    for _ in workers { finished.wait() }
                }
            }
            if round > 0 { rates.append(Double(pieceCount) / 3 / time) }
        }
        return rates
    }
}

private let finished = DispatchSemaphore(value: 0)
