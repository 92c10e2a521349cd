internal import DRShard
internal import DRShardFormat

/// How the arrays of a unit lie in files.
enum ArrayForm: Sendable {
    /// A folder of `.npy` files.
    case npy
    case npz
    case safetensors
}

/// The files that become one shard: arrays, and lines beside them.
struct ArrayUnit: Sendable {
    let path: String
    let form: ArrayForm

    /// Bytes that all deflated members of an npz may have together; stored ones are read by ranges, and have no limit.
    static let deflatedByteLimit = 1 << 30
    static let maximumArrayCount = 256

    /// The lines that belong to it: of `a.npz` and `a.safetensors` those in `a.jsonl`, of a folder `a` those in
    /// `a.jsonl` beside it or in it, or in `rows.jsonl` in it.
    /// - Returns: nil if there are none.
    /// - Throws: `.schemaMismatch` if there are several.
    func linesPath() throws(ShardError) -> String? {
        let stem = form == .npy ? ArrayFolder.withoutSlash(path) : ArrayFolder.stem(of: path)
        var candidates = [stem + ".jsonl"]
        if form == .npy {
            candidates += ["rows.jsonl", TarFolder.name(of: path) + ".jsonl"].map { FolderListing.join(path, $0) }
        }
        var found: [String] = []
        for path in candidates where ArrayFolder.isFile(path) && !found.contains(path) { found.append(path) }
        guard found.count <= 1 else {
            throw ShardError.schemaMismatch("lines are in \(found[0]) and in \(found[1])").with(.init(path: path))
        }
        return found.first
    }

    /// Bytes of all its files.
    var byteCount: UInt64 { files.reduce(0) { $0 + TarFolder.byteCount($1) } }

    /// Paths of all its files.
    var files: [String] {
        let lines = (try? linesPath()).flatMap { $0 }.map { [$0] } ?? []
        return (form == .npy ? (try? FolderListing.files(path, suffix: ".npy")) ?? [] : [path]) + lines
    }

    /// The arrays by what they are called here.
    /// - Parameter isWanted: whether an array is read at all.
    /// - Throws: what the files' readers throw; what `isWanted` throws; `.limitExceeded` above 256 arrays. All carry the
    ///   path.
    func arrays(_ isWanted: (String) throws(ShardError) -> Bool) throws(ShardError) -> [RowArray] {
        do throws(ShardError) {
            let arrays =
                switch form {
                case .npy: try npyFiles(isWanted)
                case .npz: try npzMembers(isWanted)
                case .safetensors: try tensors(isWanted)
                }
            var names: Set<String> = []
            for array in arrays where !names.insert(array.name).inserted {
                throw .corrupt("there are two arrays \"\(array.name)\"")
            }
            return arrays
        } catch { throw error.with(.init(path: path)) }
    }

    private static func checkCount(_ count: Int) throws(ShardError) {
        guard count <= maximumArrayCount else {
            throw .limitExceeded("\(count) arrays, at most \(maximumArrayCount) are read")
        }
    }

    private func npyFiles(_ isWanted: (String) throws(ShardError) -> Bool) throws(ShardError) -> [RowArray] {
        let files = try FolderListing.files(path, suffix: ".npy")
        try Self.checkCount(files.count)
        var arrays: [RowArray] = []
        for file in files {
            let name = String(file.split(separator: "/").last?.dropLast(4) ?? "")
            guard try isWanted(name) else { continue }
            arrays.append(try RowArray(name: name, .npy(try NpyFile(try FileSource(path: file)), crc32: nil)))
        }
        return arrays
    }

    private func npzMembers(_ isWanted: (String) throws(ShardError) -> Bool) throws(ShardError) -> [RowArray] {
        let source = try FileSource(path: path)
        let zip = try ZipReader(source)
        try Self.checkCount(zip.entries.count)
        var arrays: [RowArray] = []
        var room = Self.deflatedByteLimit
        for entry in zip.entries {
            let name = entry.name.hasSuffix(".npy") ? String(entry.name.dropLast(4)) : entry.name
            guard try isWanted(name) else { continue }
            let storage: RowArray.Storage
            if entry.isStored {
                do throws(ShardError) {
                    storage = .npy(try NpyFile(source, range: zip.range(of: entry)), crc32: entry.crc32)
                } catch { throw error.inside(entry.name) }
            } else {
                guard entry.byteCount <= room else {
                    throw ShardError.limitExceeded(
                        "\(entry.byteCount) bytes, compressed; at most \(Self.deflatedByteLimit) of a file are read into "
                            + "memory; numpy.savez stores arrays that are read by ranges"
                    ).inside(entry.name)
                }
                let data = try zip.read(entry, limit: room, with: try Inflater())
                room -= data.count
                do throws(ShardError) { storage = .memory(try NpyReader.read(data), path: path) } catch {
                    throw error.inside(entry.name)
                }
            }
            arrays.append(try RowArray(name: name, storage))
        }
        return arrays
    }

    private func tensors(_ isWanted: (String) throws(ShardError) -> Bool) throws(ShardError) -> [RowArray] {
        let file = try SafetensorsReader(try FileSource(path: path))
        try Self.checkCount(file.tensors.count)
        var arrays: [RowArray] = []
        for tensor in file.tensors where try isWanted(tensor.name) {
            arrays.append(try RowArray(name: tensor.name, .tensor(file, tensor)))
        }
        return arrays
    }
}
