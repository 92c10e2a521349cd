import DRConvert
import DRShardFormat
import DRText
import Foundation
import Testing

private func parse(_ text: String) throws -> JSONValue { try JSON.parse(Array(text.utf8)).value }

@Test func jsonReadsEveryKindOfValue() throws {
    let value = try parse(#" { "a" : [ 1 , -2.5e1 , true , false , null , "x\n\"\\\/\b\f\r\t" ] , "" : { } , "b":[]} "#)
    #expect(
        value["a"]
            == .array([.int(1), .double(-25), .bool(true), .bool(false), .null, .string("x\n\"\\/\u{8}\u{C}\r\t")]))
    #expect(value[""] == .object([]))
    #expect(value["b"] == .array([]))
    #expect(value["c"] == nil)
}

@Test func jsonKeepsWholeNumbersExact() throws {
    #expect(try parse("9223372036854775807") == .int(.max))
    #expect(try parse("-9223372036854775808") == .int(.min))
    #expect(try parse("-0") == .int(0))
    #expect(try parse("9223372036854775808") == .double(9_223_372_036_854_775_808))
    #expect(try parse("18446744073709551616") == .double(18_446_744_073_709_551_616))
}

@Test func jsonRoundsNumbersAsTheStandardLibraryDoes() throws {
    var generator = SampleGenerator(seed: 6)
    for _ in 0..<20_000 {
        var text = String(generator.next() >> UInt64(generator.integer(0...63)))
        text.insert(".", at: text.index(text.startIndex, offsetBy: generator.integer(1...text.count)))
        if text.hasSuffix(".") { text += "0" }
        while text.hasPrefix("0"), !text.hasPrefix("0.") { text.removeFirst() }
        if generator.integer(0...2) == 0 { text += "e\(generator.integer(-330...280))" }
        let value = try parse("-" + text)
        guard case .double(let number) = value, let expected = Double("-" + text) else {
            Issue.record("\(text) gave \(value)")
            continue
        }
        #expect(number.bitPattern == expected.bitPattern, "\(text)")
    }
}

@Test(arguments: [
    "9007199254740993.0", "9007199254740992.9999", "1.00000000000000011102230246251565", "0.1", "-0.0",
    "1e23", "8.5e-27", "5e-324", "2.2250738585072011e-308", "0.26999998092651367", "30.45317268371582",
    "1.7976931348623157e308",
    "18446744073709551615e-27", "0e999999999999", "0.000e-5",
])
func jsonRoundsHardNumbers(_ text: String) throws {
    guard case .double(let number) = try parse(text) else { throw ShardError.corrupt(text) }
    #expect(number.bitPattern == Double(text)?.bitPattern)
}

@Test(arguments: [
    "", " ", "{", "[1", "[1,", "{\"a\"", "{\"a\":", "{\"a\":1", "\"abc", "\"\\", "\"\\u12", "tru", "-", "1.", "1e",
    "1e+",
])
func jsonThatEndsTooSoonIsTruncated(_ text: String) {
    #expect(failure(text) { try parse(text) }.code == .truncated)
}

@Test(arguments: [
    "[1,]", "{,}", "{\"a\":1,}", "[1 2]", "{1:2}", "01", "-01", "1.e5", ".5", "+1", "NaN", "-Infinity", "Infinity",
    "'a'", "nul1", "\"\\x41\"", "\"\\u12G4\"", "\"a\tb\"", "{} {}", "1x", "[1}", "\u{FEFF}1", "/**/1",
])
func jsonSyntaxErrorsAreCorrupt(_ text: String) {
    #expect(failure(text) { try parse(text) }.code == .corrupt)
}

@Test func jsonNumbersBeyondDoubleAreOverTheLimit() {
    #expect(failure { try parse("1e309") }.code == .limitExceeded)
    #expect(failure { try parse("-1e99999999999999999999") }.code == .limitExceeded)
    #expect((try? parse("1e-99999999999999999999")) == .double(0))
}

@Test func jsonDepthBombIsRefused() {
    for open in ["[", "{\"a\":", "[{\"b\":"] {
        let error = failure { try parse(String(repeating: open, count: 100_000)) }
        #expect(error.code == .limitExceeded)
    }
}

@Test func jsonReplacesAndCountsLoneSurrogates() throws {
    let document = try JSON.parse(
        Array(#"["\ud83d\ude00", "\ud83d", "\ude00x", "\ud83d\ud83d\ude00", "\ud83dA", "\ud83d\n"]"#.utf8))
    #expect(document.loneSurrogateCount == 5)
    let expected = ["\u{1F600}", "\u{FFFD}", "\u{FFFD}x", "\u{FFFD}\u{1F600}", "\u{FFFD}A", "\u{FFFD}\n"]
    #expect(document.value == .array(expected.map { .string($0) }))
}

@Test func jsonRejectsInvalidUTF8() {
    for bytes: [UInt8] in [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x82]] {
        #expect(failure { try JSON.parse([0x22] + bytes + [0x22]) }.code == .corrupt)
        #expect(failure { try JSON.parse([0x22, 0x5C, 0x6E] + bytes + [0x22]) }.code == .corrupt)
    }
}

@Test func jsonTakesTheLastOfRepeatedKeys() throws {
    #expect(try parse(#"{"a": 1, "a": 2}"#)["a"] == .int(2))
}

@Test func jsonNeverTrapsOnDamage() throws {
    let text = Array(#"{"a": [1, -2.5e1, true, null, "x\u00e9\ud83d\ude00"], "b": {"c": 0.26999998092651367}}"#.utf8)
    expectTruncated(text) { try JSON.parse(Array($0)).value }
    flipBits(text, expecting: nil) { try JSON.parse(Array($0)).value }
}
