internal import DRShardFormat

/// Embeddings of one column in some rows, as numbers: bfloat16, whatever they are stored as. A norm is off by less than
/// one part in a thousand for that.
struct EmbeddingBlock {
    let dims: Int
    private let bytes: [UInt8]

    /// - Returns: nil for a column that holds no floating point numbers of 16 or 32 bits.
    init?(_ cells: CellBlock, type: ColumnType) {
        guard case .tensor(let element, let shape) = type else { return nil }
        dims = shape.reduce(1, *)
        let conversion: FloatConversion
        switch element {
        case .bf16:
            bytes = cells.bytes
            return
        case .f16: conversion = .f16ToBF16
        case .f32: conversion = .f32ToBF16
        default: return nil
        }
        var converted = [UInt8](repeating: 0, count: cells.bytes.count / conversion.sourceByteCount * 2)
        var target = converted.mutableSpan
        conversion.convert(cells.bytes.span, into: &target)
        bytes = converted
    }

    /// The dot product of cell `a` with cell `b` of another column of the same dims.
    func dot(_ a: Int, _ other: EmbeddingBlock, _ b: Int) -> Double {
        // SAFETY: buffer subscripts check the ranges; nothing outlives the closures.
        unsafe bytes.withUnsafeBytes { mine in
            unsafe other.bytes.withUnsafeBytes { others in
                unsafe FloatKernels.bf16Dot(
                    UnsafeRawBufferPointer(rebasing: mine[range(a, 0..<dims)]),
                    UnsafeRawBufferPointer(rebasing: others[other.range(b, 0..<dims)]))
            }
        }
    }

    /// The sum of squares of some elements of cell `a`; not finite if an element is not, or if it is too large.
    func squaredNorm(_ a: Int, _ elements: Range<Int>) -> Double {
        unsafe bytes.withUnsafeBytes { mine in
            unsafe FloatKernels.bf16SquaredNorm(UnsafeRawBufferPointer(rebasing: mine[range(a, elements)]))
        }
    }

    /// Numbers of cell `a` that are NaN, and that are infinite.
    func nonFiniteCounts(_ a: Int) -> (nan: Int, infinite: Int) {
        var counts = (nan: 0, infinite: 0)
        for i in stride(from: a * dims * 2, to: (a + 1) * dims * 2, by: 2) {
            let bits = UInt16(bytes[i]) | UInt16(bytes[i + 1]) << 8
            guard bits & 0x7F80 == 0x7F80 else { continue }
            if bits & 0x7F == 0 { counts.infinite += 1 } else { counts.nan += 1 }
        }
        return counts
    }

    private func range(_ cell: Int, _ elements: Range<Int>) -> Range<Int> {
        (cell * dims + elements.lowerBound) * 2..<(cell * dims + elements.upperBound) * 2
    }
}
