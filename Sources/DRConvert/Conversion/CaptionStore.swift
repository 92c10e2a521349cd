internal import DRShard
internal import DRShardFormat

/// Real captions and images by uid, from a folder of tars.
///
/// The tar of the same name as the input's is read first; all others only when a uid is not in it. What is kept of a
/// sample is its text, its sizes and the image's place; image bytes are read again when they are asked for.
final class CaptionStore {
    struct Entry {
        let tar: String
        let caption: String?
        let sha256: String?
        let originalSize: ImageSize?
        let imageSize: ImageSize?
        /// Position and byte count of the image in the tar.
        let image: (position: UInt64, byteCount: Int)?
        let loneSurrogateCount: Int
    }

    private let tars: [String]
    private let onError: ConvertOptions.OnError
    private var skipped: [ConvertReport.Skipped] = []
    private var loaded: Set<String> = []
    private var entries: [String: Entry] = [:]
    private var used: Set<String> = []
    private var sources: [String: FileSource] = [:]

    /// - Throws: `.io` if the folder has no tars.
    init(folder: String, onError: ConvertOptions.OnError) throws(ShardError) {
        self.onError = onError
        tars = try TarFolder.list(folder)
    }

    /// Begins the tar that belongs to an input: forgets what no other input needs.
    func begin(input: String) throws(ShardError) {
        let name = TarFolder.name(of: input)
        guard let tar = tars.first(where: { TarFolder.name(of: $0) == name }) else { return }
        try load(tar)
    }

    /// The sample of a uid; nil if no tar has it.
    func entry(uid: String) throws(ShardError) -> Entry? {
        if entries[uid] == nil {
            for tar in tars where !loaded.contains(tar) {
                try load(tar)
                if entries[uid] != nil { break }
            }
        }
        if entries[uid] != nil { used.insert(uid) }
        return entries[uid]
    }

    /// Uids of the tar that belongs to an input which nothing has asked for.
    func unused(input: String) -> [String] {
        let name = TarFolder.name(of: input)
        return entries.filter { TarFolder.name(of: $0.value.tar) == name && !used.contains($0.key) }.map(\.key).sorted()
    }

    /// Forgets the tar that belongs to an input which is done.
    func end(input: String) {
        let name = TarFolder.name(of: input)
        entries = entries.filter { TarFolder.name(of: $0.value.tar) != name }
        sources.removeAll()
    }

    func imageBytes(_ entry: Entry) throws(ShardError) -> [UInt8] {
        guard let image = entry.image else { return [] }
        let known = sources[entry.tar]
        let source = if let known { known } else { try FileSource(path: entry.tar) }
        sources[entry.tar] = source
        return try source.bytes(at: image.position, count: image.byteCount)
    }

    /// What was left out since the last call.
    func takeSkipped() -> [ConvertReport.Skipped] {
        defer { skipped = [] }
        return skipped
    }

    private func load(_ tar: String) throws(ShardError) {
        guard loaded.insert(tar).inserted else { return }
        let reader: SampleGroupReader
        do throws(ShardError) { reader = SampleGroupReader(try TarReader(path: tar)) } catch {
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
            do throws(ShardError) { try add(group, tar) } catch {
                try skipOrThrow(error, what: "\(tar): caption sample \(group.name)")
            }
        }
    }

    private func add(_ group: SampleGroup, _ tar: String) throws(ShardError) {
        let sample = try CaptionSample(group)
        guard entries[sample.uid] == nil else {
            throw ShardError.schemaMismatch("uid \(sample.uid) has two caption samples").with(.init(path: tar))
        }
        let image = CaptionSample.imageSuffixes.lazy.compactMap { group[$0] }.first
        entries[sample.uid] = Entry(
            tar: tar, caption: sample.caption, sha256: sample.sha256, originalSize: sample.originalSize,
            imageSize: sample.imageSize, image: image.map { ($0.dataPosition, $0.bytes.count) },
            loneSurrogateCount: sample.loneSurrogateCount)
    }

    private func skipOrThrow(_ error: ShardError, what: String) throws(ShardError) {
        guard onError == .skip else { throw onError.advised(error) }
        skipped.append(.init(what: what, why: error.description))
    }
}
