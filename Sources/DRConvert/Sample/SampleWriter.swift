package import DRShardFormat
internal import DRText

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Writes a small data set in the layout of DataCompDR, out of a seed, so that drshard can be tried without a download.
///
/// Everything in it is made up: embeddings have the geometry of CLIP and mean nothing, captions are word salad, and
/// `sha256` is the hash of nothing. The same options give the same bytes with the same versions of libarchive and
/// libdeflate.
package struct SampleWriter {
    package enum Format: String, Sendable, CaseIterable {
        /// bfloat16 in `.pth.gz`, as DataCompDR-12M-bf16 has it.
        case bfloat16
        /// float32 in `.npz`, as DataCompDR-12M and -1B have it.
        case float32
    }

    package struct Options: Sendable {
        package var sampleCount = 64
        package var shardCount = 1
        package var viewCount = 10
        /// Synthetic captions a sample; the real one comes on top.
        package var captionCount = 5
        /// Both teachers together.
        package var dims = 1536
        package var format = Format.bfloat16
        package var seed: UInt64 = 0
        /// How many times larger than the stored image the original is said to be: crops are in the original's pixels.
        package var imageDivisor = 1
        package var compressionLevel = 9

        package init() {}
    }

    package let options: Options

    /// - Throws: `.invalidArgument` for a count below 1, an odd or tiny `dims`, or an unknown compression level.
    package init(options: Options) throws(ShardError) {
        guard options.sampleCount >= 1, options.sampleCount <= 10_000_000,
            (1...99_999_999).contains(options.shardCount),
            options.shardCount <= options.sampleCount
        else {
            throw .invalidArgument("\(options.sampleCount) samples in \(options.shardCount) shards")
        }
        guard (1...1000).contains(options.viewCount), (0...1000).contains(options.captionCount) else {
            throw .invalidArgument("\(options.viewCount) views and \(options.captionCount) captions, at most 1000 each")
        }
        guard options.dims.isMultiple(of: 2), (2...65_536).contains(options.dims) else {
            throw .invalidArgument("\(options.dims) dims, expected an even number of 2...65,536")
        }
        guard (1...64).contains(options.imageDivisor), (1...12).contains(options.compressionLevel) else {
            throw .invalidArgument(
                "image divisor \(options.imageDivisor), compression level \(options.compressionLevel)")
        }
        self.options = options
    }

    /// Writes `00000000.tar` and so on into two folders, which are made if they are not there.
    ///
    /// - Parameters:
    ///   - reinforced: for embeddings, synthetic captions and augmentations.
    ///   - captions: for images, real captions and the sizes of the originals.
    /// - Returns: the paths written, reinforced ones first.
    package func write(reinforced: String, captions: String) throws(ShardError) -> [String] {
        for folder in [reinforced, captions] {
            // SAFETY: the path is a string that lives through the call.
            guard unsafe mkdir(folder, 0o777) == 0 || errno == EEXIST else {
                throw ShardError.io("the folder cannot be made").with(.init(path: folder))
            }
        }
        var generator = SampleGenerator(seed: options.seed)
        let embeddings = SampleEmbeddings(dims: options.dims, &generator)
        var paths: ([String], [String]) = ([], [])
        for shard in 0..<options.shardCount {
            let digits = String(shard)
            let name = "/" + String(repeating: "0", count: 8 - digits.count) + digits + ".tar"
            let (first, second) = (try TarWriter(path: reinforced + name), try TarWriter(path: captions + name))
            let count = options.sampleCount * (shard + 1) / options.shardCount
            for _ in options.sampleCount * shard / options.shardCount..<count {
                try sample(embeddings, &generator, first, second)
            }
            try first.finish()
            try second.finish()
            paths.0.append(reinforced + name)
            paths.1.append(captions + name)
        }
        return paths.0 + paths.1
    }

    private func sample(
        _ embeddings: SampleEmbeddings, _ generator: inout SampleGenerator, _ reinforced: TarWriter,
        _ captions: TarWriter
    ) throws(ShardError) {
        let uid = generator.hexadecimal(32)
        let identity = [
            (key: "uid", value: JSONText.string(uid)), ("sha256", JSONText.string(generator.hexadecimal(64))),
        ]
        let (width, height) = (generator.integer(64...160), generator.integer(64...160))
        let original = ImageSize(width: width * options.imageDivisor, height: height * options.imageDivisor)

        try captions.add("\(uid).png", try image(width, height, &generator))
        let sides = [
            (key: "original_width", value: String(original.width)), ("original_height", String(original.height)),
        ]
        try captions.add("\(uid).json", Array(JSONText.object(identity + sides).utf8))
        try captions.add("\(uid).txt", Array(SampleWords.real(&generator).utf8))

        try reinforced.add("\(uid).url.txt", Array("https://example.com/\(uid).png".utf8))
        var texts: [String] = []
        for _ in 0..<options.captionCount { texts.append(JSONText.string(SampleWords.synthetic(&generator))) }
        try reinforced.add("\(uid).syn.json", Array(JSONText.object([("syn_text", JSONText.array(texts))]).utf8))
        var augmentations: [String] = []
        for _ in 0..<options.viewCount {
            let drawn = SampleAugmentation.draw(original, &generator)
            augmentations.append(JSONText.augmentation(drawn.box, drawn.operations))
        }
        let list = JSONText.object([("param_aug", JSONText.array(augmentations))])
        try reinforced.add("\(uid).paug.json", Array(list.utf8))
        let rows = embeddings.rows(views: options.viewCount, captions: options.captionCount + 1, &generator)
        let arrays = [(name: "image_emb", array: array(rows.image)), (name: "text_emb", array: array(rows.text))]
        switch options.format {
        case .bfloat16:
            let file = try TorchWriter.write(arrays)
            try reinforced.add(
                "\(uid).pth.gz", try Deflate.compress(file, as: .gzip, level: options.compressionLevel))
        case .float32:
            try reinforced.add("\(uid).npz", try NpzWriter.write(arrays, level: options.compressionLevel))
        }
        try reinforced.add("\(uid).json", Array(JSONText.object(identity).utf8))
    }

    private func array(_ rows: [[Float]]) -> ForeignArray {
        var output = ByteWriter()
        for value in rows.joined() {
            let bits = value.bitPattern
            switch options.format {
            // Round to nearest, ties to even; the values are finite and at most 1.
            case .bfloat16: output.little(UInt16((bits + 0x7FFF + (bits >> 16 & 1)) >> 16))
            case .float32: output.little(bits)
            }
        }
        return ForeignArray(
            element: options.format == .bfloat16 ? .bf16 : .f32, shape: [rows.count, options.dims],
            bytes: output.bytes[...])
    }

    /// Two colours that run into each other and a third in a rectangle: small as PNG, and not all alike.
    private func image(_ width: Int, _ height: Int, _ generator: inout SampleGenerator) throws(ShardError) -> [UInt8] {
        var colors: [[Int]] = []
        for _ in 0..<3 {
            let bits = Int(generator.next() & 0xFF_FFFF)
            colors.append([bits & 255, bits >> 8 & 255, bits >> 16])
        }
        let (left, top) = (generator.integer(0...width / 2), generator.integer(0...height / 2))
        var pixels: [UInt8] = []
        for y in 0..<height {
            for x in 0..<width {
                let isInside = (left..<left + width / 3).contains(x) && (top..<top + height / 3).contains(y)
                for c in 0..<3 {
                    let mixed = (colors[0][c] * (width - x) + colors[1][c] * x) / width
                    pixels.append(UInt8(isInside ? colors[2][c] : mixed))
                }
            }
        }
        return try PNGWriter.write(width: width, height: height, pixels: pixels)
    }
}
