import DRConvert
import DRShardFormat
import Testing

/// One member of a zip made by hand, with every field free to lie.
struct RawMember {
    var name = "a"
    var data: [UInt8] = Array("hello".utf8)
    var flags: UInt16 = 0
    var method: UInt16 = 0
    var crc: UInt32?
    var size: UInt32?
    var packedSize: UInt32?
    var offset: UInt32?
    var localName: String?
    var localExtra: [UInt8] = []
    var extra: [UInt8] = []
    /// Size fields of the local header; the directory's are used if nil.
    var localSize: UInt32?

    private func fields(_ local: Bool) -> [UInt8] {
        let packed = (local ? localSize : nil) ?? packedSize ?? UInt32(data.count)
        let size = (local ? localSize : nil) ?? size ?? UInt32(data.count)
        return flags.bytes + method.bytes + [0, 0, 0x21, 0] + (crc ?? Deflate.crc32(data[...])).bytes + packed.bytes
            + size.bytes
    }

    var local: [UInt8] {
        let name = Array((localName ?? name).utf8)
        return [0x50, 0x4B, 3, 4, 20, 0] + fields(true) + UInt16(name.count).bytes + UInt16(localExtra.count).bytes
            + name
            + localExtra + data
    }

    func central(at position: Int) -> [UInt8] {
        [0x50, 0x4B, 1, 2, 20, 0, 20, 0] + fields(false) + UInt16(name.utf8.count).bytes + UInt16(extra.count).bytes
            + [UInt8](repeating: 0, count: 10) + (offset ?? UInt32(position)).bytes + Array(name.utf8) + extra
    }
}

func rawZip(_ members: [RawMember], count: UInt16? = nil, comment: String = "", zip64: Bool = false) -> [UInt8] {
    var bytes: [UInt8] = []
    var directory: [UInt8] = []
    for member in members {
        directory += member.central(at: bytes.count)
        bytes += member.local
    }
    let start = bytes.count
    bytes += directory
    let own = count ?? UInt16(members.count)
    if zip64 {
        let record = bytes.count
        bytes += [0x50, 0x4B, 6, 6] + UInt64(44).bytes + [45, 0, 45, 0] + [UInt8](repeating: 0, count: 8)
        bytes += UInt64(own).bytes + UInt64(own).bytes + UInt64(directory.count).bytes + UInt64(start).bytes
        bytes += [0x50, 0x4B, 6, 7, 0, 0, 0, 0] + UInt64(record).bytes + [1, 0, 0, 0]
        bytes += [0x50, 0x4B, 5, 6, 0, 0, 0, 0] + [UInt8](repeating: 0xFF, count: 12)
    } else {
        bytes +=
            [0x50, 0x4B, 5, 6, 0, 0, 0, 0] + own.bytes + own.bytes + UInt32(directory.count).bytes + UInt32(start).bytes
    }
    return bytes + UInt16(comment.utf8.count).bytes + Array(comment.utf8)
}

/// Names and contents of all members.
func readZip(_ bytes: ArraySlice<UInt8>, limit: Int = 1 << 20) throws -> [[UInt8]] {
    let zip = try ZipReader(bytes)
    let inflater = try Inflater()
    return try zip.entries.flatMap { [Array($0.name.utf8), Array(try zip.read($0, limit: limit, with: inflater))] }
}

@Test(arguments: [ZipWriter.Style.numpy, .torch]) func zipRoundTripsAndFailsCleanlyWhenDamaged(_ style: ZipWriter.Style)
    throws
{
    var writer = ZipWriter(style: style)
    let contents = [("empty", []), ("one", [1]), ("folder/text", randomBytes(300, seed: 3, 0...7))]
    for (name, bytes) in contents { try writer.add(name, bytes) }
    let bytes = writer.finish()
    let expected = contents.flatMap { [Array($0.0.utf8), $0.1] }
    #expect(try readZip(bytes[...]) == expected)
    expectTruncated(bytes) { try readZip($0) }
    flipBits(bytes, expecting: nil) { try readZip($0) }
    // A zip in the middle of a larger array is read by its own offsets.
    #expect(try readZip(([9, 9, 9] + bytes)[3...]) == expected)
}

@Test func torchStyleZipAlignsItsDataAndSharesIt() throws {
    var writer = ZipWriter(style: .torch)
    try writer.add("a", [1, 2, 3])
    try writer.add("b", [4])
    let bytes = writer.finish()
    let zip = try ZipReader(bytes[...])
    for entry in zip.entries {
        let data = try zip.read(entry, limit: 100, with: try Inflater())
        #expect(data.startIndex % 64 == 0)
    }
}

