package import DRShardFormat

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// The files of a folder that belong together.
package enum FolderListing {
    /// Paths of the files whose names end in `suffix` and do not begin with a dot, in the order of the bytes of their
    /// names; of a file: itself.
    /// - Throws: `.io` if there is nothing at `path`, or no such file in it.
    package static func files(_ path: String, suffix: String) throws(ShardError) -> [String] {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { throw systemError("cannot read it", path: path) }
        guard status.st_mode & S_IFMT == S_IFDIR else { return [path] }
        let wanted = try names(path).filter { $0.hasSuffix(suffix) && !$0.hasPrefix(".") }
        guard !wanted.isEmpty else {
            throw ShardError.io("there is no file in it whose name ends in \(suffix)").with(.init(path: path))
        }
        return wanted.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map { join(path, $0) }
    }

    /// The names of what is in a folder, in the system's order.
    private static func names(_ folder: String) throws(ShardError) -> [String] {
        guard let stream = unsafe opendir(folder) else { throw systemError("cannot list it", path: folder) }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while true {
            // Only this tells the end from an error.
            errno = 0
            guard let entry = unsafe readdir(stream) else { break }
            // SAFETY: the entry is valid until the next call, and its name ends with a zero. What is not UTF-8 in it is
            // repaired: then the file cannot be opened by it, which is an error and not a shard that nobody misses.
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { name in
                unsafe name.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) {
                    unsafe String(cString: $0)
                }
            }
            names.append(name)
        }
        guard errno == 0 else { throw systemError("cannot list it", path: folder) }
        return names
    }

    /// The path of a file in a folder.
    package static func join(_ folder: String, _ name: String) -> String {
        folder.hasSuffix("/") ? folder + name : folder + "/" + name
    }
}
