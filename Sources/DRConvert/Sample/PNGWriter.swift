package import DRShardFormat

/// Writes a small 8-bit RGB image as PNG.
package enum PNGWriter {
    /// - Parameters:
    ///   - pixels: `[height, width, 3]` bytes.
    /// - Throws: `.invalidArgument` if `pixels` has another size or a side is 0.
    package static func write(width: Int, height: Int, pixels: [UInt8]) throws(ShardError) -> [UInt8] {
        guard width > 0, height > 0, width < 1 << 16, height < 1 << 16, pixels.count == width * height * 3 else {
            throw .invalidArgument("\(pixels.count) bytes of pixels for an image of \(width) x \(height)")
        }
        var rows: [UInt8] = []
        rows.reserveCapacity(pixels.count + height)
        for y in 0..<height {
            rows.append(1)  // filter "sub": differences to the pixel on the left
            for i in 0..<width * 3 {
                let left = i < 3 ? 0 : pixels[y * width * 3 + i - 3]
                rows.append(pixels[y * width * 3 + i] &- left)
            }
        }
        var header = ByteWriter()
        header.big(UInt32(width))
        header.big(UInt32(height))
        header.bytes += [8, 2, 0, 0, 0]
        var output = ByteWriter(bytes: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
        chunk("IHDR", header.bytes, &output)
        chunk("IDAT", try Deflate.compress(rows, as: .zlib, level: 9), &output)
        chunk("IEND", [], &output)
        return output.bytes
    }

    private static func chunk(_ type: String, _ data: [UInt8], _ output: inout ByteWriter) {
        output.big(UInt32(data.count))
        let start = output.bytes.count
        output.text(type)
        output.bytes += data
        output.big(Deflate.crc32(output.bytes[start...]))
    }
}
