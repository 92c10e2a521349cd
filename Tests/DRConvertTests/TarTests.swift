import DRConvert
import DRShardFormat
import Foundation
import Testing

private typealias Files = [(name: String, bytes: [UInt8])]

private func write(_ path: String, _ files: Files, _ format: TarWriter.Format = .pax) throws {
    let tar = try TarWriter(path: path, format: format)
    for file in files { try tar.add(file.name, file.bytes) }
    try tar.finish()
}

/// Names and bytes of all members; checks the positions against the file.
private func read(_ path: String, memberByteLimit: Int = 1 << 20) throws -> [[UInt8]] {
    let tar = try TarReader(path: path, memberByteLimit: memberByteLimit)
    let file = try readFile(path)
    var result: [[UInt8]] = []
    var buffer: [UInt8] = []
    while let member = try tar.next() {
        try tar.readBytes(into: &buffer)
        result += [Array(member.name.utf8), buffer]
        #expect(Array(file[Int(member.dataPosition)..<Int(member.dataPosition) + member.byteCount]) == buffer)
    }
    #expect(try tar.next() == nil)
    return result
}

private let samples: Files = [
    ("a.txt", Array("text".utf8)), ("empty.txt", []),
    ("folder/" + String(repeating: "long-name/", count: 30) + "b.json", [1, 2, 3]),
    ("block", randomBytes(512, seed: 1)), ("c.txt", randomBytes(1300, seed: 2)),
]

@Test(arguments: [TarWriter.Format.pax, .gnu]) func tarRoundTripsWithLongAndForeignNames(_ format: TarWriter.Format)
    throws
{
    try withFolder { folder in
        try write(folder + "/a.tar", samples, format)
        #expect(try read(folder + "/a.tar") == samples.flatMap { [Array($0.name.utf8), $0.bytes] })
    }
}

/// One ustar header made by hand, followed by its data in whole blocks.
private func rawMember(_ name: [UInt8], type: Character, _ data: [UInt8]) -> [UInt8] {
    func octal(_ value: Int, _ digits: Int) -> [UInt8] {
        let text = String(value, radix: 8)
        return Array((String(repeating: "0", count: digits - text.count) + text + "\0").utf8)
    }
    var header = name + [UInt8](repeating: 0, count: 100 - name.count)
    header += octal(0o644, 7) + octal(0, 7) + octal(0, 7) + octal(data.count, 11) + octal(0, 11)
    header += Array("        \(type)".utf8) + [UInt8](repeating: 0, count: 100) + Array("ustar\u{0}00".utf8)
    header += [UInt8](repeating: 0, count: 512 - header.count)
    let sum = header.reduce(0) { $0 + Int($1) }
    header.replaceSubrange(148..<156, with: octal(sum, 6) + [0x20])
    return header + data + [UInt8](repeating: 0, count: (512 - data.count % 512) % 512)
}

@Test func tarNamesInUTF8AreReadWhateverTheLocale() throws {
    try withFolder { folder in
        let name = Array("c\u{E9}\u{4E2D}.txt".utf8)
        let record = Array(" path=".utf8) + name + [0x0A]
        let length = Array(String(record.count + 2).utf8)
        let end = [UInt8](repeating: 0, count: 1024)
        let plain = rawMember(name, type: "0", [1])
        let pax = rawMember(Array("x".utf8), type: "x", length + record) + rawMember(Array("y".utf8), type: "0", [2])
        let folderEntry = rawMember(Array("d/".utf8), type: "5", [])
        let link = rawMember(Array("l".utf8), type: "2", [])
        try writeFile(folder + "/a.tar", plain + folderEntry + link + pax + end)
        #expect(try read(folder + "/a.tar") == [name, [1], name, [2]])
        try writeFile(folder + "/b.tar", rawMember([0x61, 0xFF], type: "0", [1]) + end)
        #expect(failure { try read(folder + "/b.tar") }.code == .corrupt)
        #expect(failure { try write(folder + "/c.tar", [("\u{E9}", [])]) }.code == .invalidArgument)
    }
}

@Test func tarMembersMayBePassedOver() throws {
    try withFolder { folder in
        try write(folder + "/a.tar", samples)
        let tar = try TarReader(path: folder + "/a.tar")
        var names: [String] = []
        while let member = try tar.next() { names.append(member.name) }
        #expect(names == samples.map(\.name))
        var buffer: [UInt8] = []
        #expect(failure { try tar.readBytes(into: &buffer) }.code == .invalidArgument)
    }
}

