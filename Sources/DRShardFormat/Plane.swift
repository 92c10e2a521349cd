/// The cells of one variant of one column of the open row group, as canonical values.
package struct Plane {
    package let type: ColumnType
    private let cellByteCount: Int?
    /// Values of all cells, joined; a cell that is not present has its slot in a tensor, and nothing otherwise.
    package private(set) var bytes: [UInt8] = []
    /// Where each value ends; empty for a tensor.
    private var ends: [Int] = []
    package private(set) var states: [CellState] = []
    /// CRC-32C of each value.
    package private(set) var sums: [UInt32] = []
    package private(set) var missingCount = 0

    /// The rows that its arrays have room for.
    private var roomRowCount = 0
    private let maximumRowCount: Int

    /// - Parameter maximumRowCount: of the row group: arrays of cells grow to this size, and not beyond by doubling.
    package init(type: ColumnType, maximumRowCount: Int) {
        self.type = type
        cellByteCount = type.cellByteCount
        self.maximumRowCount = maximumRowCount
    }

    package var rowCount: Int { states.count }

    /// Makes room for the next row: first for a shard of few rows, then at once for all, since memory that is not used
    /// yet costs nothing, and copying what is there does.
    private mutating func makeRoom() {
        guard states.count == roomRowCount, roomRowCount < maximumRowCount else { return }
        roomRowCount = roomRowCount == 0 ? min(maximumRowCount, 64) : maximumRowCount
        if let cellByteCount {
            bytes.reserveCapacity(roomRowCount * cellByteCount)
        } else {
            ends.reserveCapacity(roomRowCount)
        }
        states.reserveCapacity(roomRowCount)
        sums.reserveCapacity(roomRowCount)
    }

    /// Adds a value, which the caller has checked against the type.
    package mutating func append(_ value: Span<UInt8>) {
        makeRoom()
        // SAFETY: the bytes are only copied, inside the closure.
        unsafe value.withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
        if cellByteCount == nil { ends.append(bytes.count) }
        states.append(.present)
        sums.append(crc32c(value))
    }

    package mutating func append(missing state: CellState) {
        makeRoom()
        if let cellByteCount { bytes.append(zeros: cellByteCount) } else { ends.append(bytes.count) }
        states.append(state)
        sums.append(0)
        missingCount += 1
    }

    /// Takes back the last cell: its row was not finished.
    package mutating func removeLast() {
        let row = states.count - 1
        bytes.removeLast(bytes.count - range(of: row).lowerBound)
        if cellByteCount == nil { ends.removeLast() }
        if states.removeLast() != .present { missingCount -= 1 }
        sums.removeLast()
    }

    package mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
        states.removeAll(keepingCapacity: true)
        sums.removeAll(keepingCapacity: true)
        missingCount = 0
    }

    /// The bytes of a row's value in `bytes`.
    package func range(of row: Int) -> Range<Int> {
        if let cellByteCount { return row * cellByteCount..<(row + 1) * cellByteCount }
        return (row == 0 ? 0 : ends[row - 1])..<ends[row]
    }

    /// The bytes of the values of several rows.
    package func range(of rows: Range<Int>) -> Range<Int> {
        guard !rows.isEmpty else { return 0..<0 }
        return range(of: rows.lowerBound).lowerBound..<range(of: rows.upperBound - 1).upperBound
    }

    /// The term of a cell in its column's digest.
    package func digestTerm(of row: Int) -> UInt128 {
        let byteCount = states[row] == .present ? range(of: row).count : 0
        return SequenceDigest.term(state: states[row], byteCount: byteCount, crc32c: sums[row])
    }

    /// Appends the plain bytes of a unit of neighbouring planes. Spec: FORMAT.md section 6.1.
    package static func appendPlain(_ planes: [Plane], rows: Range<Int>, to bytes: inout [UInt8]) {
        if planes[0].cellByteCount == nil {
            for row in rows { for plane in planes { bytes.append(varint: UInt32(plane.range(of: row).count)) } }
        }
        guard planes.count > 1 else { return bytes.append(contentsOf: planes[0].bytes[planes[0].range(of: rows)]) }
        for row in rows { for plane in planes { bytes.append(contentsOf: plane.bytes[plane.range(of: row)]) } }
    }
}
