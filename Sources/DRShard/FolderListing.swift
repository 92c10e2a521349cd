package import DRShardFormat
internal import Foundation

/// The files of a folder that belong together.
package enum FolderListing {
    /// Paths of the files whose names end in `suffix` and do not begin with a dot, in the order of the bytes of their
    /// names; of a file: itself.
    /// - Throws: `.io` if there is nothing at `path`, or no such file in it.
    package static func files(_ path: String, suffix: String) throws(ShardError) -> [String] {
        let names: [String]
        do {
            let type = try FileManager.default.attributesOfItem(atPath: resolved(path))[.type] as? FileAttributeType
            guard type == .typeDirectory else { return [path] }
            names = try FileManager.default.contentsOfDirectory(atPath: path)
        } catch {
            throw ShardError.io("cannot read it: \(error.localizedDescription)").with(.init(path: path))
        }
        let wanted = names.filter { $0.hasSuffix(suffix) && !$0.hasPrefix(".") }
        guard !wanted.isEmpty else {
            throw ShardError.io("there is no file in it whose name ends in \(suffix)").with(.init(path: path))
        }
        return wanted.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map { join(path, $0) }
    }

    /// The path of a file in a folder.
    package static func join(_ folder: String, _ name: String) -> String {
        folder.hasSuffix("/") ? folder + name : folder + "/" + name
    }

    /// Attributes are those of a link itself; what counts here is where it leads.
    private static func resolved(_ path: String) -> String { URL(fileURLWithPath: path).resolvingSymlinksInPath().path }
}
