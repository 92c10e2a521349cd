/// Bytes written one number after the other, little-endian; `big` for PNG.
struct ByteWriter {
    var bytes: [UInt8] = []

    mutating func little<Number: FixedWidthInteger>(_ number: Number) {
        for i in 0..<Number.bitWidth / 8 { bytes.append(UInt8(truncatingIfNeeded: number >> Number(8 * i))) }
    }

    mutating func big(_ number: UInt32) { little(number.byteSwapped) }

    mutating func text(_ text: String) { bytes += text.utf8 }
}
