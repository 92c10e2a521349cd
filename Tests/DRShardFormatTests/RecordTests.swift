import DRShardFormat
import Testing

private func field(_ tag: UInt16, _ value: [UInt8]) -> [UInt8] {
    var record = RecordBuilder()
    record.add(tag, value)
    return record.bytes
}

private func parse(_ bytes: [UInt8]) throws(ShardError) -> Record {
    try Record(parsing: bytes, known: 1...5, repeated: [4], of: "test")
}

@Suite struct RecordTests {
    @Test func everyKindOfFieldComesBack() throws {
        var builder = RecordBuilder()
        builder.add(1, text: "ünï")
        builder.add(2, u8: 200)
        builder.add(3, u16: nil)
        builder.add(4, f64: -0.0)
        builder.add(4, f64: 1.5)
        builder.add(5, u32: 7)
        let record = try parse(builder.bytes)
        #expect(try record.text(1) == "ünï")
        #expect(try record.u8(2) == 200)
        #expect(try record.optionalU16(3) == nil)
        #expect(try record.f64s(4).map(\.bitPattern) == [(-0.0).bitPattern, (1.5).bitPattern])
        #expect(try record.u32(5) == 7)
        #expect(field(0x1234, [9]) == [0x34, 0x12, 1, 0, 0, 0, 9])
    }

    // R-NOTE-2
    @Test func orderAndRepetitionAreChecked() throws {
        #expect(try parse([]).optional(1) == nil)
        #expect(try parse(field(4, [1]) + field(4, []) + field(4, [2])).all(4) == [[1], [], [2]])
        #expect(throws: ShardError.corrupt("")) { try parse(field(2, []) + field(1, [])) }
        #expect(throws: ShardError.corrupt("")) { try parse(field(2, []) + field(2, [])) }
        #expect(throws: ShardError.corrupt("")) { try parse(field(0x8001, []) + field(1, [])) }
        #expect(throws: ShardError.corrupt("")) { try parse(field(0x8001, []) + field(0x8000, [])) }
    }

    // R-NOTE-3
    @Test func unknownTagsAreUnsupportedOrSkipped() throws {
        for tag in [0, 6, 0x7FFF] as [UInt16] {
            #expect(throws: ShardError.unsupportedFeature("")) { try parse(field(tag, [])) }
        }
        let record = try parse(field(1, [5]) + field(0x8000, [1, 2]) + field(0x8000, []) + field(0xFFFF, [3]))
        #expect(try record.u8(1) == 5)
        #expect(record.all(0x8000) == [])
    }

    // R-NOTE-2
    @Test func recordCutInsideAFieldIsCorrupt() throws {
        let bytes = field(1, Array("abc".utf8)) + field(2, [1])
        for count in 0..<bytes.count where count != 0 && count != 9 {
            #expect(throws: ShardError.corrupt(""), "\(count) bytes") { try parse(Array(bytes[..<count])) }
        }
        #expect(throws: ShardError.corrupt("")) { try parse([1, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0]) }
    }

    // R-NOTE-4, R-NOTE-5
    @Test func missingFieldsAndOtherSizesAreCorrupt() throws {
        let empty = try parse([])
        #expect(throws: ShardError.corrupt("")) { try empty.text(1) }
        #expect(throws: ShardError.corrupt("")) { try empty.u8(1) }
        #expect(throws: ShardError.corrupt("")) { try empty.raw(1, count: 0) }
        #expect(try empty.optionalText(1) == nil)
        #expect(try empty.optionalRaw(1, count: 32) == nil)
        let three = try parse(field(1, [1, 2, 0xFF]) + field(4, [1, 2, 3]))
        #expect(throws: ShardError.corrupt("")) { try three.u8(1) }
        #expect(throws: ShardError.corrupt("")) { try three.optionalU16(1) }
        #expect(throws: ShardError.corrupt("")) { try three.u32(1) }
        #expect(throws: ShardError.corrupt("")) { try three.u64(1) }
        #expect(throws: ShardError.corrupt("")) { try three.optionalF64(1) }
        #expect(throws: ShardError.corrupt("")) { try three.f64s(4) }
        #expect(throws: ShardError.corrupt("")) { try three.digest(1) }
        #expect(throws: ShardError.corrupt("")) { try three.structs(4, count: 10) }
        #expect(throws: ShardError.corrupt("")) { try three.optionalText(1) }
        #expect(try three.raw(1, count: 3) == [1, 2, 0xFF])
    }
}
