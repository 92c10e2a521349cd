internal import DRShardFormat

/// The rows of an embedding matrix, as they are stored.
struct EmbeddingRows {
    /// Bytes of all rows in the stored element type.
    let bytes: ArraySlice<UInt8>
    private let rowByteCount: Int
    let rowCount: Int

    /// - Throws: `.corrupt` naming row and dimension of the first NaN or infinity.
    init(_ array: ForeignArray, name: String, storedAs element: ElementType) throws(ShardError) {
        rowCount = array.shape[0]
        rowByteCount = array.shape[1] * element.byteCount
        if let bad = array.bytes.withSpan({ FloatKernels.firstNonFinite($0, array.element) }) {
            throw .corrupt("\(name): row \(bad / array.shape[1]), dimension \(bad % array.shape[1]) is NaN or infinite")
        }
        bytes = array.element == .f32 && element == .bf16 ? EmbeddingRows.bfloat16(array.bytes) : array.bytes
    }

    subscript(row: Int) -> ArraySlice<UInt8> {
        bytes[bytes.startIndex + row * rowByteCount..<bytes.startIndex + (row + 1) * rowByteCount]
    }

    /// The element at `index` of a matrix of floats; nil for another element type.
    static func value(_ array: ForeignArray, _ index: Int) -> Float? {
        let i = array.bytes.startIndex + index * array.element.byteCount
        func u16(_ i: Int) -> UInt16 { UInt16(array.bytes[i]) | UInt16(array.bytes[i + 1]) << 8 }
        switch array.element {
        case .bf16: return Float(bitPattern: UInt32(u16(i)) << 16)
        case .f16: return float16(u16(i))
        case .f32: return Float(bitPattern: UInt32(u16(i)) | UInt32(u16(i + 2)) << 16)
        default: return nil
        }
    }

    private static func float16(_ bits: UInt16) -> Float {
        let exponent = Int(bits >> 10 & 31)
        let fraction = Float(bits & 1023)
        let size: Float =
            exponent == 31
            ? (fraction == 0 ? .infinity : .nan)
            : exponent == 0
                ? fraction * 0x1p-24
                : (1 + fraction * 0x1p-10) * Float(sign: .plus, exponent: exponent - 15, significand: 1)
        return bits >> 15 == 1 ? -size : size
    }

    /// float32 to bfloat16, to nearest and ties to even; the values are finite.
    private static func bfloat16(_ source: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        source.withSpan { span in
            var target = [UInt8](repeating: 0, count: span.count / 2)
            var targetSpan = target.mutableSpan
            FloatConversion.f32ToBF16.convert(span, into: &targetSpan)
            return target[...]
        }
    }
}

extension ArraySlice<UInt8> {
    func withSpan<R>(_ body: (Span<UInt8>) -> R) -> R { body(span) }
}