@Test func tarCutAnywhereIsTruncated() throws {
    try withFolder { folder in
        try write(
            folder + "/a.tar",
            [("a.txt", Array("text".utf8)), ("b", randomBytes(600, seed: 3)), (samples[2].name, [1])])
        let bytes = try readFile(folder + "/a.tar")
        // The end mark is one block of zeros or more; what is cut off behind the first is not missed.
        let last = (bytes.lastIndex { $0 != 0 } ?? 0) / 512 * 512 + 512
        for count in 0..<last + 512 {
            try writeFile(folder + "/cut.tar", bytes[..<count])
            let error = failure("\(count) bytes") { try read(folder + "/cut.tar") }
            #expect(error.code == .truncated, "\(count) bytes: \(error)")
            #expect(error.context.path == folder + "/cut.tar")
        }
        try writeFile(folder + "/cut.tar", bytes[..<(last + 512)])
        #expect(try read(folder + "/cut.tar").count == 6)
    }
}

@Test func tarCutAnywhereIsTruncatedEvenIfNothingIsRead() throws {
    try withFolder { folder in
        try write(folder + "/a.tar", [("a.txt", Array("text".utf8)), ("b", randomBytes(600, seed: 3))])
        let bytes = try readFile(folder + "/a.tar")
        for count in stride(from: 0, to: 512 * 6, by: 64) where count < 512 * 6 {
            try writeFile(folder + "/cut.tar", bytes[..<count])
            let error = failure("\(count) bytes") {
                let tar = try TarReader(path: folder + "/cut.tar")
                while try tar.next() != nil {}
            }
            #expect(error.code == .truncated, "\(count) bytes: \(error)")
        }
    }
}

@Test func tarWithFlippedBitsNeverTraps() throws {
    try withFolder { folder in
        try write(folder + "/a.tar", [("a.txt", Array("text".utf8)), (samples[2].name, [1])])
        let bytes = try readFile(folder + "/a.tar")
        let used = Array(bytes[..<((bytes.lastIndex { $0 != 0 } ?? 0) + 1025)])
        flipBits(used, step: 3, expecting: nil) { damaged in
            try writeFile(folder + "/flip.tar", damaged)
            let tar = try TarReader(path: folder + "/flip.tar")
            var buffer: [UInt8] = []
            while try tar.next() != nil { try tar.readBytes(into: &buffer) }
            return 0
        }
    }
}

@Test func tarHeaderWithWrongChecksumIsCorrupt() throws {
    try withFolder { folder in
        try write(folder + "/a.tar", [("a.txt", Array("text".utf8)), ("b.txt", [1])])
        var bytes = try readFile(folder + "/a.tar")
        bytes[1024] ^= 1
        try writeFile(folder + "/a.tar", bytes)
        let error = failure { try read(folder + "/a.tar") }
        #expect(error.code == .corrupt)
        #expect(error.context.position == 1024)
    }
}

@Test func tarMemberAboveTheLimitIsRefused() throws {
    try withFolder { folder in
        try write(folder + "/a.tar", [("a.txt", [1, 2, 3])])
        #expect(try read(folder + "/a.tar", memberByteLimit: 3).count == 2)
        let error = failure { try read(folder + "/a.tar", memberByteLimit: 2) }
        #expect(error.code == .limitExceeded)
        #expect(
            error.description
                == "\(folder)/a.tar, byte 512: limit exceeded: member \"a.txt\": 3 bytes, at most 2 are read")
    }
}

@Test func tarThatIsNotThereOrNotAFileIsAnInputError() throws {
    try withFolder { folder in
        let error = failure { try TarReader(path: folder + "/none.tar") }
        #expect(error.code == .io)
        #expect(
            error.description == "\(folder)/none.tar: input/output error: cannot be opened: No such file or directory")
        #expect(failure { try TarReader(path: folder) }.code == .io)
    }
}

@Test func compressedTarIsUnsupportedAndOtherFilesAreCorrupt() throws {
    try withFolder { folder in
        try write(folder + "/a.tar", samples)
        let packed = try Deflate.compress(try readFile(folder + "/a.tar"), as: .gzip)
        try writeFile(folder + "/a.tar.gz", packed)
        #expect(failure { try read(folder + "/a.tar.gz") }.code == .unsupportedFeature)
        try writeFile(folder + "/noise.tar", randomBytes(5000, seed: 5))
        #expect(failure { try read(folder + "/noise.tar") }.code == .corrupt)
        try writeFile(folder + "/empty.tar", [])
        #expect(failure { try read(folder + "/empty.tar") }.code == .truncated)
        try write(folder + "/none.tar", [])
        #expect(try read(folder + "/none.tar").isEmpty)
    }
}

@Test func tarWithoutFinishLeavesNoFile() throws {
    try withFolder { folder in
        do {
            let tar = try TarWriter(path: folder + "/a.tar")
            try tar.add("a", [1])
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
    }
}
