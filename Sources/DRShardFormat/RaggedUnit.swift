/// The plain bytes of a unit of a ragged type: a varint per cell, its byte count; then the values. Spec: FORMAT.md 6.1.
package enum RaggedUnit {
    /// Where each cell's value begins in `plain`, and behind the last one where it ends: `cellCount + 1` numbers.
    /// A unit has less than 2^32 bytes, and may have very many cells, so the numbers are small and their memory is kept.
    /// - Throws: `.corrupt` if the counts do not fill the unit exactly; `places` then means nothing. Spec: [R-UNIT-1].
    package static func locate(_ plain: Span<UInt8>, cellCount: Int, into places: inout [UInt32]) throws(ShardError) {
        guard cellCount <= plain.count, plain.count <= Limits.maximumUnitByteCount else {
            throw .corrupt("a unit of \(plain.count) bytes for \(cellCount) cells")
        }
        places.removeAll(keepingCapacity: true)
        places.reserveCapacity(cellCount + 1)
        places.append(0)
        // First the counts, one behind the other; where the first value begins is known behind the last of them.
        var start = 0
        for _ in 0..<cellCount { places.append(try Varint.read(plain, at: &start, of: "unit")) }
        for cell in 0..<cellCount {
            places[cell] = UInt32(start)
            let count = Int(places[cell + 1])
            guard count <= plain.count - start else {
                throw .corrupt("unit: a cell of \(count) bytes, \(plain.count - start) are left")
            }
            guard count <= Limits.maximumCellByteCount else { throw .limitExceeded("unit: a cell of \(count) bytes") }
            start += count
        }
        places[cellCount] = UInt32(start)
        guard start == plain.count else { throw .corrupt("unit: \(plain.count - start) bytes too many") }
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
        case .operations: if !Augmentation.isRecord(value) { _ = try Augmentation(parsing: bytes(value)) }
        case .locator: _ = try Locator(parsing: bytes(value))
        }
    }

    /// Checks that token ids belong to their vocabulary. Spec: [R-TYPE-5].
    /// - Throws: `.corrupt` for the first one that does not, negative ones included.
    package static func check(_ value: Span<UInt8>, tokensBelow vocabularySize: UInt32, type: ColumnType)
        throws(ShardError)
    {
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
