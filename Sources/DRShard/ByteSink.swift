public import DRShardFormat

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Where a writer's bytes go, front to back.
public protocol ByteSink: AnyObject {
    /// For errors.
    var path: String { get }
    func write(_ bytes: [UInt8]) throws(ShardError)
    /// Makes what was written so far outlast a crash, as far as the sink can.
    func synchronize() throws(ShardError)
    /// Puts the complete file in its place.
    func commit() throws(ShardError)
}

/// Writes all bytes to a descriptor.
private func writeAll(_ bytes: [UInt8], to descriptor: CInt, path: String) throws(ShardError) {
    var done = 0
    while done < bytes.count {
        // SAFETY: the range lies in the array.
        let count = unsafe bytes.withUnsafeBytes { buffer in
            unsafe write(descriptor, UnsafeRawBufferPointer(rebasing: buffer[done...]).baseAddress, buffer.count - done)
        }
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { throw systemError("cannot write", path: path) }
        done += count
    }
}

/// A sink without a name of its own: standard output, a pipe to an upload. Completeness is the tail's being there.
public final class StreamSink: ByteSink {
    public let path: String
    private let descriptor: CInt

    /// - Parameter descriptor: stays the caller's, who closes it.
    public init(descriptor: CInt, path: String = "standard output") {
        self.descriptor = descriptor
        self.path = path
    }
    public func write(_ bytes: [UInt8]) throws(ShardError) { try writeAll(bytes, to: descriptor, path: path) }
    public func synchronize() throws(ShardError) {}
    public func commit() throws(ShardError) {}
}

/// A file that appears under its name only when it is complete: it is written beside it, as `NAME.part`, synchronised,
/// renamed, and its folder synchronised. What is already there is not replaced.
public final class AtomicFile: ByteSink {
    public let path: String
    /// Where the bytes are until `commit`.
    public let partPath: String
    private var descriptor: CInt

    /// Begins a new file.
    /// - Throws: `.io` if there is a file of this name, or an unfinished one that should be resumed or removed.
    public init(path: String) throws(ShardError) {
        self.path = path
        partPath = path + ".part"
        try AtomicFile.checkAbsence(of: path)
        descriptor = unsafe open(partPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            if errno == EEXIST {
                throw ShardError.io("an unfinished file is there; resume it or remove it").with(.init(path: partPath))
            }
            throw systemError("cannot create it", path: partPath)
        }
    }

    /// - Throws: `.io` if there is a file of this name.
    package static func checkAbsence(of path: String) throws(ShardError) {
        guard unsafe access(path, F_OK) != 0 else {
            throw ShardError.io("it exists already; remove it or choose another name").with(.init(path: path))
        }
    }

    /// Goes on with an unfinished file behind its first `byteCount` bytes; what follows them is cut off.
    /// - Throws: `.io` if there is a file of this name: a writer that was killed while it gave the complete file its
    ///   name leaves both names, of one file.
    package init(resuming path: String, keeping byteCount: UInt64) throws(ShardError) {
        self.path = path
        partPath = path + ".part"
        try AtomicFile.checkAbsence(of: path)
        descriptor = unsafe open(partPath, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw systemError("cannot open it", path: partPath) }
        guard ftruncate(descriptor, off_t(byteCount)) == 0, lseek(descriptor, 0, SEEK_END) == off_t(byteCount) else {
            let error = systemError("cannot cut it to \(byteCount) bytes", path: partPath)
            close(descriptor)
            throw error
        }
    }
    deinit { if descriptor >= 0 { close(descriptor) } }

    public func write(_ bytes: [UInt8]) throws(ShardError) { try writeAll(bytes, to: descriptor, path: partPath) }

    public func synchronize() throws(ShardError) {
        guard fsync(descriptor) == 0 else { throw systemError("cannot synchronise it", path: partPath) }
    }

    public func commit() throws(ShardError) {
        try synchronize()
        close(descriptor)
        descriptor = -1
        // A hard link fails where the name exists, which a rename would replace.
        if unsafe link(partPath, path) == 0 {
            unsafe unlink(partPath)
        } else if errno == EEXIST {
            throw ShardError.io("it has appeared while it was written; the new one is \(partPath)").with(.init(path: path))
        } else if unsafe rename(partPath, path) != 0 {
            throw systemError("cannot rename \(partPath)", path: path)
        }
        try AtomicFile.synchronizeFolder(of: path)
    }

    /// Removes the unfinished file.
    public func discard() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
        unsafe unlink(partPath)
    }

    private static func synchronizeFolder(of path: String) throws(ShardError) {
        let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let descriptor = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw systemError("cannot open its folder", path: folder) }
        defer { close(descriptor) }
        // Some file systems have no folders to synchronise, and say EINVAL.
        guard fsync(descriptor) == 0 || errno == EINVAL else { throw systemError("cannot synchronise its folder", path: folder) }
    }
}
