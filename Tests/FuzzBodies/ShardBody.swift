internal import DRShard
internal import DRShardFormat

extension FuzzBodies {
    /// Takes the bytes as a shard: as they are, and with all checksums made right.
    public static func shard(_ bytes: [UInt8]) {
        examine(bytes)
        let repaired = ChecksumRepair.repair(bytes)
        if repaired != bytes { examine(repaired) }
    }

    /// Above this many cells a shard is opened and checked, but not read cell by cell: bytes that decompress
    /// 1,024-fold make millions of them.
    private static let cellLimit = 20_000

    private static func examine(_ bytes: [UInt8]) {
        let memory = MemorySource(bytes)
        let reader = try? ShardReader(source: memory)
        let cellCount = reader.map { $0.footer.groups.reduce(0) { $0 + $1.rowCount } * planeCount($0.schema) } ?? 0
        let isSmall = cellCount <= cellLimit
        let findings = ShardVerifier.verify(source: memory, depth: isSmall ? .decode : .full)
        guard let reader else {
            precondition(!findings.isEmpty, "a shard that does not open, and the verifier finds nothing")
            return
        }
        guard isSmall else { return }
        let dump = text(reader)
        if findings.isEmpty, case .failure(let error) = dump {
            preconditionFailure("the verifier finds nothing, and reading fails: \(error)")
        }
        // The other way to the bytes: read in runs, not looked at in memory.
        guard let other = try? ShardReader(source: ReadSource(memory)) else {
            preconditionFailure("a shard opens from memory only")
        }
        precondition(text(other) == dump, "a shard that reads differently from memory and from a file")
    }

    private static func planeCount(_ schema: Schema) -> Int {
        schema.columns.indices.reduce(0) { $0 + schema.variantCount(of: $1) }
    }

    private static func text(_ reader: ShardReader) -> Result<String, ShardError> {
        var text = ""
        do throws(ShardError) {
            try CanonicalDump(reader).write { text += $0 + "\n" }
            return .success(text)
        } catch { return .failure(error) }
    }
}

/// A source that has no bytes in memory, as a file that is read has none.
private struct ReadSource: ByteSource {
    let source: MemorySource
    init(_ source: MemorySource) { self.source = source }
    var path: String { source.path }
    var byteCount: UInt64 { source.byteCount }
    var memory: UnsafeRawBufferPointer? { nil }
    func read(_ requests: [ReadRequest], into target: UnsafeMutableRawBufferPointer) throws(ShardError) {
        try unsafe source.read(requests, into: target)
    }
}
