import DRConvert
import DRShardFormat
import Testing

private func options(_ format: SampleWriter.Format, seed: UInt64 = 1) -> SampleWriter.Options {
    var options = SampleWriter.Options()
    options.sampleCount = 5
    options.shardCount = 2
    options.viewCount = 3
    options.captionCount = 2
    options.dims = 64
    options.format = format
    options.seed = seed
    return options
}

private func write(_ options: SampleWriter.Options, _ folder: String) throws -> [String] {
    try SampleWriter(options: options).write(reinforced: folder + "/dr", captions: folder + "/captions")
}

private func groups(_ path: String) throws -> [SampleGroup] {
    let reader = SampleGroupReader(try TarReader(path: path))
    var groups: [SampleGroup] = []
    while let group = try reader.next() { groups.append(group) }
    return groups
}

private func values(_ array: ForeignArray) -> [[Double]] {
    let width = array.element.byteCount
    let bytes = Array(array.bytes)
    let numbers = stride(from: 0, to: bytes.count, by: width).map { start in
        var bits: UInt32 = 0
        for byte in bytes[start..<start + width].reversed() { bits = bits << 8 | UInt32(byte) }
        return Double(Float(bitPattern: width == 2 ? bits << 16 : bits))
    }
    return (0..<array.shape[0]).map { Array(numbers[$0 * array.shape[1]..<($0 + 1) * array.shape[1]]) }
}

private func cosine(_ a: ArraySlice<Double>, _ b: ArraySlice<Double>) -> Double {
    zip(a, b).reduce(0) { $0 + $1.0 * $1.1 }
}

@Test(arguments: SampleWriter.Format.allCases) func generatedSamplesAreReadBack(_ format: SampleWriter.Format) throws {
    try withFolder { folder in
        let paths = try write(options(format), folder)
        #expect(
            paths.map { String($0.dropFirst(folder.count)) } == [
                "/dr/00000000.tar", "/dr/00000001.tar", "/captions/00000000.tar", "/captions/00000001.tar",
            ])
        let decoder = try DRSampleDecoder()
        var uids: Set<String> = []
        for (reinforced, captions) in zip(paths[..<2], paths[2...]) {
            for (group, other) in zip(try groups(reinforced), try groups(captions)) {
                let sample = try decoder.decode(group)
                let caption = try CaptionSample(other)
                uids.insert(sample.uid)
                #expect(caption.uid == sample.uid && caption.sha256 == sample.sha256 && caption.sha256?.count == 64)
                #expect(caption.image?.size == caption.originalSize && caption.image != nil)
                #expect(caption.caption?.isEmpty == false && sample.captionSets[0].texts.count == 2)
                #expect(sample.imageEmbeddings.shape == [3, 64] && sample.textEmbeddings.shape == [3, 64])
                for record in sample.augmentations {
                    let original = try #require(caption.originalSize)
                    let crop = try #require(record.crop)
                    #expect(Int(crop.top) + Int(crop.height) <= original.height)
                    #expect(Int(crop.left) + Int(crop.width) <= original.width)
                    for operation in record.operations {
                        let known = RandAugment.recipe[Int(operation.operation)]
                        #expect(
                            abs(operation.magnitude) == known.magnitude && (known.isSigned || operation.magnitude >= 0))
                    }
                }
            }
        }
        #expect(uids.count == 5)
    }
}

@Test func generatedEmbeddingsHaveTheGeometryOfTwoTeachers() throws {
    try withFolder { folder in
        var large = options(.float32)
        large.dims = 1536
        let sample = try DRSampleDecoder().decode(try groups(try write(large, folder)[0])[0])
        for (rows, cosines) in [
            (values(sample.imageEmbeddings), 0.8...0.99), (values(sample.textEmbeddings), 0.6...0.95),
        ] {
            for half in [0..<768, 768..<1536] {
                for row in rows { #expect(abs(cosine(row[half], row[half]) - 1) < 1e-5) }
                #expect(cosines.contains(cosine(rows[0][half], rows[1][half])))
            }
        }
    }
}

@Test(arguments: SampleWriter.Format.allCases) func sameSeedGivesTheSameBytes(_ format: SampleWriter.Format) throws {
    try withFolder { a in
        try withFolder { b in
            let first = try write(options(format), a).map { try readFile($0) }
            #expect(try write(options(format), b).map { try readFile($0) } == first)
            #expect(try write(options(format, seed: 2), b).map { try readFile($0) } != first)
        }
    }
}

@Test func generatorGivesTheNumbersOfSplitMix64() {
    // The first outputs for the seed 1234567, as published with the reference code.
    var generator = SampleGenerator(seed: 1_234_567)
    let expected: [UInt64] = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
    #expect(expected.map { _ in generator.next() } == expected)
    var sum = 0.0
    var square = 0.0
    for _ in 0..<100_000 {
        let x = generator.normal()
        sum += x
        square += x * x
    }
    #expect(abs(sum / 100_000) < 0.02 && abs(square / 100_000 - 1) < 0.02)
}

@Test func optionsThatCannotBeAreRefused() {
    for change: (inout SampleWriter.Options) -> Void in [
        { $0.sampleCount = 0 }, { $0.shardCount = 6 }, { $0.dims = 63 }, { $0.viewCount = 0 }, { $0.imageDivisor = 0 },
        { $0.compressionLevel = 13 },
    ] {
        var wrong = options(.float32)
        change(&wrong)
        #expect(failure { try SampleWriter(options: wrong) }.code == .invalidArgument)
    }
}

@Test func originalsMayBeLargerThanTheirImages() throws {
    try withFolder { folder in
        var large = options(.bfloat16)
        large.imageDivisor = 8
        let caption = try CaptionSample(try groups(try write(large, folder)[2])[0])
        let (image, original) = (try #require(caption.image?.size), try #require(caption.originalSize))
        #expect(original == ImageSize(width: 8 * image.width, height: 8 * image.height))
    }
}
