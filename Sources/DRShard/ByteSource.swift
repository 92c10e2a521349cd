public import DRShardFormat

/// One range of a batched read.
public struct ReadRequest: Sendable {
    /// Bytes from the start of the file.
    public var position: UInt64
    public var byteCount: Int
    /// Where the bytes go, counted from the start of the target.
    public var targetOffset: Int

    public init(position: UInt64, byteCount: Int, targetOffset: Int) {
        self.position = position
        self.byteCount = byteCount
        self.targetOffset = targetOffset
    }
}

/// Where a shard's bytes come from: a file read or mapped, memory; later an object store.
///
/// A source is read by many threads at once.
public protocol ByteSource: Sendable {
    /// For errors.
    var path: String { get }
    var byteCount: UInt64 { get }

    /// Reads every request, in any order, into `target`. The requests lie in the source and in the target.
    /// - Throws: `.io`; `.truncated` if the source has become shorter.
    func read(_ requests: [ReadRequest], into target: UnsafeMutableRawBufferPointer) throws(ShardError)

    /// All bytes, if they are in memory: readers then copy from there, or hand out views.
    var memory: UnsafeRawBufferPointer? { get }

    /// Says that a range will be read soon, so that it can be fetched meanwhile. May do nothing; fails silently, since
    /// the read itself will tell.
    func willRead(_ range: Range<UInt64>)
}

extension ByteSource {
    /// Nothing: bytes in memory need no fetching.
    public func willRead(_ range: Range<UInt64>) {}

    /// Bytes `[position, position + count)`.
    /// - Throws: `.truncated` if the source does not have them: nothing is allocated then.
    package func bytes(at position: UInt64, count: Int) throws(ShardError) -> [UInt8] {
        guard count >= 0, position <= byteCount, UInt64(count) <= byteCount - position else {
            throw ShardError.truncated("\(count) bytes wanted, the file has \(byteCount)")
                .with(.init(path: path, position: position))
        }
        guard count > 0 else { return [] }
        var bytes = [UInt8](repeating: 0, count: count)
        var failure: ShardError?
        // SAFETY: the request has exactly the size of the array.
        unsafe bytes.withUnsafeMutableBytes { target in
            do throws(ShardError) {
                try unsafe read([ReadRequest(position: position, byteCount: count, targetOffset: 0)], into: target)
            } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes
    }
}

/// Bytes in memory: for tests and small shards.
// SAFETY: the storage is private and never written after init; it lives as long as the source.
@safe public final class MemorySource: ByteSource {
    public let path: String
    // SAFETY: allocated in init, never written after it, freed in deinit.
    private nonisolated(unsafe) let storage: UnsafeMutableRawBufferPointer

    public init(_ bytes: [UInt8], path: String = "memory") {
        self.path = path
        unsafe storage = .allocate(byteCount: max(1, bytes.count), alignment: 64)
        count = bytes.count
        unsafe storage.copyBytes(from: bytes)
    }
    private let count: Int
    deinit { unsafe storage.deallocate() }

    public var byteCount: UInt64 { UInt64(count) }
    public var memory: UnsafeRawBufferPointer? { unsafe UnsafeRawBufferPointer(rebasing: storage[0..<count]) }

    public func read(_ requests: [ReadRequest], into target: UnsafeMutableRawBufferPointer) throws(ShardError) {
        for request in requests {
            guard request.position <= byteCount, UInt64(request.byteCount) <= byteCount - request.position else {
                throw ShardError.truncated("\(request.byteCount) bytes wanted, there are \(count)")
                    .with(.init(path: path, position: request.position))
            }
            // SAFETY: the range was checked; buffer subscripts check the target's.
            let source = unsafe UnsafeRawBufferPointer(
                rebasing: storage[Int(request.position)...][..<(Int(request.position) + request.byteCount)])
            unsafe target[request.targetOffset..<request.targetOffset + request.byteCount].copyBytes(from: source)
        }
    }
}
