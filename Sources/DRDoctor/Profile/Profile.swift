internal import DRShardFormat

/// What the rows of a set are like, from one pass over them. Profiles of parts become that of the whole by `merge`, in
/// the order of the parts, so that it has the same bits however many threads made it.
package struct Profile: Sendable {
    let layout: ProfileLayout
    package var findings: FindingList
    /// Rows that were looked at.
    package var rowCount = 0

    /// By slice of an embedding.
    var norms: [NormProfile]
    /// Cosines of an image embedding with the next view's.
    var viewCosines = Profile.cosines
    /// Of image embeddings with the real caption's, with synthetic ones', and with real captions of other rows.
    var realCosines = Profile.cosines
    var syntheticCosines = Profile.cosines
    var otherCosines = Profile.cosines
    var pairing = PairingProfile()
    var textRows: TextRowProfile
    /// By the name of what was measured.
    var viewMeasures: [String: ViewMeasure] = [:]
    var crops = CropProfile()
    /// By operation and the bits of the magnitude.
    var operations: [OperationUse: Int] = [:]
    /// By column of tokens: captions by their number of tokens, start and end not counted.
    var tokenLengths: [Int: [Int]] = [:]
    /// By column: cells that have a value.
    var present: [Int]

    static let cosines = Histogram(-1...1, parts: 400)

    init(layout: ProfileLayout, placeLimit: Int) {
        self.layout = layout
        findings = FindingList(placeLimit: placeLimit)
        norms = layout.slices.map { _ in NormProfile(placeLimit: placeLimit) }
        textRows = TextRowProfile(count: layout.textRows.count)
        present = Array(repeating: 0, count: layout.schema.columns.count)
    }

    mutating func merge(_ other: Profile) {
        findings.merge(other.findings)
        rowCount += other.rowCount
        for i in norms.indices { norms[i].merge(other.norms[i]) }
        viewCosines.merge(other.viewCosines)
        realCosines.merge(other.realCosines)
        syntheticCosines.merge(other.syntheticCosines)
        otherCosines.merge(other.otherCosines)
        pairing.merge(other.pairing)
        textRows.merge(other.textRows)
        viewMeasures.merge(other.viewMeasures) { mine, others in
            var sum = mine
            sum.merge(others)
            return sum
        }
        crops.merge(other.crops)
        operations.merge(other.operations, uniquingKeysWith: +)
        tokenLengths.merge(other.tokenLengths) { mine, others in zip(mine, others).map { $0 + $1 } }
        for column in present.indices { present[column] += other.present[column] }
    }

    /// Looks at all cells of some rows.
    mutating func examine(_ block: RowBlock) {
        rowCount += block.rowCount
        countMissing(block)
        examineEmbeddings(block)
        examineAugmentations(block)
        examineTexts(block)
    }

    /// Counts something about a cell.
    mutating func note(
        _ kind: FindingKind, severity: Severity? = nil, _ column: Int, _ variant: Int, _ place: RowPlace,
        _ detail: @autoclosure () -> String? = nil
    ) {
        let name = name(column)
        findings.add(kind, severity: severity, subject: name, at: place.at(name, variant, detail()))
    }

    func name(_ column: Int) -> String { layout.schema.columns[column].name }

    private mutating func countMissing(_ block: RowBlock) {
        for (column, cells) in block.cells.enumerated() {
            // Absent values of columns without an axis are common: urls, hashes, sizes.
            let severity: Severity = layout.schema.columns[column].axis == nil ? .note : .warning
            for (i, state) in cells.states.enumerated() {
                if state == .present { present[column] += 1 }
                guard state == .absent || state == .lost else { continue }
                note(
                    state == .absent ? .absentCells : .lostCells, severity: state == .absent ? severity : nil, column,
                    i % cells.variantCount, block.places[i / cells.variantCount])
            }
        }
    }

    mutating func measure(_ name: String, _ values: [Double], asRanks: Bool) {
        guard values.count > 1 else { return }
        var measure = viewMeasures[name] ?? ViewMeasure(viewCount: values.count)
        if asRanks { measure.add(ranksOf: values) } else { measure.add(values) }
        viewMeasures[name] = measure
    }
}

/// Norms of one slice of an embedding.
struct NormProfile: Sendable {
    /// Lengths that count as 1: what bfloat16 makes of a vector of length 1 is well inside.
    static let tolerance = 0.01

    var moments = Moments()
    var histogram = Histogram(0...2, parts: 8000)
    /// Cells whose length is not 1, and the first of them.
    var offCount = 0
    var offPlaces: [FindingPlace] = []
    let placeLimit: Int

