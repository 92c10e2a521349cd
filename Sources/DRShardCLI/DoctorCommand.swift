internal import ArgumentParser
internal import DRConvert
internal import DRDoctor
internal import DRShard
internal import DRShardFormat

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Look for what is wrong with the values of a set: of shards, or of tars before they are converted.",
        discussion: """
            Where verify asks whether bytes are what was written, doctor asks whether what was written makes sense: row \
            ids that stand twice, embeddings that are NaN, zero or not normalised, views or captions that equal each \
            other, captions that do not belong to their images, crops outside the image, operations that nobody listed, \
            views that depend on their number, members that tars lack. Each finding has a name that stays the same.

            Views count as dependent on their number only where exchangeable views of independent rows would look so \
            with a probability below 1e-6, over everything that is measured (Bennett's inequality, so that this holds \
            for any number of rows and any distribution).

            Exit codes: 0 no finding of severity error, 1 errors (with --strict: or warnings), 2 and 3 as everywhere. \
            Row ids of all rows are read, of everything else all rows of sets below 4 GiB and a sample of larger ones, \
            unless --rows says how many.
            """)

    @Argument(help: "Shards, tars of the DataCompDR layout, or folders of either.")
    var paths: [String]

    @OptionGroup var examination: ExaminationArguments

    @Flag(help: "Warnings end with exit code 1 too.")
    var strict = false

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        let subjects = try examination.examine(paths)
        if json {
            try Console.json(DoctorOutput(subjects))
        } else {
            for subject in subjects { try DoctorText.print(subject) }
        }
        try Console.flush()
        let limit: Severity = strict ? .warning : .error
        guard subjects.allSatisfy({ $0.worst.map { $0 < limit } ?? true }) else {
            throw ExitCode(ExitStatus.damaged.rawValue)
        }
    }
}

/// How a set is looked at: shared by doctor and report.
struct ExaminationArguments: ParsableArguments {
    @Option(help: "Rows that are looked at, spread evenly; always the same ones.")
    var rows: Int?

    @Option(help: "Threads; the result does not depend on them.")
    var jobs = 1

    @Option(help: "Places that are shown of each finding.")
    var limit = 5

    @Option(
        name: .customLong("teacher"),
        help: "Of tars: a teacher and its part of the embeddings, as NAME:FIRST:COUNT; once for each.")
    var teachers: [TeacherArgument] = []

    func validate() throws {
        if let rows, rows < 1 { throw ValidationError("--rows is at least 1.") }
        guard (1...256).contains(jobs) else { throw ValidationError("--jobs is 1 to 256.") }
        guard (0...100_000).contains(limit) else { throw ValidationError("--limit is 0 to 100000.") }
    }

    var options: DoctorOptions {
        var options = DoctorOptions()
        options.rows = rows
        options.jobs = jobs
        options.placeLimit = limit
        options.teachers = teachers.map { ($0.slice.name, $0.slice.first, $0.slice.count) }
        return options
    }

    func examine(_ paths: [String]) throws(ShardError) -> [Subject] {
        let bar = ProgressBar("looking")
        defer { bar.end() }
        return try Doctor.examine(paths, options: options) { done, total in
            bar.update(UInt64(done), of: UInt64(total)) { "\(done) rows" }
        }
    }
}

/// What was found, for people.
enum DoctorText {
    static func print(_ subject: Subject) throws(ShardError) {
        let files = subject.files.count == 1 ? subject.files[0] : "\(subject.files.count) files"
        let rows =
            subject.rowsExamined == subject.rowTotal
            ? "all looked at" : "\(subject.rowsExamined) looked at (--rows says how many)"
        try Console.line("\(subject.kind.rawValue), \(files): \(subject.rowTotal) rows, \(rows)")
        for finding in subject.findings {
            let what = finding.subject.map { " [\($0)]" } ?? ""
            try Console.line("")
            try Console.line(
                "\(finding.severity.name): \(finding.kind.rawValue)\(what), \(finding.count == 1 ? "once" : "\(finding.count) times")"
            )
            try Console.line("  \(finding.kind.meaning)")
            for place in finding.places { try Console.line("  - \(place.description)") }
            if finding.count > finding.places.count, !finding.places.isEmpty {
                try Console.line("  - ... and \(finding.count - finding.places.count) more")
            }
        }
        try Console.line("")
        if let profile = subject.profile { try print(profile, subject) }
        let counts = Severity.allCases.reversed().map { severity in
            let count = subject.findings.count { $0.severity == severity }
            return "\(count) \(severity.name)\(count == 1 ? "" : "s")"
        }
        try Console.line(counts.joined(separator: ", "))
    }

    private static func print(_ profile: Profile, _ subject: Subject) throws(ShardError) {
        var rows = [["norms of", "cells", "min", "mean", "max", "std", "not 1"]]
        for norm in profile.normSummaries where norm.moments.count > 0 {
            let moments = norm.moments
            rows.append(
                [norm.name, String(moments.count)]
                    + [moments.minimum, moments.mean, moments.maximum, moments.standardDeviation].map {
                        Console.decimal($0, 4)
                    } + [String(norm.offCount)])
        }
        if rows.count > 1 {
            try Console.table(rows, right: [1, 2, 3, 4, 5, 6])
            try Console.line("")
        }
        rows = [["cosine of", "pairs", "1 %", "median", "99 %"]]
        for (name, histogram) in profile.cosines where histogram.total > 0 {
            let quantiles = [0.01, 0.5, 0.99].map { Console.decimal(histogram.quantile($0) ?? .nan, 3) }
            rows.append([name, String(histogram.total)] + quantiles)
        }
        if rows.count > 1 {
            try Console.table(rows, right: [1, 2, 3, 4])
            try Console.line("")
        }
        let similar = profile.mostSimilarTexts.filter { $0.count > 0 }
        if !similar.isEmpty {
            let text = similar.map { "\($0.name) \($0.count)" }.joined(separator: ", ")
            try Console.line("most similar to the image, by rows: \(text)")
        }
        for pair in subject.equalTextRows {
            try Console.line(
                "rows \(pair.first) and \(pair.second) of text_emb are equal in "
                    + "\(Console.decimal(100 * pair.share, 1)) % of the samples that have too many")
        }
        let tests = profile.viewTests
        if let least = tests.min(by: { $0.measure.boundP < $1.measure.boundP }) {
            try Console.line(
                "views by their number: \(tests.count) measures, the least likely is \(least.name), p below "
                    + "\(Profile.short(least.measure.boundP)), flagged below \(Profile.short(Profile.falseAlarmProbability / Double(tests.count)))"
            )
        }
    }
}
