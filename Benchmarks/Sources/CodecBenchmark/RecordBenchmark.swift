import DRLoader
import DRShard
import DRShardFormat
import Foundation
import GeneratedData

/// Token ids or augmentation records: values of any length, the variants of a row behind each other.
struct RecordColumn {
    /// Captions or views of a row.
    static let variantCount = 5
    let isTokens: Bool
    let bytes: [UInt8]
    let ends: [Int]

    init(tokens: [[UInt16]]) {
        self.init(
            isTokens: true,
            tokens.map { $0.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] } })
    }

    init(augmentations: [[UInt8]]) { self.init(isTokens: false, augmentations) }

    private init(isTokens: Bool, _ values: [[UInt8]]) {
        self.isTokens = isTokens
        var bytes: [UInt8] = []
        var ends: [Int] = []
        for value in values.prefix(values.count / Self.variantCount * Self.variantCount) {
            bytes += value
            ends.append(bytes.count)
        }
        self.bytes = bytes
        self.ends = ends
    }

    var count: Int { ends.count }
    func range(_ i: Int) -> Range<Int> { (i == 0 ? 0 : ends[i - 1])..<ends[i] }
}

/// All measurements of one column of tokens or augmentation records.
final class RecordBenchmark {
    private static let batchCount = 256
    /// Rows of the shard that is read: the values, over and over.
    private static let readRowCount = 1 << 16

    private let settings: Settings
    private let report: Report
    private let name: String
    private let column: RecordColumn
    private let file: ShardFile

    init(_ settings: Settings, _ report: Report, name: String, column: RecordColumn) throws {
        self.settings = settings
        self.report = report
        self.name = name
        self.column = column
        file = try ShardFile(in: settings.folder)
    }

    func run() throws {
        let own: ColumnStorage = column.isTokens ? .tokenRanks : .operationTable
        for storage in settings.storages where [.plain, .zstd, .lz4, own].contains(storage) {
            let shard = try shard(storage)
            try shard.write(to: file.path, rowCount: shard.sourceRowCount)
            guard let sizes = try MeasuredShard.sizes(file.path, storage) else {
                FileHandle.standardError.write(Data("\(name): \(storage.rawValue) is not used\n".utf8))
                continue
            }
            if settings.wants("size") { size(storage.rawValue, sizes) }
            try shard.write(to: file.path, rowCount: Self.readRowCount)
            if settings.wants("gather") { try gather(storage.rawValue) }
            if settings.wants("decode") { try scan(storage.rawValue) }
            if settings.wants("decode"), column.isTokens { try pad(storage.rawValue) }
            if settings.wants("gather") { try epochs(storage.rawValue) }
        }
    }

    /// A loader wants embeddings of views and of both kinds of captions: they have one value.
    private func shard(_ storage: ColumnStorage) throws -> MeasuredShard {
        let one = ColumnType.tensor(.bf16, dims: [1])
        let axis = column.isTokens ? 2 : 0
        var metadata = SchemaMetadata()
        metadata.operations = GeneratedAugmentations.operations
        metadata.tokenizers = [GeneratedCaptions.tokenizer]
        let measured =
            column.isTokens
            ? Column(name: "tokens", role: .tokens, type: .ragged(.u16), axis: axis, tokenizer: 0)
            : Column(name: "augmentation", role: .augmentation, type: .operations, axis: axis)
        let schema = try Schema(
            axes: [
                Axis(name: "view", kind: .view, count: RecordColumn.variantCount, exchangeable: .yes),
                Axis(name: "real", kind: .realCaption, count: 1, exchangeable: .no),
                Axis(name: "synthetic", kind: .syntheticCaption, count: RecordColumn.variantCount, exchangeable: .yes),
            ],
            columns: [
                Column(name: "uid", role: .rowID, type: .tensor(.u8, dims: [16])), measured,
                Column(name: "image_emb", role: .imageEmbedding, type: one, axis: 0),
                Column(name: "text_emb", role: .textEmbedding, type: one, axis: 1),
                Column(name: "syn_text_emb", role: .textEmbedding, type: one, axis: 2),
            ], metadata: metadata)
        let column = column
        return MeasuredShard(
            schema: schema, storage: storage, variantCount: RecordColumn.variantCount,
            sourceRowCount: column.count / RecordColumn.variantCount, value: { column.range($0) }, bytes: column.bytes)
    }

