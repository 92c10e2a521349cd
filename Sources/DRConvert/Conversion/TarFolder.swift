internal import DRShard
package import DRShardFormat
internal import Foundation

/// Lists of tars, in the order of the bytes of their names.
package enum TarFolder {
    /// Paths of tars: of a folder those in it and in folders below it (names that end in `.tar`, none that begins with
    /// a dot), in the order of the bytes of their paths; of a file: itself.
    /// - Throws: `.io` if there are none.
    package static func list(_ path: String) throws(ShardError) -> [String] {
        guard isFolder(path) else { return try FolderListing.files(path, suffix: ".tar") }
        let tars = try tars(below: path)
        guard !tars.isEmpty else {
            throw ShardError.io("there is no file in it whose name ends in .tar").with(.init(path: path))
        }
        return tars
    }

    /// Whether there is a tar in a folder or in folders below it.
    static func hasTars(_ folder: String) throws(ShardError) -> Bool { try !tars(below: folder).isEmpty }

    /// Paths of the tars in a folder and in folders below it, links followed, in the order of the bytes of their paths.
    /// - Throws: `.io` for a folder that cannot be listed.
    package static func tars(below folder: String) throws(ShardError) -> [String] {
        var found: [String] = []
        try FolderWalk.visit(folder) { file, isFolder in
            if !isFolder, file.hasSuffix(".tar") { found.append(file) }
            return true
        }
        return found.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map { FolderListing.join(folder, $0) }
    }

    /// What files are known again by: their names, sizes, and up to 1 MiB at both ends of each.
    static func fingerprint(_ paths: [String]) throws(ShardError) -> String {
        var bytes: [UInt8] = []
        for path in paths {
            let source = try FileSource(path: path)
            let end = Int(min(source.byteCount, 1 << 20))
            var own = try source.bytes(at: 0, count: end)
            own += try source.bytes(at: source.byteCount - UInt64(end), count: end)
            bytes += Array("\(path.split(separator: "/").last ?? "") \(source.byteCount) ".utf8) + SHA256.digest(own)
        }
        return String(hex(SHA256.digest(bytes)).prefix(32))
    }

    /// Whether a path, or where a link leads, is a folder.
    static func isFolder(_ path: String) -> Bool {
        let resolved = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        return (try? FileManager.default.attributesOfItem(atPath: resolved)[.type] as? FileAttributeType)
            == .typeDirectory
    }

    /// A file's name without its folder and `.tar`, or the suffix of arrays.
    package static func name(of path: String) -> String {
        let name = path.split(separator: "/").last.map(String.init) ?? path
        return name.hasSuffix(".tar") ? String(name.dropLast(4)) : ArrayFolder.stem(of: name)
    }

    /// Makes a folder, and those above it.
    package static func makeFolder(_ path: String) throws(ShardError) {
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw ShardError.io("cannot make the folder: \(error.localizedDescription)").with(.init(path: path))
        }
    }

    /// The folder itself, or the nearest above it that is there.
    static func existingFolder(of path: String) -> String {
        var url = URL(fileURLWithPath: path)
        while url.path != "/", !FileManager.default.fileExists(atPath: url.path) { url.deleteLastPathComponent() }
        return url.path
    }

    static func byteCount(_ path: String) -> UInt64 {
        let size = try? FileManager.default.attributesOfItem(atPath: path)[.size] as? UInt64
        return size ?? 0
    }

    /// - Throws: `.io`; `.limitExceeded` above `limit` bytes.
    static func readFile(_ path: String, limit: Int = 1 << 30) throws(ShardError) -> [UInt8] {
        guard byteCount(path) <= UInt64(limit) else {
            throw ShardError.limitExceeded("\(byteCount(path)) bytes, at most \(limit) are read").with(
                .init(path: path))
        }
        do { return try [UInt8](Data(contentsOf: URL(fileURLWithPath: path))) } catch {
            throw ShardError.io("cannot read it: \(error.localizedDescription)").with(.init(path: path))
        }
    }
}
