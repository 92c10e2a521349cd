internal import CDRKernels

/// A conversion between the element types of embeddings.
///
/// Every conversion rounds to nearest, ties to even, and exactly once; denormals and the sign of zero are kept. Nothing
/// saturates: what rounds beyond the largest finite value becomes infinity (from 65,520 on for float16). A NaN stays a
/// NaN and keeps its sign and the upper bits of its fraction; it becomes quiet, except that bfloat16 to float32 changes
/// no bit. The bits of a result don't depend on the processor.
///
/// Cost: near the speed of memory; targets of 16 MiB and more are written past the cache, so that a reader right after
/// finds them in memory.
public enum FloatConversion: CaseIterable, Sendable {
    case bf16ToF32
    case f32ToBF16
    case f16ToF32
    case f32ToF16
    case bf16ToF16
    case f16ToBF16

    /// Bytes of one value before the conversion.
    public var sourceByteCount: Int { self == .f32ToBF16 || self == .f32ToF16 ? 4 : 2 }

    /// Bytes of one value after the conversion.
    public var targetByteCount: Int { self == .bf16ToF32 || self == .f16ToF32 ? 4 : 2 }

    /// Converts values that lie as bytes, little-endian, at any alignment.
    ///
    /// Precondition: `source` holds whole values, and `target` has room for exactly as many.
    public func convert(_ source: Span<UInt8>, into target: inout MutableSpan<UInt8>) {
        // SAFETY: the overload checks the lengths; the buffers are used within the closures only.
        unsafe source.withUnsafeBytes { source in
            unsafe target.withUnsafeMutableBytes { target in unsafe convert(source, into: target) }
        }
    }

    /// The same over raw memory. The buffers may not overlap.
    public func convert(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) {
        let count = source.count / sourceByteCount
        precondition(source.count % sourceByteCount == 0, "a source of \(source.count) bytes ends inside a value")
        precondition(target.count == count * targetByteCount, "\(count) values for a target of \(target.count) bytes")
        // SAFETY: a kernel reads and writes exactly `count` values, and needs no alignment.
        switch self {
        case .bf16ToF32: unsafe cdr_bf16_to_f32(source.baseAddress, target.baseAddress, count)
        case .f32ToBF16: unsafe cdr_f32_to_bf16(source.baseAddress, target.baseAddress, count)
        case .f16ToF32: unsafe cdr_f16_to_f32(source.baseAddress, target.baseAddress, count)
        case .f32ToF16: unsafe cdr_f32_to_f16(source.baseAddress, target.baseAddress, count)
        case .bf16ToF16: unsafe cdr_bf16_to_f16(source.baseAddress, target.baseAddress, count)
        case .f16ToBF16: unsafe cdr_f16_to_bf16(source.baseAddress, target.baseAddress, count)
        }
    }
}
