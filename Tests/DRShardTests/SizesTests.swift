import DRShard
import DRShardFormat
import Foundation
import GeneratedData
import TestSupport
import Testing

/// The bytes that every storage takes for generated data, as `Fixtures/sizes.csv` has them: a change of the format, of
/// an encoder or of a table's choice shows there. Those of zstd and lz4 depend on the versions of these libraries.
@Suite struct SizesTests {
    static let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
        "Fixtures/sizes.csv"
    ).path
    static let head = "data,storage,values_crc32c,plain_bytes,stored_bytes,table_bytes"

    /// A column of one set: values row behind row, in each the variants.
    struct Measured {
        let name: String
        let type: ColumnType
        let variantCount: Int
        var storages: [ColumnStorage]
        let values: [[UInt8]]
    }

    static let bf16: [ColumnStorage] = [.plain, .fast, .balanced, .archive]

    static func embeddings(
        _ name: String, dims: Int, variantCount: Int, rowCount: Int, _ shape: GeneratedEmbeddings.Shape
    )
        -> Measured
    {
        var embeddings = GeneratedEmbeddings(dims: dims, variantCount: variantCount, shape: shape, seed: 11)
        let values = embeddings.values(rowCount: rowCount)
        return Measured(
            name: name, type: .tensor(.bf16, dims: [dims]), variantCount: variantCount, storages: bf16,
            values: stride(from: 0, to: values.count, by: dims).map { start in
                values[start..<start + dims].flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
            })
    }

    static func measured() throws -> [Measured] {
        var captions = GeneratedCaptions(seed: 12)
        var records = GeneratedAugmentations(seed: 13)
        return [
            embeddings("views_768", dims: 768, variantCount: 10, rowCount: 48, .views),
            embeddings("views_1536", dims: 1536, variantCount: 20, rowCount: 8, .views),
            embeddings("captions_384", dims: 384, variantCount: 6, rowCount: 100, .captions),
            embeddings("single_64", dims: 64, variantCount: 1, rowCount: 1000, .captions),
            Measured(
                name: "tokens", type: .ragged(.u16), variantCount: 5, storages: [.plain, .tokenRanks],
                values: (0..<5000).map { _ in
                    captions.next().flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
                }),
            Measured(
                name: "augmentations", type: .operations, variantCount: 10, storages: [.plain, .operationTable],
                values: try (0..<500).flatMap { _ in try records.next(viewCount: 10).map { try $0.serialized() } }),
        ]
    }

    /// The line of one storage.
    static func line(_ measured: Measured, _ storage: ColumnStorage, in folder: TemporaryFolder) throws -> String {
        let axis = Axis(name: "variant", kind: .view, count: measured.variantCount, exchangeable: .yes)
        var metadata = SchemaMetadata()
        metadata.operations = GeneratedAugmentations.operations
        let schema = try Schema(
            axes: [axis],
            columns: [
                Column(name: "uid", role: .rowID, type: .tensor(.u8, dims: [16])),
                Column(name: "value", role: .other, type: measured.type, axis: 0),
            ], metadata: metadata)
        var options = WriterOptions(shardTag: 1)
        options.storage = [0: .plain, 1: storage]
        let path = folder.file("\(measured.name)-\(storage.rawValue).drs")
        let writer = try ShardWriter(path: path, schema: schema, options: options)
        for row in 0..<measured.values.count / measured.variantCount {
            try writer.set(Array(SHA256.digest(Array("row \(row)".utf8)).prefix(16)), column: 0)
            for variant in 0..<measured.variantCount {
                try writer.set(measured.values[row * measured.variantCount + variant], column: 1, variant: variant)
            }
            try writer.endRow()
        }
        try writer.finish()
        #expect(ShardVerifier.verify(path: path, depth: .decode).isEmpty)
        let column = try DataSet(path: path).statistics()[1]
        let sum = String(crc32c(Array(measured.values.joined())), radix: 16)
        return [
            measured.name, storage.rawValue, String(repeating: "0", count: 8 - sum.count) + sum,
            String(column.total.plainByteCount), String(column.storedByteCount), String(column.tableByteCount),
        ].joined(separator: ",")
    }

    @Test func generatedDataTakesTheBytesThatTheListSays() throws {
        let folder = try TemporaryFolder()
        var lines = [Self.head]
        for measured in try Self.measured() {
            for storage in measured.storages { lines.append(try Self.line(measured, storage, in: folder)) }
        }
        let text = lines.joined(separator: "\n") + "\n"
        if ProcessInfo.processInfo.environment["DRSHARD_WRITE_SIZES"] == "1" { try write(Array(text.utf8), Self.path) }
        let stored = String(decoding: try contents(Self.path), as: UTF8.self)
        let expected = stored.split(separator: "\n").map(String.init)
        for line in Set(lines).symmetricDifference(expected).sorted() {
            Issue.record(
                "\(expected.contains(line) ? "listed" : "found"): \(line)  (columns: \(Self.head); if the change is meant, write the list anew: DRSHARD_WRITE_SIZES=1 swift test --filter SizesTests)"
            )
        }
        #expect(lines == expected || !Set(lines).symmetricDifference(expected).isEmpty, "the order of the list")
    }
}
