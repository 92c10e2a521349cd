internal import DRShardFormat

/// Embeddings: their norms, and how similar they are to each other.
extension Profile {
    /// Views of a row that are compared with captions of other rows, and these captions.
    private static let comparedViews = 4
    private static let comparedRows = 4

    mutating func examineEmbeddings(_ block: RowBlock) {
        var numbers: [Int: EmbeddingBlock] = [:]
        for column in layout.embeddings {
            numbers[column] = EmbeddingBlock(block.cells[column], type: layout.schema.columns[column].type)
        }
        for (column, embeddings) in numbers.sorted(by: { $0.key < $1.key }) {
            examineNorms(embeddings, of: column, block)
            if layout.schema.columns[column].role == .imageEmbedding { findIdenticalViews(column, block) }
        }
        findEqualTextRows(block)
        guard let image = layout.image, let images = numbers[image] else { return }
        compareViews(images, image, block)
        let texts = layout.textRows.compactMap { row in numbers[row.column].map { (row, $0) } }
        if !texts.isEmpty { compareWithCaptions(images, image, texts, block) }
    }

    private mutating func examineNorms(_ embeddings: EmbeddingBlock, of column: Int, _ block: RowBlock) {
        let cells = block.cells[column]
        let slices = layout.slices.indices.filter { layout.slices[$0].column == column }
        var ofViews = slices.map { _ in Array(repeating: 0.0, count: cells.variantCount) }
        let columnName = name(column)
        let isView = layout.schema.columns[column].axis.map { layout.schema.axes[$0].kind == .view } ?? false
        for row in 0..<block.rowCount {
            var isComplete = true
            for variant in 0..<cells.variantCount {
                let cell = row * cells.variantCount + variant
                guard cells.isPresent(row, variant), isUsable(embeddings, cell, column, block.places[row], variant)
                else {
                    isComplete = false
                    continue
                }
                for (i, slice) in slices.enumerated() {
                    let norm = embeddings.squaredNorm(cell, layout.slices[slice].elements).squareRoot()
                    ofViews[i][variant] = norm
                    norms[slice].add(
                        norm, at: block.places[row].at(columnName, variant, "length \(Profile.short(norm))"))
                }
            }
            guard isView, isComplete else { continue }
            // Views that are all of length 1 differ by their rounding alone.
            for (i, slice) in slices.enumerated() {
                measure("norm of \(layout.slices[slice].name)", ofViews[i], asRanks: true)
            }
        }
    }

    /// Whether an embedding has a length and a direction; counts what it has instead.
    private mutating func isUsable(
        _ embeddings: EmbeddingBlock, _ cell: Int, _ column: Int, _ place: RowPlace, _ variant: Int
    ) -> Bool {
        let square = embeddings.squaredNorm(cell, 0..<embeddings.dims)
        if square.isFinite && square > 0 { return true }
        if square == 0 {
            note(.zeroEmbedding, column, variant, place)
            return false
        }
        let (nan, infinite) = embeddings.nonFiniteCounts(cell)
        if nan > 0 {
            note(.nanEmbedding, column, variant, place, "\(nan) elements are NaN")
        } else {
            let what = infinite > 0 ? "\(infinite) elements are infinite" : "its length overflows"
            note(.infiniteEmbedding, column, variant, place, what)
        }
        return false
    }

    /// Cells of a row that equal an earlier one, bit for bit.
    private static func equalCells(_ cells: [ArraySlice<UInt8>?], _ found: (_ first: Int, _ second: Int) -> Void) {
        var known: [UInt32: [Int]] = [:]
        for (i, cell) in cells.enumerated() {
            guard let cell else { continue }
            let sum = crc32c(cell.span)
            for other in known[sum] ?? [] where cells[other] == cell { found(other, i) }
            known[sum, default: []].append(i)
        }
    }

    mutating func findIdenticalViews(_ column: Int, _ block: RowBlock) {
        let cells = block.cells[column]
        let isRecord = layout.schema.columns[column].role == .augmentation
        for row in 0..<block.rowCount {
            var last = -1
            Profile.equalCells((0..<cells.variantCount).map { cells[row, $0] }) { first, second in
                // One count for each view that was there before.
                guard second != last else { return }
                last = second
                note(
                    isRecord ? .identicalViewRecords : .identicalViewEmbeddings, column, second, block.places[row],
                    "equals variant \(first)")
            }
        }
    }

