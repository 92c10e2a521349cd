package import DRShardFormat

/// The rows of a tar of the DataCompDR layout, read and decompressed ahead: see `UnpackPipeline`.
package final class TarRowSource: RowSource {
    private let decoder: DRSampleDecoder
    private let textRows: TextRows
    private let path: String
    private let pipeline: UnpackPipeline
    package private(set) var canGoOn = false
    package private(set) var rowName: String?
    package private(set) var rowPosition: UInt64?
    package private(set) var doneByteCount: UInt64 = 0

    /// - Throws: what `TarReader` throws.
    package init(path: String, options: DRSampleDecoder.Options, textRows: TextRows) throws(ShardError) {
        self.path = path
        self.textRows = textRows
        decoder = try DRSampleDecoder(options: options)
        pipeline = try UnpackPipeline(path: path, decoder: decoder)
    }

    package func next() throws(ShardError) -> SourceRow? {
        rowName = nil
        rowPosition = nil
        guard let step = pipeline.next() else { return nil }
        canGoOn = step.canGoOn
        let unpacked = try step.result.get()
        let group = unpacked.group
        rowName = group.name
        rowPosition = group.members.first?.dataPosition
        doneByteCount = group.members.last?.dataPosition ?? doneByteCount
        let sample: DRSample
        do throws(ShardError) { sample = try decoder.decode(unpacked) } catch {
            throw error.with(.init(path: path, position: rowPosition))
        }
        do throws(ShardError) { return try TarRowSource.row(sample, textRows) } catch {
            throw ShardError(error.code, "sample \(group.name): \(error.reason)", context: error.context).with(
                .init(path: path, position: rowPosition))
        }
    }

    /// A decoded sample as a row.
    static func row(_ sample: DRSample, _ textRows: TextRows) throws(ShardError) -> SourceRow {
        try textRows.check(sample.textEmbeddings)
        var row = SourceRow(
            uid: sample.uid, sha256: sample.sha256, url: sample.url, caption: sample.caption, image: sample.image,
            originalSize: sample.originalSize, augmentations: sample.augmentations,
            matrices: [
                .init(name: "image_emb", array: sample.imageEmbeddings),
                .init(name: "text_emb", array: sample.textEmbeddings),
            ],
            views: (0..<sample.imageEmbeddings.shape[0]).map { .row(matrix: 0, row: $0) },
            realEmbedding: .row(matrix: 1, row: textRows.real), loneSurrogateCount: sample.loneSurrogateCount)
        for set in sample.captionSets {
            var embeddings: [SourceRow.Cell]
            if let own = set.embeddings {
                row.matrices.append(.init(name: set.key + "_emb", array: own))
                embeddings = (0..<own.shape[0]).map { .row(matrix: row.matrices.count - 1, row: $0) }
            } else {
                embeddings = textRows.synthetic.map { .row(matrix: 1, row: $0) }
                guard embeddings.count == set.texts.count else {
                    throw .schemaMismatch(
                        "\(set.texts.count) captions \"\(set.key)\", where the set's first sample has \(embeddings.count)"
                    )
                }
            }
            row.captionSets.append(.init(key: set.key, texts: set.texts, embeddings: embeddings))
        }
        return row
    }
}
