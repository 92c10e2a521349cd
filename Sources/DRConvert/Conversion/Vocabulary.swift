public import DRShardFormat
public import DRText

extension CLIPTokenizer {
    /// Enough for the real vocabulary (3.2 MB), few enough to allocate.
    private static let maximumVocabularyByteCount = 64 << 20

    /// Reads a vocabulary file.
    ///
    /// - Parameter gzippedBytes: the file `bpe_simple_vocab_16e6.txt.gz` of CLIP and open_clip, or one of its form with
    ///   fewer merges.
    /// - Throws: `.corrupt` if it is no such file; `.limitExceeded` if it holds more than 64 MiB.
    /// Cost: some 150 ms for the real file.
    public init(vocabulary gzippedBytes: [UInt8]) throws(ShardError) {
        let text = try Gzip.decompress(
            gzippedBytes[...], limit: Self.maximumVocabularyByteCount, with: try Inflater())
        try self.init(vocabularyText: text)
    }
}
