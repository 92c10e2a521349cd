internal import DRShard
package import DRShardFormat
internal import DRText
internal import Foundation

/// What a conversion would make, from the headers of its inputs and its first rows. Writes nothing.
package struct DryRun: Sendable {
    package let inputCount: Int
    package let inputByteCount: UInt64
    /// Shards that are there already under the names that would be given.
    package let existingShards: [String]
    package let schema: Schema
    /// Rows that were looked at, and what they would take in a shard of their own.
    package let probedRowCount: Int
    package let probedByteCount: UInt64
    /// From the bytes of the inputs and those of the rows that were looked at.
    package let estimatedRowCount: UInt64
    package let estimatedByteCount: UInt64
    /// Of the output's file system; nil if it is not known.
    package let freeByteCount: UInt64?
    package let duplicateTextRow: TextRows.Duplicate?
    /// What was met in the rows that were looked at.
    package let counts: RowCounts

    /// - Throws: what looking at the first rows throws.
    package init(_ options: ConvertOptions) throws(ShardError) {
        var options = options
        options.resumes = true
        let inputs = try ConversionInput.list(options)
        let (_, context) = try Converter.prepare(options, progress: nil)
        let probe = try SetProbe(inputs, options: options)
        inputCount = inputs.count
        inputByteCount = inputs.reduce(0) { $0 + $1.byteCount }
        existingShards = inputs.map { context.shardPath(of: $0) }.filter { FileManager.default.fileExists(atPath: $0) }
        schema = context.layout.schema
        duplicateTextRow = probe.reading.textRows.duplicate
        let sink = CountingSink()
        let writer = try ShardWriter(sink: sink, schema: schema, options: try context.writerOptions(of: inputs[0]))
        var converter = RowConverter(
            layout: context.layout, options: options, encoder: context.tokenizer?.makeEncoder())
        var counts = RowCounts()
        for row in probe.rows {
            do throws(ShardError) {
                try converter.set(row, in: writer, counts: &counts)
                try writer.endRow()
            } catch {
                writer.discardRow()
                counts.leftOut += 1
            }
        }
        try writer.finish()
        self.counts = counts
        probedRowCount = writer.rowCount
        probedByteCount = sink.byteCount
        let share = Double(inputByteCount) / Double(max(1, probe.byteCount))
        estimatedRowCount = UInt64((Double(writer.rowCount) * share).rounded())
        estimatedByteCount = UInt64((Double(sink.byteCount) * share).rounded())
        let existing = TarFolder.existingFolder(of: options.output)
        let attributes = try? FileManager.default.attributesOfFileSystem(forPath: existing)
        freeByteCount = (attributes?[.systemFreeSize] as? NSNumber)?.uint64Value
    }
}

/// Counts bytes, and keeps none.
private final class CountingSink: ByteSink {
    let path = "nothing"
    private(set) var byteCount: UInt64 = 0
    func write(_ bytes: [UInt8]) throws(ShardError) { byteCount += UInt64(bytes.count) }
    func synchronize() throws(ShardError) {}
    func commit() throws(ShardError) {}
}
