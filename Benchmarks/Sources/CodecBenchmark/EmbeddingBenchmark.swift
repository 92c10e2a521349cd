import DRShard
import DRShardFormat
import Foundation

/// All measurements of one set of embeddings.
final class EmbeddingBenchmark {
    private static let storages: Set<ColumnStorage> = [.plain, .fast, .balanced, .archive, .zstd, .lz4]
    /// Cells of a call where cells are read in their order.
    private static let scanCount = 1024
    /// Cells of a batch of random ones.
    private static let batchCount = 256
    /// Plain bytes that a round decodes at most.
    private static let roundByteCount = 1 << 30
    /// Bytes of the target where a whole set is decoded: more than a cache has.
    private static let targetByteCount = 512 << 20
    /// Plain bytes of the cells that stay in the second-level cache, beside what they are decoded to.
    private static let hotByteCount = 192 << 10

    private let settings: Settings
    private let report: Report
    private let name: String
    private let array: Array3
    private let file: ShardFile
    private let target: UnsafeMutableRawBufferPointer
    /// Of the shard that is decoded: the set, over and over.
    private let rowCount: Int

    init(_ settings: Settings, _ report: Report, name: String, array: Array3) throws {
        self.settings = settings
        self.report = report
        self.name = name
        self.array = array
        file = try ShardFile(in: settings.folder)
        let rowByteCount = array.cellByteCount * array.variantCount
        rowCount = max(array.rowCount, (settings.byteCount + rowByteCount - 1) / rowByteCount)
        target = .allocate(byteCount: Self.targetByteCount, alignment: 4096)
        target.initializeMemory(as: UInt8.self, repeating: 1)
    }
    deinit { target.deallocate() }

    func run() throws {
        for storage in settings.storages where Self.storages.contains(storage) {
            let shard = try shard(storage)
            try shard.write(to: file.path, rowCount: array.rowCount)
            guard let sizes = try MeasuredShard.sizes(file.path, storage) else {
                FileHandle.standardError.write(Data("\(name): \(storage.rawValue) is not used\n".utf8))
                continue
            }
            if settings.wants("size") { size(storage.rawValue, sizes) }
            if settings.wants("encode") { try encode(shard) }
            guard ["decode", "hot", "gather", "cell", "copy"].contains(where: settings.wants) else { continue }
            try shard.write(to: file.path, rowCount: rowCount)
            if settings.wants("decode") { try decode(storage) }
            if settings.wants("hot") { try hot(storage) }
            if settings.wants("gather") { try gather(storage) }
            if settings.wants("cell") { try cells(storage) }
            if storage == .plain, settings.wants("copy") { try copies() }
        }
    }

    private func shard(_ storage: ColumnStorage) throws -> MeasuredShard {
        let schema = try Schema(
            axes: [Axis(name: "variant", kind: .view, count: array.variantCount, exchangeable: .yes)],
            columns: [
                Column(name: "uid", role: .rowID, type: .tensor(.u8, dims: [16])),
                Column(name: "embedding", role: .imageEmbedding, type: .tensor(.bf16, dims: [array.dims]), axis: 0),
            ])
        let byteCount = array.cellByteCount
        return MeasuredShard(
            schema: schema, storage: storage, variantCount: array.variantCount, sourceRowCount: array.rowCount,
            value: { $0 * byteCount..<($0 + 1) * byteCount }, bytes: array.bytes)
    }

    private func size(_ storage: String, _ sizes: (stored: UInt64, table: UInt64)) {
        report.number(name, storage, "stored", Double(sizes.stored), unit: "bytes", digits: 0)
        report.number(name, storage, "of it tables", Double(sizes.table), unit: "bytes", digits: 0)
        report.number(name, storage, "ratio", Double(array.bytes.count) / Double(sizes.stored), unit: "", digits: 4)
    }

    private func encode(_ shard: MeasuredShard) throws {
        let rowByteCount = array.cellByteCount * array.variantCount
        let rows = min(rowCount, max(array.rowCount, (256 << 20) / rowByteCount))
        let seconds = try report.rounds { try shard.write(to: DiscardSink(), rowCount: rows) }
        report.speed(
            name, shard.storage.rawValue, "encode", count: Double(rows * rowByteCount) / 1e9, unit: "GB/s", seconds)
    }

    /// Addresses of all cells in the order of the file, in batches, as far as a round goes.
    private func scan(_ storage: ColumnStorage, byteCount: Int) -> [[CellAddress]] {
        let count = min(rowCount * array.variantCount, byteCount / array.cellByteCount)
        // Where units hold all variants of a row, these are neighbours; else the rows of a variant.
        let isByRow = storage == .archive
        let addresses = (0..<count).map { i in
            isByRow
                ? CellAddress(row: i / array.variantCount, variant: i % array.variantCount)
                : CellAddress(row: i % rowCount, variant: i / rowCount)
        }
        let step = isByRow ? max(1, Self.scanCount / array.variantCount) * array.variantCount : Self.scanCount
        return stride(from: 0, to: count, by: step).map { Array(addresses[$0..<min($0 + step, count)]) }
    }

