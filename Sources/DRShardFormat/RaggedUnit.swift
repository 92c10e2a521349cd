/// The plain bytes of a unit of a ragged type: a varint per cell, its byte count; then the values. Spec: FORMAT.md 6.1.
package enum RaggedUnit {
    /// The byte range of each cell's value in `plain`.
    /// - Throws: `.corrupt` if the counts do not fill the unit exactly. Spec: [R-UNIT-1].
    package static func cellRanges(_ plain: [UInt8], cellCount: Int) throws(ShardError) -> [Range<Int>] {
        guard cellCount <= plain.count else { throw .corrupt("a unit of \(plain.count) bytes for \(cellCount) cells") }
        var cursor = ByteCursor(plain, of: "unit")
        var counts: [Int] = []
        counts.reserveCapacity(cellCount)
        for _ in 0..<cellCount { counts.append(Int(try cursor.varint())) }
        var ranges: [Range<Int>] = []
        ranges.reserveCapacity(cellCount)
        var start = cursor.offset
        for count in counts {
            guard count <= plain.count - start else { throw .corrupt("unit: a cell of \(count) bytes, \(plain.count - start) are left") }
            guard count <= Limits.maximumCellByteCount else { throw .limitExceeded("unit: a cell of \(count) bytes") }
            ranges.append(start..<start + count)
            start += count
        }
        guard start == plain.count else { throw .corrupt("unit: \(plain.count - start) bytes too many") }
        return ranges
    }

    package static func varintByteCount(_ count: Int) -> Int {
        count < 1 << 7 ? 1 : count < 1 << 14 ? 2 : count < 1 << 21 ? 3 : count < 1 << 28 ? 4 : 5
    }
}

/// Checks a canonical value against its column's type. Spec: FORMAT.md section 6.2.
package enum CellValue {
    /// - Throws: `.corrupt` for bytes that are no value of the type, `.unsupportedFeature` for newer items in it.
    package static func check(_ value: Span<UInt8>, type: ColumnType) throws(ShardError) {
        switch type {
        case .tensor(_, _):
            guard value.count == type.cellByteCount else {
                throw .corrupt("a cell of \(value.count) bytes, where the type has \(type.cellByteCount ?? 0)")
            }
        case .ragged(let element):
            guard value.count % element.byteCount == 0 else {
                throw .corrupt("a cell of \(value.count) bytes of \(element)")
            }
        case .utf8:
            // SAFETY: the bytes are only read, inside the closure.
            let isValid = unsafe value.withUnsafeBufferPointer { bytes in
                unsafe String(validating: bytes, as: UTF8.self) != nil
            }
            guard isValid else { throw .corrupt("a text is not UTF-8") }
        case .binary: break
        case .operations: _ = try Augmentation(parsing: bytes(value))
        case .locator: _ = try Locator(parsing: bytes(value))
        }
    }

    /// Checks that token ids belong to their vocabulary. Spec: [R-TYPE-5].
    /// - Throws: `.corrupt` for the first one that does not, negative ones included.
    package static func check(_ value: Span<UInt8>, tokensBelow vocabularySize: UInt32, type: ColumnType) throws(ShardError) {
        guard let element = type.element, element.isInteger else { return }
        let width = element.byteCount
        for start in stride(from: 0, to: value.count - width + 1, by: width) {
            var id: UInt64 = 0
            for i in (start..<start + width).reversed() { id = id << 8 | UInt64(value[i]) }
            guard id < UInt64(vocabularySize) else {
                throw .corrupt("token \(start / width) is \(id), the vocabulary has \(vocabularySize)")
            }
        }
    }

    private static func bytes(_ span: Span<UInt8>) -> [UInt8] {
        // SAFETY: the bytes are only copied, inside the closure.
        unsafe span.withUnsafeBufferPointer { unsafe Array($0) }
    }
}
