public import DRShardFormat

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// How a reader reaches the bytes of a file.
public enum Access: Sendable {
    /// By `pread`: safe whatever happens to the file. The default.
    case read
    /// By a memory map: the fastest, and zero-copy. A file that shrinks while it is mapped kills the process with
    /// SIGBUS when the lost part is touched, and one whose bytes change while a unit is decoded may be read as anything,
    /// or end the process: this is for callers who own the file.
    case mapped

    package func open(_ path: String) throws(ShardError) -> any ByteSource {
        switch self {
        case .read: try FileSource(path: path)
        case .mapped: try MappedSource(path: path)
        }
    }
}

/// The text of the operating system's last error.
package func systemError(_ doing: String, path: String) -> ShardError {
    // SAFETY: strerror returns a string that is valid until the next call.
    let text = unsafe String(cString: strerror(errno))
    return ShardError.io("\(doing): \(text)").with(.init(path: path))
}

/// Opens a regular file for reading. A pipe would be waited for, but for the flag, which does nothing for files.
private func openForReading(_ path: String) throws(ShardError) -> (descriptor: CInt, byteCount: UInt64) {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
        guard errno == EMFILE || errno == ENFILE else { throw systemError("cannot open it", path: path) }
        throw ShardError.io("cannot open it: too many open files: raise `ulimit -n`").with(.init(path: path))
    }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else {
        let error = systemError("cannot read its size", path: path)
        close(descriptor)
        throw error
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
        close(descriptor)
        throw ShardError.io("it is not a regular file").with(.init(path: path))
    }
    return (descriptor, UInt64(status.st_size))
}

/// A file, read by `pread`.
public final class FileSource: ByteSource {
    public let path: String
    public let byteCount: UInt64
    private let descriptor: CInt

    /// - Throws: `.io` if it cannot be opened, or is not a regular file.
    public init(path: String) throws(ShardError) {
        (descriptor, byteCount) = try openForReading(path)
        self.path = path
    }
    deinit { close(descriptor) }

    public var memory: UnsafeRawBufferPointer? { nil }

    public func willRead(_ range: Range<UInt64>) {
        #if canImport(Glibc)
            // One call fetches no more than the device's read-ahead, which is 128 KiB at least.
            for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.adviceByteCount) {
                let count = min(UInt64(Self.adviceByteCount), range.upperBound - start)
                posix_fadvise(descriptor, off_t(start), off_t(count), CInt(POSIX_FADV_WILLNEED))
            }
        #elseif canImport(Darwin)
            var advice = radvisory(
                ra_offset: off_t(range.lowerBound), ra_count: CInt(clamping: range.upperBound - range.lowerBound))
            // SAFETY: the call reads the struct.
            _ = unsafe fcntl(descriptor, F_RDADVISE, &advice)
        #endif
    }
    private static let adviceByteCount = 128 << 10

    public func read(_ requests: [ReadRequest], into target: UnsafeMutableRawBufferPointer) throws(ShardError) {
        for request in requests {
            var done = 0
            while done < request.byteCount {
                // SAFETY: buffer subscripts check the range in the target.
                let rest = unsafe target[request.targetOffset + done..<request.targetOffset + request.byteCount]
                let count = unsafe pread(
                    descriptor, UnsafeMutableRawBufferPointer(rebasing: rest).baseAddress, rest.count,
                    off_t(request.position) + off_t(done))
                if count < 0 && errno == EINTR { continue }
                if count < 0 {
                    throw systemError("cannot read \(request.byteCount) bytes at byte \(request.position)", path: path)
                }
                if count == 0 {
                    throw ShardError.truncated("the file has become shorter than its \(byteCount) bytes")
                        .with(.init(path: path, position: request.position + UInt64(done)))
                }
                done += count
            }
        }
    }
}

/// A file, mapped into memory. See `Access.mapped` for what it asks of the caller.
// SAFETY: the map is private and read-only; it lives as long as the source.
@safe public final class MappedSource: ByteSource {
    public let path: String
    public let byteCount: UInt64
    // SAFETY: mapped in init, read-only, unmapped in deinit; whoever holds a view holds the source.
    private nonisolated(unsafe) let map: UnsafeMutableRawPointer?

    /// - Throws: `.io` if it cannot be opened or mapped, or is not a regular file.
    public init(path: String) throws(ShardError) {
        let (descriptor, byteCount) = try openForReading(path)
        defer { close(descriptor) }
        self.path = path
        self.byteCount = byteCount
        guard byteCount > 0 else {
            unsafe map = nil
            return
        }
        guard let size = Int(exactly: byteCount),
            let address = unsafe mmap(nil, size, PROT_READ, MAP_SHARED, descriptor, 0),
            unsafe address != MAP_FAILED
        else { throw systemError("cannot map it", path: path) }
        unsafe map = address
    }
    deinit { if let map = unsafe map { unsafe munmap(map, Int(byteCount)) } }

    public var memory: UnsafeRawBufferPointer? { unsafe UnsafeRawBufferPointer(start: map, count: Int(byteCount)) }

    public func willRead(_ range: Range<UInt64>) {
        guard let map = unsafe map, range.upperBound <= byteCount else { return }
        // Advice is about whole pages of the system.
        let start = Int(range.lowerBound) & ~(pageByteCount - 1)
        // SAFETY: the range lies in the map; nothing is written.
        _ = unsafe madvise(map.advanced(by: start), Int(range.upperBound) - start, MADV_WILLNEED)
    }
    private let pageByteCount = Int(sysconf(CInt(_SC_PAGESIZE)))

    public func read(_ requests: [ReadRequest], into target: UnsafeMutableRawBufferPointer) throws(ShardError) {
        let bytes = unsafe UnsafeRawBufferPointer(start: map, count: Int(byteCount))
        for request in requests {
            guard request.position <= byteCount, UInt64(request.byteCount) <= byteCount - request.position else {
                throw ShardError.truncated("\(request.byteCount) bytes wanted, the file has \(byteCount)")
                    .with(.init(path: path, position: request.position))
            }
            // SAFETY: the range was checked above; buffer subscripts check the target's.
            let source = unsafe UnsafeRawBufferPointer(
                rebasing: bytes[Int(request.position)..<Int(request.position) + request.byteCount])
            unsafe target[request.targetOffset..<request.targetOffset + request.byteCount].copyBytes(from: source)
        }
    }
}
