import DRConvert
import DRText
import Foundation
import Testing

/// open_clip's own ids of difficult texts, if the environment variable `DRSHARD_CLIP_VOCABULARY` names the vocabulary.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["DRSHARD_CLIP_VOCABULARY"] != nil))
struct CLIPGoldenTests {
    private struct Case: Decodable {
        let text: String
        let ids: [UInt16]
        let changedByFtfy: Bool
    }

    private let tokenizer: CLIPTokenizer
    private let cases: [Case]

    init() throws {
        let path = try #require(ProcessInfo.processInfo.environment["DRSHARD_CLIP_VOCABULARY"])
        tokenizer = try CLIPTokenizer(vocabulary: [UInt8](Data(contentsOf: URL(fileURLWithPath: path))))
        let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures")
        let golden = try Data(contentsOf: fixtures.appendingPathComponent("clip_golden.json"))
        cases = try JSONDecoder().decode([Case].self, from: golden)
        try #require(cases.count > 500)
    }

    @Test func theRealVocabularyHasAllIDs() {
        #expect(tokenizer.vocabularySize == CLIPTokenizer.vocabularySize)
        #expect(tokenizer.encode("<start_of_text>a cat<end_of_text>") == [49406, 320, 2368, 49407])
    }

    @Test func idsAreThoseOfOpenClipWhereFtfyChangesNothing() {
        var encoder = tokenizer.makeEncoder()
        for example in cases where !example.changedByFtfy {
            #expect(encoder.encode(example.text) == example.ids, "\(example.text.debugDescription)")
        }
    }

    @Test func idsWithoutDoubtAreThoseOfOpenClip() {
        for example in cases where CLIPTokenizer.repairDoubt(of: example.text) == nil {
            #expect(tokenizer.encode(example.text) == example.ids, "\(example.text.debugDescription)")
        }
    }

    @Test func mostTextsThatFtfyLeavesAloneAreNotInDoubt() {
        let unchanged = cases.filter { !$0.changedByFtfy }
        let doubted = unchanged.filter { CLIPTokenizer.repairDoubt(of: $0.text) != nil }
        #expect(doubted.count * 20 < unchanged.count, "\(doubted.map(\.text.debugDescription))")
    }
}
