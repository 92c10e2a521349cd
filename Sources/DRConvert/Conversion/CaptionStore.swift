internal import DRShard
internal import DRShardFormat

/// Real captions and images by uid, from a folder of tars.
///
/// The tar of the same name as the input's is looked at first; the others, in the order of their names, only when a
/// uid is not in it. What is kept of a tar is an index of where its samples lie, made when it is first looked at; the
/// samples themselves are read when they are asked for.
final class CaptionStore {
    struct Entry {
        let tar: String
        let caption: String?
        let sha256: String?
        let originalSize: ImageSize?
        let imageSize: ImageSize?
        /// The image's position in the tar, and its bytes.
        let image: (position: UInt64, bytes: [UInt8])?
        let loneSurrogateCount: Int
    }

    private let tars: [String]
    private let onError: ConvertOptions.OnError
    private var skipped: [ConvertReport.Skipped] = []
    /// By the number of the tar.
    private var indexes: [CaptionIndex?]
    private var sources: [Int: FileSource] = [:]
    /// The tar that belongs to the open input, and those that belong to inputs so far.
    private var current: Int?
    private var paired: Set<Int> = []

    private static let maximumOpenSources = 16

    /// - Throws: `.io` if the folder has no tars.
    init(folder: String, onError: ConvertOptions.OnError) throws(ShardError) {
        self.onError = onError
        tars = try TarFolder.list(folder)
        indexes = Array(repeating: nil, count: tars.count)
    }

    /// Begins the tar that belongs to an input, if there is one.
    func begin(input: String) throws(ShardError) {
        let name = TarFolder.name(of: input)
        current = tars.firstIndex { Schema.isSameName(TarFolder.name(of: $0), name) }
        guard let current else { return }
        paired.insert(current)
        if indexes[current] == nil { try makeIndex(current) }
    }

    /// The sample of a uid; nil if no tar has it.
    /// - Throws: what reading the sample throws; under `.stop` also the first error of a tar that is indexed for it.
    func entry(uid: UInt128) throws(ShardError) -> Entry? {
        if let current, let entry = try entry(uid, in: current) { return entry }
        for number in tars.indices where number != current {
            if let entry = try entry(uid, in: number) { return entry }
        }
        return nil
    }

    /// Uids of the open input's tar which nothing has asked for.
    func unusedUIDs() -> [UInt128] {
        guard let index = current.flatMap({ indexes[$0] }) else { return [] }
        return index.entries.filter { !$0.isUsed }.map(\.uid)
    }

    /// How many samples of all inputs' tars nothing has asked for, not even an input that another tar belongs to.
    func unusedCount() -> Int {
        paired.reduce(0) { count, number in count + (indexes[number]?.entries.count { !$0.isUsed } ?? 0) }
    }

    /// What was left out since the last call.
    func takeSkipped() -> [ConvertReport.Skipped] {
        defer { skipped = [] }
        return skipped
    }

    private func entry(_ uid: UInt128, in number: Int) throws(ShardError) -> Entry? {
        if indexes[number] == nil { try makeIndex(number) }
        guard let index = indexes[number], let place = index.find(uid) else { return nil }
        indexes[number]?.markUsed(place)
        let found = index.entries[place]
        let source = try source(of: number)
        var members: [SampleGroup.Member] = []
        for (suffix, position, byteCount) in found.members {
            let bytes = try source.bytes(at: position, count: byteCount)
            members.append(
                .init(suffix: suffix, name: "\(uid.uidText).\(suffix)", bytes: bytes, dataPosition: position))
        }
        let sample = try CaptionSample(SampleGroup(key: uid.uidText, members: members, path: index.tar))
        let image = members.first { CaptionSample.imageSuffixes.contains($0.suffix) }
        return Entry(
            tar: index.tar, caption: sample.caption, sha256: sample.sha256, originalSize: sample.originalSize,
            imageSize: sample.imageSize, image: image.map { ($0.dataPosition, $0.bytes) },
            loneSurrogateCount: sample.loneSurrogateCount)
    }

    private func source(of number: Int) throws(ShardError) -> FileSource {
        if let source = sources[number] { return source }
        if sources.count >= Self.maximumOpenSources { sources.removeAll() }
        let source = try FileSource(path: tars[number])
        sources[number] = source
        return source
    }

    private func makeIndex(_ number: Int) throws(ShardError) {
        let tar = tars[number]
        var index = CaptionIndex(tar: tar)
        try walk(tar, &index)
        for uid in index.sort() {
            let error = ShardError.schemaMismatch("uid \(uid.uidText) has two caption samples").with(.init(path: tar))
            try skipOrThrow(error, what: "\(tar): caption sample \(uid.uidText)")
        }
        for case let other? in indexes {
            let common = other.common(with: index)
            guard let first = common.first else { continue }
            let more = common.count == 1 ? "" : ", and so have \(common.count - 1) more"
            let reason = "uid \(first.uidText) has a caption sample here and one in \(other.tar)\(more)"
            try skipOrThrow(
                ShardError.schemaMismatch(reason).with(.init(path: tar)),
                what: "\(tar): \(common.count) caption samples")
        }
        indexes[number] = index
    }

    /// Appends all samples of a tar to its index. Reads headers alone.
    private func walk(_ tar: String, _ index: inout CaptionIndex) throws(ShardError) {
        let reader: SampleGroupReader
        do throws(ShardError) {
            reader = SampleGroupReader(try TarReader(path: tar, blockByteCount: 1 << 14), readsBytes: false)
        } catch {
            return try skipOrThrow(error, what: tar)
        }
        while true {
            let group: SampleGroup
            do throws(ShardError) {
                guard let next = try reader.next() else { return }
                group = next
            } catch {
                guard reader.canGoOn else { return try skipOrThrow(error, what: "the rest of \(tar)") }
                try skipOrThrow(error, what: "\(tar): a caption sample")
                continue
            }
            do throws(ShardError) { index.append(try CaptionIndex.Entry(group)) } catch {
                let placed = error.with(.init(path: tar, position: group.members.first?.dataPosition))
                try skipOrThrow(placed, what: "\(tar): caption sample \(group.name)")
            }
        }
    }

    private func skipOrThrow(_ error: ShardError, what: String) throws(ShardError) {
        guard onError == .skip else { throw error }
        skipped.append(.init(what: what, why: error.description))
    }
}
