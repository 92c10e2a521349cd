package import DRShardFormat

/// The members of one webdataset sample: files that follow each other in a tar and share a name up to its first dot.
package struct SampleGroup: Sendable {
    package struct Member: Sendable {
        /// What follows the first dot of the file's name, in lower case: `json`, `syn.json`, `pth.gz`.
        package let suffix: String
        package let name: String
        /// Empty if the reader was told not to read them.
        package let bytes: [UInt8]
        package let byteCount: Int
        /// Position of the first byte in the container.
        package let dataPosition: UInt64
        /// The file that it lies in, if that is not the sample's.
        package let container: String?

        /// - Parameter byteCount: nil: that of `bytes`.
        package init(
            suffix: String, name: String, bytes: [UInt8], dataPosition: UInt64, byteCount: Int? = nil,
            container: String? = nil
        ) {
            self.suffix = suffix
            self.name = name
            self.bytes = bytes
            self.byteCount = byteCount ?? bytes.count
            self.dataPosition = dataPosition
            self.container = container
        }
    }

    /// The folder, if any, and the file's name up to its first dot.
    package let key: String
    package let members: [Member]
    /// The tar it came from.
    package let path: String

    package init(key: String, members: [Member], path: String) {
        self.key = key
        self.members = members
        self.path = path
    }

    /// The key without its folder.
    package var name: String { key.split(separator: "/").last.map(String.init) ?? key }

    package subscript(suffix: String) -> Member? { members.first { $0.suffix == suffix } }

    /// Splits a path as webdataset does: folder and name up to the first dot, and the rest in lower case. Nil for names
    /// without a dot, or with nothing before it, which are no part of any sample.
    package static func split(_ name: String) -> (key: String, suffix: String)? {
        let bytes = Array(name.utf8)
        let base = (bytes.lastIndex(of: UInt8(ascii: "/")) ?? -1) + 1
        guard let dot = bytes[base...].firstIndex(of: UInt8(ascii: ".")), dot > base else { return nil }
        return (
            String(decoding: bytes[..<dot], as: UTF8.self),
            String(decoding: bytes[(dot + 1)...].map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
        )
    }
}

/// Cuts a tar into samples, in file order. Holds one sample at a time, and the keys of all that came before.
package final class SampleGroupReader {
    /// What one sample may hold.
    package static let maximumMemberCount = 256
    package static let maximumByteCount = 1 << 30

    /// Members that belong to no sample because of their name.
    package private(set) var ignoredMemberCount = 0

    /// Whether the last error was about one sample alone, so that `next()` goes on with the sample behind it.
    package private(set) var canGoOn = false

    /// The key of the last error's sample, if it was there before, further up in the tar.
    package private(set) var repeatedKey: String?

    /// Whether members of a suffix are read; others have names, positions and byte counts alone. For the samples to come.
    package var isWanted: (_ suffix: String) -> Bool

    private let tar: TarReader
    private var seen: Set<String> = []
    private var pending: (key: String, suffix: String, member: TarMember)?

    /// - Parameter isWanted: whether members of a suffix are read; others have names, positions and byte counts alone.
    package init(_ tar: TarReader, isWanted: @escaping (_ suffix: String) -> Bool = { _ in true }) {
        self.tar = tar
        self.isWanted = isWanted
    }

    /// The next sample; nil after the last one.
    ///
    /// - Throws: what `TarReader` throws; `.corrupt` if a sample has two members of one suffix or its key was there
    ///   before, further up in the tar; `.limitExceeded` above 256 members or 1 GiB in one sample.
    package func next() throws(ShardError) -> SampleGroup? {
        canGoOn = false
        repeatedKey = nil
        if pending == nil { pending = try nextNamed() }
        guard let key = pending?.key else { return nil }
        guard seen.insert(key).inserted else {
            repeatedKey = key
            throw try passing(
                key, .corrupt("sample \"\(key)\" comes a second time; its members must follow each other"))
        }
        var members: [SampleGroup.Member] = []
        var byteCount = 0
        while let (own, suffix, member) = pending, own == key {
            guard !members.contains(where: { $0.suffix == suffix }) else {
                throw try passing(key, .corrupt("sample \"\(key)\" has two members \"\(suffix)\""))
            }
            byteCount += member.byteCount
            guard members.count < Self.maximumMemberCount, byteCount <= Self.maximumByteCount else {
                throw try passing(
                    key,
                    .limitExceeded(
                        "sample \"\(key)\" has more than \(Self.maximumMemberCount) members "
                            + "or \(Self.maximumByteCount) bytes"
                    ))
            }
            var bytes: [UInt8] = []
            if isWanted(suffix) { try tar.readBytes(into: &bytes) }
            members.append(
                .init(
                    suffix: suffix, name: member.name, bytes: bytes, dataPosition: member.dataPosition,
                    byteCount: member.byteCount))
            pending = try nextNamed()
        }
        return SampleGroup(key: key, members: members, path: tar.path)
    }

    private func nextNamed() throws(ShardError) -> (key: String, suffix: String, member: TarMember)? {
        while let member = try tar.next() {
            if let (key, suffix) = SampleGroup.split(member.name) { return (key, suffix, member) }
            ignoredMemberCount += 1
        }
        return nil
    }

    /// An error about one sample, when what is left of that sample has been passed over.
    private func passing(_ key: String, _ error: ShardError) throws(ShardError) -> ShardError {
        let placed = error.with(.init(path: tar.path, position: pending?.member.dataPosition))
        while pending?.key == key { pending = try nextNamed() }
        canGoOn = true
        return placed
    }
}
