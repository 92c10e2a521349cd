internal import DRShardFormat
internal import Foundation

/// What rounding float32 to bfloat16 cost: 1 minus the cosine of a row before and after, of one teacher's part.
package struct PrecisionCost: Sendable, Equatable, Codable {
    package var name: String
    package var count = 0
    package var sum = 0.0
    package var largest = 0.0

    package var mean: Double { count == 0 ? 0 : sum / Double(count) }

    mutating func add(_ error: Double) {
        count += 1
        sum += error
        largest = max(largest, error)
    }
}

/// What was met in the rows of a shard; adds up over shards. It is kept as a note of the shard.
package struct RowCounts: Sendable, Equatable, Codable {
    /// Samples and ends of inputs that were left out.
    package var leftOut = 0
    /// Samples that have no real caption, kept or not.
    package var captionsMissing = 0
    /// Those of them that are kept: rows whose cells of the real caption are absent.
    package var rowsWithoutCaption = 0
    /// Rows without an image, where images are kept.
    package var imagesMissing = 0
    /// Texts whose ids may differ from open_clip's, since ftfy may repair them; by reason.
    package var doubtfulTexts: [String: Int] = [:]
    /// Texts that have more tokens than the tokenizer's context.
    package var overlongTexts = 0
    package var loneSurrogates = 0
    /// Rows whose image hash differs from that of the sample that is joined to them.
    package var hashesDiffer = 0
    package var cropCount = 0
    /// Crop boxes that do not lie in the size that the original is said to have.
    package var cropsOutsideOriginal = 0
    /// Crop boxes that do not lie in the image that is there.
    package var cropsOutsideImage = 0
    package var cropsRescaled = 0
    package var imageCount = 0
    /// Images whose size is not the original's.
    package var resizedImages = 0
    /// Sum over resized images of original width by width there.
    package var resizeRatioSum = 0.0
    /// Empty where nothing was rounded.
    package var precision: [PrecisionCost] = []
    /// By the names of the containers that captions were joined from.
    package var joined: [String: Joined] = [:]

    /// What was joined from one container.
    package struct Joined: Sendable, Equatable, Codable {
        /// Samples that it has; 0 until an input that it belongs to by name is converted.
        package var samples = 0
        /// Rows that took theirs from it.
        package var uses = 0
    }

    package init() {}

    /// Samples of containers that belong to an input by name, which no row has taken.
    package var unpairedCaptions: Int {
        joined.values.reduce(0) { $0 + ($1.samples > 0 ? max(0, $1.samples - $1.uses) : 0) }
    }

    mutating func add(_ other: RowCounts) {
        leftOut += other.leftOut
        captionsMissing += other.captionsMissing
        rowsWithoutCaption += other.rowsWithoutCaption
        imagesMissing += other.imagesMissing
        doubtfulTexts.merge(other.doubtfulTexts, uniquingKeysWith: +)
        overlongTexts += other.overlongTexts
        loneSurrogates += other.loneSurrogates
        hashesDiffer += other.hashesDiffer
        cropCount += other.cropCount
        cropsOutsideOriginal += other.cropsOutsideOriginal
        cropsOutsideImage += other.cropsOutsideImage
        cropsRescaled += other.cropsRescaled
        imageCount += other.imageCount
        resizedImages += other.resizedImages
        resizeRatioSum += other.resizeRatioSum
        joined.merge(other.joined) { Joined(samples: max($0.samples, $1.samples), uses: $0.uses + $1.uses) }
        if precision.isEmpty { return precision = other.precision }
        for (i, cost) in other.precision.enumerated() where i < precision.count {
            precision[i].count += cost.count
            precision[i].sum += cost.sum
            precision[i].largest = max(precision[i].largest, cost.largest)
        }
    }

    // MARK: The note

    static let noteKey = "conversion"

    /// As a note of the shard: JSON with sorted keys, so that equal counts are equal bytes.
    func note() throws(ShardError) -> Note {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do { return Note(key: Self.noteKey, value: String(decoding: try encoder.encode(self), as: UTF8.self)) } catch {
            throw .invalidArgument("counts that are no JSON: \(error)")
        }
    }

    /// The counts that a shard's note holds; nil if there are none that this version reads.
    init?(notes: [Note]) {
        guard let note = notes.first(where: { $0.key == Self.noteKey }),
            let counts = try? JSONDecoder().decode(RowCounts.self, from: Data(note.value.utf8))
        else { return nil }
        self = counts
    }
}

