internal import CDRKernels

/// The table of exponent planes, ready for use. Spec: FORMAT.md section 6.4.
// SAFETY: the storage of the bases is private, filled in init, never changed after, and freed in deinit.
@safe package final class ExponentTable: Sendable {
    private nonisolated(unsafe) let bases: UnsafeMutablePointer<UInt8>
    private nonisolated(unsafe) let table: UnsafeMutablePointer<cdr_planes_table>
    /// Values of a cell.
    private let valueCount: Int

    /// - Parameters:
    ///   - payload: of the auxiliary page.
    ///   - valueCount: elements of a cell of the column.
    /// - Throws: `.corrupt`, `.unsupportedFeature`. Spec: [R-PLANES-1].
    package init(parsing payload: [UInt8], valueCount: Int) throws(ShardError) {
        try ExponentTable.check(payload, valueCount: valueCount)
        self.valueCount = valueCount
        unsafe table = .allocate(capacity: 1)
        unsafe bases = .allocate(capacity: valueCount + Int(CDR_PLANES_SLACK))
        let bases = unsafe bases
        let table = unsafe table
        // SAFETY: the kernel reads the payload, and writes what was allocated.
        let failed = unsafe payload.withUnsafeBytes { payload in
            unsafe cdr_planes_prepare(table, bases, payload.baseAddress, payload.count, valueCount)
        }
        guard failed == 0 else { throw .corrupt("an exponent table that breaks its rules") }
    }
    deinit {
        unsafe bases.deallocate()
        unsafe table.deallocate()
    }

    /// What can be named is checked here; the kernel checks everything again.
    private static func check(_ payload: [UInt8], valueCount: Int) throws(ShardError) {
        guard payload.count >= FormatConstants.exponentTablePrefixByteCount else {
            throw .corrupt("exponent table: \(payload.count) bytes")
        }
        var cursor = ByteCursor(payload, of: "exponent table")
        let planeCount = Int(try cursor.u8())
        let levelCount = Int(try cursor.u8())
        let reserved = try cursor.u16()
        let baseCount = try cursor.u32()
        guard reserved == 0 else { throw .unsupportedFeature("exponent table: reserved \(reserved)") }
        let isFast = planeCount == FormatConstants.fastPlaneCount && levelCount == 0
        guard isFast || (planeCount == FormatConstants.balancedPlaneCount && levelCount <= Limits.maximumLevels) else {
            throw .corrupt("exponent table: \(planeCount) planes and \(levelCount) levels")
        }
        guard baseCount == 1 || Int(baseCount) == valueCount else {
            throw .corrupt("exponent table: \(baseCount) bases for cells of \(valueCount) values")
        }
        guard payload.count == FormatConstants.exponentTablePrefixByteCount + Int(baseCount) else {
            throw .corrupt("exponent table: \(payload.count) bytes for \(baseCount) bases")
        }
    }

    /// Whether it is a table for an encoding.
    package func isFor(_ encoding: Encoding) -> Bool {
        let planeCount = unsafe Int(table.pointee.plane_count)
        return planeCount == (encoding == .fast ? FormatConstants.fastPlaneCount : FormatConstants.balancedPlaneCount)
    }

    /// What kernels take; valid as long as the table.
    var pointer: UnsafePointer<cdr_planes_table> { unsafe UnsafePointer(table) }

    var byteCount: Int { unsafe MemoryLayout<cdr_planes_table>.size + valueCount + Int(CDR_PLANES_SLACK) }

    var summary: String {
        let levels = unsafe table.pointee.level_count == 0 ? "" : "\(table.pointee.level_count) levels, "
        return levels + (unsafe table.pointee.base_count == 1 ? "one base" : "a base for each dimension")
    }

    /// Decodes a unit of bf16 into bf16 or f32, by the size of the target.
    /// - Parameter stored: 64 more bytes can be read behind it.
    /// - Throws: `.corrupt`. Spec: [R-ENC-4].
    package func decode(
        _ stored: UnsafeRawBufferPointer, count: Int, into target: UnsafeMutableRawBufferPointer
    ) throws(ShardError) {
        guard unsafe decodes(stored, count: count, into: target) else {
            throw .corrupt("\(stored.count) bytes are no unit of \(count) values")
        }
    }

    /// The same; false if the unit is corrupt.
    package func decodes(
        _ stored: UnsafeRawBufferPointer, count: Int, into target: UnsafeMutableRawBufferPointer
    ) -> Bool {
        // SAFETY: the kernel reads the stored bytes and their slack, and writes exactly `count` values.
        if target.count == 2 * count {
            return unsafe cdr_planes_decode(table, stored.baseAddress, stored.count, target.baseAddress, count) == 0
        }
        precondition(target.count == 4 * count, "\(count) values for a target of \(target.count) bytes")
        return unsafe cdr_planes_decode_f32(table, stored.baseAddress, stored.count, target.baseAddress, count) == 0
    }

    /// Encodes a unit into `target`, which has room for its plain bytes and 64 more.
    /// - Returns: the bytes that it has; nil if they are no fewer than the plain ones.
    package func encode(_ plain: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) -> Int? {
        precondition(target.count >= plain.count + Int(CDR_PLANES_SLACK), "a target of \(target.count) bytes")
        // SAFETY: the target has the room that the kernel needs.
        let count = unsafe cdr_planes_encode(table, plain.baseAddress, plain.count / 2, target.baseAddress)
        return count > 0 ? count : nil
    }

    // MARK: Choice

    /// Values that a table is chosen from, taken evenly.
    private static let sampleByteCount = 8 << 20
    /// Memory for counts of exponents at each place of a cell; longer cells have one count for all places.
    private static let maximumHistogramByteCount = 64 << 20

    /// Chooses the table for the values of one row group.
    /// - Returns: its payload; nil if no cell is present.
    static func choose(planes: [Plane], encoding: Encoding) -> [UInt8]? {
        guard let cellByteCount = planes[0].type.cellByteCount else { return nil }
        let present = planes.reduce(0) { $0 + $1.rowCount - $1.missingCount }
        guard present > 0 else { return nil }
        let valueCount = cellByteCount / 2
        // With a single base every place is the same.
        let places = valueCount * 1024 <= maximumHistogramByteCount ? valueCount : 1
        var histogram = [UInt32](repeating: 0, count: places * 256)
        let step = max(1, (present * cellByteCount + sampleByteCount - 1) / sampleByteCount)
        var number = 0
        for plane in planes {
            for row in 0..<plane.rowCount where plane.states[row] == .present {
                number += 1
                guard (number - 1) % step == 0 else { continue }
                let range = plane.range(of: row)
                // SAFETY: the kernel reads the values of one cell, and writes 256 counts for each place.
                unsafe plane.bytes.withUnsafeBytes { bytes in
                    unsafe cdr_planes_count(
                        bytes.baseAddress?.advanced(by: range.lowerBound), valueCount, places, &histogram)
                }
            }
        }
        let planeCount = encoding == .fast ? FormatConstants.fastPlaneCount : FormatConstants.balancedPlaneCount
        // SAFETY: the kernel writes at most the bytes that it is given room for.
        return unsafe [UInt8](
            unsafeUninitializedCapacity: FormatConstants.exponentTablePrefixByteCount + places
        ) { payload, count in
            count = unsafe cdr_planes_choose(UInt32(planeCount), histogram, places, payload.baseAddress)
        }
    }
}