    private func size(_ storage: String, _ sizes: (stored: UInt64, table: UInt64)) {
        let count = Double(column.count)
        report.number(name, storage, "stored, a value", Double(sizes.stored) / count, unit: "bytes")
        report.number(
            name, storage, "the same without tables", Double(sizes.stored - sizes.table) / count, unit: "bytes")
        report.number(name, storage, "plain, a value", Double(column.bytes.count) / count, unit: "bytes")
    }

    /// Random batches of values as they are stored plain, and of records parsed.
    private func gather(_ storage: String) throws {
        let reader = try mapped(file.path, checks: true)
        var draws = Draws()
        let batches = (0..<200).map { _ in
            (0..<Self.batchCount).map { _ in
                CellAddress(row: draws.below(Self.readRowCount), variant: draws.below(RecordColumn.variantCount))
            }
        }
        let seconds = try report.rounds {
            for batch in batches {
                let cells = try reader.values(column: 1, batch)
                guard !column.isTokens else { continue }
                for i in 0..<cells.count { _ = try Augmentation(parsing: cells[i]) }
            }
        }
        report.speed(
            name, storage, "random batches, checked", count: Double(batches.count * Self.batchCount), unit: "values/s",
            seconds)
    }

    /// All values in their order.
    private func scan(_ storage: String) throws {
        let reader = try mapped(file.path, checks: true)
        var total = 0
        let seconds = try report.rounds {
            for variant in 0..<RecordColumn.variantCount {
                try reader.scanPlane(column: 1, variant: variant) { _, value, _ in total += value.count }
            }
        }
        if total == 1 { print(total) }
        report.speed(
            name, storage, "in order, checked", count: Double(Self.readRowCount * RecordColumn.variantCount),
            unit: "values/s", seconds)
    }

    /// All captions in their order, each into a row of i32: start, ids, end, zeros up to the context length.
    private func pad(_ storage: String) throws {
        let reader = try mapped(file.path, checks: true)
        let width = GeneratedCaptions.contextLength
        let rows = UnsafeMutableBufferPointer<Int32>.allocate(capacity: Self.batchCount * width)
        defer { rows.deallocate() }
        let seconds = try report.rounds {
            for variant in 0..<RecordColumn.variantCount {
                try reader.scanPlane(column: 1, variant: variant) { row, value, _ in
                    let slot = UnsafeMutableBufferPointer(
                        rebasing: rows[row % Self.batchCount * width..<(row % Self.batchCount + 1) * width])
                    let count = min(value.count / 2, width - 2)
                    slot.update(repeating: 0)
                    slot[0] = Int32(GeneratedCaptions.start)
                    value.withUnsafeBytes { bytes in
                        for i in 0..<count {
                            slot[i + 1] = Int32(bytes.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self))
                        }
                    }
                    slot[count + 1] = Int32(GeneratedCaptions.end)
                }
            }
        }
        report.speed(
            name, storage, "in order, padded, checked", count: Double(Self.readRowCount * RecordColumn.variantCount),
            unit: "values/s", seconds)
    }

    /// Batches of a shuffled epoch: tokens as padded rows of i32, or records.
    private func epochs(_ storage: String) throws {
        var options = LoaderOptions()
        options.content = column.isTokens ? .tokens : .augmentations
        options.plan.batchSize = 1024
        let loader = try PairedLoader(dataSet: try DataSet(path: file.folder, access: .mapped), options: options)
        let seconds = try report.rounds {
            let batches = try loader.epoch(0)
            while try batches.next() != nil {}
        }
        report.speed(
            name, storage, "epoch of the loader, checked", count: Double(Self.readRowCount), unit: "values/s", seconds)
    }
}
