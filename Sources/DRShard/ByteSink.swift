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
///
/// An unfinished file has one writer at a time: it is locked (`flock`) as long as this object lives, where the file
/// system has locks.
public final class AtomicFile: ByteSink {
    public let path: String
    /// Where the bytes are until `commit`.
    public let partPath: String
    private var descriptor: CInt
    /// Whether `discard` may remove the unfinished file: not when it is complete.
    private var isDiscardable = true

    /// Begins a new file.
    /// - Throws: `.io` if there is a file of this name, or an unfinished one that should be resumed or removed.
    public init(path: String) throws(ShardError) {
        self.path = path
        partPath = path + ".part"
        try AtomicFile.checkAbsence(of: path)
        descriptor = unsafe open(partPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            if errno == EEXIST { throw AtomicFile.unfinished(partPath) }
            throw systemError("cannot create it", path: partPath)
        }
        try lock()
        // What is synchronised in the file is lost with its name.
        do throws(ShardError) { try AtomicFile.synchronizeFolder(of: path) } catch {
            discard()
            throw error
        }
    }

    /// Whether there is a file of this name.
    package static func exists(_ path: String) -> Bool {
        var status = stat()
        // SAFETY: lstat writes the struct it is given. A link that leads nowhere is a file of this name too.
        return unsafe lstat(path, &status) == 0
    }

    /// Removes the unfinished file of a writer that was killed, unread; nothing happens if there is none.
    /// - Throws: `.io` if another writer has it, or it cannot be removed.
    package static func removeUnfinished(_ path: String) throws(ShardError) {
        let partPath = path + ".part"
        let descriptor = unsafe open(partPath, O_WRONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            if errno == ENOENT { return }
            throw systemError("cannot open it", path: partPath)
        }
        defer { close(descriptor) }
        if flock(descriptor, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK { throw otherWriter(partPath) }
        guard unsafe unlink(partPath) == 0 || errno == ENOENT else {
            throw systemError("cannot remove it", path: partPath)
        }
    }

    private static func unfinished(_ partPath: String) -> ShardError {
        ShardError.io("an unfinished file is there; resume it or remove it").with(.init(path: partPath))
    }

    /// - Throws: `.io` if there is a file of this name, or an unfinished one.
    package static func checkRoom(for path: String) throws(ShardError) {
        try checkAbsence(of: path)
        guard !exists(path + ".part") else { throw unfinished(path + ".part") }
    }

    /// - Throws: `.io` if there is a file of this name.
    package static func checkAbsence(of path: String) throws(ShardError) {
        guard !exists(path) else {
            throw ShardError.io("it exists already; remove it or choose another name").with(.init(path: path))
        }
    }

    /// Takes an unfinished file, to go on with it: nobody else writes it from now on. `keep` says behind what to go on.
    /// - Throws: `.io` if there is no unfinished file, if another writer has it, or if there is a file of this name: a
    ///   writer that was killed while it gave the complete file its name leaves both names, of one file.
    package init(resuming path: String) throws(ShardError) {
        self.path = path
        partPath = path + ".part"
        try AtomicFile.checkAbsence(of: path)
        descriptor = unsafe open(partPath, O_WRONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw systemError("cannot open it", path: partPath) }
        try lock()
        // Before it was locked, its writer may have finished it.
        try AtomicFile.checkAbsence(of: path)
        var mine = stat()
        var named = stat()
        guard unsafe fstat(descriptor, &mine) == 0, unsafe stat(partPath, &named) == 0 else {
            throw systemError("cannot open it", path: partPath)
        }
        guard mine.st_ino == named.st_ino, mine.st_dev == named.st_dev else { throw AtomicFile.otherWriter(partPath) }
    }
    deinit { letGo() }

    private static func otherWriter(_ partPath: String) -> ShardError {
        ShardError.io("another writer has it").with(.init(path: partPath))
    }

    private func lock() throws(ShardError) {
        // Some file systems have no locks; on them nothing is lost but this check.
        guard flock(descriptor, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK else { return }
        throw AtomicFile.otherWriter(partPath)
    }

    private func letGo() {
        guard descriptor >= 0 else { return }
        // Said aloud, since a process that is just being started may hold a copy of the descriptor for a moment.
        _ = flock(descriptor, LOCK_UN)
        close(descriptor)
        descriptor = -1
    }

    /// Cuts off what follows the first `byteCount` bytes, and goes on there.
    package func keep(byteCount: UInt64) throws(ShardError) {
        guard ftruncate(descriptor, off_t(byteCount)) == 0, lseek(descriptor, 0, SEEK_END) == off_t(byteCount) else {
            throw systemError("cannot cut it to \(byteCount) bytes", path: partPath)
        }
    }

    public func write(_ bytes: [UInt8]) throws(ShardError) { try writeAll(bytes, to: descriptor, path: partPath) }

    public func synchronize() throws(ShardError) {
        guard fsync(descriptor) == 0 else { throw systemError("cannot synchronise it", path: partPath) }
    }

    /// Gives the complete file its name.
    ///
    /// From here on `discard` removes nothing: if the name is taken, the unfinished file, which is complete, stays.
    /// - Throws: `.io`. If only the folder could not be synchronised, the file is complete under its name, and the error
    ///   says so: a crash of the machine may still take the name back to `partPath`.
    public func commit() throws(ShardError) {
        try synchronize()
        isDiscardable = false
        // The lock is held until only one name is left.
        defer { letGo() }
        // A hard link fails where the name exists, which a rename would replace.
        if unsafe link(partPath, path) == 0 {
            unsafe unlink(partPath)
        } else if errno == EEXIST {
            throw ShardError.io("it has appeared while it was written; the new one is \(partPath)").with(
                .init(path: path))
        } else {
            try AtomicFile.moveWithoutLink(from: partPath, to: path)
        }
        do throws(ShardError) { try AtomicFile.synchronizeFolder(of: path) } catch {
            throw ShardError.io(
                "it is complete and has its name, but its folder is not synchronised, so that a crash may take the name back: \(error.reason)"
            ).with(.init(path: path))
        }
    }

    /// The way of file systems without hard links. A file that appears between the look and the rename is replaced.
    package static func moveWithoutLink(from partPath: String, to path: String) throws(ShardError) {
        guard unsafe access(path, F_OK) != 0 else {
            throw ShardError.io("it has appeared while it was written; the new one is \(partPath)").with(
                .init(path: path))
        }
        guard unsafe rename(partPath, path) == 0 else { throw systemError("cannot rename \(partPath)", path: path) }
    }

    /// Removes the unfinished file, unless it is complete: behind `commit`, also one that failed, nothing happens.
    public func discard() {
        letGo()
        if isDiscardable { unsafe unlink(partPath) }
        isDiscardable = false
    }

    /// Makes the name of a file in its folder outlast a crash, where the file system can.
    package static func synchronizeFolder(of path: String) throws(ShardError) {
        let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let descriptor = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw systemError("cannot open its folder", path: folder) }
        defer { close(descriptor) }
        // Some file systems have no folders to synchronise, and say EINVAL.
        guard fsync(descriptor) == 0 || errno == EINVAL else {
            throw systemError("cannot synchronise its folder", path: folder)
        }
    }
}
