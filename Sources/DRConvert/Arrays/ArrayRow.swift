internal import DRShardFormat

/// One row of a unit as its arrays and its line have it, before it is known which row of `text_emb` is what.
struct ArrayRow {
    /// Embeddings of one array, `[variants, dims]`.
    struct Matrix {
        var array: ForeignArray
        /// One for each variant; nil: all are there.
        var states: [CellState]?
    }

    var number: Int
    var uid: String
    var line: RowLine?
    var image: Matrix
    var text: Matrix?
    /// By the keys of captions.
    var sets: [String: Matrix]
    var sha256: String?
    var originalSize: ImageSize?

    /// Captions whose embeddings have no array of their own: they are rows of `text_emb`.
    var combinedKeys: [String] {
        (line?.captionSets.keys.filter { sets[$0] == nil && line?.captionSets[$0]?.isEmpty == false } ?? []).sorted()
    }
}

extension ArrayRow {
    /// The row as it is stored.
    /// - Parameter textRows: which row of `text_emb` is what.
    /// - Throws: `.schemaMismatch` if captions and embeddings do not belong together.
    func sourceRow(_ textRows: TextRows) throws(ShardError) -> SourceRow {
        var row = SourceRow(
            uid: uid, sha256: sha256, url: line?.url, caption: line?.caption, originalSize: originalSize,
            augmentations: line?.augmentations ?? [], matrices: [], views: [],
            loneSurrogateCount: line?.loneSurrogateCount ?? 0)
        row.views = add(image, "image_emb", to: &row)
        guard row.augmentations.isEmpty || row.augmentations.count == row.views.count else {
            throw .schemaMismatch(
                "param_aug has \(row.augmentations.count) entries, image_emb has \(row.views.count) rows")
        }
        var textCells: [SourceRow.Cell] = []
        if let text {
            try textRows.check(text.array)
            textCells = add(text, "text_emb", to: &row)
            row.realEmbedding = textCells[textRows.real]
        }
        var combined = combinedKeys
        // Rows of text_emb that somebody says are captions, which nobody wrote down.
        if combined.isEmpty, !textRows.synthetic.isEmpty, sets["syn_text"] == nil { combined = ["syn_text"] }
        for key in (sets.keys + combined).sorted() {
            let texts = line?.captionSets[key]
            let cells: [SourceRow.Cell]
            if let own = sets[key] {
                cells = add(own, key + "_emb", to: &row)
            } else {
                guard text != nil, combined.count == 1 else {
                    throw .schemaMismatch("the captions \"\(key)\" have no embeddings: there is no \(key)_emb")
                }
                cells = textRows.synthetic.map { textCells[$0] }
            }
            guard texts == nil || texts?.count == cells.count else {
                throw .schemaMismatch("\(texts?.count ?? 0) captions \"\(key)\" and \(cells.count) embeddings of them")
            }
            row.captionSets.append(.init(key: key, texts: texts, embeddings: cells))
        }
        return row
    }

    /// Adds a matrix to a row: of one that lacks cells those that are there, since the others' numbers mean nothing.
    private func add(_ matrix: Matrix, _ name: String, to row: inout SourceRow) -> [SourceRow.Cell] {
        let (number, array) = (row.matrices.count, matrix.array)
        guard let states = matrix.states, states.contains(where: { $0 != .present }) else {
            row.matrices.append(.init(name: "\(name)[\(self.number)]", array: array))
            return (0..<array.shape[0]).map { .row(matrix: number, row: $0) }
        }
        var cells: [SourceRow.Cell] = []
        var bytes: [UInt8] = []
        var count = 0
        for (variant, state) in states.enumerated() {
            guard state == .present else {
                cells.append(.missing(state))
                continue
            }
            cells.append(.row(matrix: number, row: count))
            bytes += array.rowBytes(variant)
            count += 1
        }
        let present = ForeignArray(element: array.element, shape: [count, array.shape[1]], bytes: bytes[...])
        row.matrices.append(.init(name: "\(name)[\(self.number)]", array: present))
        return cells
    }
}

extension TextRows {
    /// Which row of `text_emb` is what, from the first rows of arrays.
    /// - Throws: as `choose` of samples does.
    static func choose(_ rows: [ArrayRow], given: TextRows?) throws(ShardError) -> TextRows {
        guard let first = rows.first, let text = first.text else {
            guard let given else { return TextRows(real: 0, synthetic: []) }
            throw .schemaMismatch("--text-rows \(given.text) is about text_emb, which is not there")
        }
        let rowCount = text.array.shape[0]
        // Without captions nothing says how many rows are theirs.
        let isSaid = first.combinedKeys.isEmpty && first.sets["syn_text"] == nil && given != nil
        if first.combinedKeys.isEmpty, given == nil, rowCount > 1 {
            let advice =
                first.sets["syn_text"] == nil
                ? "real=0,syn=1-\(rowCount - 1), or give the synthetic ones apart, as syn_text_emb"
                : "real=0: of one real caption the embedding is read"
            throw .schemaMismatch(
                "text_emb has \(rowCount) rows of each sample, and no captions say what they are; say it with "
                    + "--text-rows, such as \(advice)")
        }
        var samples: [DRSample] = []
        for row in rows {
            guard let text = row.text else { continue }
            var sets: [DRSample.CaptionSet] = row.combinedKeys.map {
                .init(key: $0, texts: (row.line?.captionSets[$0] ?? []).map { $0 ?? "" }, embeddings: nil)
            }
            if isSaid, let given, !given.synthetic.isEmpty {
                sets = [.init(key: "syn_text", texts: given.synthetic.map { _ in "" }, embeddings: nil)]
            }
            samples.append(
                DRSample(
                    key: row.uid, uid: row.uid, captionSets: sets, augmentations: [], imageEmbeddings: row.image.array,
                    textEmbeddings: text.array, otherArrays: [], loneSurrogateCount: 0))
        }
        return try choose(samples, given: given)
    }
}
