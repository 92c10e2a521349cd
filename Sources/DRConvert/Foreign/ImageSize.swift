/// Width and height from the header of an image file; no pixel is decoded.
package struct ImageSize: Equatable, Sendable {
    package let width: Int
    package let height: Int

    package init(width: Int, height: Int) {
        self.width = width
        self.height = height
    }

    /// Reads the header of a JPEG, PNG, WebP or GIF file as it is stored, before any EXIF rotation.
    ///
    /// Nil if the kind is unknown, the header is short or damaged, or a side is zero. For JPEG the frame header may lie
    /// deep in the file, so pass the whole file.
    package init?(header bytes: ArraySlice<UInt8>) {
        let size: (Int, Int)?
        if bytes.has([0xFF, 0xD8]) {
            size = Self.jpeg(bytes)
        } else if bytes.has([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
            size = Self.png(bytes)
        } else if bytes.has(Array("RIFF".utf8)), bytes.has(Array("WEBP".utf8), at: 8) {
            size = Self.webP(bytes)
        } else if bytes.has(Array("GIF87a".utf8)) || bytes.has(Array("GIF89a".utf8)) {
            size = Self.pair(Self.little(bytes, 6, 2), Self.little(bytes, 8, 2))
        } else {
            size = nil
        }
        guard let (width, height) = size, width > 0, height > 0 else { return nil }
        self.init(width: width, height: height)
    }

    private static func little(_ bytes: ArraySlice<UInt8>, _ offset: Int, _ byteCount: Int) -> Int? {
        try? bytes.small(offset, byteCount, "")
    }

    private static func big(_ bytes: ArraySlice<UInt8>, _ offset: Int, _ byteCount: Int) -> Int? {
        (try? bytes.part(offset, byteCount, ""))?.reduce(0) { $0 << 8 | Int($1) }
    }

    private static func pair(_ width: Int?, _ height: Int?) -> (Int, Int)? {
        guard let width, let height else { return nil }
        return (width, height)
    }

    private static func png(_ bytes: ArraySlice<UInt8>) -> (Int, Int)? {
        guard bytes.has(Array("IHDR".utf8), at: 12) else { return nil }
        return pair(big(bytes, 16, 4), big(bytes, 20, 4))
    }

    private static func jpeg(_ bytes: ArraySlice<UInt8>) -> (Int, Int)? {
        var offset = 2
        while let marker = big(bytes, offset, 2), marker >= 0xFF01 {
            if marker == 0xFFFF {  // fill byte
                offset += 1
                continue
            }
            let kind = marker & 0xFF
            // Frame headers are C0...CF but for DHT, JPG and DAC.
            if (0xC0...0xCF).contains(kind), ![0xC4, 0xC8, 0xCC].contains(kind) {
                return pair(big(bytes, offset + 7, 2), big(bytes, offset + 5, 2))
            }
            if kind == 0xD9 || kind == 0xDA { return nil }
            if kind == 0x01 || (0xD0...0xD8).contains(kind) {
                offset += 2
                continue
            }
            guard let byteCount = big(bytes, offset + 2, 2), byteCount >= 2 else { return nil }
            offset += 2 + byteCount
        }
        return nil
    }

    private static func webP(_ bytes: ArraySlice<UInt8>) -> (Int, Int)? {
        if bytes.has(Array("VP8X".utf8), at: 12) {
            guard let (width, height) = pair(little(bytes, 24, 3), little(bytes, 27, 3)) else { return nil }
            return (width + 1, height + 1)
        }
        if bytes.has(Array("VP8L".utf8), at: 12), bytes.has([0x2F], at: 20), let bits = little(bytes, 21, 4) {
            return (bits & 0x3FFF + 1, bits >> 14 & 0x3FFF + 1)
        }
        if bytes.has(Array("VP8 ".utf8), at: 12), bytes.has([0x9D, 0x01, 0x2A], at: 23) {
            guard let (width, height) = pair(little(bytes, 26, 2), little(bytes, 28, 2)) else { return nil }
            return (width & 0x3FFF, height & 0x3FFF)
        }
        return nil
    }
}
