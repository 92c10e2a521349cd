/// How bad a finding is.
package enum Severity: Int, Sendable, Comparable, CaseIterable {
    /// Worth knowing, and often meant.
    case note
    /// Probably not meant; training runs all the same.
    case warning
    /// Training on it goes wrong, or rows cannot be used.
    case error

    package static func < (a: Severity, b: Severity) -> Bool { a.rawValue < b.rawValue }

    package var name: String {
        switch self {
        case .note: "note"
        case .warning: "warning"
        case .error: "error"
        }
    }
}

/// What can be wrong with a set. The raw values are stable: scripts may compare them.
package enum FindingKind: String, Sendable, CaseIterable {
    case unreadableFile = "unreadable-file"
    case tarWithoutEnd = "tar-without-end"
    case schemaDiffers = "schema-differs"
    case damagedCells = "damaged-cells"
    case unreadableSample = "unreadable-sample"
    case missingMember = "missing-member"
    case uidDiffers = "uid-differs"
    case shapeDiffers = "shape-differs"
    case mixedFormats = "mixed-formats"
    case extraTextRows = "extra-text-rows"
    case duplicateID = "duplicate-id"
    case lostCells = "lost-cells"
    case absentCells = "absent-cells"
    case nanEmbedding = "nan-embedding"
    case infiniteEmbedding = "infinite-embedding"
    case zeroEmbedding = "zero-embedding"
    case notNormalised = "not-normalised"
    case captionsShuffled = "captions-shuffled"
    case viewDependent = "view-dependent"
    case identicalViewEmbeddings = "identical-view-embeddings"
    case identicalViewRecords = "identical-view-records"
    case equalCaptionEmbeddings = "equal-caption-embeddings"
    case equalCaptions = "equal-captions"
    case emptyCaption = "empty-caption"
    case overlongTokens = "overlong-tokens"
    case cropWithoutArea = "crop-without-area"
    case cropOutsideOriginal = "crop-outside-original"
    case cropOutsideImage = "crop-outside-image"
    case unknownOperation = "unknown-operation"
    case unknownMagnitude = "unknown-magnitude"

    /// How bad it is, unless what the schema says makes it better or worse.
    package var severity: Severity {
        switch self {
        case .emptyCaption, .equalCaptions, .overlongTokens: .note
        case .mixedFormats, .absentCells, .notNormalised, .viewDependent, .identicalViewEmbeddings,
            .identicalViewRecords, .equalCaptionEmbeddings, .unknownMagnitude:
            .warning
        default: .error
        }
    }

    /// One sentence: what it means, and what to do.
    package var meaning: String { FindingKind.meanings[self] ?? rawValue }

    private static let meanings: [FindingKind: String] = [
        .unreadableFile: "The file cannot be read to its end; copy it again from its source, or leave it out.",
        .tarWithoutEnd:
            "The tar stops without the block of zeros that ends one, so samples may be missing; fetch it again.",
        .schemaDiffers:
            "A shard has another schema or row group size than the first one, so they are no single set; convert with "
            + "--schema-from, or keep them in separate folders.",
        .damagedCells:
            "Cells do not pass their checksum or cannot be decoded; copy the file again, or let verify --quarantine "
            + "list the rows so that loaders leave them out.",
        .unreadableSample: "The sample cannot be decoded; mend its members, or convert with --on-error skip.",
        .missingMember:
            "Samples lack a member that others have; converting stops there, so make them again or use --on-error skip.",
        .uidDiffers:
            "The uid in the json is not the name of the sample, so joins by either find another row; name them alike.",
        .shapeDiffers:
            "Samples have other numbers of views, captions or dimensions than the first one; a set has one shape, so "
            + "convert them apart.",
        .mixedFormats:
            "Embeddings come as several file formats, of which a set can store one element type; convert them apart.",
        .extraTextRows:
            "There are more rows of text embeddings than captions, so which row belongs to which caption is not known; "
            + "look at the rows that equal each other, and drop the one that stands twice.",
        .duplicateID:
            "The row id was there before, so the sample is trained on twice and joins by id are ambiguous; drop one.",
        .lostCells: "A repair gave these values up; fetch the rows again, or quarantine them.",
        .absentCells:
            "Variants that other rows have are absent, and a loader that needs them stops or leaves the row out; fill "
            + "them in, or quarantine the rows.",
        .nanEmbedding: "Embeddings hold NaN, which makes every loss NaN; compute them again, or quarantine the rows.",
        .infiniteEmbedding: "Embeddings hold infinities; compute them again, or quarantine the rows.",
        .zeroEmbedding:
            "Embeddings of length zero have no direction, and cosines with them are NaN; compute them again.",
        .notNormalised:
            "Embeddings that should have length 1 have not, which scales their logits; normalise them when they are "
            + "made, or correct the teacher's entry.",
        .captionsShuffled:
            "Images are no more similar to their own captions than to those of other rows: captions or embeddings are "
            + "probably in another order; check how they were joined.",
        .viewDependent:
            "What a view shows depends on its number, so views are no independent draws; declare the axis as not "
            + "exchangeable, and train with --variants independent.",
        .identicalViewEmbeddings:
            "Views of one image have equal embeddings, bit for bit, so they teach nothing new; check that each was "
            + "computed from its own crop.",
        .identicalViewRecords:
            "Views of one image have equal augmentation records; check the seed that drew them.",
        .equalCaptionEmbeddings:
            "Captions of one image have equal embeddings though their texts are not known to be equal; rows of text "
            + "embeddings were probably repeated or shifted.",
        .equalCaptions: "Captions of one image are the same text, which is common with short beams.",
        .emptyCaption: "Captions without a word teach the empty text; remove them, or make them absent.",
        .overlongTokens:
            "Captions have more tokens than the context holds besides start and end; they are cut when they are read.",
        .cropWithoutArea: "Crop boxes have no area, so the view cannot be replayed; draw them again.",
        .cropOutsideOriginal:
            "Crop boxes leave the original image, so boxes and sizes are not of the same image; check the join.",
        .cropOutsideImage:
            "Crop boxes leave the image that is stored, which was probably made smaller after they were drawn; scale "
            + "the boxes, or store images of the original size.",
        .unknownOperation: "Records name operations that the schema's table does not have; replaying them is a guess.",
        .unknownMagnitude:
            "Records have magnitudes that the schema's table does not list; complete the table, or check the recipe.",
    ]
}
