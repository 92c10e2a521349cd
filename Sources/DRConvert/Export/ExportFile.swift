internal import DRShard
internal import DRShardFormat
internal import Foundation

/// Files and folders that appear under their names only when they are complete.
enum ExportFile {
    static func isThere(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    /// A new file.
    /// - Parameter resumes: whether an unfinished one is begun again; nothing of it is kept.
    /// - Throws: `.io` as `AtomicFile` does; also if another process writes it.
    static func begin(_ path: String, resumes: Bool) throws(ShardError) -> AtomicFile {
        guard resumes, isThere(path + ".part") else { return try AtomicFile(path: path) }
        let file = try AtomicFile(resuming: path)
        try file.keep(byteCount: 0)
        return file
    }

    /// Writes a file by `body`, which commits it; nothing is left if it throws.
    static func write<Result>(
        _ path: String, resumes: Bool, _ body: (AtomicFile) throws(ShardError) -> Result
    ) throws(ShardError) -> Result {
        let file = try begin(path, resumes: resumes)
        do throws(ShardError) { return try body(file) } catch {
            file.discard()
            throw error
        }
    }

    /// Makes a folder by `body`, which fills one of another name; that is renamed when all in it is complete, and gone
    /// if `body` throws.
    static func writeFolder(
        _ path: String, resumes: Bool, _ body: (String) throws(ShardError) -> Void
    ) throws(ShardError) {
        let part = path + ".part"
        if isThere(part) {
            guard resumes else {
                throw ShardError.io("an unfinished folder is there; resume it or remove it").with(.init(path: part))
            }
            try removeUnfinished(part)
        }
        try TarFolder.makeFolder(part)
        do throws(ShardError) {
            try body(part)
            try AtomicFile.checkAbsence(of: path)
            try attempt("rename it", part) { try FileManager.default.moveItem(atPath: part, toPath: path) }
            try AtomicFile.synchronizeFolder(of: path)
        } catch {
            try? FileManager.default.removeItem(atPath: part)
            throw error
        }
    }

    /// Removes what a run left that was ended, unless a run is still at it.
    private static func removeUnfinished(_ part: String) throws(ShardError) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: part)) ?? []
        for name in names where name.hasSuffix(".part") {
            // Another writer's file is locked.
            try AtomicFile(resuming: FolderListing.join(part, String(name.dropLast(5)))).discard()
        }
        try attempt("remove it", part) { try FileManager.default.removeItem(atPath: part) }
    }

    private static func attempt(_ doing: String, _ path: String, _ body: () throws -> Void) throws(ShardError) {
        do { try body() } catch {
            throw ShardError.io("cannot \(doing): \(error.localizedDescription)").with(.init(path: path))
        }
    }

    /// The size of a file, or of all files in a folder.
    static func byteCount(_ path: String) -> UInt64 {
        let type = try? FileManager.default.attributesOfItem(atPath: path)[.type] as? FileAttributeType
        guard type == .typeDirectory else { return TarFolder.byteCount(path) }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        return names.reduce(0) { $0 + TarFolder.byteCount(FolderListing.join(path, $1)) }
    }
}
