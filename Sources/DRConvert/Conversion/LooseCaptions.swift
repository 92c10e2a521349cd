internal import DRShard
internal import DRShardFormat
internal import Foundation

/// Where the samples of a folder of loose files lie, by uid: `<key>.txt`, `<key>.json` and `<key>.jpg` or another image,
/// in the folder or in folders below it.
struct LooseCaptions: CaptionIndexing {
    private struct Entry {
        /// Path of the files without their suffix, from the folder on.
        var stem: String
        /// As they are spelt.
        var suffixes: [String]
    }
    private var entries: [UInt128: Entry] = [:]

    /// Lists the files; those of a name that is no uid are asked for it in their json.
    init(folder: String, _ trouble: CaptionContainer.Trouble) throws(ShardError) {
        let wanted = Set(CaptionSample.imageSuffixes + ["json", "txt"])
        var suffixes: [String: [String]] = [:]
        try FolderWalk.visit(folder) { file, isFolder in
            guard !isFolder, let (stem, suffix) = SampleGroup.split(file), wanted.contains(suffix) else { return true }
            suffixes[stem, default: []].append(String(file.dropFirst(stem.count + 1)))
            return true
        }
        guard !suffixes.isEmpty else {
            throw ShardError.io("there are neither tars nor captions in it").with(.init(path: folder))
        }
        // In the order of their names, so that which of two samples of one uid stays is no accident.
        for (stem, suffixes) in suffixes.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
            do throws(ShardError) {
                let entry = Entry(stem: stem, suffixes: suffixes)
                let uid = try CaptionSample.uid(of: try LooseCaptions.read(entry, in: folder, key: stem, only: "json"))
                guard entries[uid] == nil else {
                    throw ShardError.schemaMismatch("uid \(uid.uidText) has two caption samples")
                }
                entries[uid] = entry
            } catch {
                let path = FolderListing.join(folder, stem)
                try trouble(error.with(.init(path: path)), "caption sample \(path)")
            }
        }
    }

    var count: Int { entries.count }
    func contains(_ uid: UInt128) -> Bool { entries[uid] != nil }

    func group(of uid: UInt128, in container: CaptionContainer) throws(ShardError) -> SampleGroup? {
        guard let entry = entries[uid] else { return nil }
        return try LooseCaptions.read(entry, in: container.path, key: uid.uidText)
    }

    /// - Parameter only: the one member whose bytes are wanted; nil: all.
    private static func read(
        _ entry: Entry, in folder: String, key: String, only: String? = nil
    ) throws(ShardError) -> SampleGroup {
        var members: [SampleGroup.Member] = []
        for suffix in entry.suffixes {
            let name = entry.stem + "." + suffix
            // A locator of a loose file names the file.
            let (path, spelling) = (FolderListing.join(folder, name), suffix.lowercased())
            let bytes = only == nil || only == spelling ? try TarFolder.readFile(path, limit: 256 << 20) : []
            members.append(.init(suffix: spelling, name: name, bytes: bytes, dataPosition: 0, container: name))
        }
        return SampleGroup(key: key, members: members, path: FolderListing.join(folder, entry.stem))
    }
}
