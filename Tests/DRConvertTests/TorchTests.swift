import DRConvert
import DRShardFormat
import Testing

private func read(_ bytes: ArraySlice<UInt8>) throws -> [String] {
    try TorchFile.read(bytes, limit: 1 << 20, with: try Inflater()).map {
        "\($0.name) \($0.array.element) \($0.array.shape) \(Array($0.array.bytes))"
    }
}

/// A torch file with a pickle of the test's own, and one storage of 16 bytes.
private func file(_ pickle: [UInt8], byteOrder: String? = "little", storage: String = "0") throws -> [UInt8] {
    var zip = ZipWriter(style: .torch)
    try zip.add("x/data.pkl", pickle)
    if let byteOrder { try zip.add("x/byteorder", Array(byteOrder.utf8)) }
    try zip.add("x/data/\(storage)", Array(0..<16))
    return zip.finish()
}

private func fails(_ pickle: String, _ tail: [UInt8] = []) throws -> ShardError {
    try fails([0x80, 2] + Array(pickle.utf8) + tail)
}

private func fails(_ pickle: [UInt8]) throws -> ShardError {
    let bytes = try file(pickle)
    return failure { try read(bytes[...]) }
}

/// `X` with its length, as text; strings here are shorter than 128 bytes.
private func text(_ string: String) -> String {
    "X\(Character(Unicode.Scalar(UInt8(string.utf8.count))))\0\0\0\(string)"
}

private let rebuild = "ctorch._utils\n_rebuild_tensor_v2\n"
private let hooks = "ccollections\nOrderedDict\n)R"

private func storage(_ type: String = "FloatStorage", key: String = "0", count: UInt8 = 4) -> [UInt8] {
    Array(("(" + text("storage") + "ctorch\n\(type)\n" + text(key) + text("cpu") + "K").utf8) + [count]
        + Array("tQ".utf8)
}

/// A dictionary with one tensor "a", out of its parts.
private func dictionary(
    storage stored: [UInt8] = storage(), offset: UInt8 = 0, shape: [UInt8] = [2, 2], strides: [UInt8] = [2, 1],
    tail: [UInt8] = [0x89]
) -> [UInt8] {
    [0x80, 2] + Array(("}(" + text("a") + rebuild + "(").utf8) + stored + [0x4B, offset, 0x28]
        + shape.flatMap { [0x4B, $0] } + [0x74, 0x28] + strides.flatMap { [0x4B, $0] } + [0x74] + tail
        + Array((hooks + "tRu.").utf8)
}

@Test func torchRoundTripsEveryType() throws {
    var arrays: [(name: String, array: ForeignArray)] = []
    for element in ElementType.allCases where ![.u16, .u32, .u64].contains(element) {
        for shape in [[], [3], [300, 2], [70_000, 1], [0, 5]] {
            let bytes = randomBytes(shape.reduce(1, *) * element.byteCount, seed: 5)
            arrays.append(("\(element) \(shape)", ForeignArray(element: element, shape: shape, bytes: bytes[...])))
        }
    }
    let file = try TorchWriter.write(arrays)
    let result = try TorchFile.read(file[...], limit: 1 << 20, with: try Inflater())
    #expect(result.map(\.name) == arrays.map(\.name))
    #expect(result.map(\.array) == arrays.map(\.array))
    #expect(failure { try TorchFile.read(file[...], limit: 1000, with: try Inflater()) }.code == .limitExceeded)
}

@Test func torchFileCutOrDamagedAnywhereFailsCleanly() throws {
    let array = ForeignArray(element: .bf16, shape: [2, 2], bytes: [1, 2, 3, 4, 5, 6, 7, 8])
    let bytes = try TorchWriter.write([("image_emb", array)])
    expectTruncated(bytes) { try read($0) }
    flipBits(bytes, expecting: nil) { try read($0) }
}

