import DRConvert
import DRShard
import DRShardFormat
import Testing

private func open(_ bytes: some Sequence<UInt8>) throws -> NpyFile {
    try NpyFile(MemorySource(Array(bytes), path: "a.npy"))
}

private func npy(_ element: ElementType, _ shape: [Int]) throws -> [UInt8] {
    let count = shape.reduce(element.byteCount, *)
    let data = randomBytes(count, seed: 3)
    return try NpzWriter.npy(ForeignArray(element: element, shape: shape, bytes: data[...]))
}

@Test(arguments: [[5], [5, 3], [5, 3, 4], [0, 3], [5, 0], [1]]) func anNpyFileIsReadByRows(shape: [Int]) throws {
    let bytes = try npy(.f32, shape)
    let whole = Array(try NpyReader.read(bytes[...]).bytes)
    let file = try open(bytes)
    #expect(file.element == .f32 && file.shape == shape && file.rowCount == shape[0])
    #expect(try file.bytes(rows: 0..<shape[0]) == whole)
    var joined: [UInt8] = []
    for row in 0..<shape[0] { joined += try file.bytes(rows: row..<row + 1) }
    #expect(joined == whole)
    #expect(failure { try file.bytes(rows: 0..<shape[0] + 1) }.code == .invalidArgument)
    #expect(failure { try file.bytes(rows: -1..<0) }.code == .invalidArgument)
}

@Test func aCutNpyFileIsTruncatedWhereverItEnds() throws {
    expectTruncated(try npy(.u8, [2, 3])) { try open($0) }
}

@Test func anNpyFileWithAFlippedBitIsReadOrRefused() throws {
    flipBits(try npy(.u8, [2, 3]), expecting: Optional<Int>.none) { bytes in
        let file = try open(bytes)
        return try file.bytes(rows: 0..<file.rowCount).count
    }
}

private func file(_ header: String, data: [UInt8], version: UInt8 = 1) -> [UInt8] {
    let length = version == 1 ? UInt16(header.utf8.count).bytes : UInt32(header.utf8.count).bytes
    return [0x93] + Array("NUMPY".utf8) + [version, 0] + length + Array(header.utf8) + data
}

@Test(
    arguments: [
        (
            "bytes behind the data", file("{'descr': '|u1', 'fortran_order': False, 'shape': (1,), }", data: [1, 2]),
            ShardError.Code.corrupt
        ),
        (
            "less data than the shape has",
            file("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", data: [1]),
            .truncated
        ),
        (
            "a shape beyond 2^64",
            file("{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", data: []), .corrupt
        ),
        (
            "a single number", file("{'descr': '|u1', 'fortran_order': False, 'shape': (), }", data: [1]),
            .unsupportedFeature
        ),
        ("objects", file("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", data: [1]), .unsupportedFeature),
        (
            "columns first", file("{'descr': '|u1', 'fortran_order': True, 'shape': (1, 1), }", data: [1]),
            .unsupportedFeature
        ),
        ("a version of the future", file("{}", data: [], version: 4), .unsupportedVersion),
        ("no npy", Array("PK\u{3}\u{4}".utf8), .corrupt),
        ("a header of 4 GiB", [0x93] + Array("NUMPY".utf8) + [2, 0, 0xFF, 0xFF, 0xFF, 0xFF], .limitExceeded),
    ] as [(String, [UInt8], ShardError.Code)])
func hostileNpyFilesAreRefused(what: String, bytes: [UInt8], code: ShardError.Code) {
    let error = failure(what) { try open(bytes) }
    #expect(error.code == code && error.context.path == "a.npy", "\(what): \(error)")
}

@Test func anNpyFileThatIsNotThereIsAnErrorOfItsOwn() throws {
    try withFolder { folder in
        #expect(failure { try NpyFile(FileSource(path: folder + "/none.npy")) }.code == .io)
    }
}
