package import DRShardFormat

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

    /// The bytes of a row of a matrix.
    func rowBytes(_ row: Int) -> ArraySlice<UInt8> {
        let byteCount = shape[1] * element.byteCount
        return bytes[bytes.startIndex + row * byteCount..<bytes.startIndex + (row + 1) * byteCount]
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
