internal import DRShard
internal import DRShardFormat

/// Real captions and images by uid, from tars or from a folder of loose files. Many threads may ask.
///
/// The tar of the same name as the input's is looked at first, and counts; the others only when a uid is not in it. What
/// is kept of a tar is an index of where its samples lie, made when it is first looked at; the samples themselves are
/// read when they are asked for.
final class CaptionStore: Sendable {
    /// Entries of indexes that are kept, of all tars together: some 1 GB.
    static let maximumEntryCount = 16 << 20

    private let containers: [CaptionContainer]
    private let byName: [String: Int]
    private let onError: ConvertOptions.OnError
    /// Whether only the tar with the input's name is looked at.
    private let pairsByName: Bool

    private struct State {
        var entryCount = 0
        /// Whether all containers were asked for a uid: then no index is dropped.
        var keepsAll = false
        /// Why no other container is looked at: there are too many samples to search.
        var refusal: ShardError?
        var skipped: [Int: [ConvertReport.Skipped]] = [:]
    }
    private let state = Guarded(State())

    /// - Throws: `.io` if there are neither tars nor loose captions in the folder.
    init(folder: String, onError: ConvertOptions.OnError, pairsByName: Bool) throws(ShardError) {
        self.onError = onError
        self.pairsByName = pairsByName
        containers = try CaptionContainer.list(folder)
        var byName: [String: Int] = [:]
        for (number, container) in containers.enumerated() {
            guard let other = byName.updateValue(number, forKey: container.name) else { continue }
            throw ShardError.invalidArgument(
                "it has the name of \(containers[other].path), so that nobody knows which one belongs to an input"
            ).with(.init(path: container.path))
        }
        self.byName = byName
    }

    /// The container that belongs to an input, by name.
    private func pair(of input: String) -> Int? { byName[TarFolder.name(of: input)] }

    /// Begins an input: reads the index of the container that belongs to it, if there is one.
    /// - Returns: the container's name, and the number of its samples.
    func begin(input: String) throws(ShardError) -> (name: String, samples: Int)? {
        guard let pair = pair(of: input) else { return nil }
        let index = try index(pair)
        return (containers[pair].name, index.count)
    }

    /// Ends an input: drops its index if memory may become short.
    func end(input: String) {
        guard let pair = pair(of: input) else { return }
        // As many descriptors as jobs, however many tars there are.
        containers[pair].closeSource()
        state.withLock { state in
            guard !state.keepsAll, pairsByName || state.entryCount > Self.maximumEntryCount / 4 else { return }
            state.entryCount -= containers[pair].dropIndex()
        }
    }

    /// What the captions are known again by: the containers' names and sizes, and the ends of the input's own.
    func fingerprint(input: String) throws(ShardError) -> String {
        let list = containers.map { "\($0.name) \(TarFolder.byteCount($0.path))" }.joined(separator: "\n")
        let pair = pair(of: input)
        var own = ""
        if let pair, containers[pair].kind == .tar { own = try TarFolder.fingerprint([containers[pair].path]) }
        return String(hex(SHA256.digest(Array(((pairsByName ? "" : list) + own).utf8))).prefix(32))
    }

    /// What was left out of containers, in the order of their names. Call once, at the end.
    func skipped() -> [ConvertReport.Skipped] {
        state.withLock { state in state.skipped.sorted { $0.key < $1.key }.flatMap(\.value) }
    }

    /// The sample of a uid, and the name of its container; nil if there is none.
    /// - Throws: what reading the sample throws; `.schemaMismatch` if several containers have it, none of which belongs
    ///   to the input by name; under `.stop` also the first error of a container that is indexed for it.
    func sample(uid: UInt128, input: String) throws(ShardError) -> (sample: CaptionSample, container: String)? {
        let pair = pair(of: input)
        if let pair, let sample = try sample(uid, in: pair) { return (sample, containers[pair].name) }
        guard !pairsByName else { return nil }
        state.withLock { $0.keepsAll = true }
        var found: Int?
        for number in containers.indices where number != pair {
            guard try index(number).contains(uid) else { continue }
            guard let other = found else {
                found = number
                continue
            }
            throw ShardError.schemaMismatch(
                "uid \(uid.uidText) has a caption sample here and one in \(containers[other].path)"
            ).with(.init(path: containers[number].path))
        }
        guard let found else { return nil }
        defer { containers[found].closeSource() }
        guard let sample = try sample(uid, in: found) else { return nil }
        return (sample, containers[found].name)
    }

    private func sample(_ uid: UInt128, in number: Int) throws(ShardError) -> CaptionSample? {
        guard let group = try index(number).group(of: uid, in: containers[number]) else { return nil }
        return try CaptionSample(group)
    }

    /// The index of a container, made by the first thread that needs it; others wait for it.
    private func index(_ number: Int) throws(ShardError) -> any CaptionIndexing {
        if let refusal = state.withLock({ $0.refusal }) { throw refusal }
        return try containers[number].index { () throws(ShardError) in
            var skipped: [ConvertReport.Skipped] = []
            let index = try containers[number].makeIndex { error, what throws(ShardError) in
                guard onError == .skip else { throw onError.advised(error) }
                skipped.append(.init(what: what, why: error.description))
            }
            let total = state.withLock { state in
                state.entryCount += index.count
                if !skipped.isEmpty { state.skipped[number] = skipped }
                return state.entryCount
            }
            guard total <= Self.maximumEntryCount else {
                let refusal = ShardError.limitExceeded(
                    "a uid is not in the caption tar of its input's name, and \(total) samples are too many to search; name caption tars as the inputs they belong to, and give --captions-by-name"
                ).with(.init(path: containers[number].path))
                state.withLock { state in
                    state.entryCount -= index.count
                    state.refusal = refusal
                }
                throw refusal
            }
            return index
        }
    }
}