@Test func torchPickleCutOrDamagedAnywhereFailsCleanly() throws {
    let pickle = dictionary()
    #expect(try read(try file(pickle)[...]) == ["a f32 [2, 2] \(Array(0..<16))"])
    for count in 0..<pickle.count { #expect(try fails(Array(pickle[..<count])).code == .truncated, "\(count)") }
    flipBits(pickle, expecting: nil) { try read(try file(Array($0))[...]) }
}

@Test func tensorWithMoreAxesThanTorchHasIsRefused() throws {
    let most = [UInt8](repeating: 1, count: 64)
    #expect(try read(try file(dictionary(storage: storage(count: 1), shape: most, strides: most))[...]).count == 1)
    let tooMany = most + [1]
    #expect(try fails(dictionary(shape: tooMany, strides: tooMany)).code == .limitExceeded)
}

/// A dictionary that is memoized after each of its entries; torch never reads it from there.
@Test func memoizedDictionaryIsNotRecalled() throws {
    let pickle = Array(dictionary().dropLast())
    #expect(try read(try file(pickle + Array("q\u{7}.".utf8))[...]) == ["a f32 [2, 2] \(Array(0..<16))"])
    #expect(try fails(pickle + Array("q\u{7}h\u{7}.".utf8)).reason.contains("a dictionary that is used twice"))
}

@Test func randomPicklesNeverTrap() throws {
    // Opcodes that are allowed, with operands that are not.
    let opcodes =
        Array("(})t\u{85}qrhjXKMJNcQRsu.".unicodeScalars.map { UInt8($0.value) }) + [
            0x86, 0x87, 0x88, 0x8A, 0x8C, 0x93, 0x94,
        ]
    var generator = SampleGenerator(seed: 7)
    for _ in 0..<3000 {
        var pickle: [UInt8] = [0x80, 4]
        for _ in 0..<generator.integer(1...60) {
            let isOpcode = generator.integer(0...3) > 0
            pickle.append(
                isOpcode ? opcodes[generator.integer(0...opcodes.count - 1)] : UInt8(generator.integer(0...3)))
        }
        _ = try? read(try file(pickle)[...])
    }
}

@Test func pickleThatCallsTheSystemIsRefusedByName() throws {
    let evil = try fails("cos\nsystem\n(" + text("echo pwned") + "tR.")
    #expect(evil.code == .unsupportedFeature)
    #expect(evil.reason == "member \"x/data.pkl\": pickle, byte 2: refused: the name \"os.system\"")
    for name in [
        "builtins\neval", "torch\nload", "torch._utils\n_rebuild_parameter", "torch\nUntypedStorage",
        "numpy.core.multiarray\n_reconstruct", "collections\ndefaultdict", "posix\nsystem",
    ] {
        #expect(try fails("c\(name)\n.").code == .unsupportedFeature)
    }
    // The same through STACK_GLOBAL of protocol 4.
    let stacked = try fails([0x80, 4] + Array((text("os") + text("system")).utf8) + [0x93, 0x2E])
    #expect(stacked.reason.hasSuffix("refused: the name \"os.system\""))
}

@Test(arguments: [
    (UInt8(ascii: "b"), "BUILD (0x62)"), (0x81, "NEWOBJ (0x81)"), (UInt8(ascii: "i"), "INST (0x69)"),
    (UInt8(ascii: "o"), "OBJ (0x6f)"),
    (UInt8(ascii: "]"), "EMPTY_LIST (0x5d)"), (UInt8(ascii: "P"), "PERSID (0x50)"), (0x82, "EXT1 (0x82)"),
    (0x92, "NEWOBJ_EX (0x92)"),
    (UInt8(ascii: "2"), "DUP (0x32)"), (0x8B, "LONG4 (0x8b)"), (0xFF, "0xff"), (0, "0x00"),
])
func opcodesOutsideTheSubsetAreRefusedByName(_ opcode: UInt8, _ name: String) throws {
    let error = try fails([0x80, 2, opcode, 0x2E])
    #expect(error.code == .unsupportedFeature)
    #expect(error.reason.hasSuffix("refused: opcode \(name)"))
}

@Test func callsOfAnythingButTheTwoFunctionsAreRefused() throws {
    #expect(try fails("K\u{1})R.").reason.hasSuffix("refused: a call of a number"))
    #expect(try fails("ctorch\nFloatStorage\n)R.").reason.hasSuffix("refused: a call of a name"))
    #expect(try fails("ccollections\nOrderedDict\n(K\u{1}tR.").code == .unsupportedFeature)
    #expect(try fails("ccollections\nOrderedDict\nNR.").code == .corrupt)
    #expect(try fails(rebuild + ")R.").code == .corrupt)
}

@Test func pickleStackAndMemoAbuseIsCorrupt() throws {
    for pickle in [
        "R.", "t.", "u.", "s.", "Q.", "q\u{0}.", "h\u{0}.", "j\u{7F}\u{7F}\u{7F}\u{7F}.", "(q\u{0}.", "(R.",
        "K\u{1}(\u{0}.",
    ] {
        #expect(try fails(pickle).code != .truncated, "\(pickle)")
    }
    #expect(try fails("}h\u{9}.").reason.hasSuffix("memo 9 was never written"))
    #expect(try fails("}q\u{0}h\u{0}.").code == .unsupportedFeature)
    // A memo number of 2^32 - 1 costs one entry, not a table.
    #expect(try fails([0x80, 2, 0x4E, 0x72, 0xFF, 0xFF, 0xFF, 0xFF, 0x2E]).code == .unsupportedFeature)
    #expect(try fails(".").code == .unsupportedFeature)
    #expect(try fails("}(.").code == .unsupportedFeature)
    #expect(try fails("}.}").code == .corrupt)
}

@Test func deepMarksAndTuplesDoNotOverflowTheStack() throws {
    #expect(try fails(String(repeating: "(", count: 500_000) + ".").code == .unsupportedFeature)
    #expect(try fails([0x80, 2, 0x4E] + [UInt8](repeating: 0x85, count: 500_000) + [0x2E]).code == .limitExceeded)
    #expect(try fails([0x80, 2] + [UInt8](repeating: 0x28, count: 1 << 20)).code == .limitExceeded)
}

@Test func pickleLengthsBeyondTheInputAreTruncated() throws {
    #expect(try fails([0x80, 2, 0x58, 0xFF, 0xFF, 0xFF, 0xFF, 0x61, 0x2E]).code == .truncated)
    #expect(try fails([0x80, 4, 0x8D] + UInt64.max.bytes + [0x2E]).code == .corrupt)
    #expect(try fails([0x80, 4, 0x8D] + UInt64(1 << 62).bytes + [0x2E]).code == .truncated)
    #expect(try fails([0x80, 2, 0x8A, 200] + [UInt8](repeating: 1, count: 200) + [0x2E]).code == .limitExceeded)
    #expect(try fails([0x80, 1, 0x2E]).code == .unsupportedVersion)
    #expect(try fails([0x80, 6, 0x2E]).code == .unsupportedVersion)
}

@Test func tensorsThatDoNotFitTheirStorageAreCorrupt() throws {
    #expect(try fails(dictionary(storage: storage(count: 5))).code == .corrupt)
    #expect(try fails(dictionary(shape: [2, 3], strides: [3, 1])).code == .corrupt)
    #expect(try fails(dictionary(offset: 1)).code == .corrupt)
    #expect(try fails(dictionary(offset: 200, shape: [0], strides: [1])).code == .corrupt)
    #expect(try fails(dictionary(storage: storage("DoubleStorage"))).code == .corrupt)
    #expect(try fails(dictionary(storage: storage(key: "1"))).code == .corrupt)
    #expect(try fails(dictionary(storage: storage(key: "../data.pkl"))).code == .corrupt)
    #expect(try fails(dictionary(strides: [1])).code == .corrupt)
    #expect(
        try read(try file(dictionary(offset: 1, shape: [3], strides: [1]))[...]) == ["a f32 [3] \(Array(4..<16))"])
    #expect(
        try read(try file(dictionary(shape: [4, 1], strides: [1, 9]))[...]) == ["a f32 [4, 1] \(Array(0..<16))"])
    // Extents as numbers of 8 bytes whose product overflows.
    let huge = [0x8A, 8] + UInt64(1 << 62).bytes
    var pickle = dictionary()
    guard let at = pickle.firstRange(of: [0x28, 0x4B, 2, 0x4B, 2, 0x74]) else { throw ShardError.corrupt("test") }
    pickle.replaceSubrange(at, with: [0x28] + huge + huge + [0x74])
    #expect(try fails(pickle).code == .corrupt)
}

