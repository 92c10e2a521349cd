import DRShard
import DRShardFormat
import Foundation

/// Takes bytes and keeps none.
final class DiscardSink: ByteSink {
    let path = "nowhere"
    private(set) var byteCount = 0
    func write(_ bytes: [UInt8]) { byteCount += bytes.count }
    func synchronize() {}
    func commit() {}
}

/// A shard with row ids and the column that is measured, number 1; further columns are of no account.
struct MeasuredShard {
    let schema: Schema
    /// Of column 1; the others are plain.
    let storage: ColumnStorage
    let variantCount: Int
    let sourceRowCount: Int
    /// Where in `bytes` the value of variant v of row r is: number r * variantCount + v.
    let value: (Int) -> Range<Int>
    let bytes: [UInt8]
}

extension MeasuredShard {
    private var options: WriterOptions {
        var options = WriterOptions(shardTag: 1)
        for column in schema.columns.indices { options.storage[column] = .plain }
        options.storage[1] = storage
        return options
    }

    /// Writes rows, from the first one again behind the last.
    func write(to sink: any ByteSink, rowCount: Int) throws {
        let writer = try ShardWriter(sink: sink, schema: schema, options: options)
        var id = [UInt8](repeating: 0, count: 16)
        let cell = [UInt8](repeating: 0, count: 2)
        for row in 0..<rowCount {
            for i in 0..<8 { id[i] = UInt8(truncatingIfNeeded: row >> (8 * i)) }
            try writer.set(id, column: 0)
            let first = row % sourceRowCount * variantCount
            for variant in 0..<variantCount {
                try writer.set(bytes.span.extracting(value(first + variant)), column: 1, variant: variant)
            }
            for column in schema.columns.indices.dropFirst(2) {
                for variant in 0..<schema.variantCount(of: column) {
                    try writer.set(cell, column: column, variant: variant)
                }
            }
            try writer.endRow()
        }
        try writer.finish()
    }

    /// Writes a shard file; one of this name is replaced.
    func write(to path: String, rowCount: Int) throws {
        try? FileManager.default.removeItem(atPath: path)
        try write(to: AtomicFile(path: path), rowCount: rowCount)
    }

    /// Bytes of column 1: of all pages and indexes, and of tables; nil if the writer does not have the storage yet, or
    /// no page became smaller by it.
    static func sizes(_ path: String, _ storage: ColumnStorage) throws -> (stored: UInt64, table: UInt64)? {
        let column = try DataSet(path: path).statistics()[1]
        let isUsed: Bool =
            switch storage {
            case .plain: true
            case .zstd, .lz4: column.total.codecs.keys.contains { $0.hasSuffix("/\(storage.rawValue)") }
            default: column.total.codecs.keys.contains { $0.hasPrefix("\(storage.rawValue)/") }
            }
        return isUsed ? (column.storedByteCount, column.tableByteCount) : nil
    }
}

/// The path of a shard, which is removed with the object.
final class ShardFile {
    let folder: String
    var path: String { folder + "/0.drs" }

    init(in parent: String) throws {
        folder = parent + "/drshard-codecs-\(ProcessInfo.processInfo.processIdentifier)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(atPath: folder) }
}

func mapped(_ path: String, checks: Bool) throws -> ShardReader {
    var options = ReaderOptions()
    options.checksUnits = checks
    return try ShardReader(path: path, access: .mapped, options: options)
}
