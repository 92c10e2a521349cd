package import DRShardFormat

/// What a conversion reads, writes and is told about the data.
package struct ConvertOptions: Sendable {
    package enum OnError: String, Sendable, CaseIterable {
        /// The first bad input ends the conversion. The default.
        case stop
        /// Bad samples are left out, counted and listed.
        case skip

        /// The error that ends the conversion, with what can be done about it. Called once for an error, where it is
        /// known that it is about an input.
        func advised(_ error: ShardError) -> ShardError {
            guard self == .stop else { return error }
            let reason = error.reason + "; mend or replace the input, or leave this out with --on-error skip"
            return ShardError(error.code, reason, context: error.context)
        }
    }

    package enum Images: String, Sendable, CaseIterable {
        /// Their bytes are stored as they are. The default.
        case store
        /// Where they lie in their tars is stored.
        case locate
        case none
    }

    /// A teacher, and its part of an embedding.
    package struct TeacherSlice: Sendable, Equatable {
        package var name: String
        package var first: Int
        package var count: Int
        package var logitScale: Double?
        package init(name: String, first: Int, count: Int, logitScale: Double?) {
            self.name = name
            self.first = first
            self.count = count
            self.logitScale = logitScale
        }
    }

    /// Tars of the DataCompDR layout; each becomes a shard of its name.
    package var inputs: [String]
    package var output: String
    /// Tars with real captions and images; nil: none are joined.
    package var captions: String?
    /// CLIP's vocabulary file; nil: texts are stored, and no tokens.
    package var tokenizer: String?
    /// Whether float32 embeddings stay float32.
    package var keepsFloat32 = false
    package var images = Images.store
    package var onError = OnError.stop
    /// Whether samples without a real caption become rows whose cells of it are absent; otherwise each is an error.
    package var allowsMissingCaptions = false
    /// A shard whose schema is taken; nil: one is made.
    package var schemaShard: String?
    package var teachers: [TeacherSlice] = []
    package var captioner: String?
    package var sources: [Source] = []
    /// Whether the views are independent draws: only who made them knows.
    package var exchangeableViews = Axis.Exchangeable.unknown
    /// The same for the synthetic captions.
    package var exchangeableCaptions = Axis.Exchangeable.unknown
    package var rowsPerGroup: Int?
    /// How columns are stored, by their names; others as `WriterOptions` says.
    package var storage: [String: ColumnStorage] = [:]
    /// How columns of bf16 are stored that `storage` does not name; nil: as `WriterOptions` says.
    package var bf16Storage: ColumnStorage?

    package init(inputs: [String], output: String) {
        self.inputs = inputs
        self.output = output
    }
}

/// What a conversion did.
package struct ConvertReport: Sendable, Equatable {
    /// A sample or a tar that was left out, and why.
    package struct Skipped: Sendable, Equatable {
        package var what: String
        package var why: String
    }

    package var shards: [String] = []
    package var rowCount = 0
    package var inputByteCount: UInt64 = 0
    package var outputByteCount: UInt64 = 0
    package var skipped: [Skipped] = []
    /// Caption samples of a paired tar that have no sample.
    package var unpairedCaptions = 0
    /// Samples that have no real caption, kept or not.
    package var captionsMissing = 0
    /// Those of them that are kept: rows whose cells of the real caption are absent.
    package var rowsWithoutCaption = 0
    /// Texts whose ids may differ from open_clip's, since ftfy may repair them; by reason.
    package var doubtfulTexts: [String: Int] = [:]
    /// Texts that have more tokens than the tokenizer's context.
    package var overlongTexts = 0
    package var loneSurrogates = 0
    /// Crop boxes that do not lie in the size that the original is said to have.
    package var cropsOutsideOriginal = 0
    /// Crop boxes that do not lie in the image that is there.
    package var cropsOutsideImage = 0
    /// Images whose size is not the original's.
    package var resizedImages = 0
    package var imageCount = 0
    package var cropCount = 0
    /// Sum over resized images of original width by width there.
    package var resizeRatioSum = 0.0

    package init() {}

    /// What people should know, a sentence each.
    package var warnings: [String] {
        var lines: [String] = []
        if cropsOutsideImage > 0 || resizedImages > 0 {
            let ratio = (resizeRatioSum / Double(max(1, resizedImages)) * 100).rounded() / 100
            lines.append(
                "\(resizedImages) of \(imageCount) images do not have their original's size (on average the original is \(ratio) times as wide), "
                    + "and \(cropsOutsideImage) of \(cropCount) crop boxes do not fit the images: the boxes are in pixels of the originals; "
                    + "replaying them on these images would crop the wrong place")
        }
        if cropsOutsideOriginal > 0 {
            lines.append(
                "\(cropsOutsideOriginal) of \(cropCount) crop boxes do not lie in the original's own width and height")
        }
        if !doubtfulTexts.isEmpty {
            let reasons = doubtfulTexts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(
                separator: ", ")
            lines.append(
                "\(doubtfulTexts.values.reduce(0, +)) texts look like something that open_clip's ftfy would repair; their tokens may differ from open_clip's (\(reasons))"
            )
        }
        if overlongTexts > 0 {
            lines.append("\(overlongTexts) texts have more tokens than the context; all are stored, a loader cuts them")
        }
        if loneSurrogates > 0 { lines.append("\(loneSurrogates) lone surrogates in JSON became U+FFFD") }
        if captionsMissing > rowsWithoutCaption {
            lines.append(
                "\(captionsMissing - rowsWithoutCaption) samples have no real caption and were left out; --allow-missing-captions keeps them"
            )
        }
        if rowsWithoutCaption > 0 {
            lines.append(
                "\(rowsWithoutCaption) rows have no real caption; the cells are absent, and loading pairs fails at them"
            )
        }
        if unpairedCaptions > 0 {
            lines.append("\(unpairedCaptions) caption samples have no sample that they belong to")
        }
        if !skipped.isEmpty { lines.append("\(skipped.count) inputs were skipped; the report lists them") }
        return lines
    }
}
