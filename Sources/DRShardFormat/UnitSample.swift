/// Plain bytes of some units of a row group, taken evenly: what a table is made from. A pure function of the values.
struct UnitSample {
    private(set) var bytes: [UInt8] = []
    private(set) var ranges: [Range<Int>] = []
    private(set) var rowCounts: [Int] = []

    /// - Parameter byteCount: about how many bytes to take at most; at least one unit.
    init(planes: [Plane], storage: ColumnStorage, byteCount: Int) {
        let total = planes.reduce(0) { $0 + $1.bytes.count }
        let step = max(1, (total + byteCount - 1) / max(1, byteCount))
        for plane in planes {
            let rowsPerUnit = storage.rowsPerUnit(rowCount: plane.rowCount, byteCount: plane.bytes.count)
            for first in stride(from: 0, to: plane.rowCount, by: rowsPerUnit * step) {
                let rows = first..<min(first + rowsPerUnit, plane.rowCount)
                let start = bytes.count
                Plane.appendPlain([plane], rows: rows, to: &bytes)
                ranges.append(start..<bytes.count)
                rowCounts.append(rows.count)
            }
        }
    }

    func encodedByteCount(_ encoder: UnitEncoder) throws(ShardError) -> Int {
        var encoded: [UInt8] = []
        for (range, rows) in zip(ranges, rowCounts) { try encoder.append(bytes, range, rowCount: rows, to: &encoded) }
        return encoded.count
    }
}
