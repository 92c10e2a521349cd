package import DRShardFormat
internal import Foundation

/// Finds row ids that occur more than once, among any number of them.
///
/// An id takes 24 bytes: 16 for itself, 8 for its place. Up to a limit they are in memory; beyond it they are spread over
/// temporary files by leading bits of their hash, and each file is looked at on its own, or spread again. The files have
/// no names while they are used, so that nothing stays behind however the program ends.
package struct DuplicateIDs: Sendable {
    /// An id, or what stands for one that has not 16 bytes.
    package struct Entry: Hashable, Comparable, Sendable {
        package var id: UInt128
        package var file: UInt32
        package var row: UInt32

        package static func < (a: Entry, b: Entry) -> Bool { (a.id, a.file, a.row) < (b.id, b.file, b.row) }
        static let byteCount = 24
    }

    private static let partBits = 6
    private let limit: Int
    private let level: Int
    private var entries: [Entry] = []
    private var parts: [PartFile] = []
    /// Entries that were put into files.
    private var spilled = 0

    /// - Parameter limit: ids that are kept in memory.
    package init(limit: Int) { self.init(limit: limit, level: 0) }

    private init(limit: Int, level: Int) {
        // Below as many as there are parts, files would be made for single ids.
        self.limit = max(1 << Self.partBits, limit)
        self.level = level
    }

    /// The 16 bytes themselves; of any other id the first 16 of its SHA-256.
    package static func key(_ id: some Collection<UInt8>) -> UInt128 {
        let bytes = id.count == 16 ? Array(id) : Array(SHA256.digest(Array(id)).prefix(16))
        return bytes.reduce(0) { $0 << 8 | UInt128($1) }
    }

    /// - Throws: `.io` if a temporary file cannot be written.
    package mutating func add(_ id: UInt128, file: Int, row: Int) throws(ShardError) {
        try add(Entry(id: id, file: UInt32(clamping: file), row: UInt32(clamping: row)))
    }

    private mutating func add(_ entry: Entry) throws(ShardError) {
        entries.append(entry)
        guard entries.count >= limit, level * Self.partBits < 60 else { return }
        try spill()
    }

    private mutating func spill() throws(ShardError) {
        if parts.isEmpty {
            for _ in 0..<1 << Self.partBits { parts.append(try PartFile()) }
        }
        var buffers = Array(repeating: [UInt8](), count: parts.count)
        for entry in entries { Self.append(entry, to: &buffers[part(of: entry.id)]) }
        for (part, buffer) in zip(parts, buffers) where !buffer.isEmpty { try part.append(buffer) }
        spilled += entries.count
        entries.removeAll(keepingCapacity: true)
    }

    /// Ids may count up from 0: the bits are those of a hash (the finalizer of SplitMix64).
    private func part(of id: UInt128) -> Int {
        var z = UInt64(truncatingIfNeeded: id) ^ UInt64(truncatingIfNeeded: id >> 64) &* 0x9E37_79B9_7F4A_7C15
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        z ^= z >> 31
        return Int((z << UInt64(level * Self.partBits)) >> UInt64(64 - Self.partBits))
    }

    /// Calls `found` for every entry whose id an entry of an earlier place has, with that of the first place.
    /// Sorted by id within a part only: the order is the same for the same ids and limit.
    package consuming func forEachDuplicate(_ found: (_ entry: Entry, _ first: Entry) -> Void) throws(ShardError) {
        if spilled > 0 { try spill() }
        entries.sort()
        var first: Entry?
        for entry in entries {
            if let first, first.id == entry.id { found(entry, first) } else { first = entry }
        }
        for file in parts {
            var part = DuplicateIDs(limit: limit, level: level + 1)
            try file.forEachBlock { bytes throws(ShardError) in
                for start in stride(from: 0, to: bytes.count - Entry.byteCount + 1, by: Entry.byteCount) {
                    try part.add(Self.entry(bytes, start))
                }
            }
            try part.forEachDuplicate(found)
        }
    }

    private static func append(_ entry: Entry, to bytes: inout [UInt8]) {
        for i in 0..<16 { bytes.append(UInt8(truncatingIfNeeded: entry.id >> UInt128(8 * i))) }
        for i in 0..<4 { bytes.append(UInt8(truncatingIfNeeded: entry.file >> UInt32(8 * i))) }
        for i in 0..<4 { bytes.append(UInt8(truncatingIfNeeded: entry.row >> UInt32(8 * i))) }
    }

    private static func entry(_ bytes: [UInt8], _ start: Int) -> Entry {
        func number(_ offset: Int, _ count: Int) -> UInt128 {
            (0..<count).reduce(0) { $0 | UInt128(bytes[start + offset + $1]) << UInt128(8 * $1) }
        }
        return Entry(
            id: number(0, 16), file: UInt32(truncatingIfNeeded: number(16, 4)),
            row: UInt32(truncatingIfNeeded: number(20, 4)))
    }
}

/// A temporary file without a name.
// SAFETY: it belongs to one value, which is used by one thread at a time.
private final class PartFile: @unchecked Sendable {
    private let handle: FileHandle
    private static let blockByteCount = DuplicateIDs.Entry.byteCount << 14

    package init() throws(ShardError) {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("drshard-ids-\(UUID().uuidString)")
        guard FileManager.default.createFile(atPath: path.path, contents: nil, attributes: [.posixPermissions: 0o600]),
            let handle = FileHandle(forUpdatingAtPath: path.path)
        else { throw ShardError.io("cannot make a temporary file for row ids").with(.init(path: path.path)) }
        // It goes on to exist for as long as it is open.
        try? FileManager.default.removeItem(at: path)
        self.handle = handle
    }

    package func append(_ bytes: [UInt8]) throws(ShardError) {
        do { try handle.write(contentsOf: Data(bytes)) } catch {
            throw .io("cannot write row ids to a temporary file: \(error.localizedDescription)")
        }
    }

    /// The bytes from the start, in blocks of whole entries.
    package func forEachBlock(_ body: ([UInt8]) throws(ShardError) -> Void) throws(ShardError) {
        do { try handle.seek(toOffset: 0) } catch { throw .io("cannot read row ids from a temporary file") }
        while true {
            var block: [UInt8] = []
            while block.count < Self.blockByteCount {
                let bytes: Data?
                do { bytes = try handle.read(upToCount: Self.blockByteCount - block.count) } catch {
                    throw .io("cannot read row ids from a temporary file")
                }
                guard let bytes, !bytes.isEmpty else { break }
                block += bytes
            }
            guard !block.isEmpty else { return }
            try body(block)
        }
    }
}
