internal import DRConvert
internal import DRShardFormat
internal import DRText

/// Looks at the samples of one tar.
struct TarSamples {
    let path: String
    let layout: TarLayout
    /// Rows of all tars that are looked at, and the number of this tar's first.
    let choice: RowChoice
    let firstRow: Int

    /// What came of a tar.
    struct Result: Sendable {
        var profile: Profile
        /// By row: the samples' ids.
        var ids: [UInt128] = []
        /// Samples whose embeddings came as each kind of file, and the first of them.
        var formats: [String: (count: Int, first: FindingPlace)] = [:]
        /// Of samples with more rows of text embeddings than captions: pairs of rows that are equal, and in how many.
        var equalRows: [RowPair: Int] = [:]
        var extraRowSamples = 0
    }

    struct RowPair: Hashable {
        var first: Int
        var second: Int
    }

    private static let rowsPerBlock = 64

    /// - Parameter profile: an empty one.
    func examine(_ profile: Profile, progress: (Int) -> Void) -> Result {
        var result = Result(profile: profile)
        do throws(ShardError) {
            let decoder = try DRSampleDecoder(options: TarSamples.decoderOptions)
            let reader = SampleGroupReader(try TarReader(path: path))
            var block = RowBlock(schema: layout.schema)
            var row = 0
            while true {
                // Without a choice the number of rows is not known.
                let isWanted = choice.isAll || choice.contains(firstRow + row)
                reader.isWanted = { _ in isWanted }
                guard let group = try next(reader, row, &result) else { break }
                if let group {
                    note(group, row, &result)
                    if isWanted { add(group, row, decoder, to: &block, &result) }
                }
                row += 1
                guard block.rowCount == Self.rowsPerBlock else { continue }
                result.profile.examine(block)
                progress(block.rowCount)
                block = RowBlock(schema: layout.schema)
            }
            if block.rowCount > 0 { result.profile.examine(block) }
            progress(block.rowCount)
        } catch {
            let isEnd = error.code == .truncated && error.reason.contains("without its end mark")
            result.profile.findings.add(
                isEnd ? .tarWithoutEnd : .unreadableFile, at: FindingPlace(path: path, detail: error.reason))
        }
        return result
    }

    /// Everything may be missing: what is, is a finding.
    static var decoderOptions: DRSampleDecoder.Options {
        var options = DRSampleDecoder.Options()
        options.optionalMembers = ["json", "url.txt", "syn.json", "paug.json"]
        return options
    }

    /// The next sample: nil at the end, a nil inside for one that cannot be read as a group.
    private func next(_ reader: SampleGroupReader, _ row: Int, _ result: inout Result) throws(ShardError)
        -> SampleGroup??
    {
        do throws(ShardError) {
            guard let group = try reader.next() else { return nil }
            return .some(group)
        } catch {
            guard reader.canGoOn else { throw error }
            let key = reader.repeatedKey
            result.ids.append(TarSamples.id(key ?? "\(path) \(row)"))
            if key == nil {
                result.profile.findings.add(
                    .unreadableSample, at: FindingPlace(path: path, row: row, detail: error.reason))
            }
            return .some(nil)
        }
    }

    /// What can be said of every sample by its members' names.
    private func note(_ group: SampleGroup, _ row: Int, _ result: inout Result) {
        result.ids.append(TarSamples.id(group.name))
        let place = FindingPlace(path: path, row: row, rowID: group.name)
        func expect(_ suffix: String, severity: Severity? = nil, _ isThere: Bool) {
            if !isThere { result.profile.findings.add(.missingMember, severity: severity, subject: suffix, at: place) }
        }
        expect("json", group["json"] != nil)
        switch layout.kind {
        case .reinforced:
            for suffix in ["syn.json", "paug.json"] { expect(suffix, group[suffix] != nil) }
            expect("url.txt", severity: .warning, group["url.txt"] != nil)
            if layout.columns.realText != nil { expect("txt", group["txt"] != nil) }
            let formats = TarLayout.embeddingSuffixes.filter { group[$0] != nil }
            expect("npz or pth.gz", !formats.isEmpty)
            for format in formats { result.formats[format, default: (0, place)].count += 1 }
        case .captions: expect("txt", group["txt"] != nil)
        }
    }

