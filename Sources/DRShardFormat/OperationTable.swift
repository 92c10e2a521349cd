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
        if status == CDR_OPERATIONS_UNSUPPORTED {
            throw .unsupportedFeature("operation table: an item kind, or a reserved byte")
        }
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

    /// Chooses the table for the values of one row group.
    /// - Returns: its payload; nil if no cell is present.
    static func choose(planes: [Plane]) -> [UInt8]? {
        var choice = OperationTableChoice()
        var isEmpty = true
        let step = max(1, planes.reduce(0) { $0 + $1.rowCount - $1.missingCount } / sampleRecordCount)
        var number = 0
        for plane in planes {
            for row in 0..<plane.rowCount where plane.states[row] == .present {
                number += 1
                guard (number - 1) % step == 0 else { continue }
                choice.add(plane.bytes.span.extracting(plane.range(of: row)))
                isEmpty = false
            }
        }
        return isEmpty ? nil : choice.payload()
    }
}
