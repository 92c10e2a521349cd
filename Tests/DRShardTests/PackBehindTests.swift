import DRShard
import DRShardFormat
import Foundation
import Testing

/// Fails to write behind so many bytes.
private final class FullSink: ByteSink {
    let path = "a full disk"
    private var room: Int
    init(room: Int) { self.room = room }
    func write(_ bytes: [UInt8]) throws(ShardError) {
        room -= bytes.count
        guard room >= 0 else { throw .io("no space left") }
    }
    func synchronize() throws(ShardError) {}
    func commit() throws(ShardError) {}
}

@Suite struct PackBehindTests {
    private func schema() throws -> Schema {
        try Schema(
            axes: [],
            columns: [
                Column(name: "id", role: .rowID, type: .tensor(.u8, dims: [16])),
                Column(name: "text", role: .text, type: .utf8),
            ])
    }

    private func add(_ row: Int, to writer: ShardWriter) throws {
        let id = (0..<16).map { UInt8(truncatingIfNeeded: row >> (8 * $0)) }
        try writer.set(id, column: 0)
        if row % 7 == 3 {
            try writer.setMissing(column: 1)
        } else {
            try writer.set(String(repeating: "\(row) ", count: row % 5), column: 1)
        }
        try writer.endRow()
    }

    private func file(_ path: String, behind: Bool, rows: Int) throws -> Data {
        var options = WriterOptions(shardTag: 5)
        options.rowsPerGroup = 10
        options.packsBehind = behind
        let writer = try ShardWriter(path: path, schema: try schema(), options: options)
        for row in 0..<rows {
            // A row that was begun and taken back leaves no trace.
            if row == 12 {
                try writer.set("gone", column: 1)
                writer.discardRow()
            }
            try add(row, to: writer)
        }
        try writer.finish()
        return try Data(contentsOf: URL(fileURLWithPath: path))
    }

    @Test(arguments: [0, 1, 9, 10, 11, 20, 57]) func theBytesAreThoseOfAWriterThatPacksItself(_ rows: Int) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("behind-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(at: folder) }
        #expect(
            try file(folder.path + "/a.drs", behind: false, rows: rows)
                == file(folder.path + "/b.drs", behind: true, rows: rows))
    }

    @Test func anErrorOfTheThreadIsThrownAndTheWriterStaysFailed() throws {
        var options = WriterOptions(shardTag: 5)
        options.rowsPerGroup = 10
        options.packsBehind = true
        let writer = try ShardWriter(sink: FullSink(room: 4000), schema: try schema(), options: options)
        var failed: Int?
        for row in 0..<200 where failed == nil {
            do { try add(row, to: writer) } catch let error as ShardError {
                #expect(error.code == .io)
                failed = row
            }
        }
        let row = try #require(failed)
        // One row group later than it happened, at the end of a row group.
        #expect(row % 10 == 9 && row >= 19)
        #expect(writer.hasFailed)
        #expect(throws: ShardError.self) { try writer.finish() }
    }

    @Test func aWriterThatIsDroppedWaitsForItsThread() throws {
        for rows in [10, 25, 40] {
            var options = WriterOptions(shardTag: 5)
            options.rowsPerGroup = 10
            options.packsBehind = true
            let writer = try ShardWriter(sink: FullSink(room: 1 << 30), schema: try schema(), options: options)
            for row in 0..<rows { try add(row, to: writer) }
            #expect(writer.rowCount == rows)
        }
    }
}
