import DRShardFormat
import TestSupport
import Testing

// R-TYPE-2
@Suite struct AugmentationTests {
    static let items: [(item: Augmentation.Item, byteCount: Int)] =
        [
            (.crop(.init(top: 14, left: 347, height: 370, width: 427)), 17),
            (.crop(.init(top: .min, left: .max, height: -1, width: 0)), 17),
            (.randAugment([]), 2),
            (.randAugment([.init(operation: 0, magnitude: 0), .init(operation: 255, magnitude: -.nan)]), 20),
            (.randAugment((0..<255).map { .init(operation: $0, magnitude: Double($0)) }), 2 + 255 * 9),
            (.flip(true), 2), (.flip(false), 2),
            (.erase(x: 1, y: -2, height: 3, width: -4), 17),
            (.colorJitter(order: [3, 1, 0, 2], factors: [0.5, -0.0, .infinity, .leastNonzeroMagnitude]), 37),
            (.mixup(lambda: 0.25, partner: []), 10),
            (.mixup(lambda: -0.0, partner: Array(0..<255)), 10 + 255),
            (.cutmix(lambda: 0.75, x1: 1, y1: 2, x2: 3, y2: 4, partner: [9, 8]), 28),
            (.randomCrop(top: -5, left: 6), 9),
            (.resize(256), 5),
        ] + (1...9).map { (.null(kind: $0), 1) }

    @Test func everyItemComesBackAloneAndBesideOthers() throws {
        for (item, byteCount) in Self.items {
            let record = Augmentation(items: [item])
            let bytes = try record.serialized()
            #expect(bytes.count == byteCount, "\(item)")
            // Compared as bytes too, since a NaN is not equal to itself.
            #expect(try Augmentation(parsing: bytes).serialized() == bytes, "\(item)")
            for count in 1..<max(1, bytes.count) {
                #expect(throws: ShardError.corrupt(""), "\(item), \(count) bytes") {
                    try Augmentation(parsing: Array(bytes[..<count]))
                }
            }
        }
        let all = Augmentation(items: Self.items.map(\.item))
        #expect(try Augmentation(parsing: try all.serialized()) == all)
        #expect(try Augmentation(parsing: []).items == [])
    }

    @Test func exampleOfTheTextHasItsBytes() throws {
        let bytes: [UInt8] = [
            0x01, 0x0E, 0, 0, 0, 0x5B, 1, 0, 0, 0x72, 1, 0, 0, 0xAB, 1, 0, 0, 0x02, 0x02, 0x00, 0, 0, 0, 0, 0, 0, 0, 0,
            0x06, 0, 0, 0, 0, 0xAE, 0x47, 0xD1, 0x3F,
        ]
        let record = try Augmentation(parsing: bytes)
        #expect(record.crop == .init(top: 14, left: 347, height: 370, width: 427))
        #expect(record.operations.map(\.operation) == [0, 6])
        #expect(record.operations.map(\.magnitude) == [0, 0.26999998092651367])
        #expect(try record.serialized() == bytes)
    }

    @Test func unknownItemsAreUnsupportedAlsoWhenNull() {
        for kind in UInt8.min...UInt8.max where !(1...9).contains(kind & 0x7F) {
            #expect(throws: ShardError.unsupportedFeature(""), "kind \(kind)") { try Augmentation(parsing: [kind]) }
        }
    }

    @Test func flipOtherThanNoAndYesIsCorrupt() {
        for value in 2...255 as ClosedRange<UInt8> {
            #expect(throws: ShardError.corrupt("")) { try Augmentation(parsing: [3, value]) }
        }
    }

    @Test func itemsThatHaveNoBytesAreRefused() {
        let four: [UInt8] = [0, 1, 2, 3]
        let long = [UInt8](repeating: 0, count: 256)
        let items: [Augmentation.Item] = [
            .randAugment((0..<256).map { .init(operation: 0, magnitude: Double($0)) }),
            .mixup(lambda: 1, partner: long), .cutmix(lambda: 1, x1: 1, y1: 2, x2: 3, y2: 4, partner: long),
            .colorJitter(order: [0, 1, 2], factors: [1, 2, 3, 4]), .colorJitter(order: four, factors: [1, 2, 3, 4, 5]),
            .null(kind: 0), .null(kind: 10), .null(kind: 0x81), .null(kind: 255),
        ]
        for item in items {
            #expect(throws: ShardError.invalidArgument(""), "\(item)") { try Augmentation(items: [item]).serialized() }
        }
    }

    @Test func skippedOperationsAreNotThere() {
        let record = Augmentation(items: [.null(kind: 1), .null(kind: 2)])
        #expect(record.crop == nil && record.operations == [])
    }

    @Test func recordsAreToldFromOtherBytesAsParsingTellsThem() {
        var random = SeededGenerator(seed: 31)
        var records = 0
        for _ in 0..<20_000 {
            // Kinds and counts that occur, and numbers of few bytes.
            let bytes = (0..<Int.random(in: 0..<60, using: &random)).map { i in
                UInt8.random(in: i == 0 ? 1...9 : 0...255, using: &random)
                    & (Bool.random(using: &random) ? 0x8F : 0x01)
            }
            let isParsed = (try? Augmentation(parsing: bytes)) != nil
            #expect(Augmentation.isRecord(bytes.span) == isParsed, "\(bytes)")
            records += isParsed ? 1 : 0
        }
        #expect(records > 100)
        #expect(Set(Augmentation.kindNames.keys) == Set(1...9))
    }
}

