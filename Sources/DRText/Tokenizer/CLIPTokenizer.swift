public import DRShardFormat

/// CLIP's byte-pair tokenizer, as open_clip 3.3.0's `SimpleTokenizer` works with its defaults.
///
/// The ids are those of open_clip wherever `repairDoubt(of:)` returns nil: wherever the Python library ftfy, which
/// open_clip calls first, would leave the text as it is, or would change nothing that the ids depend on. Of its repairs
/// only that of character widths is attempted. An immutable value: share it between threads, and give each thread an
/// `Encoder` of its own.
public struct CLIPTokenizer: Sendable {
    /// The number of ids of the real vocabulary.
    public static let vocabularySize = 49_408
    /// The id that opens a sequence, `<start_of_text>`, in the real vocabulary.
    public static let startToken: UInt16 = 49_406
    /// The id that closes a sequence, `<end_of_text>`, in the real vocabulary.
    public static let endToken: UInt16 = 49_407
    /// The length to which CLIP models pad or cut a sequence, both special tokens counted.
    public static let contextLength = 77

    /// The number of ids of this vocabulary: `vocabularySize` for the real one.
    public var vocabularySize: Int { 512 + vocabulary.mergeCount + 2 }

    let vocabulary: BytePairVocabulary

    /// Reads a vocabulary.
    ///
    /// - Parameter vocabularyText: what is in `bpe_simple_vocab_16e6.txt.gz` of CLIP and open_clip, or a text of its form
    ///   with fewer merges. Merges beyond 48,894 are ignored, as in CLIP.
    /// - Throws: `.corrupt` if it is no such text.
    /// Cost: some 130 ms for the real one.
    public init(vocabularyText: [UInt8]) throws(ShardError) {
        vocabulary = try BytePairVocabulary(text: vocabularyText)
    }

    /// An encoder with an empty cache.
    public func makeEncoder() -> Encoder { Encoder(vocabulary: vocabulary) }

    /// The ids of one text, without special tokens, not cut. For many texts use an `Encoder`.
    public func encode(_ text: String) -> [UInt16] {
        var encoder = makeEncoder()
        return encoder.encode(text)
    }

    /// Why the ids of a text may differ from open_clip's, or nil if they do not.
    ///
    /// - Returns: nil for every text of printable ASCII, tabs and line breaks that has no `&`.
    /// Cost: O(length).
    public static func repairDoubt(of text: String) -> RepairDoubt? {
        RepairDoubt.first(in: text)
    }
}

extension CLIPTokenizer {
    /// A tokenizer that remembers the words it has met: one per thread.
    ///
    /// The memory of words is bounded: it is dropped and starts again when it is full.
    public struct Encoder: Sendable {
        private let vocabulary: BytePairVocabulary
        private var cache = WordCache()
        private var word: [UInt8] = []

        init(vocabulary: BytePairVocabulary) { self.vocabulary = vocabulary }

        /// The ids of one text, without special tokens, not cut; none for a text of white space alone.
        ///
        /// `<start_of_text>` and `<end_of_text>` in the text become the special tokens, as in open_clip.
        /// Cost: O(length), and O(n log n) for a word of n bytes that is not remembered.
        public mutating func encode(_ text: String) -> [UInt16] {
            var result: [UInt16] = []
            encode(text, into: &result)
            return result
        }

        /// The same, appended to `ids`.
        public mutating func encode(_ text: String, into ids: inout [UInt16]) {
            let cleaned = TextCleaning.clean(text.unicodeScalars.map(\.value))
            var position = 0
            while let end = WordSplitter.nextWord(in: cleaned, from: &position) {
                word.removeAll(keepingCapacity: true)
                for index in position..<end { UTF8Bytes.append(cleaned[index], to: &word) }
                position = end
                appendWord(to: &ids)
            }
        }

        private mutating func appendWord(to ids: inout [UInt16]) {
            let hash = WordCache.hash(word)
            if cache.append(word, hash: hash, to: &ids) { return }
            let wordIDs = specialToken().map { [$0] } ?? vocabulary.ids(of: word)
            cache.insert(word, hash: hash, ids: wordIDs)
            ids += wordIDs
        }

        private static let startMarker = Array("<start_of_text>".utf8)
        private static let endMarker = Array("<end_of_text>".utf8)

        private func specialToken() -> UInt16? {
            if word == Self.startMarker { return UInt16(512 + vocabulary.mergeCount) }
            if word == Self.endMarker { return UInt16(512 + vocabulary.mergeCount + 1) }
            return nil
        }
    }
}
