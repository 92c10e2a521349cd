import DRLoader
import DRShard
import DRShardFormat

let folder = CommandLine.arguments.dropFirst().first ?? "try/shards"

// Any cell of any shard: view 2 of the image in row 5.
let set = try DataSet(path: folder)
guard let column = set.schema.columns.firstIndex(where: { $0.role == .imageEmbedding }) else {
    fatalError("\(folder) has no image embeddings")
}
let place = set.locate(row: 5)
let embedding = try set.shards[place.shard].value(column: column, row: place.row, variant: 2)
print("\(set.rowCount) rows, an embedding has \(embedding?.count ?? 0) bytes")

// An epoch: one view, the real caption and one synthetic caption of every row, made ahead on threads of the loader's.
var options = LoaderOptions()
options.plan.batchSize = 8
options.plan.seed = 7
options.embeddingElement = .f32
let loader = try PairedLoader(dataSet: set, options: options)
let batches = try loader.epoch(0)
while let batch = try batches.next() {
    // [8, dims] of f32, one row behind the other; nobody writes there as long as somebody has it.
    let bytes = batch.image.embeddings[0].withBytes { $0.count }
    print("step \(batch.step): rows \(batch.rows), views \(batch.image.views.delivered), \(bytes) bytes of embeddings")
}
// With `for try await batch in loader.batches(epoch: 0)` the same, without a thread that waits.
let later = try loader.epoch(resuming: batches.state)
print("behind epoch \(batches.plan.epoch) comes step \(later.nextStep) of epoch \(later.plan.epoch)")

// A shard of one's own. Without finish() no file appears under this name.
let schema = try Schema(
    axes: [],
    columns: [
        Column(name: "id", role: .rowID, type: .tensor(.u8, dims: [4])), Column(name: "note", role: .text, type: .utf8),
    ])
let writer = try ShardWriter(path: "\(folder)-example.drs", schema: schema, options: WriterOptions(shardTag: 1))
for number: UInt8 in 0..<3 {
    try writer.set([0, 0, 0, number], column: 0)
    try writer.set("row \(number)", column: 1)
    try writer.endRow()
}
try writer.finish()