    private func add(
        _ group: SampleGroup, _ row: Int, _ decoder: DRSampleDecoder, to block: inout RowBlock, _ result: inout Result
    ) {
        let place = RowPlace(path: path, row: row, id: group.name)
        do throws(ShardError) {
            var group = group
            if let uid = try TarSamples.uid(of: group), uid != group.name {
                result.profile.findings.add(.uidDiffers, at: place.at(nil, nil, "uid \(uid)"))
                group = group.without("json")
            }
            let joined = group["json"] == nil ? nil : try CaptionSample(group)
            if layout.kind == .captions {
                append(nil, joined, place, to: &block)
            } else if TarLayout.embeddingSuffixes.contains(where: { group[$0] != nil }) {
                let sample = try decoder.decode(group)
                compareRows(sample, place, &result)
                guard hasShape(sample, place, &result) else { return }
                append(sample, joined, place, to: &block)
            }
        } catch {
            result.profile.findings.add(.unreadableSample, at: place.at(nil, nil, error.reason))
        }
    }

    private static func uid(of group: SampleGroup) throws(ShardError) -> String? {
        guard let member = group["json"], case .string(let uid)? = try JSON.parse(member.bytes).value["uid"] else {
            return nil
        }
        return uid
    }

    static func id(_ name: String) -> UInt128 {
        if name.utf8.count == 32, let id = UInt128(name, radix: 16) { return id }
        return DuplicateIDs.key(SHA256.digest(Array(name.utf8)).prefix(16))
    }

    /// A sample with more rows of text embeddings than captions: which of them are equal?
    private func compareRows(_ sample: DRSample, _ place: RowPlace, _ result: inout Result) {
        let array = sample.textEmbeddings
        let count = array.shape[0]
        if count < 1 + sample.combinedCaptions.count {
            result.profile.findings.add(
                .shapeDiffers, subject: "text rows",
                at: place.at(
                    "text_emb", nil, "\(count) rows for 1 real and \(sample.combinedCaptions.count) synthetic captions"
                ))
        }
        guard count > 1 + sample.combinedCaptions.count, !sample.combinedCaptions.isEmpty else { return }
        result.extraRowSamples += 1
        result.profile.findings.add(
            .extraTextRows,
            at: place.at(
                "text_emb", nil, "\(count) rows, 1 real and \(sample.combinedCaptions.count) synthetic captions"))
        let width = array.bytes.count / count
        func bytes(_ row: Int) -> ArraySlice<UInt8> {
            array.bytes[array.bytes.startIndex + row * width..<array.bytes.startIndex + (row + 1) * width]
        }
        for first in 0..<count {
            for second in first + 1..<max(first + 1, count) where bytes(first) == bytes(second) {
                result.equalRows[RowPair(first: first, second: second), default: 0] += 1
            }
        }
    }

    private func hasShape(_ sample: DRSample, _ place: RowPlace, _ result: inout Result) -> Bool {
        func differs(_ what: String, _ found: String, _ expected: String) -> Bool {
            guard found != expected else { return false }
            result.profile.findings.add(
                .shapeDiffers, subject: what, at: place.at(nil, nil, "\(found), the first sample has \(expected)"))
            return true
        }
        let shape = sample.imageEmbeddings.shape
        let captions = sample.combinedCaptions.count
        return
            !(differs("views", "\(shape[0])", "\(layout.viewCount)") || differs("dims", "\(shape[1])", "\(layout.dims)")
            || differs("element type", "\(sample.imageEmbeddings.element)", "\(layout.element)")
            // A sample without syn.json has none; that is a finding of its own.
            || captions > 0 && differs("synthetic captions", "\(captions)", "\(layout.captionCount)")
            || differs("text rows", "\(sample.textEmbeddings.shape[0])", "\(layout.textRowCount)"))
    }
}

extension SampleGroup {
    /// The same sample as if it had no member of this suffix.
    func without(_ suffix: String) -> SampleGroup {
        SampleGroup(key: key, members: members.filter { $0.suffix != suffix }, path: path)
    }
}
