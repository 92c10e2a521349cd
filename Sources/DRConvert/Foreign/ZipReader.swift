package import DRShard
package import DRShardFormat

/// A zip file: `.npz`, and what `torch.save` writes. Reads strictly; zip64, stored and deflated.
///
/// The central directory is what counts. Local headers must be where it says, carry the same name and method, and
/// (unless a data descriptor follows) the same sizes and CRC. Members may not overlap. Source: PKWARE APPNOTE 6.3.
package struct ZipReader {
    /// One member, checked to lie inside the file.
    package struct Entry: Sendable {
        package let name: String
        package let isStored: Bool
        /// Size after decompression, as declared; `read` holds the bytes to it.
        package let byteCount: Int
        package let crc32: UInt32
        /// Position of the local header, and of the first byte of data.
        let headerOffset: Int
        let dataOffset: Int
        let compressedByteCount: Int
    }

    package let entries: [Entry]
    private let bytes: ZipBytes

    static let maximumEntryCount = 65_536
    private static let endSignature: [UInt8] = [0x50, 0x4B, 5, 6]
    private static let end64Signature: [UInt8] = [0x50, 0x4B, 6, 6]
    private static let locator64Signature: [UInt8] = [0x50, 0x4B, 6, 7]

    /// Reads the directory and every local header; no data yet.
    ///
    /// - Throws: `.truncated` if the file begins like a zip and has no end record; `.corrupt` for contradictions;
    ///   `.unsupportedFeature` for encryption, several disks, other methods; `.limitExceeded` above 65,536 members.
    package init(_ bytes: ArraySlice<UInt8>) throws(ShardError) { try self.init(ZipBytes(bytes)) }

    /// The same of a file of which ranges are read: it may be larger than memory.
    package init(_ source: any ByteSource) throws(ShardError) {
        do throws(ShardError) { try self.init(try ZipBytes(source)) } catch {
            throw error.with(.init(path: source.path))
        }
    }

    private init(_ bytes: ZipBytes) throws(ShardError) {
        let directory = try Self.locateDirectory(bytes)
        guard directory.entryCount <= Self.maximumEntryCount else {
            throw .limitExceeded("zip has \(directory.entryCount) members, at most \(Self.maximumEntryCount) are read")
        }
        var entries: [Entry] = []
        var names: Set<String> = []
        var position = directory.offset
        for _ in 0..<directory.entryCount {
            let (entry, next) = try Self.entry(bytes, at: position, end: directory.end)
            guard names.insert(entry.name).inserted else {
                throw .corrupt("zip has two members named \"\(entry.name)\"")
            }
            entries.append(entry)
            position = next
        }
        guard position == directory.end else {
            throw .corrupt("zip directory ends at byte \(position), its end record begins at \(directory.end)")
        }
        var free = 0
        for entry in entries.sorted(by: { $0.headerOffset < $1.headerOffset }) {
            guard entry.headerOffset >= free else {
                throw ShardError.corrupt("overlaps another member").inside(entry.name)
            }
            free = entry.dataOffset + entry.compressedByteCount
        }
        guard free <= directory.offset else {
            throw .corrupt("zip data ends at byte \(free), inside the directory at \(directory.offset)")
        }
        self.entries = entries
        self.bytes = bytes
    }

    /// The member of this name; nil if there is none.
    package func entry(named name: String) -> Entry? { entries.first { $0.name == name } }

    /// The bytes of a member, its CRC-32 checked. A stored member shares storage with the zip.
    ///
    /// - Throws: `.limitExceeded` above `limit`, before allocating; `.checksumMismatch`; `.corrupt`.
    package func read(_ entry: Entry, limit: Int, with inflater: Inflater) throws(ShardError) -> ArraySlice<UInt8> {
        do throws(ShardError) {
            guard entry.byteCount <= limit, entry.compressedByteCount <= limit else {
                throw .limitExceeded(
                    "\(max(entry.byteCount, entry.compressedByteCount)) bytes, at most \(limit) are read")
            }
            let raw = try bytes.part(entry.dataOffset, entry.compressedByteCount, "zip member")
            let data = entry.isStored ? raw : try inflater.raw(raw, byteCount: entry.byteCount)[...]
            let crc = Deflate.crc32(data)
            guard crc == entry.crc32 else {
                throw .checksumMismatch("CRC-32 \(crc), the zip directory says \(entry.crc32)")
            }
            return data
        } catch { throw error.inside(entry.name) }
    }

    /// Where the data of a member lie in the file.
    func range(of entry: Entry) -> Range<UInt64> {
        UInt64(entry.dataOffset)..<UInt64(entry.dataOffset) + UInt64(entry.compressedByteCount)
    }

    private struct Directory {
        var entryCount: Int
        var offset: Int
        /// One past its last byte: where the (zip64) end record begins.
        var end: Int
    }

    private static func locateDirectory(_ bytes: ZipBytes) throws(ShardError) -> Directory {
        guard let end = try endRecordOffset(bytes) else {
            let head = try bytes.part(0, min(4, bytes.count), "zip")
            let isZip = head.has([0x50, 0x4B, 3, 4]) || head.has(endSignature)
            let isBeginning = bytes.count < 4 && [0x50, 0x4B, 3, 4].starts(with: head)
            if isZip || isBeginning { throw .truncated("zip of \(bytes.count) bytes has no end record") }
            throw .corrupt("not a zip: \(bytes.count) bytes without its signatures")
        }
        var directory = Directory(
            entryCount: try bytes.small(end + 10, 2, "zip end record"),
            offset: try bytes.small(end + 16, 4, "zip end record"), end: end)
        var byteCount = try bytes.small(end + 12, 4, "zip end record")
        let disks = [try bytes.small(end + 4, 2, "zip end record"), try bytes.small(end + 6, 2, "zip end record")]
        let here = try bytes.small(end + 8, 2, "zip end record")
        if end >= 20, try bytes.has(locator64Signature, at: end - 20) {
            (directory, byteCount) = try directory64(bytes, locator: end - 20)
        } else if disks != [0, 0] || here != directory.entryCount {
            throw .unsupportedFeature("zip of several disks")
        }
        guard directory.offset <= directory.end, byteCount == directory.end - directory.offset else {
            throw .corrupt(
                "zip directory of \(byteCount) bytes at \(directory.offset), its end record begins at \(directory.end)")
        }
        guard directory.entryCount <= byteCount / 46 else {
            throw .corrupt("zip says \(directory.entryCount) members, its directory has \(byteCount) bytes")
        }
        return directory
    }

    private static func directory64(_ bytes: ZipBytes, locator: Int) throws(ShardError) -> (Directory, Int) {
        let what = "zip64 end record"
        let end = try length(bytes, locator + 8, what)
        guard try bytes.has(end64Signature, at: end), end <= locator - 56 else {
            throw .corrupt("no zip64 end record at byte \(end)")
        }
        let byteCount = try length(bytes, end + 4, what)
        guard byteCount == locator - end - 12 else {
            throw .corrupt("zip64 end record of \(byteCount) bytes, there is room for \(locator - end - 12)")
        }
        guard try bytes.number(end + 16, 8, what) == 0, try bytes.small(locator + 16, 4, what) <= 1 else {
            throw .unsupportedFeature("zip of several disks")
        }
        let directory = Directory(
            entryCount: try length(bytes, end + 32, what), offset: try length(bytes, end + 48, what), end: end)
        return (directory, try length(bytes, end + 40, what))
    }

    /// A 64-bit number that can be a size in memory.
    private static func length(_ bytes: ZipBytes, _ offset: Int, _ what: String) throws(ShardError) -> Int {
        let value = try bytes.number(offset, 8, what)
        guard let length = Int(exactly: value) else { throw .corrupt("\(what) holds the size \(value)") }
        return length
    }

    /// The end record is the last one whose comment reaches exactly to the end of the file.
    private static func endRecordOffset(_ bytes: ZipBytes) throws(ShardError) -> Int? {
        var offset = bytes.count - 22
        let lowest = max(0, offset - 0xFFFF)
        while offset >= lowest {
            if try bytes.has(endSignature, at: offset),
                try bytes.small(offset + 20, 2, "zip end record") == bytes.count - 22 - offset
            {
                return offset
            }
            offset -= 1
        }
        return nil
    }

    private static func entry(_ bytes: ZipBytes, at position: Int, end: Int) throws(ShardError) -> (Entry, Int) {
        let what = "zip directory"
        guard end - position >= 46 else {
            throw .truncated("\(what) needs 46 bytes at \(position), it ends at \(end)")
        }
        let header = try bytes.part(position, 46, what)
        guard header.has([0x50, 0x4B, 1, 2]) else { throw .corrupt("no zip directory entry at byte \(position)") }
        let nameByteCount = try header.small(28, 2, what)
        let extraByteCount = try header.small(30, 2, what)
        let commentByteCount = try header.small(32, 2, what)
        let next = position + 46 + nameByteCount + extraByteCount + commentByteCount
        guard next <= end else { throw .corrupt("zip directory entry at byte \(position) runs past the directory") }
        let nameBytes = try bytes.part(position + 46, nameByteCount, what)
        guard let name = String(validating: nameBytes, as: UTF8.self) else {
            throw .corrupt("zip directory entry at byte \(position) has a name that is not UTF-8")
        }
        let flags = try header.small(8, 2, what)
        let method = try header.small(10, 2, what)
        do throws(ShardError) {
            guard flags & 0x2041 == 0 else { throw .unsupportedFeature("encrypted zip member") }
            guard method == 0 || method == 8 else {
                throw .unsupportedFeature("zip method \(method), only 0 (stored) and 8 (deflated) are read")
            }
            var sizes = Sizes(
                byteCount: try header.number(24, 4, what), compressedByteCount: try header.number(20, 4, what),
                headerOffset: try header.number(42, 4, what))
            try sizes.widen(try bytes.part(position + 46 + nameByteCount, extraByteCount, what), hasOffset: true)
            let entry = try local(
                bytes, sizes: sizes, name: nameBytes, text: name, flags: flags, method: method,
                crc32: UInt32(truncatingIfNeeded: try header.number(16, 4, what)))
            return (entry, next)
        } catch { throw error.inside(name) }
    }

    /// Three numbers that move to a zip64 extra field where 32 bits do not hold them.
    private struct Sizes {
        var byteCount: UInt64
        var compressedByteCount: UInt64
        var headerOffset: UInt64

        mutating func widen(_ extra: ArraySlice<UInt8>, hasOffset: Bool) throws(ShardError) {
            let marker: UInt64 = 0xFFFF_FFFF
            guard byteCount == marker || compressedByteCount == marker || (hasOffset && headerOffset == marker) else {
                return
            }
            var offset = 0
            while offset < extra.count {
                let id = try extra.small(offset, 2, "zip extra field")
                let field = try extra.part(
                    offset + 4, try extra.small(offset + 2, 2, "zip extra field"), "zip extra field")
                offset += 4 + field.count
                guard id == 1 else { continue }
                var place = 0
                func wide(_ value: UInt64) throws(ShardError) -> UInt64 {
                    guard value == marker else { return value }
                    place += 8
                    return try field.number(place - 8, 8, "zip64 extra field")
                }
                byteCount = try wide(byteCount)
                compressedByteCount = try wide(compressedByteCount)
                if hasOffset { headerOffset = try wide(headerOffset) }
                return
            }
        }
    }

    /// Follows a directory entry to its local header and data.
    private static func local(
        _ bytes: ZipBytes, sizes: Sizes, name: ArraySlice<UInt8>, text: String, flags: Int, method: Int,
        crc32: UInt32
    ) throws(ShardError) -> Entry {
        let what = "zip local header"
        guard let offset = Int(exactly: sizes.headerOffset), let byteCount = Int(exactly: sizes.byteCount),
            let compressedByteCount = Int(exactly: sizes.compressedByteCount)
        else { throw .corrupt("zip directory holds a size beyond 63 bits") }
        guard try bytes.has([0x50, 0x4B, 3, 4], at: offset) else {
            throw .corrupt("no zip local header at byte \(offset)")
        }
        let nameByteCount = try bytes.small(offset + 26, 2, what)
        let extraByteCount = try bytes.small(offset + 28, 2, what)
        guard try bytes.part(offset + 30, nameByteCount, what).elementsEqual(name),
            try bytes.small(offset + 8, 2, what) == method
        else { throw .corrupt("zip local header at byte \(offset) has another name or method than the directory") }
        if flags & 8 == 0 {
            var own = Sizes(
                byteCount: try bytes.number(offset + 22, 4, what),
                compressedByteCount: try bytes.number(offset + 18, 4, what), headerOffset: 0)
            try own.widen(try bytes.part(offset + 30 + nameByteCount, extraByteCount, what), hasOffset: false)
            guard own.byteCount == sizes.byteCount, own.compressedByteCount == sizes.compressedByteCount,
                try bytes.number(offset + 14, 4, what) == UInt64(crc32)
            else { throw .corrupt("zip local header at byte \(offset) has other sizes or CRC than the directory") }
        }
        let dataOffset = offset + 30 + nameByteCount + extraByteCount
        try bytes.check(dataOffset, compressedByteCount, "zip data")
        let isPossible =
            method == 0 ? byteCount == compressedByteCount : byteCount <= Deflate.largestOutput(of: compressedByteCount)
        guard isPossible else {
            throw .corrupt("\(compressedByteCount) bytes of method \(method) cannot give \(byteCount)")
        }
        return Entry(
            name: text, isStored: method == 0, byteCount: byteCount, crc32: crc32, headerOffset: offset,
            dataOffset: dataOffset, compressedByteCount: compressedByteCount)
    }
}
