import DRShardFormat
import Foundation
import Testing

/// The numbers of the text and those of the code are the same.
@Suite struct SpecSyncTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static func lines(_ path: String) throws -> [String] {
        try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8).components(separatedBy: "\n")
    }

    /// The cells of the tables under a heading, up to the next one.
    private static func rows(under heading: String) throws -> [[String]] {
        let lines = try lines("Spec/FORMAT.md")
        let start = try #require(lines.firstIndex { $0.hasPrefix("#") && $0.hasSuffix(heading) })
        return lines[(start + 1)...].prefix { !$0.hasPrefix("#") }.filter { $0.hasPrefix("|") }.map { line in
            line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
        }
    }

    private static func number(_ text: String) -> Int? {
        Int(text.filter { $0 != "_" && $0 != "," })
    }

    /// The constants of the source that are numbers, by name.
    private static func constants() throws -> [String: Int] {
        var constants: [String: Int] = [:]
        for line in try lines("Sources/DRShardFormat/FormatConstants.swift") {
            let words = line.split(separator: " ")
            guard words.starts(with: ["package", "static", "let"]), let last = words.last,
                let value = number(String(last))
            else { continue }
            let name = words[3].trimmingCharacters(in: [":"])
            #expect(constants.updateValue(value, forKey: name) == nil, "\(name) is there twice")
        }
        return constants
    }

    @Test func constantsOfTextAndCodeAreTheSame() throws {
        var text: [String: Int] = [:]
        for row in try Self.rows(under: "Appendix C. Constants") where row.count == 2 {
            guard let value = Self.number(row[1]) else { continue }
            text[row[0]] = value
        }
        var code = try Self.constants()
        // A bit, which section 14.2 numbers.
        #expect(code.removeValue(forKey: "spanningFeature") == 1)
        #expect(text.count >= 26)
        for name in Set(text.keys).union(code.keys) {
            #expect(text[name] == code[name], "\(name): \(String(describing: text[name])) in the text")
        }
        // The source was read as the compiler reads it.
        #expect(code["maximumPayloadByteCount"] == Limits.maximumPayloadByteCount)
        #expect(code["indexEntryByteCount"] == FormatConstants.indexEntryByteCount)
    }

    @Test func limitsOfTheTextAreThoseOfTheCode() throws {
        let limits: [String: Int] = [
            "columns": Limits.maximumColumns, "axes": Limits.maximumAxes,
            "variants of an axis": Limits.maximumVariants, "dims": Limits.maximumDims,
            "bytes of the name of a column or an axis": Limits.maximumNameByteCount,
            "bytes of the schema; bytes of the notes record": Limits.maximumSchemaByteCount,
            "bytes of the footer payload": Limits.maximumFooterByteCount,
            "bytes of a cell": Limits.maximumCellByteCount,
            "bytes of a page's payload": Limits.maximumPayloadByteCount,
            "bytes of a page's prologue": Limits.maximumPrologueByteCount,
            "plain bytes of a unit": Limits.maximumUnitByteCount,
            "rows of a row group": Limits.maximumRowsPerGroup,
            "bytes of an auxiliary page": Limits.maximumAuxiliaryByteCount,
        ]
        let rows = try Self.rows(under: "10. Validation and limits").filter { Self.number($0[1]) != nil }
        #expect(Set(rows.map { $0[0] }) == Set(limits.keys))
        for row in rows { #expect(limits[row[0]] == Self.number(row[1]), "\(row[0])") }
    }

    @Test(arguments: [
        ("5.1 File header", FormatConstants.fileMagic), ("5.2 Block header", FormatConstants.blockMagic),
        ("5.8 Tail", FormatConstants.tailMagic),
    ]) func magicBytesOfTextAndCodeAreTheSame(heading: String, magic: [UInt8]) throws {
        let row = try #require(try Self.rows(under: heading).first { $0.count == 5 && $0[3] == "magic" })
        let bytes = row[4].filter { $0 != "`" }.split(separator: " ").compactMap { UInt8($0, radix: 16) }
        #expect(bytes == magic && Self.number(row[1]) == magic.count)
    }

    @Test(arguments: [("5.1 File header", 64), ("5.2 Block header", 64), ("5.8 Tail", 64), ("5.5 Chunk index", 72)])
    func fieldsOfAStructureTileIt(heading: String, byteCount: Int) throws {
        var end = 0
        for row in try Self.rows(under: heading) where row.count == 5 {
            guard let offset = Self.number(row[0]), let size = Self.number(row[1]) else { continue }
            #expect(offset == end, "\(row[3])")
            end = offset + size
        }
        #expect(end == byteCount)
    }

    @Test func featureBitsOfTextAndCodeAreTheSame() throws {
        let rows = try Self.rows(under: "14. Versions").filter { $0.first == "required" && $0[2] != "draft" }
        let bits = rows.compactMap { Self.number($0[1]) }.reduce(0 as UInt64) { $0 | 1 << UInt64($1) }
        #expect(bits == FormatConstants.knownRequiredFeatures)
        #expect(rows.map { $0[2] } == ["spanning"] && FormatConstants.spanningFeature == 1)
    }
}
