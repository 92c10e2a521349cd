internal import CDRShard
internal import DRShard
internal import DRShardFormat

/// Bytes of the caller's.
func callersBytes(_ start: UnsafeRawPointer?, _ count: Int) -> UnsafeBufferPointer<UInt8> {
    UnsafeBufferPointer(start: start?.assumingMemoryBound(to: UInt8.self), count: start == nil ? 0 : count)
}

/// Cells of one column that lie in memory of the caller's.
// SAFETY: addresses are inside the caller's memory, as the header asks for.
struct CellColumn {
    let column: Int
    private let cells: drs_cells
    private let variantCount: Int
    /// Bytes of a cell in the caller's memory; nil: offsets tell.
    private let byteCount: Int?
    private let conversion: FloatConversion?

    init(_ cells: drs_cells, _ schema: Schema) throws(ShardError) {
        guard schema.columns.indices.contains(Int(cells.column)) else {
            throw .invalidArgument("there is no column \(cells.column)")
        }
        column = Int(cells.column)
        self.cells = cells
        variantCount = schema.variantCount(of: column)
        let type = schema.columns[column].type
        let here = ShardError.Context(column: schema.columns[column].name)
        guard let stored = type.element, let cellByteCount = type.cellByteCount else {
            byteCount = nil
            conversion = nil
            guard cells.offsets != nil else {
                throw ShardError.invalidArgument("values of any length have offsets").with(here)
            }
            return
        }
        let element = try elementType(cells.element) ?? stored
        guard cells.data != nil else { throw ShardError.invalidArgument("its data are NULL").with(here) }
        byteCount = cellByteCount / stored.byteCount * element.byteCount
        conversion = try CellColumn.conversion(element, stored, here)
    }

    private static func conversion(
        _ given: ElementType, _ stored: ElementType, _ here: ShardError.Context
    ) throws(ShardError) -> FloatConversion? {
        switch (given, stored) {
        case (stored, stored): return nil
        case (.f32, .bf16): return .f32ToBF16
        case (.f16, .bf16): return .f16ToBF16
        case (.bf16, .f32): return .bf16ToF32
        case (.f16, .f32): return .f16ToF32
        case (.f32, .f16): return .f32ToF16
        case (.bf16, .f16): return .bf16ToF16
        default: throw ShardError.invalidArgument("\(given) cannot become \(stored)").with(here)
        }
    }

    /// Sets the cells of a row, which is counted from the first of the caller's.
    func set(_ row: Int, _ object: WriterObject) throws(ShardError) {
        for variant in 0..<variantCount {
            let number = row * variantCount + variant
            if let states = cells.states, states[number] != CellState.present.rawValue {
                guard let state = CellState(rawValue: states[number]) else {
                    throw .invalidArgument("there is no state \(states[number])")
                }
                try object.writer.setMissing(state, column: column, variant: variant)
                continue
            }
            guard let byteCount else {
                try setValue(number, variant, object.writer)
                continue
            }
            let cell = cells.data?.advanced(
                by: row * Int(cells.row_stride) + variant * Int(cells.variant_stride))
            try setTensor(cell, byteCount, variant, object)
        }
    }

    private func setTensor(
        _ cell: UnsafeRawPointer?, _ byteCount: Int, _ variant: Int, _ object: WriterObject
    ) throws(ShardError) {
        guard let conversion else {
            return try object.writer.set(callersBytes(cell, byteCount).span, column: column, variant: variant)
        }
        let target = byteCount / conversion.sourceByteCount * conversion.targetByteCount
        if object.converted.count != target { object.converted = [UInt8](repeating: 0, count: target) }
        object.converted.withUnsafeMutableBytes { target in
            conversion.convert(UnsafeRawBufferPointer(start: cell, count: byteCount), into: target)
        }
        let value = object.converted
        try object.writer.set(value.span, column: column, variant: variant)
    }

    private func setValue(_ number: Int, _ variant: Int, _ writer: ShardWriter) throws(ShardError) {
        guard let offsets = cells.offsets else { return }
        let (start, end) = (offsets[number], offsets[number + 1])
        guard start >= 0, end >= start, end == start || (cells.data != nil) else {
            throw ShardError.invalidArgument("offsets \(start) and \(end)").with(
                .init(column: writer.schema.columns[column].name, variant: variant))
        }
        let value = callersBytes(cells.data?.advanced(by: Int(start)), Int(end - start))
        try writer.set(value.span, column: column, variant: variant)
    }
}
