internal import DRShard
internal import DRShardFormat

/// Where the samples of a container lie, by uid.
///
/// Conformers: `CaptionIndex` (a tar), `LooseCaptions` (a folder of files).
protocol CaptionIndexing: Sendable {
    /// Distinct uids.
    var count: Int { get }
    func contains(_ uid: UInt128) -> Bool
    /// Reads the members of a uid's sample; nil if it is not there.
    func group(of uid: UInt128, in container: CaptionContainer) throws(ShardError) -> SampleGroup?
}

/// A tar, or a folder of loose files, with real captions and images.
final class CaptionContainer: Sendable {
    enum Kind { case tar, folder }

    let path: String
    let kind: Kind
    let name: String

    private struct State {
        var index: (any CaptionIndexing)?
        var source: FileSource?
    }
    private let state = Guarded(State())

    private init(path: String, kind: Kind) {
        self.path = path
        self.kind = kind
        name = TarFolder.name(of: path)
    }

    /// The tars at a path, or the folder itself if it has none.
    static func list(_ path: String) throws(ShardError) -> [CaptionContainer] {
        if TarFolder.isFolder(path), try !TarFolder.hasTars(path) {
            return [CaptionContainer(path: path, kind: .folder)]
        }
        return try TarFolder.list(path).map { CaptionContainer(path: $0, kind: .tar) }
    }

    /// What is done about bad input: throws it, or notes it.
    typealias Trouble = (_ error: ShardError, _ what: String) throws(ShardError) -> Void

    func makeIndex(_ trouble: Trouble) throws(ShardError) -> any CaptionIndexing {
        switch kind {
        case .tar: try CaptionIndex(tar: path, trouble)
        case .folder: try LooseCaptions(folder: path, trouble)
        }
    }

    /// The index; made by `make` if there is none. Other threads wait meanwhile.
    func index(_ make: () throws(ShardError) -> any CaptionIndexing) throws(ShardError) -> any CaptionIndexing {
        try state.withLock { state throws(ShardError) in
            if let index = state.index { return index }
            let made = try make()
            state.index = made
            return made
        }
    }

    /// - Returns: how many samples it had.
    func dropIndex() -> Int {
        state.withLock { state in
            defer { state = State() }
            return state.index?.count ?? 0
        }
    }

    /// Closes the tar, as soon as nobody reads it.
    func closeSource() { state.withLock { $0.source = nil } }

    /// The tar, to read parts of it. Stays open until `closeSource`.
    func source() throws(ShardError) -> FileSource {
        try state.withLock { state throws(ShardError) in
            if let source = state.source { return source }
            let source = try FileSource(path: path)
            state.source = source
            return source
        }
    }
}
