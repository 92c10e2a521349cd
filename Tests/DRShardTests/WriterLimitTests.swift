import DRShard
import DRShardFormat
import Foundation
import TestSupport
import Testing

/// A sink that keeps nothing.
private final class NoSink: ByteSink {
    let path = "nowhere"
    func write(_ bytes: [UInt8]) throws(ShardError) {}
    func synchronize() throws(ShardError) {}
    func commit() throws(ShardError) {}
}

// R-LIMIT-1
@Test func notesThatNoReaderTakesAreNotWritten() throws {
    let shard = try SmallShard()
    let writer = try ShardWriter(sink: NoSink(), schema: shard.schema, options: shard.options)
    for notes in [
        [Note(key: String(repeating: "k", count: 65_536), value: "")],
        Array(repeating: Note(key: "k", value: String(repeating: "v", count: 1 << 20)), count: 16),
    ] {
        writer.notes = notes
        #expect(throws: ShardError.limitExceeded("")) { try writer.finish() }
    }
    writer.notes = [Note(key: String(repeating: "k", count: 65_535), value: "v")]
    #expect(try writer.finish().notes.count == 1)
}

@Test func discardedRowsDoNotCountAgainstTheBytesOfARowGroup() throws {
    let shard = try SmallShard()
    var options = shard.options
    options.maximumGroupByteCount = 100
    let writer = try ShardWriter(sink: NoSink(), schema: shard.schema, options: options)
    for _ in 0..<20 {
        try writer.set([1, 2, 3, 4], column: 0)
        try writer.setMissing(column: 1, variant: 0)
        try writer.set([1, 2, 3, 4, 5, 6], column: 1, variant: 1)
        try writer.set(String(repeating: "t", count: 80), column: 2)
        writer.discardRow()
    }
    try writer.set([1, 2, 3, 4], column: 0)
    #expect(throws: ShardError.limitExceeded("")) { try writer.set(String(repeating: "t", count: 97), column: 2) }
}

@Test func missingCellsOfTensorsCountAgainstTheBytesOfARowGroup() throws {
    let shard = try SmallShard()
    var options = shard.options
    options.maximumGroupByteCount = 14
    let writer = try ShardWriter(sink: NoSink(), schema: shard.schema, options: options)
    for _ in 0..<3 {
        try writer.set([1, 2, 3, 4], column: 0)
        try writer.setMissing(column: 1, variant: 0)
        try writer.setMissing(column: 2)
        #expect(throws: ShardError.limitExceeded("")) { try writer.setMissing(column: 1, variant: 1) }
        #expect(throws: ShardError.limitExceeded("")) { try writer.set([1, 2, 3, 4, 5, 6], column: 1, variant: 1) }
        writer.discardRow()
    }
}

@Test func badOptionsLeaveNoFile() throws {
    let shard = try SmallShard()
    let folder = try TemporaryFolder()
    for rows in [0, Limits.maximumRowsPerGroup + 1] {
        var options = shard.options
        options.rowsPerGroup = rows
        let error = #expect(throws: ShardError.self) {
            try ShardWriter(path: folder.file("a.drs"), schema: shard.schema, options: options)
        }
        #expect(error?.code == .invalidArgument && error?.context.path == folder.file("a.drs"))
    }
    // A schema of more bytes than a reader takes.
    var metadata = SchemaMetadata()
    metadata.provenance = [Note(key: "k", value: String(repeating: "v", count: Limits.maximumSchemaByteCount))]
    let schema = try Schema(axes: shard.schema.axes, columns: shard.schema.columns, metadata: metadata)
    #expect(throws: ShardError.limitExceeded("")) {
        try ShardWriter(path: folder.file("a.drs"), schema: schema, options: shard.options)
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [])
}

@Test func discardedShardLeavesNoFileAndTakesNothingMore() throws {
    let shard = try SmallShard()
    let folder = try TemporaryFolder()
    let writer = try ShardWriter(path: folder.file("a.drs"), schema: shard.schema, options: shard.options)
    try SmallShard.append(shard.rows[...], to: writer)
    writer.discard()
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [])
    #expect(throws: ShardError.invalidArgument("")) { try writer.set([1, 2, 3, 4], column: 0) }
    #expect(throws: ShardError.invalidArgument("")) { try writer.finish() }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [])
    let finished = try ShardWriter(path: folder.file("b.drs"), schema: shard.schema, options: shard.options)
    try finished.finish()
    finished.discard()
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["b.drs"])
}

@Test func errorsOfNotesNameTheFile() throws {
    let shard = try SmallShard()
    let writer = try ShardWriter(sink: NoSink(), schema: shard.schema, options: shard.options)
    writer.notes = [Note(key: String(repeating: "k", count: 65_536), value: "")]
    let error = #expect(throws: ShardError.self) { try writer.finish() }
    #expect(error?.context.path == "nowhere")
}

@Test func planesOfTensorsHoldNoMoreThanARowGroup() {
    // Behind each of these numbers, doubling would begin again.
    for rowCount in [1, 65, 1100, 5000] {
        var plane = Plane(type: .tensor(.u8, dims: [1000]), maximumRowCount: rowCount)
        let cell = [UInt8](repeating: 7, count: 1000)
        for row in 0..<rowCount {
            if row % 3 == 0 { plane.append(missing: .absent) } else { plane.append(cell.span) }
        }
        #expect(plane.bytes.count == rowCount * 1000)
        #expect(plane.bytes.capacity < rowCount * 1000 + 10_000, "\(rowCount) rows")
    }
    var plane = Plane(type: .tensor(.u8, dims: [1000]), maximumRowCount: 1 << 20)
    plane.append(missing: .lost)
    #expect(plane.bytes.capacity < 200_000, "one row of a large row group")
}
