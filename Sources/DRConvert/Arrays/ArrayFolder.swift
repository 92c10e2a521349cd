internal import DRShard
internal import DRShardFormat
internal import Foundation

/// Lists of units, in the order of the bytes of their paths.
enum ArrayFolder {
    static let suffixes = [".npz", ".safetensors"]

    static func isFile(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: path) && !TarFolder.isFolder(path)
    }

    static func withoutSlash(_ path: String) -> String {
        var path = Substring(path)
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        return String(path)
    }

    /// A path without the suffix of an array file.
    static func stem(of path: String) -> String {
        for suffix in suffixes where path.hasSuffix(suffix) { return String(path.dropLast(suffix.count)) }
        return path
    }

    /// The units at a path: a file of arrays, a folder that has `image_emb.npy` (or what that is called), or all of both
    /// kinds in a folder and in those below it.
    static func units(_ path: String, _ names: ColumnNames) throws(ShardError) -> [ArrayUnit] {
        if let unit = unit(path, names) { return [unit] }
        guard TarFolder.isFolder(path) else { return [] }
        var found: [ArrayUnit] = []
        try FolderWalk.visit(path) { file, _ in
            // An export that is not finished has this name.
            guard !file.hasSuffix(".part") else { return false }
            guard let unit = unit(FolderListing.join(path, file), names) else { return true }
            found.append(unit)
            return unit.form != .npy
        }
        return found.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    }

    private static func unit(_ path: String, _ names: ColumnNames) -> ArrayUnit? {
        if TarFolder.isFolder(path) {
            let image = names.array("image_emb")
            let isUnit = [image, image + "_bf16"].contains { isFile(FolderListing.join(path, $0 + ".npy")) }
            return isUnit ? ArrayUnit(path: path, form: .npy) : nil
        }
        if path.hasSuffix(".npz") { return ArrayUnit(path: path, form: .npz) }
        return path.hasSuffix(".safetensors") ? ArrayUnit(path: path, form: .safetensors) : nil
    }
}
