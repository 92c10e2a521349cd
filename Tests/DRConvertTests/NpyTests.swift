import DRConvert
import DRShardFormat
import Testing

func npy(_ header: String, _ data: [UInt8] = [], version: UInt8 = 1) -> [UInt8] {
    let length = version == 1 ? UInt16(header.utf8.count).bytes : UInt32(header.utf8.count).bytes
    return [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59, version, 0] + length + Array(header.utf8) + data
}

private func header(_ descr: String, _ shape: String, fortran: String = "False") -> String {
    "{'descr': '\(descr)', 'fortran_order': \(fortran), 'shape': \(shape), }\n"
}

@Test func npyRoundTripsEveryType() throws {
    for element in ElementType.allCases where element != .bf16 {
        for shape in [[], [3], [2, 3], [4, 1, 2], [0, 5]] {
            let count = shape.reduce(1, *) * element.byteCount
            let array = ForeignArray(element: element, shape: shape, bytes: randomBytes(count, seed: 4)[...])
            let bytes = try NpzWriter.npy(array)
            #expect((bytes.count - count) % 64 == 0)
            #expect(try NpyReader.read(bytes[...]) == array)
        }
    }
}

@Test(arguments: [UInt8(1), 2, 3]) func npyVersionsOneToThreeAreRead(_ version: UInt8) throws {
    let array = try NpyReader.read(npy(header("<f2", "(2,)"), [1, 2, 3, 4], version: version)[...])
    #expect(array == ForeignArray(element: .f16, shape: [2], bytes: [1, 2, 3, 4]))
    expectTruncated(npy(header("<f2", "(2,)"), [1, 2, 3, 4], version: version)) { try NpyReader.read($0) }
    flipBits(npy(header("<f2", "(2,)"), [1, 2, 3, 4], version: version), expecting: nil) { try NpyReader.read($0) }
}

@Test(arguments: [">f4", "=f4", "f4", "|f4", "O", "|O", "|S5", "<U3", "<M8[ns]", "<c8", "<f16", "V2", ""])
func npyTypesThatAreNotReadAreNamed(_ type: String) {
    let error = failure { try NpyReader.read(npy(header(type, "(1,)"), [UInt8](repeating: 0, count: 64))[...]) }
    #expect(error.code == .unsupportedFeature)
    #expect(error.reason.contains("\"\(type)\""))
}

@Test(
    arguments: [
        "[('f0', '<u8'), ('f1', '<i8')]", "[('f0', '<u8')]", "[('f0', '<u8'), ('f1', '<u8'), ('f2', '<u8')]", "[]",
        "[('f0', '<u8'), ('f1', '<u8', (2,))]", "[('f0', [('a', '<u8')]), ('f1', '<u8')]", "['<u8', '<u8']",
        "[('f0', '>u8'), ('f1', '>u8')]",
    ])
func npyStructuresThatAreNoPairsOfU64AreUnsupported(_ type: String) throws {
    let structure = "{'descr': \(type), 'fortran_order': False, 'shape': (1,), }\n"
    #expect(
        failure { try NpyReader.read(npy(structure, [UInt8](repeating: 0, count: 24))[...]) }.code
            == .unsupportedFeature)
}

@Test func pairsOfU64AsUIDsArePackedAreReadAsOneAxisMore() throws {
    let structure = "{'descr': [('a', '<u8'), ('b', '<u8'), ], 'fortran_order': False, 'shape': (2,), }\n"
    let bytes = npy(structure, Array(0..<32))
    let array = try NpyReader.read(bytes[...])
    #expect(array == ForeignArray(element: .u64, shape: [2, 2], bytes: Array(0..<32)[...]))
    expectTruncated(bytes) { try NpyReader.read($0) }
}

@Test func npyFortranOrderIsUnsupported() throws {
    #expect(
        failure { try NpyReader.read(npy(header("<f4", "(1, 1)", fortran: "True"), [0, 0, 0, 0])[...]) }.code
            == .unsupportedFeature)
    #expect(try NpyReader.read(npy(header("|u1", "(2,)", fortran: "True"), [5, 6])[...]).shape == [2])
    #expect(
        failure { try NpyReader.read(npy(header("|u1", "(1,)"), [1], version: 4)[...]) }.code == .unsupportedVersion)
}

@Test func npyWithHugeShapesIsRefusedWithoutAllocating() {
    #expect(failure { try NpyReader.read(npy(header("<f4", "(1000000000000,)"))[...]) }.code == .truncated)
    #expect(failure { try NpyReader.read(npy(header("<f4", "(4611686018427387904, 4)"))[...]) }.code == .corrupt)
    #expect(failure { try NpyReader.read(npy(header("<f4", "(99999999999999999999,)"))[...]) }.code == .corrupt)
    let many = "(" + String(repeating: "1,", count: 33) + ")"
    #expect(failure { try NpyReader.read(npy(header("|u1", many), [1])[...]) }.code == .limitExceeded)
    #expect(failure { try NpyReader.read(npy("", version: 2).dropLast(4) + UInt32.max.bytes) }.code == .limitExceeded)
}

@Test(arguments: [
    "{}", "{'descr': '<f4'}", "", "{'descr': '<f4', 'fortran_order': 0, 'shape': ()}", "{'x': 1}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': [1]}",
    "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': ()}", "__import__('os')",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1 2)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': ()} x",
])
func npyHeadersThatNumPyDoesNotWriteAreCorrupt(_ text: String) {
    #expect(failure(text) { try NpyReader.read(npy(text, [0, 0, 0, 0])[...]) }.code == .corrupt)
}

@Test func npyWithBytesAfterItsDataIsCorrupt() {
    #expect(failure { try NpyReader.read(npy(header("|u1", "(1,)"), [1, 2])[...]) }.code == .corrupt)
}
