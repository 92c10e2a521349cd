// ShardBenchmark: how fast one thread writes, verifies, scans, gathers and loads, with memcpy beside it.
// Prints medians of several rounds; timings depend on the machine and on what else it does.
//
//   swift run -c release --package-path Benchmarks ShardBenchmark [ROWS] [FOLDER]

import DRLoader
import DRShard
import DRShardFormat
import Foundation

@main struct ShardBenchmark {
    static let dims = 1536
    static let viewCount = 10
    static let captionCount = 5
    static let rounds = 5

    static func main() throws {
        let arguments = CommandLine.arguments
        let rowCount = arguments.count > 1 ? Int(arguments[1]) ?? 4096 : 4096
        let parent = arguments.count > 2 ? arguments[2] : FileManager.default.temporaryDirectory.path
        let folder = parent + "/drshard-benchmark-\(ProcessInfo.processInfo.processIdentifier)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/0.drs"

        let schema = try makeSchema()
        let cellByteCount = dims * 2
        let rowByteCount = cellByteCount * (viewCount + 1 + captionCount)
        print("\(rowCount) rows of \(rowByteCount) bytes of embeddings, one thread, medians of \(rounds)")

        var random = SystemRandomNumberGenerator()
        let pool = (0..<1 << 20).map { _ in UInt8.random(in: 0...255, using: &random) }
        var writes: [Double] = []
        for _ in 0..<rounds {
            try? FileManager.default.removeItem(atPath: path)
            writes.append(try seconds { try write(path, schema: schema, rowCount: rowCount, pool: pool) })
        }
        report("write, with fsync of every row group", bytes: rowCount * rowByteCount, writes)
        report("verify", bytes: rowCount * rowByteCount, try times { try check(ShardVerifier.verify(path: path)) })
        report(
            "verify --decode", bytes: rowCount * rowByteCount,
            try times { try check(ShardVerifier.verify(path: path, depth: .decode)) })
        try gathers(path, rowCount: rowCount, cellByteCount: cellByteCount)
        try epochs(folder)
    }

    static func makeSchema() throws -> Schema {
        let type = ColumnType.tensor(.bf16, dims: [dims])
        return try Schema(
            axes: [
                Axis(name: "view", kind: .view, count: viewCount, exchangeable: .yes),
                Axis(name: "real", kind: .realCaption, count: 1, exchangeable: .no),
                Axis(name: "synthetic", kind: .syntheticCaption, count: captionCount, exchangeable: .yes),
            ],
            columns: [
                Column(name: "uid", role: .rowID, type: .tensor(.u8, dims: [16])),
                Column(name: "image_emb", role: .imageEmbedding, type: type, axis: 0),
                Column(name: "text_emb", role: .textEmbedding, type: type, axis: 1),
                Column(name: "syn_text_emb", role: .textEmbedding, type: type, axis: 2),
            ])
    }

    /// Values are random bits: nothing here compresses, and nothing is copied cheaply from a cache.
    static func write(_ path: String, schema: Schema, rowCount: Int, pool: [UInt8]) throws {
        let writer = try ShardWriter(path: path, schema: schema, options: WriterOptions(shardTag: 1))
        for row in 0..<rowCount {
            var id = [UInt8](repeating: 0, count: 16)
            for i in 0..<8 { id[i] = UInt8(truncatingIfNeeded: row >> (8 * i)) }
            try writer.set(id, column: 0)
            for column in 1..<4 {
                for variant in 0..<schema.variantCount(of: column) {
                    let start = (row * 7919 + column * 104_729 + variant * 1_299_709) % (pool.count - dims * 2)
                    try writer.set(pool.span.extracting(start..<start + dims * 2), column: column, variant: variant)
                }
            }
            try writer.endRow()
        }
        try writer.finish()
    }

    /// Random cells of all views, in batches of 256, with a scatter of the same pieces beside it.
    static func gathers(_ path: String, rowCount: Int, cellByteCount: Int) throws {
        var random = SystemRandomNumberGenerator()
        let batches = (0..<32).map { _ in
            (0..<256).map { _ in
                CellAddress(
                    row: .random(in: 0..<rowCount, using: &random), variant: .random(in: 0..<viewCount, using: &random))
            }
        }
        let target = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 * cellByteCount, alignment: 64)
        defer { target.deallocate() }
        let bytes = batches.count * 256 * cellByteCount
        for (name, access, checks) in [
            ("mapped, checked", Access.mapped, true), ("mapped, unchecked", .mapped, false),
            ("read, checked", .read, true),
        ] {
            var options = ReaderOptions()
            options.checksUnits = checks
            let reader = try ShardReader(path: path, access: access, options: options)
            report(
                "gather of random cells, \(name)", bytes: bytes,
                try times { for batch in batches { try reader.readCells(column: 1, batch, into: target) } },
                items: batches.count * 256)
        }
        let file = try Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped)
        report(
            "memcpy of pieces of the same size from random places", bytes: bytes,
            try times {
                file.withUnsafeBytes { source in
                    for batch in batches {
                        for (i, address) in batch.enumerated() {
                            let start = (address.variant * rowCount + address.row) * cellByteCount
                            memcpy(target.baseAddress! + i * cellByteCount, source.baseAddress! + start, cellByteCount)
                        }
                    }
                }
            }, items: batches.count * 256)
    }

    static func epochs(_ folder: String) throws {
        for (name, access, checks) in [
            ("mapped, checked", Access.mapped, true), ("mapped, unchecked", .mapped, false),
            ("read, checked", .read, true),
        ] {
            var reading = ReaderOptions()
            reading.checksUnits = checks
            var options = LoaderOptions()
            options.content = [.rowIDs, .embeddings]
            let loader = try PairedLoader(
                dataSet: try DataSet(path: folder, access: access, options: reading), options: options)
            var epoch = 0
            let before = loader.counts
            let measured = try times {
                let batches = try loader.epoch(epoch)
                while try batches.next() != nil {}
                epoch += 1
            }
            let counts = loader.counts
            report(
                "epoch of paired batches, \(name)",
                bytes: Int(counts.deliveredByteCount - before.deliveredByteCount) / epoch, measured,
                items: Int(counts.sampleCount - before.sampleCount) / epoch)
        }
    }

    static func check(_ findings: [ShardError]) throws {
        if let first = findings.first { throw first }
    }

    static func times(_ work: () throws -> Void) throws -> [Double] {
        try work()
        return try (0..<rounds).map { _ in try seconds(work) }
    }

    static func seconds(_ work: () throws -> Void) throws -> Double {
        let start = ContinuousClock.now
        try work()
        let duration = (ContinuousClock.now - start).components
        return Double(duration.seconds) + Double(duration.attoseconds) * 1e-18
    }

    static func report(_ name: String, bytes: Int, _ times: [Double], items: Int? = nil) {
        let median = times.sorted()[times.count / 2]
        let rate = items.map { String(format: ", %.0f/s", Double($0) / median) } ?? ""
        print(String(format: "%.2f GB/s%@", Double(bytes) / median / 1e9, rate), name, separator: "\t")
    }
}