@Suite struct LocatorTests {
    @Test func everyLocatorComesBack() throws {
        for hash in [Locator.Hash.none, .sha256(Array(0..<32)), .crc32c(0xA1B2_C3D4)] {
            for container in ["", "a/0.tar", "日本 🙂\u{0}"] {
                let locator = Locator(container: container, position: .max, byteCount: 1 << 40, hash: hash)
                let bytes = try locator.serialized()
                #expect(try Locator(parsing: bytes) == locator)
                for count in 0..<bytes.count - container.utf8.count {
                    #expect(throws: ShardError.corrupt(""), "\(count) bytes") {
                        try Locator(parsing: Array(bytes[..<count]))
                    }
                }
            }
        }
    }

    @Test func bytesAreThoseOfTheText() throws {
        let locator = Locator(container: "c", position: 1, byteCount: 0x0203, hash: .crc32c(0xA1B2_C3D4))
        let numbers: [UInt8] = [1, 0, 0, 0, 0, 0, 0, 0, 3, 2, 0, 0, 0, 0, 0, 0]
        #expect(try locator.serialized() == numbers + [2, 0xD4, 0xC3, 0xB2, 0xA1, 0x63])
    }

    @Test func hashOfOtherLengthIsRefused() {
        for count in [0, 31, 33] {
            let locator = Locator(
                container: "c", position: 1, byteCount: 2, hash: .sha256(Array(repeating: 1, count: count)))
            #expect(throws: ShardError.invalidArgument("")) { try locator.serialized() }
        }
    }

    // R-TYPE-2, R-NOTE-5
    @Test func unknownHashIsUnsupportedAndBadNameIsCorrupt() {
        let start = [UInt8](repeating: 0, count: 16)
        for kind in 3...255 as ClosedRange<UInt8> {
            #expect(throws: ShardError.unsupportedFeature("")) { try Locator(parsing: start + [kind]) }
        }
        #expect(throws: ShardError.corrupt("")) { try Locator(parsing: start + [0, 0xFF]) }
    }
}

// R-UNIT-1
@Suite struct RaggedUnitTests {
    /// Where the values of a unit's cells begin, and the last one ends.
    private func places(_ bytes: [UInt8], cellCount: Int) throws(ShardError) -> [UInt32] {
        var places: [UInt32] = [7, 7, 7]  // of an earlier unit
        try RaggedUnit.locate(bytes.span, cellCount: cellCount, into: &places)
        return places
    }

    @Test func cellsFillTheirUnitExactly() throws {
        #expect(try places([0], cellCount: 1) == [1, 1])
        #expect(try places([2, 0, 1, 7, 8, 9], cellCount: 3) == [3, 5, 5, 6])
        let wrong: [([UInt8], Int)] = [([], 1), ([0, 0], 1), ([1], 1), ([2, 7], 1), ([0], 2), ([0x80, 0], 1)]
        for (bytes, cellCount) in wrong {
            #expect(throws: ShardError.corrupt(""), "\(bytes)") { try places(bytes, cellCount: cellCount) }
        }
        // Many cells are refused by the bytes that are there, before anything is allocated for them.
        #expect(throws: ShardError.corrupt("")) { try places([0, 0], cellCount: .max) }
    }
}

// R-SCHEMA-1
@Suite struct SchemaMistakeTests {
    /// The same mistake is the caller's when a schema is made, and the file's when it is parsed.
    @Test func mistakesOfTheCallerAreInvalidArguments() throws {
        let id = Column(name: "uid", role: .rowID, type: .tensor(.u8, dims: [4]))
        let axis = Axis(name: "view", kind: .view, count: 2, exchangeable: .yes)
        let wrong: [([Axis], [Column])] = [
            ([], []), ([], [id, id]), ([axis, axis], [id]),
            ([], [id, Column(name: "a", role: .text, type: .utf8, axis: 0)]),
            ([], [id, Column(name: "a", role: .tokens, type: .ragged(.u16), tokenizer: 0)]),
            ([], [id, Column(name: "", role: .text, type: .utf8)]),
        ]
        for (axes, columns) in wrong {
            #expect(throws: ShardError.invalidArgument(""), "\(columns)") { try Schema(axes: axes, columns: columns) }
        }
        var bytes = try Schema(axes: [], columns: [id]).serialized()
        // Another role than that of the row id, by its number.
        let role = try #require(bytes.indices.first { i in bytes[i] != 0 && Self.isSchemaWithoutID(bytes, i) })
        bytes[role] = 0
        #expect(throws: ShardError.corrupt("")) { try Schema(parsing: bytes) }
    }

    private static func isSchemaWithoutID(_ bytes: [UInt8], _ i: Int) -> Bool {
        var bytes = bytes
        bytes[i] = 0
        do { _ = try Schema(parsing: bytes) } catch { return error.reason.contains("role row_id") }
        return false
    }
}
