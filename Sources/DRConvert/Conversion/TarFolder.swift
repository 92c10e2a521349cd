internal import DRShard
package import DRShardFormat
internal import Foundation

/// Lists of tars, in the order of the bytes of their names.
package enum TarFolder {
    /// The tars of a folder (names that end in `.tar`); of a file: itself.
    /// - Throws: `.io` if there are none.
    package static func list(_ path: String) throws(ShardError) -> [String] {
        try FolderListing.files(path, suffix: ".tar")
    }

    /// A file's name without its folder and `.tar`.
    package static func name(of path: String) -> String {
        let name = path.split(separator: "/").last.map(String.init) ?? path
        return name.hasSuffix(".tar") ? String(name.dropLast(4)) : name
    }

    /// Makes a folder, and those above it.
    package static func makeFolder(_ path: String) throws(ShardError) {
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw ShardError.io("cannot make the folder: \(error.localizedDescription)").with(.init(path: path))
        }
    }

    static func byteCount(_ path: String) -> UInt64 {
        let size = try? FileManager.default.attributesOfItem(atPath: path)[.size] as? UInt64
        return size ?? 0
    }

    static func readFile(_ path: String) throws(ShardError) -> [UInt8] {
        do { return try [UInt8](Data(contentsOf: URL(fileURLWithPath: path))) } catch {
            throw ShardError.io("cannot read it: \(error.localizedDescription)").with(.init(path: path))
        }
    }
}
