import DRConvert
import DRShardFormat
import DRText
import Testing

/// A tiny vocabulary in the form of CLIP's file. Its merges, best first: `l o`, `lo w</w>`, `e r</w>`, `a a`.
private let tinyMerges = ["l o", "lo w</w>", "e r</w>", "a a"]

private func tinyTokenizer(_ merges: [String] = tinyMerges) throws -> CLIPTokenizer {
    try CLIPTokenizer(
        vocabulary: try Deflate.compress(Array((["header"] + merges).joined(separator: "\n").utf8), as: .gzip))
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

    @Test func brokenVocabulariesAreRefused() throws {
        for merges in [["l"], ["l o w"], ["", "l o"], ["l  o"], ["lo w"], ["\u{7}7 a"]] {
            #expect(throws: ShardError.corrupt("")) { try tinyTokenizer(merges) }
        }
        let good = try Deflate.compress(Array("header\nl o".utf8), as: .gzip)
        for count in 0..<good.count {
            #expect(throws: ShardError.self) { try CLIPTokenizer(vocabulary: Array(good.prefix(count))) }
        }
        for position in 10..<good.count - 4 {
            var bad = good
            bad[position] ^= 1
            #expect(throws: ShardError.self) { try CLIPTokenizer(vocabulary: bad) }
        }
    }
}
