import DRConvert
import DRShard
import DRShardFormat
import Foundation
import Testing

/// A file of this header, with blanks if `padding` says so, and these data.
private func file(_ header: String, _ data: [UInt8] = [], length: UInt64? = nil) -> [UInt8] {
    let text = Array(header.utf8)
    return (length ?? UInt64(text.count)).bytes + text + data
}

private func read(_ bytes: some Sequence<UInt8>) throws -> SafetensorsReader {
    try SafetensorsReader(MemorySource(Array(bytes), path: "a.safetensors"))
}

private func entry(_ type: String, _ shape: String, _ begin: Int, _ end: Int) -> String {
    "{\"dtype\":\"\(type)\",\"shape\":\(shape),\"data_offsets\":[\(begin),\(end)]}"
}

private let two = file(
    "{\"__metadata__\":{\"format\":\"pt\"},\"b\":\(entry("BF16", "[2,3]", 8, 20)),\"a\":\(entry("I64", "[]", 0, 8))}  ",
    Array(0..<20))

@Test func aSafetensorsFileIsReadByRows() throws {
    let reader = try read(two)
    #expect(reader.tensors.map(\.name) == ["a", "b"])
    #expect(reader.metadata.map(\.key) == ["format"] && reader.metadata.map(\.value) == ["pt"])
    let b = try #require(reader.tensor(named: "b"))
    #expect(b.element == .bf16 && b.shape == [2, 3] && b.byteCount == 12)
    #expect(try reader.bytes(of: b, rows: 1..<2) == Array(14..<20))
    #expect(try reader.bytes(of: b, rows: 0..<2) == Array(8..<20))
    #expect(try reader.bytes(of: b, rows: 1..<1) == [])
    let a = try #require(reader.tensor(named: "a"))
    #expect(try reader.bytes(of: a, rows: 0..<1) == Array(0..<8))
    #expect(reader.tensor(named: "c") == nil)
    #expect(failure { try reader.bytes(of: b, rows: 1..<3) }.code == .invalidArgument)
    #expect(failure { try reader.bytes(of: b, rows: -1..<1) }.code == .invalidArgument)
}

@Test(arguments: [
    ("BOOL", ElementType.u8), ("U8", .u8), ("I8", .i8), ("U16", .u16), ("I16", .i16), ("U32", .u32), ("I32", .i32),
    ("U64", .u64), ("I64", .i64), ("F16", .f16), ("BF16", .bf16), ("F32", .f32), ("F64", .f64),
])
func everySafetensorsTypeIsKnown(name: String, element: ElementType) throws {
    let count = 3 * element.byteCount
    let reader = try read(file("{\"t\":\(entry(name, "[3]", 0, count))}", Array(repeating: 1, count: count)))
    #expect(reader.tensors.map(\.element) == [element])
}

@Test func aCutSafetensorsFileIsTruncatedWhereverItEnds() {
    expectTruncated(two) { try read($0) }
}

@Test func aSafetensorsFileWithAFlippedBitIsReadOrRefused() {
    flipBits(two, expecting: Optional<[Int]>.none) { bytes in
        let reader = try read(bytes)
        return try reader.tensors.map { try reader.bytes(of: $0, rows: 0..<($0.shape.first ?? 1)).count }
    }
}

