import DRShardFormat
import Testing

private func varint(_ bytes: [UInt8]) throws(ShardError) -> UInt32 {
    var cursor = ByteCursor(bytes, of: "test")
    let value = try cursor.varint()
    try cursor.expectEnd()
    return value
}

// R-NOTE-1
@Suite struct VarintTests {
    @Test(
        arguments: [
            (0, [0]), (1, [1]), (127, [0x7F]), (128, [0x80, 1]), (255, [0xFF, 1]), (256, [0x80, 2]),
            (16_383, [0xFF, 0x7F]),
            (16_384, [0x80, 0x80, 1]), (2_097_151, [0xFF, 0xFF, 0x7F]), (2_097_152, [0x80, 0x80, 0x80, 1]),
            (268_435_455, [0xFF, 0xFF, 0xFF, 0x7F]), (268_435_456, [0x80, 0x80, 0x80, 0x80, 1]),
            (.max, [0xFF, 0xFF, 0xFF, 0xFF, 0x0F]),
        ] as [(UInt32, [UInt8])]) func edgesHaveTheirBytesBothWays(value: UInt32, bytes: [UInt8]) throws
    {
        var written: [UInt8] = []
        written.append(varint: value)
        #expect(written == bytes)
        #expect(try varint(bytes) == value)
        for count in 0..<bytes.count { #expect(throws: ShardError.corrupt("")) { try varint(Array(bytes[..<count])) } }
    }

    @Test(
        arguments: [
            [0x80, 0], [0xFF, 0], [0x80, 0x80, 0], [0x80, 0x80, 0x80, 0x80, 0],  // a last byte of 0
            [0x80, 0x80, 0x80, 0x80, 0x10], [0xFF, 0xFF, 0xFF, 0xFF, 0x1F],  // 2^32 and above
            [0xFF, 0xFF, 0xFF, 0xFF, 0x7F],
            [0x80, 0x80, 0x80, 0x80, 0x80, 1], [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],  // six bytes
        ] as [[UInt8]]) func otherFormsAreCorrupt(bytes: [UInt8])
    {
        #expect(throws: ShardError.corrupt("")) { try varint(bytes) }
    }
}

@Suite struct ByteCursorTests {
    @Test func numbersAreLittleEndian() throws {
        var cursor = ByteCursor(Array(1...39), of: "test")
        #expect(try cursor.u8() == 0x01)
        #expect(try cursor.u16() == 0x0302)
        #expect(try cursor.u32() == 0x0706_0504)
        #expect(try cursor.u64() == 0x0F0E_0D0C_0B0A_0908)
        #expect(try cursor.u128() == 0x1F1E_1D1C_1B1A_1918_1716_1514_1312_1110)
        #expect(try cursor.f64().bitPattern == 0x2726_2524_2322_2120)
        try cursor.expectEnd()
    }

    @Test func numbersComeBackAsTheyWereWritten() throws {
        var bytes: [UInt8] = []
        bytes.append(u16: 0xFEDC)
        bytes.append(i32: -2)
        bytes.append(u128: .max - 1)
        bytes.append(f64: -.nan)
        bytes.append(u32: 0)
        bytes.set(u32: 0xA1B2_C3D4, at: 30)
        var cursor = ByteCursor(bytes, of: "test")
        #expect(try cursor.u16() == 0xFEDC)
        #expect(try cursor.i32() == -2)
        #expect(try cursor.u128() == .max - 1)
        #expect(try cursor.f64().bitPattern == (-Double.nan).bitPattern)
        #expect(try cursor.u32() == 0xA1B2_C3D4)
    }

    @Test func runningOverTheEndIsCorruptAndReadsNothing() throws {
        var cursor = ByteCursor(Array(0..<20), in: 10..<13, of: "test")
        #expect(throws: ShardError.corrupt("")) { try cursor.u32() }
        #expect(throws: ShardError.corrupt("")) { try cursor.raw(4) }
        #expect(throws: ShardError.corrupt("")) { try cursor.raw(-1) }
        #expect(throws: ShardError.corrupt("")) { try cursor.text(.max) }
        #expect(throws: ShardError.corrupt("")) { try cursor.expectEnd() }
        #expect(try cursor.raw(3) == [10, 11, 12])
        #expect(throws: ShardError.corrupt("")) { try cursor.u8() }
        try cursor.expectEnd()
    }

    // R-HEAD-4
    @Test func reservedBytesOfANewerWriterAreUnsupported() throws {
        var cursor = ByteCursor([0, 0, 0, 1], of: "test")
        try cursor.reserved(3)
        #expect(throws: ShardError.unsupportedFeature("")) { try cursor.reserved(1) }
    }

    // R-NOTE-5
    @Test(arguments: [[0xFF], [0xC3], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80]] as [[UInt8]])
    func textThatIsNotUTF8IsCorrupt(bytes: [UInt8]) {
        #expect(throws: ShardError.corrupt("")) {
            var cursor = ByteCursor(bytes, of: "test")
            return try cursor.text(bytes.count)
        }
    }

    @Test(arguments: [(0, 0), (1, 64), (63, 64), (64, 64), (65, 128), (2_147_483_584, 2_147_483_584)])
    func sizesAreRoundedUpTo64(count: Int, padded: Int) {
        #expect(pad64(count) == padded)
    }
}