/// What a conversion did.
package struct ConvertReport: Sendable, Equatable {
    /// A sample or an input that was left out, and why.
    package struct Skipped: Sendable, Equatable {
        package var what: String
        package var why: String
    }

    package var shards: [String] = []
    /// Those of them that were there from a conversion before.
    package var resumedShardCount = 0
    package var rowCount = 0
    package var inputByteCount: UInt64 = 0
    package var outputByteCount: UInt64 = 0
    /// Of this run, the first 1,000 of each input; those of an earlier run, and others, are counted in `counts` alone.
    package var skipped: [Skipped] = []
    package var counts = RowCounts()
    /// Rows whose cells were compared with the source, bit for bit.
    package var verifiedRowCount = 0
    /// A row of `text_emb` that equals another one in all samples, and was left out.
    package var duplicateTextRow: TextRows.Duplicate?
    /// Whether uids were compared across all shards: not beyond the number that is kept in memory.
    package var comparesAllUIDs = true

    package init() {}

    mutating func add(_ other: ConvertReport) {
        shards += other.shards
        resumedShardCount += other.resumedShardCount
        rowCount += other.rowCount
        inputByteCount += other.inputByteCount
        outputByteCount += other.outputByteCount
        skipped += other.skipped
        counts.add(other.counts)
        verifiedRowCount += other.verifiedRowCount
        comparesAllUIDs = comparesAllUIDs && other.comparesAllUIDs
    }

    /// What people should know, a sentence each.
    package var warnings: [String] { cropWarnings + textWarnings + inputWarnings }

    private var cropWarnings: [String] {
        var lines: [String] = []
        let ratio = (counts.resizeRatioSum / Double(max(1, counts.resizedImages)) * 100).rounded() / 100
        if counts.cropsRescaled > 0 {
            lines.append(
                "\(counts.cropsRescaled) crop boxes were moved from pixels of the original to those of the image that is there: "
                    + "\(counts.resizedImages) of \(counts.imageCount) images were resized, on average the original is \(ratio) times as wide"
            )
        } else if counts.cropsOutsideImage > 0 || counts.resizedImages > 0 {
            lines.append(
                "\(counts.resizedImages) of \(counts.imageCount) images do not have their original's size (on average the original is \(ratio) times as wide), "
                    + "and \(counts.cropsOutsideImage) of \(counts.cropCount) crop boxes do not fit the images: the boxes are in pixels of the originals; "
                    + "replaying them on these images would crop the wrong place; --rescale-crops moves them")
        }
        if counts.cropsOutsideOriginal > 0 {
            lines.append(
                "\(counts.cropsOutsideOriginal) of \(counts.cropCount) crop boxes do not lie in the original's own width and height"
            )
        }
        return lines
    }

    private var textWarnings: [String] {
        var lines: [String] = []
        if let duplicate = duplicateTextRow {
            lines.append(
                "rows \(duplicate.kept) and \(duplicate.left) of text_emb are equal in all samples; row \(duplicate.left) was left out"
            )
        }
        if !counts.doubtfulTexts.isEmpty {
            let reasons = counts.doubtfulTexts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(
                separator: ", ")
            lines.append(
                "\(counts.doubtfulTexts.values.reduce(0, +)) texts look like something that open_clip's ftfy would repair; their tokens may differ from open_clip's (\(reasons))"
            )
        }
        if counts.overlongTexts > 0 {
            lines.append(
                "\(counts.overlongTexts) texts have more tokens than the context; all are stored, a loader cuts them")
        }
        if counts.loneSurrogates > 0 { lines.append("\(counts.loneSurrogates) lone surrogates in JSON became U+FFFD") }
        return lines
    }

    private var inputWarnings: [String] {
        var lines: [String] = []
        if counts.captionsMissing > counts.rowsWithoutCaption {
            lines.append(
                "\(counts.captionsMissing - counts.rowsWithoutCaption) samples have no real caption and were left out; --allow-missing-captions keeps them"
            )
        }
        if counts.rowsWithoutCaption > 0 {
            lines.append(
                "\(counts.rowsWithoutCaption) rows have no real caption; the cells are absent, and loading pairs fails at them"
            )
        }
        if counts.hashesDiffer > 0 {
            lines.append(
                "\(counts.hashesDiffer) rows have another image hash (sha256) than the sample that is joined to them: their images are not those that the embeddings and crops were made of"
            )
        }
        if counts.imagesMissing > 0 { lines.append("\(counts.imagesMissing) rows have no image; the cells are absent") }
        if counts.unpairedCaptions > 0 {
            lines.append("\(counts.unpairedCaptions) caption samples have no sample that they belong to")
        }
        if counts.leftOut > rowCount {
            lines.append(
                "more was left out than is there: are most samples like the first ones, and is --captions the right folder?"
            )
        }
        if counts.leftOut > 0 {
            lines.append("\(counts.leftOut) samples or inputs were left out; the report lists the first of them")
        }
        if !comparesAllUIDs {
            lines.append(
                "uids were compared within each shard alone, there are too many to keep them in memory; `drshard doctor` finds those that are in two shards"
            )
        }
        return lines
    }
}
