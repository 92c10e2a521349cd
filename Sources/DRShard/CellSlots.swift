internal import DRShardFormat

/// Where the cells of a batch go in the caller's memory, and as what: checked once, for shards and data sets alike.
// SAFETY: `init` checks that every slot lies in `target`, which is only used while the call that made it runs.
@safe struct CellSlots {
    /// Of a cell as it comes out.
    private let byteCount: Int
    private let stride: Int
    /// The slot of each cell; nil: its own place.
    private let slots: [Int]?
    private let target: UnsafeMutableRawBufferPointer
    /// Where each cell goes, if that is not a slot of the target.
    private let places: [UnsafeMutableRawPointer]?
    /// Whether to write past the cache.
    let isStreamed: Bool
    let conversion: FloatConversion?

    /// - Parameters:
    ///   - slots: the cell `i` goes to byte `slots[i] * stride`; nil: to `i * stride`.
    ///   - element: what the column's elements become; nil: what they are.
    /// - Throws: `.invalidArgument` if the column is no tensor, has no such conversion, or a cell would not lie in the
    ///   target.
    init(
        _ schema: Schema, column: Int, count: Int, slots: [Int]? = nil, stride: Int?, element: ElementType?,
        target: UnsafeMutableRawBufferPointer
    ) throws(ShardError) {
        (byteCount, conversion) = try CellSlots.shape(schema, column: column, as: element)
        self.stride = stride ?? byteCount
        self.slots = slots
        unsafe self.target = target
        unsafe places = nil
        isStreamed = false
        guard slots?.count ?? count == count, self.stride >= byteCount, slots?.min() ?? 0 >= 0 else {
            throw .invalidArgument("slots or stride do not fit \(count) cells of \(byteCount) bytes")
        }
        guard count > 0 else { return }
        let (start, overflow) = (slots?.max() ?? count - 1).multipliedReportingOverflow(by: self.stride)
        guard !overflow, byteCount <= target.count, start <= target.count - byteCount else {
            throw .invalidArgument("\(target.count) bytes are too few for \(count) cells of \(byteCount) bytes")
        }
    }

    /// Places anywhere: the caller sees to it that each has room for a cell as it comes out, while the value is used.
    /// - Parameter isStreamed: whether to write past the cache; `StreamedCopy.fence` is the caller's then.
    /// - Throws: `.invalidArgument` if the column is no tensor, or has no such conversion.
    init(
        _ schema: Schema, column: Int, places: [UnsafeMutableRawPointer], element: ElementType?, isStreamed: Bool
    ) throws(ShardError) {
        (byteCount, conversion) = try CellSlots.shape(schema, column: column, as: element)
        stride = 0
        slots = nil
        unsafe target = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        unsafe self.places = places
        self.isStreamed = isStreamed
    }

    /// What cells of a column come out as.
    private static func shape(_ schema: Schema, column: Int, as element: ElementType?) throws(ShardError) -> (
        byteCount: Int, conversion: FloatConversion?
    ) {
        guard schema.columns.indices.contains(column), let cell = schema.columns[column].type.cellByteCount,
            let stored = schema.columns[column].type.element
        else { throw .invalidArgument("column \(column) is no tensor") }
        let element = element ?? stored
        return (cell / stored.byteCount * element.byteCount, try conversion(from: stored, to: element))
    }

    private init(_ other: CellSlots, slots: [Int]) {
        byteCount = other.byteCount
        stride = other.stride
        self.slots = slots
        unsafe target = other.target
        unsafe places = nil
        isStreamed = false
        conversion = other.conversion
    }

    /// The slots of some of the cells.
    func part(_ indexes: [Int]) -> CellSlots {
        CellSlots(self, slots: slots.map { slots in indexes.map { slots[$0] } } ?? indexes)
    }

    private static func conversion(from stored: ElementType, to element: ElementType) throws(ShardError)
        -> FloatConversion?
    {
        switch (stored, element) {
        case (stored, stored): nil
        case (.bf16, .f32): .bf16ToF32
        case (.f32, .bf16): .f32ToBF16
        case (.f16, .f32): .f16ToF32
        case (.f32, .f16): .f32ToF16
        case (.bf16, .f16): .bf16ToF16
        case (.f16, .bf16): .f16ToBF16
        default: throw .invalidArgument("elements of \(stored) are not read as \(element)")
        }
    }

    /// The memory of a cell.
    func memory(_ index: Int) -> UnsafeMutableRawBufferPointer {
        if let places = unsafe places {
            return unsafe UnsafeMutableRawBufferPointer(start: places[index], count: byteCount)
        }
        let start = (slots?[index] ?? index) * stride
        return unsafe UnsafeMutableRawBufferPointer(rebasing: target[start..<start + byteCount])
    }

    /// Puts a cell's value into its memory; of a missing one, zeros.
    func copy(_ value: UnsafeRawBufferPointer, _ index: Int, state: CellState) {
        if state != .present {
            unsafe memory(index).initializeMemory(as: UInt8.self, repeating: 0)
        } else if let conversion {
            unsafe conversion.convert(value, into: memory(index))
        } else {
            unsafe memory(index).copyMemory(from: value)
        }
    }
}
