internal import CArchive
package import DRShardFormat

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Writes a tar of regular files with fixed times, owners and modes: the same members give the same bytes.
///
/// The file has its final name only after `finish()`; before that there is only `<path>.part`, which goes away if
/// `finish()` is never called.
@safe package final class TarWriter {
    package enum Format { case ustar, pax, gnu }

    private let path: String
    private let archive: OpaquePointer
    private var isFinished = false

    /// - Parameters:
    ///   - format: `pax` writes plain ustar headers where they suffice.
    /// - Throws: `.io` if the file cannot be made.
    package init(path: String, format: Format = .pax) throws(ShardError) {
        // SAFETY: owned by this object alone, freed in deinit.
        guard let archive = unsafe archive_write_new() else { throw .io("no memory for a tar writer") }
        self.path = path
        unsafe self.archive = archive
        // SAFETY: the handle is valid; the path is copied by libarchive.
        switch format {
        case .ustar: unsafe archive_write_set_format_ustar(archive)
        case .pax: unsafe archive_write_set_format_pax_restricted(archive)
        case .gnu: unsafe archive_write_set_format_gnutar(archive)
        }
        let opened = unsafe archive_write_open_filename(archive, path + ".part")
        try check(opened)
    }

    deinit {
        // SAFETY: created in init, freed once. Without finish() the part file is of no use to anybody.
        unsafe archive_write_free(archive)
        if !isFinished { _ = unsafe unlink(path + ".part") }
    }

    /// Adds one file.
    ///
    /// - Throws: `.invalidArgument` for a name that is empty or not ASCII (libarchive writes others by the process's
    ///   locale, and not at all in the "C" locale); `.io`.
    package func add(_ name: String, _ bytes: [UInt8]) throws(ShardError) {
        guard !name.isEmpty, name.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            throw .invalidArgument("tar member name \"\(name)\", only ASCII is written")
        }
        // SAFETY: the entry is freed here; libarchive copies name and bytes before the calls return.
        guard let entry = unsafe archive_entry_new() else { throw .io("no memory for a tar entry") }
        defer { unsafe archive_entry_free(entry) }
        unsafe archive_entry_set_pathname(entry, name)
        unsafe archive_entry_set_size(entry, la_int64_t(bytes.count))
        unsafe archive_entry_set_filetype(entry, 0o100000)  // regular file
        unsafe archive_entry_set_perm(entry, 0o644)
        unsafe archive_entry_set_mtime(entry, 0, 0)
        try check(unsafe archive_write_header(archive, entry))
        let written = unsafe bytes.withUnsafeBytes { unsafe archive_write_data(archive, $0.baseAddress, $0.count) }
        guard written == bytes.count else { throw failure() }
    }

    /// Writes the end mark and gives the file its name, replacing one that is there.
    package func finish() throws(ShardError) {
        // SAFETY: the handle is valid; closing twice does nothing.
        try check(unsafe archive_write_close(archive))
        guard unsafe rename(path + ".part", path) == 0 else {
            throw ShardError.io("cannot be renamed to its final name").with(.init(path: path))
        }
        isFinished = true
    }

    private func check(_ status: Int32) throws(ShardError) {
        // A warning here is about a name that the locale cannot show, not about the file.
        guard status == ARCHIVE_OK || status == ARCHIVE_WARN else { throw failure() }
    }

    private func failure() -> ShardError {
        // SAFETY: the text belongs to the handle and is copied here.
        let text = unsafe archive_error_string(archive).map { unsafe String(cString: $0) } ?? "cannot be written"
        return ShardError.io(text).with(.init(path: path))
    }
}
