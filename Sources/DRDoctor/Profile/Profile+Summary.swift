internal import DRShardFormat

/// What a profile says in numbers.
extension Profile {
    /// Norms of a slice of an embedding.
    package struct NormSummary: Sendable {
        package var name: String
        package var moments: Moments
        package var histogram: Histogram
        /// Cells whose norm is not 1.
        package var offCount: Int
        /// Whether the schema says that they are normalised; nil: it does not say.
        package var isClaimedNormalised: Bool?
    }

    package var normSummaries: [NormSummary] {
        zip(layout.slices, norms).map { slice, norm in
            NormSummary(
                name: slice.name, moments: norm.moments, histogram: norm.histogram, offCount: norm.offCount,
                isClaimedNormalised: slice.normalised)
        }
    }

    /// Cosines by what was compared; empty histograms for what is not there.
    package var cosines: [(name: String, histogram: Histogram)] {
        [
            ("views", viewCosines), ("image and real caption", realCosines),
            ("image and synthetic caption", syntheticCosines), ("image and real caption of another row", otherCosines),
        ]
    }

    /// How often each row of text embeddings is the most similar to the image, by name.
    package var mostSimilarTexts: [(name: String, count: Int)] {
        layout.textRows.indices.map { (textRowName($0), textRows.best[$0]) }
    }

    /// Pairs of rows of text embeddings that are equal in some rows of the set, and in how many.
    package var equalTexts: [(first: String, second: String, count: Int)] {
        let n = textRows.count
        return (0..<n * n).filter { textRows.equal[$0] > 0 }.map { i in
            (textRowName(i / n), textRowName(i % n), textRows.equal[i])
        }
    }

    private func textRowName(_ number: Int) -> String {
        let row = layout.textRows[number]
        return layout.schema.variantCount(of: row.column) == 1 ? name(row.column) : "\(name(row.column)) \(row.variant)"
    }

    /// Whether images belong to their captions: rows that were compared, the mean share of other rows' captions that are
    /// less similar, and how many standard deviations that is above captions in no order.
    package var pairingSummary: (rows: Int, share: Double, sigmas: Double)? {
        pairing.shares.count == 0 ? nil : (pairing.shares.count, pairing.shares.mean, pairing.sigmas)
    }
}