/// What an attacker or an accident writes, by name.
@Test(
    arguments: [
        ("a header of 2^63 bytes", file("{}", length: 1 << 63), ShardError.Code.limitExceeded),
        ("a header above the limit", file("{}", length: 16 << 20 + 1), .limitExceeded),
        ("a header longer than the file", file("{}", length: 3), .truncated),
        ("a length alone", UInt64(2).bytes, .truncated),
        ("no header", file(""), .corrupt),
        ("a blank before the header", file(" {}"), .corrupt),
        ("an array for a header", file("[]"), .corrupt),
        ("a header that JSON ends in", file("{\"a\":"), .corrupt),
        ("something behind the header's object", file("{} x"), .corrupt),
        ("a header that is no UTF-8", UInt64(7).bytes + Array("{\"".utf8) + [0xFF] + Array("\":1}".utf8), .corrupt),
        ("a name twice", file("{\"a\":\(entry("U8", "[0]", 0, 0)),\"a\":\(entry("U8", "[0]", 0, 0))}"), .corrupt),
        ("metadata that is a list", file("{\"__metadata__\":[]}"), .corrupt),
        ("metadata with a number", file("{\"__metadata__\":{\"a\":1}}"), .corrupt),
        ("a tensor that is a number", file("{\"a\":1}"), .corrupt),
        ("no dtype", file("{\"a\":{\"shape\":[],\"data_offsets\":[0,1]}}", [1]), .corrupt),
        ("no shape", file("{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", [1]), .corrupt),
        ("no offsets", file("{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", [1]), .corrupt),
        ("a type of eight-bit floats", file("{\"a\":\(entry("F8_E4M3", "[1]", 0, 1))}", [1]), .unsupportedFeature),
        ("a negative extent", file("{\"a\":\(entry("U8", "[-1]", 0, 1))}", [1]), .corrupt),
        ("an extent with a fraction", file("{\"a\":\(entry("U8", "[1.0]", 0, 1))}", [1]), .corrupt),
        (
            "33 axes",
            file("{\"a\":\(entry("U8", "[\(Array(repeating: "1", count: 33).joined(separator: ","))]", 0, 1))}", [1]),
            .limitExceeded
        ),
        ("a shape beyond 2^64", file("{\"a\":\(entry("F64", "[4294967296,4294967296]", 0, 1))}", [1]), .corrupt),
        (
            "a product that overflows to the right size",
            file("{\"a\":\(entry("U8", "[9223372036854775807,2,9223372036854775807]", 0, 2))}", [1, 1]), .corrupt
        ),
        ("fewer bytes than the shape has", file("{\"a\":\(entry("F32", "[2]", 0, 4))}", [1, 1, 1, 1]), .corrupt),
        ("offsets that go back", file("{\"a\":\(entry("U8", "[0]", 1, 0))}", [1]), .corrupt),
        ("three offsets", file("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,1]}}", [1]), .corrupt),
        (
            "offsets near 2^63",
            file("{\"a\":\(entry("U8", "[1]", 9_223_372_036_854_775_806, 9_223_372_036_854_775_807))}", [1]), .corrupt
        ),
        (
            "two tensors that overlap",
            file("{\"a\":\(entry("U8", "[2]", 0, 2)),\"b\":\(entry("U8", "[2]", 1, 3))}", [1, 1, 1]), .corrupt
        ),
        (
            "two tensors in one place",
            file("{\"a\":\(entry("U8", "[2]", 0, 2)),\"b\":\(entry("U8", "[2]", 0, 2))}", [1, 1]), .corrupt
        ),
        (
            "a hole between tensors",
            file("{\"a\":\(entry("U8", "[1]", 0, 1)),\"b\":\(entry("U8", "[1]", 2, 3))}", [1, 1, 1]), .corrupt
        ),
        ("a hole before the first tensor", file("{\"a\":\(entry("U8", "[1]", 1, 2))}", [1, 1]), .corrupt),
        ("bytes that belong to no tensor", file("{\"a\":\(entry("U8", "[1]", 0, 1))}", [1, 1]), .corrupt),
        (
            "65 levels", file("{\"a\":" + String(repeating: "[", count: 70) + String(repeating: "]", count: 70) + "}"),
            .limitExceeded
        ),
    ] as [(String, [UInt8], ShardError.Code)])
func hostileSafetensorsAreRefused(what: String, bytes: [UInt8], code: ShardError.Code) {
    let error = failure(what) { try read(bytes) }
    #expect(error.code == code && error.context.path == "a.safetensors", "\(what): \(error)")
}

@Test func tensorsWithoutBytesStandAnywhere() throws {
    let header =
        "{\"z\":\(entry("F32", "[0,4]", 1, 1)),\"a\":\(entry("U8", "[1]", 0, 1)),\"b\":\(entry("U8", "[0]", 0, 0))}"
    let reader = try read(file(header, [7]))
    #expect(reader.tensors.map(\.name) == ["b", "a", "z"])
    #expect(try reader.bytes(of: reader.tensors[2], rows: 0..<0) == [])
    #expect(try read(file("{}")).tensors.isEmpty)
}

@Test func aSafetensorsFileThatIsNotThereIsAnErrorOfItsOwn() throws {
    try withFolder { folder in
        let error = failure { try SafetensorsReader(FileSource(path: folder + "/none.safetensors")) }
        #expect(error.code == .io)
        let path = folder + "/a.safetensors"
        try writeFile(path, two)
        let reader = try SafetensorsReader(FileSource(path: path))
        try FileManager.default.removeItem(atPath: path)
        try writeFile(path, [])
        // The file that was opened is still the old one.
        #expect(try reader.bytes(of: reader.tensors[0], rows: 0..<1) == Array(0..<8))
        let short = try FileSource(path: path)
        #expect(failure { try SafetensorsReader(short) }.code == .truncated)
    }
}
