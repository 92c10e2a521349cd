internal import CDRKernels

/// Cells of one page, each a unit of its own and present, that are decoded to their places in one go: most cells of a
/// batch. Kept from one page to the next.
// SAFETY: callers give stored bytes and targets that are valid until `decode` returns; counts are compared there.
@safe package final class CellBatch {
    private var cells: [cdr_cell] = unsafe []
    private let plainRoom = WorkingMemory()
    private let targetRoom = WorkingMemory()

    package init() {}

    package var count: Int { unsafe cells.count }
    package var workingByteCount: Int {
        unsafe cells.capacity * MemoryLayout<cdr_cell>.stride + plainRoom.byteCount + targetRoom.byteCount
    }

    package func clear() { unsafe cells.removeAll(keepingCapacity: true) }

    /// Adds a cell.
    /// - Parameters:
    ///   - stored: its stored bytes; 64 more behind them can be read.
    ///   - target: has room for a cell as it comes out.
    package func append(_ stored: UnsafeRawPointer, count: Int, checksum: UInt32, target: UnsafeMutableRawPointer) {
        unsafe cells.append(
            cdr_cell(
                stored: stored, target: target, stored_count: UInt32(truncatingIfNeeded: count), checksum: checksum))
    }

    /// Decodes the cells from `start` on, in their order, up to the first that is damaged or stored in some other way.
    /// - Parameters:
    ///   - cellByteCount: of a cell as it is plain.
    ///   - valueByteCount: of one of its values.
    ///   - exponents: of the page; nil for one that is not encoded so.
    ///   - isStreamed: whether to write past the cache; `StreamedCopy.fence` is the caller's then.
    /// - Returns: the number of that cell; the count if there is none.
    package func decode(
        from start: Int, cellByteCount: Int, valueByteCount: Int, exponents: ExponentTable?,
        conversion: FloatConversion?, checks: Bool, isStreamed: Bool
    ) -> Int {
        let targetByteCount =
            conversion.map { cellByteCount / $0.sourceByteCount * $0.targetByteCount } ?? cellByteCount
        let isTwoSteps = conversion != nil && conversion != .bf16ToF32
        // SAFETY: rooms have the sizes that the kernel is told; the table and the array live during the call.
        var job = unsafe cdr_cell_job(
            planes: exponents?.pointer, convert: conversion?.kernel, to_f32: conversion == .bf16ToF32 ? 1 : 0,
            plain_count: cellByteCount, value_count: conversion?.sourceByteCount ?? valueByteCount,
            target_count: targetByteCount, checks: checks ? 1 : 0,
            plain_room: isTwoSteps ? plainRoom.room(cellByteCount).baseAddress : nil,
            target_room: isStreamed ? targetRoom.room(targetByteCount).baseAddress : nil)
        return unsafe cells.withUnsafeBufferPointer { cells in
            unsafe start + cdr_cells_decode(&job, cells.baseAddress?.advanced(by: start), cells.count - start)
        }
    }
}

extension FloatConversion {
    fileprivate var kernel: @convention(c) (UnsafeRawPointer?, UnsafeMutableRawPointer?, Int) -> Void {
        switch self {
        case .bf16ToF32: { unsafe cdr_bf16_to_f32($0, $1, $2) }
        case .f32ToBF16: { unsafe cdr_f32_to_bf16($0, $1, $2) }
        case .f16ToF32: { unsafe cdr_f16_to_f32($0, $1, $2) }
        case .f32ToF16: { unsafe cdr_f32_to_f16($0, $1, $2) }
        case .bf16ToF16: { unsafe cdr_bf16_to_f16($0, $1, $2) }
        case .f16ToBF16: { unsafe cdr_f16_to_bf16($0, $1, $2) }
        }
    }
}
