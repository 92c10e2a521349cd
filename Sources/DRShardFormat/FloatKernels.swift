internal import CDRKernels

/// Loops over embeddings. A bfloat16 or float16 value is its 16 bits, as `UInt16`.
public enum FloatKernels {
    /// Converts bfloat16 to float32, as `FloatConversion.bf16ToF32`. Precondition: both have the same count.
    public static func bf16ToF32(_ source: Span<UInt16>, into target: inout MutableSpan<Float>) {
        // SAFETY: here and below, `convert` checks the lengths; the buffers are used within the closures only.
        unsafe source.withUnsafeBytes { source in
            unsafe target.withUnsafeMutableBytes { unsafe FloatConversion.bf16ToF32.convert(source, into: $0) }
        }
    }

    /// Converts float32 to bfloat16, as `FloatConversion.f32ToBF16`. Precondition: both have the same count.
    public static func f32ToBF16(_ source: Span<Float>, into target: inout MutableSpan<UInt16>) {
        unsafe source.withUnsafeBytes { source in
            unsafe target.withUnsafeMutableBytes { unsafe FloatConversion.f32ToBF16.convert(source, into: $0) }
        }
    }

    /// Converts float16 to float32, as `FloatConversion.f16ToF32`. Precondition: both have the same count.
    public static func f16ToF32(_ source: Span<UInt16>, into target: inout MutableSpan<Float>) {
        unsafe source.withUnsafeBytes { source in
            unsafe target.withUnsafeMutableBytes { unsafe FloatConversion.f16ToF32.convert(source, into: $0) }
        }
    }

    /// Converts float32 to float16, as `FloatConversion.f32ToF16`. Precondition: both have the same count.
    public static func f32ToF16(_ source: Span<Float>, into target: inout MutableSpan<UInt16>) {
        unsafe source.withUnsafeBytes { source in
            unsafe target.withUnsafeMutableBytes { unsafe FloatConversion.f32ToF16.convert(source, into: $0) }
        }
    }

    /// Converts bfloat16 to float16, as `FloatConversion.bf16ToF16`. Precondition: both have the same count.
    public static func bf16ToF16(_ source: Span<UInt16>, into target: inout MutableSpan<UInt16>) {
        unsafe source.withUnsafeBytes { source in
            unsafe target.withUnsafeMutableBytes { unsafe FloatConversion.bf16ToF16.convert(source, into: $0) }
        }
    }

    /// Converts float16 to bfloat16, as `FloatConversion.f16ToBF16`. Precondition: both have the same count.
    public static func f16ToBF16(_ source: Span<UInt16>, into target: inout MutableSpan<UInt16>) {
        unsafe source.withUnsafeBytes { source in
            unsafe target.withUnsafeMutableBytes { unsafe FloatConversion.f16ToBF16.convert(source, into: $0) }
        }
    }

    /// The sum of the products of two rows of bfloat16, with the same bits on every processor.
    ///
    /// Products are added in float32 in 32 lanes, and these in float64 every 4,096 values; the result is within 2^-17
    /// times the sum of the products' sizes where no lane overflows. 0 for empty rows; a NaN is the positive quiet one.
    /// Precondition: both have the same count.
    public static func bf16Dot(_ a: Span<UInt16>, _ b: Span<UInt16>) -> Double {
        unsafe a.withUnsafeBytes { a in unsafe b.withUnsafeBytes { b in unsafe bf16Dot(a, b) } }
    }

    /// The same over raw memory at any alignment. Precondition: both have the same, even count of bytes.
    public static func bf16Dot(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Double {
        precondition(a.count == b.count, "rows of \(a.count) and \(b.count) bytes")
        precondition(a.count % 2 == 0, "a row of \(a.count) bytes ends inside a value")
        // SAFETY: the kernel reads exactly the bytes of both buffers.
        return unsafe cdr_bf16_dot(a.baseAddress, b.baseAddress, a.count / 2)
    }

    /// The sum of the squares of a row of bfloat16: `bf16Dot` of the row with itself.
    public static func bf16SquaredNorm(_ values: Span<UInt16>) -> Double {
        unsafe values.withUnsafeBytes { unsafe bf16SquaredNorm($0) }
    }

    /// The same over raw memory at any alignment. Precondition: an even count of bytes.
    public static func bf16SquaredNorm(_ values: UnsafeRawBufferPointer) -> Double {
        precondition(values.count % 2 == 0, "a row of \(values.count) bytes ends inside a value")
        // SAFETY: the kernel reads exactly the bytes of the buffer.
        return unsafe cdr_bf16_squared_norm(values.baseAddress, values.count / 2)
    }

    /// What rounding a row of float32 to bfloat16 cost: 1 minus the cosine of both, in float64; 0 if one is all zeros.
    ///
    /// - Parameters:
    ///   - f32: the bytes of the row, little-endian, at any alignment.
    ///   - bf16: half as many.
    public static func bf16Error(f32: Span<UInt8>, bf16: Span<UInt8>) -> Double {
        precondition(
            f32.count == 2 * bf16.count && bf16.count % 2 == 0, "rows of \(f32.count) and \(bf16.count) bytes")
        // SAFETY: the kernel reads exactly the bytes of both buffers.
        return unsafe f32.withUnsafeBufferPointer { a in
            unsafe bf16.withUnsafeBufferPointer { b in
                unsafe cdr_bf16_cosine_error(a.baseAddress, b.baseAddress, b.count / 2)
            }
        }
    }

    /// The place of the first value that is NaN or infinite, as an element; nil if there is none.
    ///
    /// - Parameters:
    ///   - values: bytes of whole values, little-endian, at any alignment.
    ///   - element: bf16, f16 or f32; for other types the answer is nil.
    public static func firstNonFinite(_ values: Span<UInt8>, _ element: ElementType) -> Int? {
        let count = values.count / element.byteCount
        // SAFETY: the kernels read exactly `count` values.
        let place = unsafe values.withUnsafeBufferPointer { buffer in
            switch element {
            case .bf16: unsafe cdr_find_non_finite_bf16(buffer.baseAddress, count)
            case .f16: unsafe cdr_find_non_finite_f16(buffer.baseAddress, count)
            case .f32: unsafe cdr_find_non_finite_f32(buffer.baseAddress, count)
            default: count
            }
        }
        return place == count ? nil : place
    }
}