    private mutating func findEqualTextRows(_ block: RowBlock) {
        let rows = layout.textRows
        for row in 0..<block.rowCount {
            Profile.equalCells(rows.map { block.cells[$0.column][row, $0.variant] }) { first, second in
                textRows.equal[first * rows.count + second] += 1
                let (a, b) = (rows[first], rows[second])
                if let text = a.textColumn.flatMap({ block.cells[$0][row, a.variant] }),
                    let other = b.textColumn.flatMap({ block.cells[$0][row, b.variant] }), text == other
                {
                    // Then they should be equal.
                    return
                }
                let other = name(a.column)
                note(
                    .equalCaptionEmbeddings, b.column, b.variant, block.places[row],
                    "equals \(other) variant \(a.variant)")
            }
        }
    }

    private mutating func compareViews(_ images: EmbeddingBlock, _ column: Int, _ block: RowBlock) {
        let count = block.cells[column].variantCount
        for row in 0..<block.rowCount {
            for view in 0..<max(0, count - 1) {
                guard let cosine = cosine(images, column, row, view, images, column, row, view + 1, block) else {
                    continue
                }
                viewCosines.add(cosine)
            }
        }
    }

    private func cosine(
        _ a: EmbeddingBlock, _ columnA: Int, _ rowA: Int, _ variantA: Int, _ b: EmbeddingBlock, _ columnB: Int,
        _ rowB: Int, _ variantB: Int, _ block: RowBlock
    ) -> Double? {
        let (cellsA, cellsB) = (block.cells[columnA], block.cells[columnB])
        guard cellsA.isPresent(rowA, variantA), cellsB.isPresent(rowB, variantB) else { return nil }
        let (i, j) = (rowA * cellsA.variantCount + variantA, rowB * cellsB.variantCount + variantB)
        let squares = a.squaredNorm(i, 0..<a.dims) * b.squaredNorm(j, 0..<b.dims)
        guard squares > 0, squares.isFinite else { return nil }
        let cosine = a.dot(i, b, j) / squares.squareRoot()
        return cosine.isFinite ? cosine : nil
    }

    private mutating func compareWithCaptions(
        _ images: EmbeddingBlock, _ column: Int, _ texts: [(ProfileLayout.TextRow, EmbeddingBlock)], _ block: RowBlock
    ) {
        let viewCount = block.cells[column].variantCount
        let views = Profile.spread(Self.comparedViews, of: viewCount)
        /// The mean cosine of a row's image with a caption of the same or another row.
        func similarity(_ row: Int, _ text: Int, of other: Int, _ add: (Double) -> Void) -> Double? {
            let (place, embeddings) = texts[text]
            var sum = 0.0
            for view in views {
                guard
                    let cosine = cosine(
                        images, column, row, view, embeddings, place.column, other, place.variant, block)
                else { return nil }
                add(cosine)
                sum += cosine
            }
            return sum / Double(views.count)
        }
        for row in 0..<block.rowCount {
            var similarities: [Double?] = []
            for (i, text) in texts.enumerated() {
                similarities.append(
                    similarity(row, i, of: row) {
                        if text.0.isSynthetic { syntheticCosines.add($0) } else { realCosines.add($0) }
                    })
            }
            if similarities.count > 1, !similarities.contains(nil),
                let best = similarities.indices.max(by: { similarities[$0] ?? 0 < similarities[$1] ?? 0 })
            {
                textRows.best[best] += 1
            }
            measureSimilarity(images, column, texts[0], row, block)
            guard let own = similarities[0] else { continue }
            let others = (1...Self.comparedRows).prefix(max(0, block.rowCount - 1)).compactMap { step in
                similarity(row, 0, of: (row + step) % block.rowCount) { otherCosines.add($0) }
            }
            guard !others.isEmpty else { continue }
            let lower = others.reduce(0.0) { $0 + ($1 < own ? 1 : $1 == own ? 0.5 : 0) }
            pairing.add(lower: lower, others: others.count)
        }
    }

    /// Views that show another part of the image are more or less like its caption.
    private mutating func measureSimilarity(
        _ images: EmbeddingBlock, _ column: Int, _ text: (ProfileLayout.TextRow, EmbeddingBlock), _ row: Int,
        _ block: RowBlock
    ) {
        let count = block.cells[column].variantCount
        let cosines = (0..<count).compactMap { view in
            cosine(images, column, row, view, text.1, text.0.column, row, text.0.variant, block)
        }
        if cosines.count == count { measure("similarity to the first caption", cosines, asRanks: true) }
    }

    /// Some numbers of `0..<count`, spread evenly.
    private static func spread(_ wanted: Int, of count: Int) -> [Int] {
        let n = min(wanted, count)
        return (0..<n).map { $0 * count / n }
    }
}
