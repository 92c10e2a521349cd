internal import DRConvert
internal import DRShard
internal import DRShardFormat
internal import Foundation

/// Looks at tars of the DataCompDR layout.
struct TarDoctor {
    private let files: [String]
    private let options: DoctorOptions
    private let progress: Doctor.Progress?

    /// Samples of a tar that are tried until one can be decoded.
    private static let probeCount = 256

    init(_ files: [String], _ options: DoctorOptions, _ progress: Doctor.Progress?) {
        self.files = files
        self.options = options
        self.progress = progress
    }

    func examine() throws(ShardError) -> [Subject] {
        // A tar without a readable sample counts as one of samples: that is where it is missed most.
        let kinds = files.map { TarDoctor.kind(of: $0) ?? .reinforced }
        var subjects: [Subject] = []
        for (kind, subject) in [(TarLayout.Kind.reinforced, Subject.Kind.tars), (.captions, .captionTars)] {
            let part = files.indices.filter { kinds[$0] == kind }.map { files[$0] }
            guard !part.isEmpty else { continue }
            subjects.append(try examine(Subject(kind: subject, files: part), layout(of: part, kind)))
        }
        return subjects
    }

    private static func kind(of path: String) -> TarLayout.Kind? {
        guard let tar = try? TarReader(path: path) else { return nil }
        let group = try? SampleGroupReader(tar, isWanted: { _ in false }).next()
        return group.map { TarLayout.kind(of: $0) }
    }

    /// Of the first sample that can be decoded.
    private func layout(of paths: [String], _ kind: TarLayout.Kind) -> TarLayout? {
        guard let decoder = try? DRSampleDecoder(options: TarSamples.decoderOptions) else { return nil }
        let teachers = options.teachers.map {
            ConvertOptions.TeacherSlice(name: $0.name, first: $0.first, count: $0.count, logitScale: nil)
        }
        for path in paths {
            guard let tar = try? TarReader(path: path) else { continue }
            let reader = SampleGroupReader(tar)
            for _ in 0..<Self.probeCount {
                guard let group = try? reader.next() else { break }
                if kind == .captions {
                    if let layout = (try? CaptionSample(group)).flatMap({ try? TarLayout($0) }) { return layout }
                    continue
                }
                // Without what it says about itself, which may be wrong.
                guard let sample = try? decoder.decode(group.without("json")) else { continue }
                if let layout = try? TarLayout(sample, group, teachers: teachers) { return layout }
            }
        }
        return nil
    }

    private func examine(_ subject: Subject, _ layout: TarLayout?) throws(ShardError) -> Subject {
        var subject = subject
        var findings = FindingList(placeLimit: options.placeLimit)
        guard let layout else {
            for file in subject.files {
                findings.add(
                    .unreadableFile,
                    at: FindingPlace(path: file, detail: "there is no sample in it that can be decoded"))
            }
            subject.findings = findings.sorted
            return subject
        }
        let files = subject.files
        let (choice, firstRows) = choose(files)
        let start = Profile(layout: ProfileLayout(layout.schema), placeLimit: options.placeLimit)
        let fold = OrderedFold(Total(profile: start, idLimit: options.idLimit)) { $0.add($1) }
        let counter = RowCounter(total: choice.isAll ? 0 : choice.wanted, progress)
        try WorkerThreads.run(count: files.count, threadCount: options.jobs) { number throws(ShardError) in
            let samples = TarSamples(
                path: files[number], layout: layout, choice: choice, firstRow: firstRows[number])
            fold.add(samples.examine(start) { counter.add($0) }, number: number)
        }
        try finish(&subject, fold.total, &findings)
        return subject
    }

    /// Which samples are decoded. Their number is not known before all headers were read, which is done only if not all
    /// are wanted.
    private func choose(_ files: [String]) -> (RowChoice, firstRows: [Int]) {
        let sizes = files.map { path in
            (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? UInt64) ?? 0
        }
        let byteCount = sizes.reduce(0, +)
        guard options.rows != nil || byteCount > Doctor.defaultByteCount else {
            return (RowChoice(total: 0, wanted: nil), files.map { _ in 0 })
        }
        var firstRows: [Int] = []
        var total = 0
        for file in files {
            firstRows.append(total)
            guard let tar = try? TarReader(path: file, blockByteCount: 1 << 12) else { continue }
            let reader = SampleGroupReader(tar, isWanted: { _ in false })
            while true {
                do { guard try reader.next() != nil else { break } } catch { guard reader.canGoOn else { break } }
                total += 1
            }
        }
        let share = Double(Doctor.defaultByteCount) / Double(max(1, byteCount))
        let wanted = options.rows ?? max(Doctor.minimumRowCount, Int(Double(total) * share))
        return (RowChoice(total: total, wanted: wanted), firstRows)
    }

    /// Of all tars up to one.
    private struct Total: Sendable {
        var tarCount = 0
        var rowCount = 0
        var profile: Profile
        var ids: DuplicateIDs
        var formats: [String: (count: Int, first: FindingPlace)] = [:]
        var equalRows: [TarSamples.RowPair: Int] = [:]
        var extraRowSamples = 0
        /// The first of ids that could not be kept.
        var failure: ShardError?

        init(profile: Profile, idLimit: Int) {
            self.profile = profile
            ids = DuplicateIDs(limit: idLimit)
        }

        mutating func add(_ result: TarSamples.Result) {
            profile.merge(result.profile)
            for (row, id) in result.ids.enumerated() where failure == nil {
                do throws(ShardError) { try ids.add(id, file: tarCount, row: row) } catch { failure = error }
            }
            formats.merge(result.formats) { mine, others in (mine.count + others.count, mine.first) }
            equalRows.merge(result.equalRows, uniquingKeysWith: +)
            extraRowSamples += result.extraRowSamples
            rowCount += result.ids.count
            tarCount += 1
        }
    }

    private func finish(_ subject: inout Subject, _ total: Total, _ findings: inout FindingList) throws(ShardError) {
        if let failure = total.failure { throw failure }
        try Doctor.addDuplicates(total.ids, files: subject.files, to: &findings)
        if total.formats.count > 1 {
            for (format, use) in total.formats.sorted(by: { $0.key < $1.key }) {
                var place = use.first
                place.detail = "\(use.count) samples have a .\(format), this is the first"
                findings.add(.mixedFormats, at: place)
            }
        }
        let equal = total.equalRows.sorted { ($0.key.first, $0.key.second) < ($1.key.first, $1.key.second) }
        subject.equalTextRows = equal.map { pair, count in
            (pair.first, pair.second, Double(count) / Double(max(1, total.extraRowSamples)))
        }
        subject.rowTotal = total.rowCount
        subject.profile = total.profile
        findings.merge(total.profile.judged)
        subject.findings = findings.sorted
    }
}