    init(placeLimit: Int) { self.placeLimit = placeLimit }

    mutating func add(_ norm: Double, at place: @autoclosure () -> FindingPlace) {
        moments.add(norm)
        histogram.add(norm)
        guard abs(norm - 1) > Self.tolerance else { return }
        offCount += 1
        if offPlaces.count < placeLimit { offPlaces.append(place()) }
    }

    mutating func merge(_ other: NormProfile) {
        moments.merge(other.moments)
        histogram.merge(other.histogram)
        offCount += other.offCount
        offPlaces += other.offPlaces.prefix(max(0, placeLimit - offPlaces.count))
    }
}

/// An operation with its magnitude.
struct OperationUse: Hashable, Sendable {
    var operation: UInt8
    var bits: UInt64
    var magnitude: Double { Double(bitPattern: bits) }
}

/// Whether images belong to their captions: of each row, the share of other rows' captions that are less similar to the
/// image than its own, equal ones half. If captions are in no order it is 1/2 on average, whatever the embeddings are.
struct PairingProfile: Sendable {
    var shares = Moments()
    /// Sum over rows of the variance that a share has if captions are in no order.
    var variance = 0.0

    /// - Parameter lower: other captions that are less similar, equal ones half, of `others`.
    mutating func add(lower: Double, others: Int) {
        shares.add(lower / Double(others))
        // Of the place of one among `others + 1`, all equally likely, divided by `others`.
        variance += Double(others + 2) / Double(12 * others)
    }

    mutating func merge(_ other: PairingProfile) {
        shares.merge(other.shares)
        variance += other.variance
    }

    /// How many standard deviations the mean share is above that of captions in no order.
    var sigmas: Double {
        guard variance > 0 else { return 0 }
        return (shares.mean - 0.5) * Double(shares.count) / variance.squareRoot()
    }
}

/// Rows of text embeddings of the same row of a set, beside each other.
struct TextRowProfile: Sendable {
    let count: Int
    /// Rows of the set in which two of them are equal, bit for bit: at `a * count + b`, a before b.
    var equal: [Int]
    /// How often each is the most similar to the image.
    var best: [Int]

    init(count: Int) {
        self.count = count
        equal = Array(repeating: 0, count: count * count)
        best = Array(repeating: 0, count: count)
    }

    mutating func merge(_ other: TextRowProfile) {
        for i in equal.indices { equal[i] += other.equal[i] }
        for i in best.indices { best[i] += other.best[i] }
    }
}

/// Crop boxes of a set, relative to their images.
package struct CropProfile: Sendable {
    package static let side = 32
    /// Boxes, and those of them whose image's size is known.
    package var count = 0
    package var sizedCount = 0
    /// Sums that become, by rows and columns, how many boxes cover each part of the image: `[side + 1, side + 1]`.
    package var corners = Array(repeating: 0, count: (side + 1) * (side + 1))
    /// Of a box: its part of the image's area, and the binary logarithm of width by height.
    package var areas = Histogram(0...1, parts: 40)
    package var aspects = Histogram(-2...2, parts: 40)

    package init() {}

    package mutating func merge(_ other: CropProfile) {
        count += other.count
        sizedCount += other.sizedCount
        for i in corners.indices { corners[i] += other.corners[i] }
        areas.merge(other.areas)
        aspects.merge(other.aspects)
    }

    /// Adds a box, given by its sides in parts of the image.
    package mutating func cover(top: Double, left: Double, bottom: Double, right: Double) {
        func place(_ part: Double) -> Int { Int(max(0, min(1, part)) * Double(Self.side) + 0.5) }
        let width = Self.side + 1
        corners[place(top) * width + place(left)] += 1
        corners[place(top) * width + place(right)] -= 1
        corners[place(bottom) * width + place(left)] -= 1
        corners[place(bottom) * width + place(right)] += 1
    }

    /// The part of the boxes that cover each part of the image: `[side, side]`, by rows.
    package var coverage: [Double] {
        let width = Self.side + 1
        var sums = corners
        for y in 0..<width { for x in 1..<width { sums[y * width + x] += sums[y * width + x - 1] } }
        for y in 1..<width { for x in 0..<width { sums[y * width + x] += sums[(y - 1) * width + x] } }
        return (0..<Self.side * Self.side).map { i in
            Double(sums[i / Self.side * width + i % Self.side]) / Double(max(1, sizedCount))
        }
    }
}
