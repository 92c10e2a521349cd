import DRConvert
import Testing

private func size(_ bytes: [UInt8]) -> [Int]? { ImageSize(header: bytes[...]).map { [$0.width, $0.height] } }

private let jpeg: [UInt8] =
    [
        0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 1, 2, 0xFF, 0xFF, 0xC4, 0, 3, 9, 0xFF, 0xC2, 0, 11, 8, 0x01, 0x02, 0x03, 0x04, 1,
        1, 0x11, 0,
    ]
private let gif: [UInt8] = Array("GIF89a".utf8) + [0x04, 0x03, 0x02, 0x01, 0, 0, 0]
private let extended: [UInt8] =
    Array("RIFF\0\0\0\0WEBPVP8X".utf8) + [10, 0, 0, 0, 0, 0, 0, 0, 0x03, 0x02, 0x01, 0x01, 0, 0]
private let lossless: [UInt8] =
    Array("RIFF\0\0\0\0WEBPVP8L".utf8) + [9, 0, 0, 0, 0x2F] + UInt32(99 | 199 << 14).bytes
private let lossy: [UInt8] =
    Array("RIFF\0\0\0\0WEBPVP8 ".utf8) + [9, 0, 0, 0, 1, 2, 3, 0x9D, 0x01, 0x2A, 0x10, 0x40, 0x20, 0x80]

@Test func imageSizesAreReadFromHeaders() throws {
    #expect(size(jpeg) == [0x0304, 0x0102])
    #expect(size(gif) == [0x0304, 0x0102])
    #expect(size(extended) == [0x010203 + 1, 2])
    #expect(size(lossless) == [100, 200])
    #expect(size(lossy) == [16, 32])
    let png = try PNGWriter.write(width: 3, height: 2, pixels: randomBytes(18, seed: 1))
    #expect(size(png) == [3, 2])
}

@Test func imageSizeOfUnknownShortOrDamagedFilesIsNil() throws {
    #expect(size([]) == nil)
    #expect(size(Array("BM and so on".utf8)) == nil)
    #expect(size(gif.map { $0 < 5 ? 0 : $0 }) == nil)
    let png = try PNGWriter.write(width: 3, height: 2, pixels: randomBytes(18, seed: 1))
    for (bytes, needed) in [(jpeg, 23), (gif, 10), (extended, 30), (lossless, 25), (lossy, 30), (png, 24)] {
        for count in 0..<needed { #expect(size(Array(bytes[..<count])) == nil) }
        #expect(size(Array(bytes[..<needed])) != nil)
    }
}

@Test func imageSizeNeverTrapsOnNoise() {
    var generator = SampleGenerator(seed: 11)
    for start in [jpeg, gif, extended, lossless, lossy] {
        for _ in 0..<500 {
            var bytes = start
            for _ in 0..<3 { bytes[generator.integer(0...bytes.count - 1)] = UInt8(generator.integer(0...255)) }
            _ = size(bytes)
        }
    }
}
