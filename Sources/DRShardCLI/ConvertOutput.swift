internal import DRConvert
internal import DRShardFormat
internal import Foundation

/// The report as JSON.
struct ConvertOutput: Encodable {
    struct Skipped: Encodable {
        var what: String
        var why: String
    }
    var shards: [String]
    var rows: Int
    var inputBytes: UInt64
    var outputBytes: UInt64
    var seconds: Double
    var skipped: [Skipped]
    var warnings: [String]
    var unpairedCaptions: Int
    var captionsMissing: Int
    var rowsWithoutCaption: Int
    var doubtfulTexts: [String: Int]
    var overlongTexts: Int
    var loneSurrogates: Int
    var crops: Int
    var cropsOutsideOriginal: Int
    var cropsOutsideImage: Int
    var images: Int
    var resizedImages: Int
    var imagesMissing: Int
    var cropsRescaled: Int
    var imageHashesDiffer: Int
    var resumedShards: Int
    var verifiedRows: Int
    var uidsComparedAcrossShards: Bool
    var precision: [Precision]
    /// The row of text_emb that was left out, and the one that it equals.
    var duplicateTextRow: [Int]?

    struct Precision: Encodable {
        var name: String
        var embeddings: Int
        var meanCosineError: Double
        var maxCosineError: Double
    }

    init(_ report: ConvertReport, seconds: Double) {
        shards = report.shards
        rows = report.rowCount
        inputBytes = report.inputByteCount
        outputBytes = report.outputByteCount
        self.seconds = seconds
        skipped = report.skipped.map { Skipped(what: $0.what, why: $0.why) }
        warnings = report.warnings
        let counts = report.counts
        unpairedCaptions = counts.unpairedCaptions
        captionsMissing = counts.captionsMissing
        rowsWithoutCaption = counts.rowsWithoutCaption
        doubtfulTexts = counts.doubtfulTexts
        overlongTexts = counts.overlongTexts
        loneSurrogates = counts.loneSurrogates
        crops = counts.cropCount
        cropsOutsideOriginal = counts.cropsOutsideOriginal
        cropsOutsideImage = counts.cropsOutsideImage
        images = counts.imageCount
        resizedImages = counts.resizedImages
        imagesMissing = counts.imagesMissing
        cropsRescaled = counts.cropsRescaled
        imageHashesDiffer = counts.hashesDiffer
        resumedShards = report.resumedShardCount
        verifiedRows = report.verifiedRowCount
        uidsComparedAcrossShards = report.comparesAllUIDs
        precision = counts.precision.map {
            Precision(
                name: $0.name, embeddings: $0.count, meanCosineError: $0.mean, maxCosineError: $0.largest)
        }
        duplicateTextRow = report.duplicateTextRow.map { [$0.left, $0.kept] }
    }

    func write(to path: String) throws(ShardError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        do { try encoder.encode(self).write(to: URL(fileURLWithPath: path), options: .atomic) } catch {
            throw ShardError.io("cannot write the report: \(error.localizedDescription)").with(.init(path: path))
        }
    }
}
