/// Chooses the table of a column of augmentation records: the payload of an auxiliary page of kind 5. Spec: FORMAT.md
/// section 6.7.
///
/// Equal cells, in whatever order, make equal tables. Give it the present cells of the column's first row group.
package struct OperationTableChoice: Sendable {
    package static let maximumPatterns = 15
    package static let maximumPairs = 1024
    package static let maximumPatternByteCount = 255
    /// A pair is listed if it is at least one in so many, and so are the kinds and counts of records.
    package static let pairShare = 4096, patternShare = 1024

    /// A place in a record that differs among records of one pattern: 1 or 4 bytes, or the 9 of a pair.
    private struct Field {
        let offset: Int
        let byteCount: Int
    }

    private struct Pattern {
        let fields: [Field]
        var occurrences = 0
        /// The least number of each field, as i32 or u8; of no meaning for pairs.
        var bases: [Int32]
    }

    /// By the bytes of a record with zeros for its fields.
    private var patterns: [[UInt8]: Pattern] = [:]
    private var pairs: [[UInt8]: Int] = [:]

    package init() {}

    /// Counts a record.
    /// - Parameter value: a canonical value; anything else is left out.
    package mutating func add(_ value: Span<UInt8>) {
        var shape: [UInt8] = []
        shape.reserveCapacity(value.count)
        for i in value.indices { shape.append(value[i]) }
        guard let fields = OperationTableChoice.fields(of: shape) else { return }
        var numbers: [Int32] = []
        for field in fields {
            let range = field.offset..<field.offset + field.byteCount
            if field.byteCount == 9 { pairs[Array(shape[range]), default: 0] += 1 }
            let bits = shape[range].prefix(4).reversed().reduce(0 as UInt32) { $0 << 8 | UInt32($1) }
            numbers.append(Int32(bitPattern: bits))
            for i in range { shape[i] = 0 }
        }
        guard shape.count <= OperationTableChoice.maximumPatternByteCount else { return }
        var pattern = patterns[shape] ?? Pattern(fields: fields, bases: numbers)
        pattern.occurrences += 1
        for (i, number) in numbers.enumerated() where number < pattern.bases[i] { pattern.bases[i] = number }
        patterns[shape] = pattern
    }

    /// The bytes of the table.
    package func payload() -> [UInt8] {
        let pairs = OperationTableChoice.frequent(
            pairs, share: OperationTableChoice.pairShare, most: OperationTableChoice.maximumPairs)
        let shapes = OperationTableChoice.frequent(
            patterns.mapValues(\.occurrences), share: OperationTableChoice.patternShare,
            most: OperationTableChoice.maximumPatterns)
        var payload = [UInt8(shapes.count), 0, UInt8(pairs.count & 0xFF), UInt8(pairs.count >> 8)]
        for pair in pairs { payload += pair }
        for shape in shapes {
            payload.append(UInt8(shape.count))
            payload += bytes(of: shape)
        }
        return payload
    }

    /// A pattern's shape with the bases of its fields.
    private func bytes(of shape: [UInt8]) -> [UInt8] {
        var bytes = shape
        guard let pattern = patterns[shape] else { return bytes }
        for (field, base) in zip(pattern.fields, pattern.bases) where field.byteCount != 9 {
            for i in 0..<field.byteCount { bytes[field.offset + i] = UInt8(truncatingIfNeeded: base >> (8 * Int32(i))) }
        }
        return bytes
    }

    /// The keys that are at least one in `share`, the most frequent first, then by their bytes.
    private static func frequent(_ counts: [[UInt8]: Int], share: Int, most: Int) -> [[UInt8]] {
        let all = counts.values.reduce(0, +)
        let kept = counts.filter { $0.value * share >= all }.sorted { a, b in
            a.value != b.value ? a.value > b.value : a.key.lexicographicallyPrecedes(b.key)
        }
        return kept.prefix(most).map(\.key)
    }

    /// The fields of a record, or nil if it is none.
    private static func fields(of value: [UInt8]) -> [Field]? {
        var fields: [Field] = []
        var at = 0
        /// Adds `count` fields, or takes the count from the next byte.
        func add(_ byteCount: Int, _ count: Int?) -> Bool {
            var times = count ?? 0
            if count == nil {
                guard at < value.count else { return false }
                times = Int(value[at])
                at += 1
            }
            guard times * byteCount <= value.count - at else { return false }
            for i in 0..<times { fields.append(Field(offset: at + i * byteCount, byteCount: byteCount)) }
            at += times * byteCount
            return true
        }
        while at < value.count {
            let kind = value[at]
            at += 1
            let isWhole: Bool
            switch kind {
            case 1, 4: isWhole = add(4, 4)
            case 2: isWhole = add(9, nil)
            case 3: isWhole = add(1, 1)
            case 5: isWhole = add(1, 4) && add(4, 8)
            case 6: isWhole = add(4, 2) && add(1, nil)
            case 7: isWhole = add(4, 6) && add(1, nil)
            case 8: isWhole = add(4, 2)
            case 9: isWhole = add(4, 1)
            default: isWhole = (0x81...0x89).contains(kind)
            }
            guard isWhole else { return nil }
        }
        return fields
    }
}
