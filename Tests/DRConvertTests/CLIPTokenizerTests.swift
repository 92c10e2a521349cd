import DRConvert
import DRShardFormat
import Testing

/// A tiny vocabulary in the form of CLIP's file. Its merges, best first: `l o`, `lo w</w>`, `e r</w>`, `a a`.
private let tinyMerges = ["l o", "lo w</w>", "e r</w>", "a a"]

private func tinyTokenizer(_ merges: [String] = tinyMerges) throws -> CLIPTokenizer {
    try CLIPTokenizer(vocabulary: Gzip.stored(Array((["header"] + merges).joined(separator: "\n").utf8)))
}

/// The id of a printable ASCII byte within a word; 256 more at its end.
private func id(_ character: Character) -> UInt16 { UInt16(character.asciiValue ?? 0) - 0x21 }
private func endID(_ character: Character) -> UInt16 { id(character) + 256 }

@Suite struct CLIPTokenizerTests {
    @Test func constantsAreThoseOfTheRealVocabulary() {
        #expect(CLIPTokenizer.vocabularySize == 512 + 48_894 + 2)
        #expect(CLIPTokenizer.startToken == 49_406)
        #expect(CLIPTokenizer.endToken == 49_407)
        #expect(CLIPTokenizer.contextLength == 77)
    }

    @Test func idsAreBytesThenBytesAtTheEndThenMergesThenSpecialTokens() throws {
        let tokenizer = try tinyTokenizer()
        #expect(tokenizer.vocabularySize == 512 + 4 + 2)
        #expect(tokenizer.encode("!") == [256])
        #expect(tokenizer.encode("!x!") == [256, endID("x"), 256])
        #expect(tokenizer.encode("low") == [513])
        #expect(tokenizer.encode("LOW lower") == [513, 512, id("w"), 514])
        #expect(tokenizer.encode("<start_of_text> <END_OF_TEXT>") == [516, 517])
    }

    @Test func bytesThatDoNotPrintHaveTheLastIDs() throws {
        // U+00E9 is the bytes C3 A9, both printable in Latin-1: 94 ASCII ones, then A1 to AC, then AE to FF.
        #expect(try tinyTokenizer().encode("\u{E9}") == [94 + 12 + 0xC3 - 0xAE, 94 + 8 + 256])
        // U+0440 is D1 80; 0x80 follows 188 printable bytes and 0x00 to 0x20 and 0x7F.
        #expect(try tinyTokenizer().encode("\u{440}") == [94 + 12 + 0xD1 - 0xAE, 188 + 34 + 256])
    }

    @Test func textWithoutWordsHasNoIDs() throws {
        for text in ["", " ", "\n\t\u{A0}\u{3000}\u{85}", "\u{345}", "&nbsp;"] {
            #expect(try tinyTokenizer().encode(text).isEmpty, "\(text.debugDescription)")
        }
    }

    @Test func occurrencesOfOnePairMergeFromTheLeft() throws {
        #expect(try tinyTokenizer().encode("aaaab") == [515, 515, endID("b")])
        #expect(try tinyTokenizer().encode("aaab") == [515, id("a"), endID("b")])
    }

    @Test func longWordsMergeAsShortOnesDo() throws {
        let tokenizer = try tinyTokenizer()
        let unit: [UInt16] = [512, id("w"), id("e"), id("r"), 515, id("a")]
        let word = String(repeating: "loweraaa", count: 500) + "b"
        #expect(tokenizer.encode(word) == Array(repeatElement(unit, count: 500).joined()) + [endID("b")])
    }

    @Test func aWordOfManyLettersIsNoTrouble() throws {
        let ids = try tinyTokenizer().encode(String(repeating: "a", count: 100_000))
        #expect(ids.count == 50_001)
    }

    @Test func rememberedWordsHaveTheSameIDs() throws {
        let tokenizer = try tinyTokenizer()
        var encoder = tokenizer.makeEncoder()
        let texts = ["low lower low", "\u{E9}t\u{E9} low", "", "loooow 12 's", "low lower low"]
        for _ in 0..<3 {
            for text in texts { #expect(encoder.encode(text) == tokenizer.encode(text)) }
        }
        var ids: [UInt16] = [7]
        encoder.encode("low", into: &ids)
        #expect(ids == [7, 513])
    }

    @Test func theMemoryOfWordsStartsAgainWhenItIsFull() throws {
        let tokenizer = try tinyTokenizer()
        var encoder = tokenizer.makeEncoder()
        // 140,000 words of letters: more than are remembered.
        let letters = Array("abcdefghijklmnopqrst")
        for number in 0..<140_000 {
            var rest = number
            var word = ""
            for _ in 0..<4 {
                word.append(letters[rest % 20])
                rest /= 20
            }
            _ = encoder.encode(word)
        }
        #expect(encoder.encode("low lower") == tokenizer.encode("low lower"))
    }

    @Test func mergesBeyondTheLimitAreCut() throws {
        let merges = tinyMerges + Array(repeating: "a a", count: 48_894 - 4) + ["not a merge at all"]
        #expect(try tinyTokenizer(merges).vocabularySize == CLIPTokenizer.vocabularySize)
    }

    @Test func aFinalLineBreakIsNoMerge() throws {
        #expect(try tinyTokenizer(tinyMerges + [""]).vocabularySize == 518)
    }

    @Test func brokenVocabulariesAreCorrupt() {
        for merges in [["l"], ["l o w"], ["", "l o"], ["l  o"], ["lo w"], ["\u{7}7 a"]] {
            #expect(throws: ShardError.corrupt("")) { try tinyTokenizer(merges) }
        }
        let good = Gzip.stored(Array("header\nl o".utf8))
        for count in 0..<good.count {
            #expect(throws: ShardError.corrupt("")) { try CLIPTokenizer(vocabulary: Array(good.prefix(count))) }
        }
        for position in 10..<good.count - 4 {
            var bad = good
            bad[position] ^= 1
            #expect(throws: ShardError.corrupt("")) { try CLIPTokenizer(vocabulary: bad) }
        }
    }

    @Test func aVocabularyThatStatesTooMuchIsRefusedBeforeAllocation() {
        var bytes = Gzip.stored(Array("header\nl o".utf8))
        bytes.replaceSubrange((bytes.count - 4)..., with: [0xFF, 0xFF, 0xFF, 0xFF])
        #expect(throws: ShardError.corrupt("")) { try CLIPTokenizer(vocabulary: bytes) }
        var longer = Gzip.stored([UInt8](repeating: 0x20, count: 70_000))
        longer.replaceSubrange((longer.count - 4)..., with: [0, 0, 0x10, 0x04])
        #expect(throws: ShardError.limitExceeded("")) { try CLIPTokenizer(vocabulary: longer) }
    }
}

/// Gzip files without compression.
enum Gzip {
    static func stored(_ contents: [UInt8]) -> [UInt8] {
        var file: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF]
        var start = 0
        repeat {
            let end = min(start + 0xFFFF, contents.count)
            let count = UInt16(end - start)
            file += [end == contents.count ? 1 : 0, UInt8(count & 0xFF), UInt8(count >> 8)]
            file += [UInt8(~count & 0xFF), UInt8(~count >> 8)]
            file += contents[start..<end]
            start = end
        } while start < contents.count
        for value in [crc32(contents), UInt32(contents.count)] {
            file += (0..<4).map { UInt8(value >> (8 * $0) & 0xFF) }
        }
        return file
    }

    private static func crc32(_ bytes: [UInt8]) -> UInt32 {
        var crc: UInt32 = 0xFFFF_FFFF
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
        }
        return ~crc
    }
}