@Test func tensorsThatAreNotContiguousAreUnsupported() throws {
    let error = try fails(dictionary(strides: [1, 2]))
    #expect(error.code == .unsupportedFeature)
    #expect(error.reason == "tensor \"a\": shape [2, 2] with strides [1, 2], only contiguous tensors are read")
    #expect(try fails(dictionary(strides: [0, 0])).code == .unsupportedFeature)
}

@Test func onlyAFlatDictionaryOfTensorsIsRead() throws {
    #expect(
        try fails("}" + text("a") + "K\u{1}s.").reason.hasSuffix("refused: \"a\" is a number, only tensors are read"))
    #expect(
        try fails("}" + text("a") + "}s.").reason.hasSuffix("refused: \"a\" is a dictionary, only tensors are read"))
    #expect(try fails("}K\u{1}K\u{1}s.").code == .unsupportedFeature)
    #expect(try fails("N.").code == .unsupportedFeature)
    #expect(try read(try file([0x80, 2, 0x7D, 0x2E])[...]).isEmpty)
}

@Test func torchFilesOfOtherKindsAreUnsupported() throws {
    let legacy: [UInt8] = [0x80, 0x02, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E]
    #expect(failure { try read(legacy[...]) }.code == .unsupportedFeature)
    #expect(failure { try read(try file(dictionary(), byteOrder: "big")[...]) }.code == .unsupportedFeature)
    #expect(try read(try file(dictionary(), byteOrder: nil)[...]).count == 1)
    var zip = ZipWriter(style: .torch)
    try zip.add("x/data/0", [1])
    let bytes = zip.finish()
    #expect(failure { try read(bytes[...]) }.code == .corrupt)
}
