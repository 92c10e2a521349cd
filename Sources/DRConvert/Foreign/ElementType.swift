/// What one element of a foreign array is: little-endian, in the file's own width.
package enum ElementType: String, Sendable, CaseIterable {
    case bool, uint8, int8, uint16, int16, uint32, int32, uint64, int64, float16, bfloat16, float32, float64

    package var byteCount: Int {
        switch self {
        case .bool, .uint8, .int8: 1
        case .uint16, .int16, .float16, .bfloat16: 2
        case .uint32, .int32, .float32: 4
        case .uint64, .int64, .float64: 8
        }
    }
}

/// A dense array in row-major order, as it lay in a foreign file.
package struct ForeignArray: Sendable, Equatable {
    package let element: ElementType
    /// Extents, outermost first; empty for a scalar.
    package let shape: [Int]
    /// Exactly the product of `shape` times `element.byteCount` bytes; shares storage with the file it came from.
    package let bytes: ArraySlice<UInt8>

    package init(element: ElementType, shape: [Int], bytes: ArraySlice<UInt8>) {
        self.element = element
        self.shape = shape
        self.bytes = bytes
    }

    /// The byte count of an array; nil for a negative extent or a product beyond `Int`.
    static func byteCount(_ element: ElementType, _ shape: [Int]) -> Int? {
        var total = element.byteCount
        var hasOverflow = false
        for extent in shape {
            guard extent >= 0 else { return nil }
            if extent == 0 { return 0 }
            let (product, overflow) = total.multipliedReportingOverflow(by: extent)
            total = product
            hasOverflow = hasOverflow || overflow
            if overflow { total = 1 }
        }
        return hasOverflow ? nil : total
    }
}
