internal import CDRKernels

/// The table of the encoding operation_table, ready for use. Spec: FORMAT.md section 6.7.
// SAFETY: the storage is private, filled in init, never changed after, and freed in deinit.
@safe package final class OperationTable: Sendable {
    private nonisolated(unsafe) let table: UnsafeMutablePointer<cdr_operations_table>

    /// - Parameter payload: of the auxiliary page.
    /// - Throws: `.corrupt`; `.unsupportedFeature` for a pattern with an item that is not known. Spec: [R-ENC-5].
    package init(parsing payload: [UInt8]) throws(ShardError) {
        unsafe table = .allocate(capacity: 1)
        let table = unsafe table
        // SAFETY: the kernel reads the payload, and writes the table.
        let status = unsafe payload.withUnsafeBytes { payload in
            unsafe cdr_operations_table_read(table, payload.baseAddress, payload.count)
        }
        if status == CDR_OPERATIONS_UNSUPPORTED { throw .unsupportedFeature("operation table: an item kind") }
        guard status == CDR_OPERATIONS_OK else { throw .corrupt("an operation table that breaks its rules") }
    }
    deinit { unsafe table.deallocate() }

    var summary: String { unsafe "\(table.pointee.pattern_count) patterns, \(table.pointee.pair_count) magnitudes" }

    /// Decodes a unit into exactly its plain bytes.
    /// - Parameter stored: 64 more bytes can be read behind it.
    func decode(_ stored: UnsafeRawBufferPointer, cellCount: Int, into target: UnsafeMutableRawBufferPointer)
        throws(ShardError)
    {
        var source = unsafe cdr_operations_source(
            stored: stored.baseAddress, stored_count: stored.count, plain_count: target.count, cells: cellCount)
        // SAFETY: the kernel reads the stored bytes and their slack, and writes the plain bytes.
        guard unsafe cdr_operations_decode(table, &source, target.baseAddress) == CDR_OPERATIONS_OK else {
            throw .corrupt("\(stored.count) bytes are no unit of \(cellCount) augmentation records")
        }
    }

    /// Encodes a unit into `target`.
    /// - Returns: the bytes that it has; nil if the target is too small for them.
    func encode(_ plain: UnsafeRawBufferPointer, cellCount: Int, into target: UnsafeMutableRawBufferPointer) -> Int? {
        // SAFETY: both buffers are passed with their own counts.
        let count = unsafe cdr_operations_encode(
            table, plain.baseAddress, plain.count, cellCount, target.baseAddress, target.count)
        return count > 0 ? count : nil
    }

    // MARK: Choice

    /// Records that a table is chosen from, taken evenly.
    private static let sampleRecordCount = 1 << 16
    /// Patterns of fewer records than one in so many are left out; and pairs.
    private static let patternShare = 1024
    private static let pairShare = 4096

    private struct Pattern {
        var count = 0
        /// The record, with zeros for all fields.
        var bytes: [UInt8]
        var fields: [(offset: Int, byteCount: Int)]
        /// The least number of each field.
        var least: [Int64]
    }

    /// Chooses the table for the values of one row group: their shapes, with the least number of each field, and pairs
    /// of an operation and its magnitude, the most frequent first.
    /// - Returns: its payload; nil if no record has a shape.
    static func choose(planes: [Plane]) -> [UInt8]? {
        var patterns: [[UInt8]: Pattern] = [:]
        var pairs: [[UInt8]: Int] = [:]
        let step = max(1, planes.reduce(0) { $0 + $1.rowCount } / sampleRecordCount)
        for plane in planes {
            for row in stride(from: 0, to: plane.rowCount, by: step) where plane.states[row] == .present {
                count(Array(plane.bytes[plane.range(of: row)]), &patterns, &pairs)
            }
        }
        let frequentPairs = frequent(pairs, share: pairShare, most: Int(CDR_OPERATIONS_PAIRS))
        let frequentPatterns = frequent(
            patterns.mapValues(\.count), share: patternShare, most: Int(CDR_OPERATIONS_PATTERNS))
        guard !frequentPatterns.isEmpty else { return nil }
        var payload: [UInt8] = [UInt8(frequentPatterns.count), 0]
        payload.append(u16: UInt16(frequentPairs.count))
        for pair in frequentPairs { payload.append(contentsOf: pair) }
        for shape in frequentPatterns {
            guard let pattern = patterns[shape] else { continue }
            payload.append(UInt8(shape.count))
            payload.append(contentsOf: withLeast(pattern))
        }
        return payload
    }

    private static func count(_ value: [UInt8], _ patterns: inout [[UInt8]: Pattern], _ pairs: inout [[UInt8]: Int]) {
        guard var pattern = pattern(of: value) else { return }
        let numbers = pattern.fields.map { number(value, $0.offset, $0.byteCount) }
        for field in pattern.fields where field.byteCount == 9 {
            pairs[Array(value[field.offset..<field.offset + 9]), default: 0] += 1
        }
        if let known = patterns[pattern.bytes] { pattern = known } else { pattern.least = numbers }
        pattern.count += 1
        for i in numbers.indices { pattern.least[i] = min(pattern.least[i], numbers[i]) }
        patterns[pattern.bytes] = pattern
    }

    /// The shape of a record; nil if it has none.
    private static func pattern(of value: [UInt8]) -> Pattern? {
        var found = cdr_operations_pattern()
        // SAFETY: the kernel reads the value, and writes the pattern.
        let isPattern = unsafe value.withUnsafeBytes { value in
            unsafe cdr_operations_pattern_of(&found, value.baseAddress, value.count)
        }
        guard isPattern != 0 else { return nil }
        // SAFETY: a pattern has as many bytes and fields as it says, at most 255.
        let fields = unsafe withUnsafeBytes(of: &found.fields) { bytes in
            (0..<Int(found.field_count)).map { i in
                (offset: Int(unsafe bytes[2 * i]), byteCount: Int(unsafe bytes[2 * i + 1]))
            }
        }
        var bytes = value
        for field in fields { for i in 0..<field.byteCount { bytes[field.offset + i] = 0 } }
        return Pattern(bytes: bytes, fields: fields, least: [])
    }

    /// A field of four bytes is a signed number, one of one byte is not; a pair has none.
    private static func number(_ value: [UInt8], _ offset: Int, _ byteCount: Int) -> Int64 {
        switch byteCount {
        case 1: Int64(value[offset])
        case 4: Int64(Int32(truncatingIfNeeded: (0..<4).reversed().reduce(0) { $0 << 8 | Int(value[offset + $1]) }))
        default: 0
        }
    }

    private static func withLeast(_ pattern: Pattern) -> [UInt8] {
        var bytes = pattern.bytes
        for (field, least) in zip(pattern.fields, pattern.least) where field.byteCount < 9 {
            for i in 0..<field.byteCount {
                bytes[field.offset + i] = UInt8(truncatingIfNeeded: least >> (8 * Int64(i)))
            }
        }
        return bytes
    }

    private static func frequent(_ counts: [[UInt8]: Int], share: Int, most: Int) -> [[UInt8]] {
        let total = counts.values.reduce(0, +)
        return counts.filter { $0.value * share >= total }.sorted { a, b in
            a.value != b.value ? a.value > b.value : a.key.lexicographicallyPrecedes(b.key)
        }.prefix(most).map(\.key)
    }
}
