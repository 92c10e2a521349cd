internal import CArchive
package import DRShardFormat

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// One regular file in a tar.
package struct TarMember: Sendable, Equatable {
    /// Path inside the tar, as stored.
    package let name: String
    package let byteCount: Int
    /// Position of its first byte of data in the tar file, for reading it again without the tar reader.
    package let dataPosition: UInt64
}

/// Streams the regular files of one uncompressed tar (ustar, GNU long names, pax), in file order, through libarchive.
///
/// Directories, links and devices are passed over. Not `Sendable`: one thread at a time.
@safe package final class TarReader {
    package let path: String
    /// Size of the tar file when it was opened.
    package let fileByteCount: UInt64
    /// The largest member that is read.
    package let memberByteLimit: Int

    private let file: Int32
    private let archive: OpaquePointer
    private var current: TarMember?
    /// Where the next header must begin: after the last member's data, padded to whole blocks of 512 bytes.
    private var nextHeader: UInt64 = 0
    /// The last entry was a link that declares a size, after which data may follow or not: no telling where it ends.
    private var isEndUnknown = false
    private var hasEnded = false

    /// - Parameters:
    ///   - memberByteLimit: members above it are `.limitExceeded`; the default is 256 MiB.
    ///   - blockByteCount: what one read asks for. A small one skips more of the members that are not read.
    /// - Throws: `.io` if the file cannot be opened or is not a regular file.
    package init(path: String, memberByteLimit: Int = 256 << 20, blockByteCount: Int = 1 << 18) throws(ShardError) {
        let context = ShardError.Context(path: path)
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { throw Self.systemError("cannot be opened").with(context) }
        var status = stat()
        // SAFETY: fstat writes the struct it is given and keeps no pointer.
        guard unsafe fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(file)
            throw ShardError.io("is not a regular file").with(context)
        }
        // SAFETY: owned by this object alone from here on, freed in deinit or just below.
        guard let archive = unsafe archive_read_new() else {
            close(file)
            throw ShardError.io("no memory for a tar reader").with(context)
        }
        self.path = path
        self.file = file
        unsafe self.archive = archive
        self.memberByteLimit = memberByteLimit
        fileByteCount = UInt64(clamping: status.st_size)
        // SAFETY: the handle is valid; libarchive reads from the descriptor, which deinit closes after it.
        let isOpen =
            unsafe archive_read_support_format_tar(archive) == ARCHIVE_OK
            && archive_read_open_fd(archive, file, blockByteCount) == ARCHIVE_OK
        guard isOpen else { throw headerFailure() }
    }

    deinit {
        // SAFETY: created in init, freed once; nobody else has seen it.
        unsafe archive_read_free(archive)
        close(file)
    }

    /// The next regular file; nil after the last one. Bytes of the one before that were not read are passed over.
    ///
    /// - Throws: `.truncated` if the file ends inside a member or without the block of zeros that ends a tar;
    ///   `.corrupt` for a damaged header; `.unsupportedFeature` for a compressed tar or a sparse member;
    ///   `.limitExceeded` for a member above the limit. After an error the reader is of no more use.
    package func next() throws(ShardError) -> TarMember? {
        while !hasEnded {
            current = nil
            var entry: OpaquePointer?
            // SAFETY: the handle is valid; the entry belongs to libarchive and lives until the next header is read.
            let status = unsafe archive_read_next_header(archive, &entry)
            if status == ARCHIVE_EOF {
                hasEnded = true
                try checkEnd()
                return nil
            }
            guard status == ARCHIVE_OK || (status == ARCHIVE_WARN && message.contains("can't be converted")),
                let entry = unsafe entry
            else { throw headerFailure() }
            if let member = try unsafe member(entry) {
                current = member
                return member
            }
        }
        return nil
    }

    /// Replaces `buffer` with the bytes of the member that `next()` gave; its capacity is kept and reused.
    ///
    /// - Throws: `.truncated`, `.corrupt`, `.io`; `.invalidArgument` if there is no member or it was read before.
    package func readBytes(into buffer: inout [UInt8]) throws(ShardError) {
        guard let member = current else { throw .invalidArgument("no tar member to read") }
        current = nil
        buffer.removeAll(keepingCapacity: true)
        buffer.reserveCapacity(member.byteCount)
        while buffer.count < member.byteCount {
            var block: UnsafeRawPointer?
            var byteCount = 0
            var offset: la_int64_t = 0
            // SAFETY: libarchive lends `byteCount` bytes at `block` until its next call; they are copied at once.
            let status = unsafe archive_read_data_block(archive, &block, &byteCount, &offset)
            guard status == ARCHIVE_OK else {
                if status == ARCHIVE_EOF { throw place(.truncated("ends after \(buffer.count) bytes"), member) }
                throw place(failure("cannot be read"), member)
            }
            guard Int(offset) == buffer.count, byteCount <= member.byteCount - buffer.count else {
                throw place(.corrupt("\(byteCount) bytes at \(offset), expected \(buffer.count)"), member)
            }
            unsafe buffer.append(contentsOf: UnsafeRawBufferPointer(start: block, count: byteCount))
        }
    }

    /// What the entry is; nil for anything but a regular file.
    private func member(_ entry: OpaquePointer) throws(ShardError) -> TarMember? {
        // SAFETY: the entry is valid until the next header; the names are copied into Strings here.
        let position = UInt64(clamping: unsafe archive_filter_bytes(archive, -1))
        let size = unsafe archive_entry_size(entry)
        let isRegular = unsafe archive_entry_filetype(entry) == S_IFREG && archive_entry_hardlink(entry) == nil
        guard let rawName = unsafe archive_entry_pathname_utf8(entry) ?? archive_entry_pathname(entry),
            let name = unsafe String(validatingCString: rawName)
        else { throw place(.corrupt("tar member with no name, or one that is not UTF-8"), at: position) }
        let member = TarMember(name: name, byteCount: Int(clamping: size), dataPosition: position)
        nextHeader = position
        isEndUnknown = !isRegular && size > 0
        guard size > 0 else { return isRegular ? member : nil }
        guard isRegular else { return nil }
        guard unsafe archive_entry_sparse_count(entry) == 0 else {
            throw place(.unsupportedFeature("sparse tar member"), member)
        }
        guard UInt64(size) <= fileByteCount - min(position, fileByteCount) else {
            throw place(.truncated("\(size) bytes declared, the tar ends at byte \(fileByteCount)"), member)
        }
        guard size <= memberByteLimit else {
            throw place(.limitExceeded("\(size) bytes, at most \(memberByteLimit) are read"), member)
        }
        nextHeader = (position + UInt64(size) + 511) & ~511
        return member
    }

    /// A tar ends with two blocks of zeros. libarchive takes a file that just stops for a whole one; this does not. One
    /// block is enough, as for GNU tar.
    private func checkEnd() throws(ShardError) {
        if isEndUnknown { return }
        let block = bytes(at: nextHeader, 512)
        guard block.count == 512 else {
            throw place(.truncated("tar ends after \(fileByteCount) bytes without its end mark"), at: nextHeader)
        }
        guard block.allSatisfy({ $0 == 0 }) else {
            throw place(.corrupt("tar has something other than its end mark after the last member"), at: nextHeader)
        }
    }

    // MARK: errors

    private var message: String {
        // SAFETY: the text belongs to the handle and is copied here.
        unsafe archive_error_string(archive).map { unsafe String(cString: $0) } ?? "no reason given"
    }

    private func headerFailure() -> ShardError {
        if fileByteCount == 0 { return place(.truncated("tar of 0 bytes"), at: 0) }
        let start = bytes(at: 0, 4)
        let magics: [[UInt8]] = [
            [0x1F, 0x8B], [0x28, 0xB5, 0x2F, 0xFD], [0x42, 0x5A, 0x68], [0xFD, 0x37, 0x7A, 0x58],
        ]
        if nextHeader == 0, magics.contains(where: { start.starts(with: $0) }) {
            return place(.unsupportedFeature("a compressed tar; decompress it first"), at: 0)
        }
        if headersRunPastTheEnd() {
            return place(.truncated("tar of \(fileByteCount) bytes ends inside a header"), at: nextHeader)
        }
        return place(failure("damaged tar header"), at: nextHeader)
    }

    /// Whether the header at `nextHeader`, or one of the extension headers (pax, GNU long names) in front of it, is cut
    /// off: libarchive gives no reason when a file ends between an extension header and the header it is for.
    private func headersRunPastTheEnd() -> Bool {
        var position = nextHeader
        for _ in 0..<8 {
            let header = bytes(at: position, 512)
            guard header.count == 512 else { return true }
            guard "xgLK".utf8.contains(header[156]),
                let size = UInt64(String(decoding: header[124..<135], as: UTF8.self), radix: 8)
            else { return false }
            position += 512 + (size + 511) & ~511
        }
        return false
    }

    /// Up to `count` bytes of the file; fewer at its end.
    private func bytes(at position: UInt64, _ count: Int) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: count)
        // SAFETY: pread fills at most the count of the buffer it is given.
        let read = unsafe buffer.withUnsafeMutableBytes {
            unsafe pread(file, $0.baseAddress, $0.count, off_t(clamping: position))
        }
        return Array(buffer.prefix(max(read, 0)))
    }

    /// libarchive has no code of its own for a file that ends too soon, only words.
    private func failure(_ what: String) -> ShardError {
        // SAFETY: the handle is valid.
        let number = unsafe archive_errno(archive)
        let reason = "\(what): \(message)"
        if reason.contains("runcated") { return place(.truncated(reason), at: nextHeader) }
        if number == -1 || number == EILSEQ || number == EINVAL || number == 0 {
            return place(.corrupt(reason), at: nextHeader)
        }
        return place(.io(reason), at: nextHeader)
    }

    private func place(_ error: ShardError, at position: UInt64) -> ShardError {
        error.with(.init(path: path, position: position))
    }

    private func place(_ error: ShardError, _ member: TarMember) -> ShardError {
        error.inside(member.name).with(.init(path: path, position: member.dataPosition))
    }

    private static func systemError(_ what: String) -> ShardError {
        let number = errno
        // SAFETY: strerror gives a string that is copied here.
        return .io("\(what): \(unsafe String(cString: strerror(number)))")
    }
}
