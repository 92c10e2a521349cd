internal import CDRKernels

/// The model of the encoding archive, ready for use. Spec: FORMAT.md section 6.5.
// SAFETY: the storage is private, filled in init, never changed after, and freed in deinit.
@safe package final class ArchiveModel: Sendable {
    private nonisolated(unsafe) let storage: UnsafeMutableRawBufferPointer
    private let valueCount: Int

    /// - Parameters:
    ///   - payload: of the auxiliary page.
    ///   - valueCount: elements of a cell of the column.
    /// - Throws: `.corrupt`, `.unsupportedFeature`. Spec: [R-ARCHIVE-1], [R-ARCHIVE-2].
    package init(parsing payload: [UInt8], valueCount: Int) throws(ShardError) {
        // The payload has 5 bytes for each element, so no memory is taken for elements that are not there.
        guard payload.count / 5 >= valueCount else {
            throw .corrupt("an archive model of \(payload.count) bytes for cells of \(valueCount) values")
        }
        self.valueCount = valueCount
        unsafe storage = .allocate(
            byteCount: cdr_archive_model_byte_count(valueCount), alignment: FormatConstants.alignment)
        let model = unsafe OpaquePointer(storage.baseAddress)
        // SAFETY: the kernel reads the payload, and writes what was allocated.
        let failed = unsafe payload.withUnsafeBytes { payload in
            unsafe cdr_archive_prepare(payload.baseAddress, payload.count, valueCount, model)
        }
        if failed == 2 { throw .unsupportedFeature("archive model: reserved bytes") }
        guard failed == 0 else { throw .corrupt("an archive model that breaks its rules") }
    }
    deinit { unsafe storage.deallocate() }

    private var model: OpaquePointer? { unsafe OpaquePointer(storage.baseAddress) }

    var byteCount: Int { unsafe storage.count }
    var summary: String { unsafe "\(cdr_archive_lane_count(model)) lanes" }

    /// Decodes a unit of `rowCount` rows into `target`, which has exactly its plain bytes.
    /// - Parameters:
    ///   - stored: 64 more bytes can be read behind it.
    ///   - memory: what it works with; grows to what is needed.
    /// - Throws: `.corrupt`. Spec: [R-ENC-4].
    func decode(
        _ stored: UnsafeRawBufferPointer, rowCount: Int, variantCount: Int,
        into target: UnsafeMutableRawBufferPointer, memory: WorkingMemory
    ) throws(ShardError) {
        precondition(target.count == 2 * valueCount * rowCount * variantCount, "a target of \(target.count) bytes")
        let room = unsafe memory.room(cdr_archive_decoding_byte_count(valueCount))
        // SAFETY: the kernel reads the stored bytes and their slack, and writes exactly the values.
        let failed = unsafe cdr_archive_decode(
            model, stored.baseAddress, stored.count, rowCount, variantCount, target.baseAddress, room.baseAddress)
        guard failed == 0 else { throw .corrupt("\(stored.count) bytes are no archive unit of \(rowCount) rows") }
    }

    /// Encodes a unit into `target`, which has room for its plain bytes.
    /// - Returns: the bytes that it has; nil if they are no fewer than the plain ones.
    func encode(
        _ plain: UnsafeRawBufferPointer, rowCount: Int, variantCount: Int,
        into target: UnsafeMutableRawBufferPointer, memory: WorkingMemory
    ) -> Int? {
        precondition(plain.count == 2 * valueCount * rowCount * variantCount && target.count >= plain.count)
        let room = unsafe memory.room(cdr_archive_encoding_byte_count(valueCount, rowCount * variantCount))
        // SAFETY: the target has the room that the kernel needs.
        let count = unsafe cdr_archive_encode(
            model, plain.baseAddress, rowCount, variantCount, target.baseAddress, room.baseAddress)
        return count > 0 ? count : nil
    }

    // MARK: Choice

    /// Plain bytes and rows of a unit from which on it is coded with more lanes, which are faster.
    private static let manyLanesByteCount = 16 << 10
    private static let sampleRowCount = 256
    private static let sampleByteCount = 16 << 20

    /// Trains the model on rows of one row group, taken evenly.
    /// - Parameter planes: all variants.
    /// - Returns: its payload; nil if no cell is present.
    static func train(planes: [Plane]) -> [UInt8]? {
        guard let cellByteCount = planes[0].type.cellByteCount,
            planes.contains(where: { $0.missingCount < $0.rowCount })
        else { return nil }
        let present = (0..<planes[0].rowCount).filter { row in planes.contains { $0.states[row] == .present } }
        let rowByteCount = cellByteCount * planes.count
        let sampled = max(1, min(present.count, sampleRowCount, sampleByteCount / rowByteCount))
        var rows: [UInt8] = []
        rows.reserveCapacity(sampled * rowByteCount)
        for i in 0..<sampled {
            let row = present[i * present.count / sampled]
            Plane.appendPlain(planes, rows: row..<row + 1, to: &rows)
        }
        let unitByteCount = rowByteCount * ColumnStorage.archive.rowsPerUnit(rowCount: 1, byteCount: rowByteCount)
        let memory = WorkingMemory()
        let room = unsafe memory.room(cdr_archive_training_byte_count(cellByteCount / 2))
        // SAFETY: every buffer has the size that the kernel was asked for.
        return unsafe [UInt8](
            unsafeUninitializedCapacity: cdr_archive_payload_bound(cellByteCount / 2)
        ) { payload, count in
            count = unsafe cdr_archive_train(
                rows, sampled, planes.count, cellByteCount / 2, unitByteCount < manyLanesByteCount ? 16 : 32,
                payload.baseAddress, room.baseAddress)
        }
    }
}
