internal import DRShard
internal import DRShardFormat
internal import Foundation

/// All files below a folder, links to folders followed, as sets that are spread over disks have them.
enum FolderWalk {
    private struct Place: Hashable {
        let device: Int
        let number: Int
    }

    /// The most folders below each other.
    private static let maximumDepth = 64

    /// Calls `body` with the paths of files and of folders, from the folder on, in the order of the bytes of their names;
    /// those whose names begin with a dot are passed over. A folder is visited once, however many links lead to it.
    ///
    /// - Parameter body: for a folder: whether it is entered.
    /// - Throws: `.io` for a folder that cannot be listed: what lies in it would be missing without a word.
    static func visit(
        _ folder: String, _ body: (_ path: String, _ isFolder: Bool) -> Bool
    ) throws(ShardError) {
        var visited: Set<Place> = []
        try visit(folder, "", 0, &visited, body)
    }

    private static func visit(
        _ root: String, _ below: String, _ depth: Int, _ visited: inout Set<Place>, _ body: (String, Bool) -> Bool
    ) throws(ShardError) {
        let path = below.isEmpty ? root : FolderListing.join(root, below)
        guard depth < maximumDepth else {
            throw ShardError.limitExceeded("more than \(maximumDepth) folders below each other").with(.init(path: path))
        }
        let names: [String]
        do {
            let resolved = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
            let attributes = try FileManager.default.attributesOfItem(atPath: resolved)
            let device = (attributes[.systemNumber] as? NSNumber)?.intValue ?? 0
            let number = (attributes[.systemFileNumber] as? NSNumber)?.intValue ?? 0
            guard visited.insert(Place(device: device, number: number)).inserted else { return }
            names = try FileManager.default.contentsOfDirectory(atPath: path)
        } catch {
            throw ShardError.io("cannot list it: \(error.localizedDescription)").with(.init(path: path))
        }
        for name in names.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) where !name.hasPrefix(".") {
            let inner = below.isEmpty ? name : below + "/" + name
            let isFolder = TarFolder.isFolder(FolderListing.join(root, inner))
            if body(inner, isFolder), isFolder { try visit(root, inner, depth + 1, &visited, body) }
        }
    }
}
