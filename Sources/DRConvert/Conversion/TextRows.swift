package import DRShardFormat

/// Which rows of `text_emb` belong to which caption.
///
/// The layout says: the real caption first, then the synthetic ones of the set without an array of its own. Files exist
/// whose row count says otherwise. What a row means is then taken from the caller, or from rows that are equal in every
/// sample, and never from its place alone.
package struct TextRows: Sendable, Equatable {
    package var real: Int
    package var synthetic: [Int]
    /// Rows that `text_emb` must have; nil: as many as the first sample has.
    package var rowCount: Int?
    /// A row that is left out since it equals another one, which every sample must confirm.
    package var duplicate: Duplicate?

    package struct Duplicate: Sendable, Equatable {
        package var left: Int
        package var kept: Int
    }

    package init(real: Int, synthetic: [Int], rowCount: Int? = nil) {
        self.real = real
        self.synthetic = synthetic
        self.rowCount = rowCount
    }

    /// Reads `real=0,syn=2-6`: one row, and rows or ranges of rows (both ends count), joined by `+`.
    package init?(argument: String) {
        var real: Int?
        var synthetic: [Int]?
        for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
            let sides = part.split(separator: "=", omittingEmptySubsequences: false)
            guard sides.count == 2, let rows = TextRows.rows(sides[1]) else { return nil }
            switch sides[0] {
            case "real" where real == nil && rows.count == 1: real = rows[0]
            case "syn" where synthetic == nil: synthetic = rows
            default: return nil
            }
        }
        guard let real, Set((synthetic ?? []) + [real]).count == (synthetic ?? []).count + 1 else { return nil }
        self.init(real: real, synthetic: synthetic ?? [])
    }

    private static let maximumRowCount = 4096

    private static func rows(_ text: Substring) -> [Int]? {
        var rows: [Int] = []
        for part in text.split(separator: "+", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard ends.count <= 2, let first = ends.first.flatMap({ $0 }), let last = ends.last.flatMap({ $0 }),
                (0..<maximumRowCount).contains(first), (first..<maximumRowCount).contains(last)
            else { return nil }
            rows += first...last
        }
        return rows
    }

    package var text: String {
        "real=\(real)" + (synthetic.isEmpty ? "" : ",syn=" + TextRows.text(synthetic))
    }

    private static func text(_ rows: [Int]) -> String {
        var parts: [String] = []
        var at = 0
        while at < rows.count {
            var end = at
            while end + 1 < rows.count, rows[end + 1] == rows[end] + 1 { end += 1 }
            parts.append(end == at ? "\(rows[at])" : "\(rows[at])-\(rows[end])")
            at = end + 1
        }
        return parts.joined(separator: "+")
    }

    // MARK: Choice

    /// Rows more than captions, of which it is asked whether they are equal.
    private static let maximumExtraRows = 64

    /// Samples that must agree before two equal rows are taken for one.
    static let leastAgreeingSamples = 16

    /// The rows of a set whose first samples are these.
    ///
    /// - Parameter given: what the caller says; nil: it follows from the counts, or from equal rows.
    /// - Throws: `.schemaMismatch` if what the caller says does not fit, or if it is not known which row is which: the
    ///   error says what was found, and what to give.
    package static func choose(_ samples: [DRSample], given: TextRows?) throws(ShardError) -> TextRows {
        guard let first = samples.first else { return TextRows(real: 0, synthetic: []) }
        let rowCount = first.textEmbeddings.shape[0]
        let combined = first.captionSets.filter { $0.embeddings == nil }
        guard combined.count <= 1 else {
            let keys = combined.map { "\"\($0.key)\"" }.joined(separator: ", ")
            throw .schemaMismatch(
                "the caption sets \(keys) have no array of their own, and text_emb can hold but one of them")
        }
        let captionCount = combined.first?.texts.count ?? 0
        if var given {
            guard given.synthetic.count == captionCount, (given.synthetic + [given.real]).allSatisfy({ $0 < rowCount })
            else {
                throw .schemaMismatch(
                    "--text-rows \(given.text) names \(given.synthetic.count) synthetic rows; "
                        + "there are \(captionCount) captions, and text_emb has \(rowCount) rows")
            }
            given.rowCount = rowCount
            return given
        }
        if rowCount == 1 + captionCount {
            return TextRows(real: 0, synthetic: Array(1..<rowCount), rowCount: rowCount)
        }
        guard rowCount <= 1 + captionCount + maximumExtraRows else {
            throw .schemaMismatch(
                "text_emb has \(rowCount) rows, where 1 real and \(captionCount) synthetic captions make \(1 + captionCount); "
                    + "which row is which is not known; say it with --text-rows")
        }
        let alike = samples.filter { $0.textEmbeddings.shape[0] == rowCount }
        return try guess(from: EqualRows(alike, rowCount: rowCount), captionCount: captionCount, rowCount: rowCount)
    }

    private static func guess(from equal: EqualRows, captionCount: Int, rowCount: Int) throws(ShardError) -> TextRows {
        let always = equal.pairs.filter { $0.count == equal.sampleCount }
        if rowCount == 2 + captionCount, always.count == 1, equal.sampleCount >= leastAgreeingSamples {
            let rest = (0..<rowCount).filter { $0 != always[0].b }
            var rows = TextRows(real: rest[0], synthetic: Array(rest.dropFirst()), rowCount: rowCount)
            rows.duplicate = Duplicate(left: always[0].b, kept: always[0].a)
            return rows
        }
        var findings = equal.pairs.sorted { $0.count > $1.count }.prefix(3).map {
            "rows \($0.a) and \($0.b) are equal in \($0.count) of \(equal.sampleCount) samples"
        }
        if findings.isEmpty { findings = ["no two rows are equal in the \(equal.sampleCount) samples looked at"] }
        let cosines = equal.imageCosines.map { "\(($0 * 1000).rounded() / 1000)" }.joined(separator: " ")
        throw .schemaMismatch(
            "text_emb has \(rowCount) rows, where 1 real and \(captionCount) synthetic captions make \(1 + captionCount); "
                + "which row is which is not known: \(findings.joined(separator: "; ")); mean cosines of the rows with their image: "
                + "\(cosines); say it with --text-rows, such as real=0,syn=\(rowCount - captionCount)-\(rowCount - 1)")
    }

    /// - Throws: `.schemaMismatch` if a sample's `text_emb` has another number of rows, or does not confirm that the row
    ///   that is left out equals the other one.
    package func check(_ array: ForeignArray) throws(ShardError) {
        if let rowCount, array.shape[0] != rowCount {
            throw .schemaMismatch(
                "text_emb has \(array.shape[0]) rows, where the set's first sample has \(rowCount); which row is which is not known"
            )
        }
        if let duplicate, !EqualRows.areEqual(array, duplicate.left, duplicate.kept) {
            throw .schemaMismatch(
                "rows \(duplicate.left) and \(duplicate.kept) of text_emb differ, and row \(duplicate.left) is left out of this set since they were equal in all samples before; say what they are with --text-rows"
            )
        }
    }
}

