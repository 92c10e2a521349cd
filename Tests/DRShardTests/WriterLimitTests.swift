import DRShard
import DRShardFormat
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
