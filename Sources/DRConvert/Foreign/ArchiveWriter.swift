internal import CArchive
package import DRShard
package import DRShardFormat

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// An archive writer that is to write a tar.
package typealias TarWriter = ArchiveWriter

/// Writes an archive of regular files with fixed times, owners and modes: the same members give the same bytes.
///
/// The file has its final name only after `finish()`; before that there is only `<path>.part`, which goes away if
/// `finish()` is never called.
@safe package final class ArchiveWriter {
    package enum Format {
        case ustar, pax, gnu
        /// Members are stored, not compressed; zip64 where sizes need it.
        case zip
    }

    /// What the archive's bytes pass through on their way to a sink.
    private final class Outlet {
        let sink: any ByteSink
        var pending: [UInt8] = []
        init(_ sink: any ByteSink) { self.sink = sink }
    }

    private let path: String
    private let archive: OpaquePointer
    /// Nil: libarchive writes the file itself.
    private let outlet: Outlet?
    private var isFinished = false
    private static let pendingByteCount = 1 << 20

    /// Writes a file, which replaces one of its name.
    /// - Parameters:
    ///   - format: `pax` writes plain ustar headers where they suffice.
    /// - Throws: `.io` if the file cannot be made.
    package convenience init(path: String, format: Format = .pax) throws(ShardError) {
        try self.init(path: path, outlet: nil, format)
        let opened = unsafe archive_write_open_filename(archive, path + ".part")
        try check(opened)
    }

    /// Writes into a sink, which `finish()` commits. What becomes of the sink otherwise is the caller's to say.
    package convenience init(sink: any ByteSink, format: Format) throws(ShardError) {
        let outlet = Outlet(sink)
        try self.init(path: sink.path, outlet: outlet, format)
        // SAFETY: the outlet lives as long as this object, which frees the archive, and with it the callback.
        let opened = unsafe archive_write_open(
            archive, Unmanaged.passUnretained(outlet).toOpaque(), nil,
            { _, client, bytes, count in
                guard let client = unsafe client else { return -1 }
                let outlet = unsafe Unmanaged<Outlet>.fromOpaque(client).takeUnretainedValue()
                unsafe outlet.pending.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: count))
                return count
            }, nil)
        try check(opened)
    }

    private init(path: String, outlet: Outlet?, _ format: Format) throws(ShardError) {
        // SAFETY: owned by this object alone, freed in deinit.
        guard let archive = unsafe archive_write_new() else { throw .io("no memory for an archive writer") }
        self.path = path
        self.outlet = outlet
        unsafe self.archive = archive
        // SAFETY: the handle is valid; strings are copied by libarchive.
        switch format {
        case .ustar: unsafe archive_write_set_format_ustar(archive)
        case .pax: unsafe archive_write_set_format_pax_restricted(archive)
        case .gnu: unsafe archive_write_set_format_gnutar(archive)
        case .zip:
            unsafe archive_write_set_format_zip(archive)
            unsafe archive_write_set_format_option(archive, "zip", "compression", "store")
        }
        // No padding behind the end that the format itself asks for.
        unsafe archive_write_set_bytes_in_last_block(archive, 1)
    }

    deinit {
        // SAFETY: created in init, freed once. Without finish() the part file is of no use to anybody.
        unsafe archive_write_free(archive)
        if !isFinished && outlet == nil { _ = unsafe unlink(path + ".part") }
    }

    /// Adds one file.
    ///
    /// - Throws: `.invalidArgument` for a name that is empty or not ASCII (libarchive writes others by the process's
    ///   locale, and not at all in the "C" locale); `.io`.
    package func add(_ name: String, _ bytes: [UInt8]) throws(ShardError) {
        try begin(name, byteCount: bytes.count)
        try append(bytes)
    }

    /// Begins a file of `byteCount` bytes, which `append` gives.
    /// - Throws: as `add`.
    package func begin(_ name: String, byteCount: Int) throws(ShardError) {
        guard !name.isEmpty, name.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            throw .invalidArgument("archive member name \"\(name)\", only ASCII is written")
        }
        // SAFETY: the entry is freed here; libarchive copies the name before the calls return.
        guard let entry = unsafe archive_entry_new() else { throw .io("no memory for an archive entry") }
        defer { unsafe archive_entry_free(entry) }
        unsafe archive_entry_set_pathname(entry, name)
        unsafe archive_entry_set_size(entry, la_int64_t(byteCount))
        unsafe archive_entry_set_filetype(entry, 0o100000)  // regular file
        unsafe archive_entry_set_perm(entry, 0o644)
        unsafe archive_entry_set_mtime(entry, 0, 0)
        try check(unsafe archive_write_header(archive, entry))
    }

    /// Bytes of the file that was begun last; together as many as were announced.
    package func append(_ bytes: [UInt8]) throws(ShardError) {
        // SAFETY: libarchive uses the buffer during the call only.
        let written = unsafe bytes.withUnsafeBytes { unsafe archive_write_data(archive, $0.baseAddress, $0.count) }
        guard written == bytes.count else { throw failure() }
        if let outlet, outlet.pending.count >= ArchiveWriter.pendingByteCount { try passOn(outlet) }
    }

    private func passOn(_ outlet: Outlet) throws(ShardError) {
        try outlet.sink.write(outlet.pending)
        outlet.pending.removeAll(keepingCapacity: true)
    }

    /// Writes the end mark and gives the file its name; a path's file replaces one that is there.
    package func finish() throws(ShardError) {
        // SAFETY: the handle is valid; closing twice does nothing.
        try check(unsafe archive_write_close(archive))
        if let outlet {
            try passOn(outlet)
            try outlet.sink.commit()
        } else {
            guard unsafe rename(path + ".part", path) == 0 else {
                throw ShardError.io("cannot be renamed to its final name").with(.init(path: path))
            }
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
