internal import DRDoctor

/// What was found, as JSON.
struct DoctorOutput: Encodable {
    struct Place: Encodable {
        var file: String?
        var row: Int?
        var rowID: String?
        var column: String?
        var variant: Int?
        var detail: String?

        init(_ place: FindingPlace) {
            file = place.path
            row = place.row
            rowID = place.rowID
            column = place.column
            variant = place.variant
            detail = place.detail
        }
    }
    struct FindingOutput: Encodable {
        var code: String
        var severity: String
        var subject: String?
        var count: Int
        var meaning: String
        var places: [Place]
    }
    struct Norm: Encodable {
        var of: String
        var count: Int
        var min: Double
        var mean: Double
        var max: Double
        var std: Double
        var notOne: Int
    }
    struct Cosine: Encodable {
        var of: String
        var count: Int
        var median: Double
        var low: Double
        var high: Double
    }
    struct ViewTest: Encodable {
        var measure: String
        var rows: Int
        var statistic: Double
        var pChiSquared: Double
        var pBound: Double
        var isDependent: Bool
    }
    struct Pair: Encodable {
        var first: String
        var second: String
        var share: Double
    }
    struct SubjectOutput: Encodable {
        var kind: String
        var files: [String]
        var rows: Int
        var rowsExamined: Int
        var findings: [FindingOutput]
        var norms: [Norm] = []
        var cosines: [Cosine] = []
        var mostSimilarTexts: [String: Int] = [:]
        var equalTextRows: [Pair] = []
        var viewTests: [ViewTest] = []
        var pairingShare: Double?
    }

    var subjects: [SubjectOutput]

    init(_ subjects: [Subject]) {
        self.subjects = subjects.map { subject in
            var output = SubjectOutput(
                kind: subject.kind.rawValue, files: subject.files, rows: subject.rowTotal,
                rowsExamined: subject.rowsExamined,
                findings: subject.findings.map {
                    FindingOutput(
                        code: $0.kind.rawValue, severity: $0.severity.name, subject: $0.subject, count: $0.count,
                        meaning: $0.kind.meaning, places: $0.places.map(Place.init))
                })
            if let profile = subject.profile { Self.add(profile, subject, to: &output) }
            return output
        }
    }

    private static func add(_ profile: Profile, _ subject: Subject, to output: inout SubjectOutput) {
        output.norms = profile.normSummaries.filter { $0.moments.count > 0 }.map {
            Norm(
                of: $0.name, count: $0.moments.count, min: $0.moments.minimum, mean: $0.moments.mean,
                max: $0.moments.maximum, std: $0.moments.standardDeviation, notOne: $0.offCount)
        }
        output.cosines = profile.cosines.filter { $0.histogram.total > 0 }.map {
            Cosine(
                of: $0.name, count: $0.histogram.total, median: $0.histogram.median ?? .nan,
                low: $0.histogram.quantile(0.01) ?? .nan, high: $0.histogram.quantile(0.99) ?? .nan)
        }
        output.mostSimilarTexts = Dictionary(
            profile.mostSimilarTexts.map { ($0.name, $0.count) }, uniquingKeysWith: +)
        let rows = Double(max(1, profile.rowCount))
        output.equalTextRows =
            profile.equalTexts.map { Pair(first: $0.first, second: $0.second, share: Double($0.count) / rows) }
            + subject.equalTextRows.map {
                Pair(first: "row \($0.first)", second: "row \($0.second)", share: $0.share)
            }
        output.viewTests = profile.viewTests.map {
            ViewTest(
                measure: $0.name, rows: $0.measure.rowCount, statistic: $0.measure.statistic,
                pChiSquared: $0.measure.chiSquaredP, pBound: $0.measure.boundP, isDependent: $0.isDependent)
        }
        output.pairingShare = profile.pairingSummary?.share
    }
}
