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