    private static let modes: [(name: String, checks: Bool, element: ElementType?)] = [
        ("checked", true, nil), ("unchecked", false, nil), ("checked, as f32", true, .f32),
    ]

    private func decode(_ storage: ColumnStorage) throws {
        let batches = scan(storage, byteCount: Self.roundByteCount)
        let plain = batches.reduce(0) { $0 + $1.count } * array.cellByteCount
        for mode in Self.modes {
            let reader = try mapped(file.path, checks: mode.checks)
            let room = Self.scanCount * array.cellByteCount * (mode.element == nil ? 1 : 2)
            let seconds = try report.rounds {
                var offset = 0
                for batch in batches {
                    let slots = UnsafeMutableRawBufferPointer(rebasing: target[offset..<offset + room])
                    try reader.readCells(column: 1, batch, into: slots, as: mode.element)
                    offset = offset + 2 * room <= target.count ? offset + room : 0
                }
            }
            report.speed(
                name, storage.rawValue, "decode, \(mode.name)", count: Double(plain) / 1e9, unit: "GB/s", seconds)
        }
    }

    private func hot(_ storage: ColumnStorage) throws {
        guard let batch = scan(storage, byteCount: Self.hotByteCount).first else { return }
        let plain = batch.count * array.cellByteCount
        for mode in Self.modes {
            let reader = try mapped(file.path, checks: mode.checks)
            let seconds = try report.rounds(atLeast: 0.1) {
                try reader.readCells(column: 1, batch, into: target, as: mode.element)
            }
            report.speed(
                name, storage.rawValue, "decode in L2, \(mode.name)", count: Double(plain) / 1e9, unit: "GB/s", seconds)
        }
    }

    private func gather(_ storage: ColumnStorage) throws {
        var draws = Draws()
        let batches = (0..<(storage == .archive ? 32 : 512)).map { _ in
            (0..<Self.batchCount).map { _ in
                CellAddress(row: draws.below(rowCount), variant: draws.below(array.variantCount))
            }
        }
        let count = batches.count * Self.batchCount
        for (mode, checks) in [("checked", true), ("unchecked", false)] {
            let reader = try mapped(file.path, checks: checks)
            let seconds = try report.rounds {
                for batch in batches { try reader.readCells(column: 1, batch, into: target) }
            }
            report.speed(
                name, storage.rawValue, "random batches, \(mode)", count: Double(count), unit: "cells/s", seconds)
        }
    }

    /// One cell a call, by the clock on the wall: the processor's clock takes as long as a cell.
    private func cells(_ storage: ColumnStorage) throws {
        let reader = try mapped(file.path, checks: true)
        var draws = Draws()
        var times: [UInt64] = []
        var address = [CellAddress(row: 0)]
        let count = storage == .archive ? 2000 : 50_000
        for i in 0..<count + count / 5 {
            address[0] = CellAddress(row: draws.below(rowCount), variant: draws.below(array.variantCount))
            let start = DispatchTime.now().uptimeNanoseconds
            try reader.readCells(column: 1, address, into: target)
            let end = DispatchTime.now().uptimeNanoseconds
            if i >= count / 5 { times.append(end - start) }
        }
        times.sort()
        report.number(name, storage.rawValue, "one random cell, p50", Double(times[count / 2]) / 1000, unit: "us")
        report.number(
            name, storage.rawValue, "one random cell, p99", Double(times[count * 99 / 100]) / 1000, unit: "us")
    }

    /// memcpy of pieces of the size of a cell, out of the mapped file: what a decoder of plain cells comes to at best.
    private func copies() throws {
        let source = try Data(contentsOf: URL(fileURLWithPath: file.path), options: .alwaysMapped)
        let piece = array.cellByteCount
        let count = min(source.count, Self.roundByteCount) / piece
        let all = source.count / piece
        let slots = target.count / piece
        var draws = Draws()
        let order = (0..<512 * Self.batchCount).map { _ in draws.below(all) }
        source.withUnsafeBytes { bytes in
            let (from, to) = (bytes.baseAddress!, target.baseAddress!)
            var seconds = report.rounds {
                for i in 0..<count { memcpy(to + i % slots * piece, from + i * piece, piece) }
            }
            report.speed(name, "memcpy", "decode, unchecked", count: Double(count * piece) / 1e9, unit: "GB/s", seconds)
            let hot = Self.hotByteCount / piece
            seconds = report.rounds(atLeast: 0.1) {
                for i in 0..<hot { memcpy(to + i * piece, from + i * piece, piece) }
            }
            report.speed(
                name, "memcpy", "decode in L2, unchecked", count: Double(hot * piece) / 1e9, unit: "GB/s", seconds)
            seconds = report.rounds {
                for (i, place) in order.enumerated() {
                    memcpy(to + i % Self.batchCount * piece, from + place * piece, piece)
                }
            }
            report.speed(
                name, "memcpy", "random batches, unchecked", count: Double(order.count), unit: "cells/s", seconds)
        }
    }
}