@Test func zip64IsRead() throws {
    var member = RawMember()
    #expect(try readZip(rawZip([member], zip64: true)[...]) == [[0x61], Array("hello".utf8)])
    // All three numbers of the directory entry in its extra field, behind a field that is not ours.
    member.size = .max
    member.packedSize = .max
    member.offset = .max
    member.localSize = 5
    member.extra = [7, 0, 1, 0, 0, 1, 0, 24, 0] + UInt64(5).bytes + UInt64(5).bytes + UInt64(0).bytes
    #expect(try readZip(rawZip([member])[...]) == [[0x61], Array("hello".utf8)])
    member.extra = [1, 0, 24, 0] + UInt64(5).bytes + UInt64(5).bytes + UInt64.max.bytes
    #expect(failure { try readZip(rawZip([member])[...]) }.code == .corrupt)
    member.extra = [1, 0, 8, 0] + UInt64(5).bytes
    #expect(failure { try readZip(rawZip([member])[...]) }.code == .truncated)
    var bytes = rawZip([RawMember()], zip64: true)
    bytes[bytes.count - 22 - 20 - 56 + 48 + 7] = 0xFF
    #expect(failure { try readZip(bytes[...]) }.code == .corrupt)
}

@Test func zipWithLyingSizesIsRefusedBeforeAllocating() throws {
    let packed = try Deflate.compress([UInt8](repeating: 0, count: 1000), as: .raw)
    let crc = Deflate.crc32([UInt8](repeating: 0, count: 1000)[...])
    func zip(_ size: UInt32) -> [UInt8] { rawZip([RawMember(data: packed, method: 8, crc: crc, size: size)]) }
    #expect(try readZip(zip(1000)[...]).last?.count == 1000)
    #expect(failure { try readZip(zip(999)[...]) }.code == .corrupt)
    #expect(failure { try readZip(zip(1001)[...]) }.code == .corrupt)
    #expect(failure { try readZip(zip(0xFFFF_FFF0)[...]) }.code == .corrupt)
    #expect(failure { try readZip(zip(1000)[...], limit: 999) }.code == .limitExceeded)
    #expect(failure { try readZip(rawZip([RawMember(size: 6)])[...]) }.code == .corrupt)
    #expect(failure { try readZip(rawZip([RawMember(size: 4, packedSize: 4, localSize: 5)])[...]) }.code == .corrupt)
    #expect(failure { try readZip(rawZip([RawMember(size: 5000, packedSize: 5000)])[...]) }.code == .truncated)
}

@Test func zipContradictionsAreCorrupt() throws {
    #expect(failure { try readZip(rawZip([RawMember(localName: "b")])[...]) }.code == .corrupt)
    #expect(failure { try readZip(rawZip([RawMember(offset: 1)])[...]) }.code == .corrupt)
    #expect(
        failure { try readZip(rawZip([RawMember(), RawMember()])[...]) }.reason == "zip has two members named \"a\"")
    #expect(failure { try readZip(rawZip([RawMember()], count: 2)[...]) }.code == .corrupt)
    #expect(failure { try readZip(rawZip([RawMember(), RawMember(name: "b")], count: 1)[...]) }.code == .corrupt)
    #expect(failure { try readZip(rawZip([RawMember(crc: 1)])[...]) }.code == .checksumMismatch)
    #expect(failure { try readZip(Array("no zip at all, whatever it is".utf8)[...]) }.code == .corrupt)
    // A member inside the data of another one.
    let inner = RawMember(name: "i")
    let outer = RawMember(name: "o", data: inner.local)
    var hidden = inner
    hidden.offset = 31
    hidden.data = []
    hidden.crc = Deflate.crc32(inner.data[...])
    hidden.size = 5
    hidden.packedSize = 5
    let directory = outer.central(at: 0) + hidden.central(at: 0)
    let bytes =
        outer.local + directory + [0x50, 0x4B, 5, 6, 0, 0, 0, 0, 2, 0, 2, 0] + UInt32(directory.count).bytes
        + UInt32(outer.local.count).bytes + [0, 0]
    #expect(failure { try readZip(bytes[...]) }.reason == "member \"i\": overlaps another member")
}

@Test func zipFeaturesThatAreNotReadAreNamed() {
    #expect(failure { try readZip(rawZip([RawMember(flags: 1)])[...]) }.code == .unsupportedFeature)
    let error = failure { try readZip(rawZip([RawMember(method: 14)])[...]) }
    #expect(error.code == .unsupportedFeature)
    #expect(error.reason == "member \"a\": zip method 14, only 0 (stored) and 8 (deflated) are read")
}

@Test func zipCommentMayHoldAnEndRecord() throws {
    #expect(
        try readZip(rawZip([RawMember()], comment: "PK\u{5}\u{6} and more, long enough for a record")[...]).count == 2)
}

@Test func emptyZipHasNoMembers() throws {
    #expect(try readZip(rawZip([])[...]).isEmpty)
}