/// Which rows of `text_emb` are equal, bit for bit, over several samples.
struct EqualRows {
    let sampleCount: Int
    private(set) var pairs: [(a: Int, b: Int, count: Int)] = []
    /// Mean cosine of each row with the mean of its sample's views.
    private(set) var imageCosines: [Double]

    init(_ samples: [DRSample], rowCount: Int) {
        sampleCount = samples.count
        imageCosines = Array(repeating: 0, count: rowCount)
        for a in 0..<rowCount {
            for b in a + 1..<max(a + 1, rowCount) {
                let count = samples.count { EqualRows.areEqual($0.textEmbeddings, a, b) }
                if count > 0 { pairs.append((a, b, count)) }
            }
        }
        for sample in samples.prefix(32) {
            let image = EqualRows.mean(sample.imageEmbeddings)
            for row in 0..<rowCount {
                imageCosines[row] +=
                    EqualRows.cosine(image, EqualRows.values(sample.textEmbeddings, row)) / Double(min(32, sampleCount))
            }
        }
    }

    static func areEqual(_ array: ForeignArray, _ a: Int, _ b: Int) -> Bool {
        let rowByteCount = array.shape[1] * array.element.byteCount
        func row(_ i: Int) -> ArraySlice<UInt8> {
            array.bytes[array.bytes.startIndex + i * rowByteCount..<array.bytes.startIndex + (i + 1) * rowByteCount]
        }
        return row(a) == row(b)
    }

    private static func values(_ array: ForeignArray, _ row: Int) -> [Double] {
        let dims = array.shape[1]
        return (0..<dims).map { Double(EmbeddingRows.value(array, row * dims + $0) ?? .nan) }
    }

    private static func mean(_ array: ForeignArray) -> [Double] {
        var sum = Array(repeating: 0.0, count: array.shape[1])
        for row in 0..<array.shape[0] { for (i, value) in values(array, row).enumerated() { sum[i] += value } }
        return sum
    }

    private static func cosine(_ a: [Double], _ b: [Double]) -> Double {
        var (dot, aa, bb) = (0.0, 0.0, 0.0)
        for i in a.indices {
            dot += a[i] * b[i]
            aa += a[i] * a[i]
            bb += b[i] * b[i]
        }
        return aa > 0 && bb > 0 ? dot / (aa * bb).squareRoot() : 0
    }
}
