/// The tables of a page, checked. Spec: FORMAT.md section 5.3.
package final class PagePrologue: Sendable {
    package let checksums: [UInt32]
    /// Where each unit begins in the payload, and behind the last one its end; empty if the page is not packed.
    private let starts: [UInt32]
    /// Plain bytes of each unit; empty if it follows from the type or the stored bytes.
    private let plainSizes: [UInt32]
    /// Two bits a cell; empty if all are present.
    private let states: [UInt8]

    /// - Parameter bytes: exactly the prologue, whose checksum the caller has checked.
    package init(parsing bytes: [UInt8], header: BlockHeader, type: ColumnType) throws(ShardError) {
        guard header.encoding.isKnown else { throw .unsupportedFeature("\(header.encoding)") }
        guard header.codec.isKnown else { throw .unsupportedFeature("\(header.codec)") }
        try PageLayout.checkShape(header, type: type)
        guard bytes.count == header.prologueByteCount else { throw .truncated("prologue of \(bytes.count) bytes") }
        let unitCount = PageLayout.unitCount(header)
        var cursor = ByteCursor(bytes, of: "prologue")
        checksums = try PagePrologue.table(&cursor, unitCount)
        starts = header.isPacked ? try PagePrologue.starts(&cursor, unitCount, header: header) : []
        if PageLayout.hasPlainSizes(header, type: type) {
            plainSizes = try PagePrologue.table(&cursor, unitCount)
        } else {
            plainSizes = []
        }
        states = try cursor.raw(PageLayout.stateByteCount(header))
        try cursor.expectEnd()
        if header.hasMissing { try checkStates(cellCount: PageLayout.cellCount(header)) }
    }

    private static func table(_ cursor: inout ByteCursor, _ count: Int) throws(ShardError) -> [UInt32] {
        var table: [UInt32] = []
        table.reserveCapacity(count)
        for _ in 0..<count { table.append(try cursor.u32()) }
        return table
    }

    private static func starts(_ cursor: inout ByteCursor, _ count: Int, header: BlockHeader) throws(ShardError)
        -> [UInt32]
    {
        var starts: [UInt32] = [0]
        starts.reserveCapacity(count + 1)
        for unit in 0..<count {
            let end = try cursor.u32()
            guard end >= starts[unit], end <= header.payloadByteCount else {
                throw .corrupt("prologue: unit \(unit) ends at \(end) of \(header.payloadByteCount)")
            }
            starts.append(end)
        }
        guard starts[count] == header.payloadByteCount else {
            throw .corrupt("prologue: the last unit ends at \(starts[count]) of \(header.payloadByteCount)")
        }
        return starts
    }

    private func checkStates(cellCount: Int) throws(ShardError) {
        var missing = 0
        for cell in 0..<states.count * 4 {
            let bits = states[cell / 4] >> UInt8(cell % 4 * 2) & 3
            guard cell < cellCount ? bits < 3 : bits == 0 else {
                throw .corrupt("prologue: state \(bits) of cell \(cell)")
            }
            if bits != 0 { missing += 1 }
        }
        guard missing > 0 else { throw .corrupt("prologue: a table of states, and no cell is missing") }
    }

    package func state(ofCell cell: Int) -> CellState {
        guard !states.isEmpty else { return .present }
        return CellState(rawValue: states[cell / 4] >> UInt8(cell % 4 * 2) & 3) ?? .lost
    }

    /// Where a unit's stored bytes lie in the payload.
    package func storedRange(ofUnit unit: Int, header: BlockHeader, cellByteCount: Int?) -> Range<Int> {
        if !starts.isEmpty { return Int(starts[unit])..<Int(starts[unit + 1]) }
        let cell = cellByteCount ?? 0
        let start = unit * PageLayout.unitStride(header, cellByteCount: cell)
        return start..<start + PageLayout.rowCount(header, unit: unit) * header.variantCount * cell
    }

    /// Whether no cell of a unit is present.
    private func isMissing(unit: Int, header: BlockHeader) -> Bool {
        guard !states.isEmpty else { return false }
        let first = unit * header.rowsPerUnit * header.variantCount
        let cells = first..<first + PageLayout.rowCount(header, unit: unit) * header.variantCount
        return cells.allSatisfy { state(ofCell: $0) != .present }
    }

    /// Plain bytes of a unit, checked against what its stored bytes can hold. Spec: [R-UNIT-4], [R-UNIT-5].
    package func plainByteCount(ofUnit unit: Int, stored: Int, header: BlockHeader, cellByteCount: Int?)
        throws(ShardError) -> Int
    {
        let plain: Int
        if let cellByteCount {
            plain = PageLayout.rowCount(header, unit: unit) * header.variantCount * cellByteCount
        } else {
            plain = plainSizes.isEmpty ? stored : Int(plainSizes[unit])
        }
        let isEmpty = stored == 0 && cellByteCount != nil && header.isPacked
        guard isEmpty == (cellByteCount != nil && header.isPacked && isMissing(unit: unit, header: header)) else {
            throw .corrupt("unit \(unit): \(stored) stored bytes, and \(isEmpty ? "a" : "no") cell is present")
        }
        guard isEmpty || (plain >= stored && stored > 0 && plain <= stored * FormatConstants.expansionLimit) else {
            throw .corrupt("unit \(unit): \(plain) plain bytes in \(stored) stored ones")
        }
        guard plain <= Limits.maximumUnitByteCount else { throw .limitExceeded("unit \(unit): \(plain) plain bytes") }
        return plain
    }

    /// The tables as bytes.
    package static func serialize(checksums: [UInt32], ends: [Int]?, plainSizes: [Int]?, states: [CellState]?)
        -> [UInt8]
    {
        var bytes: [UInt8] = []
        for sum in checksums { bytes.append(u32: sum) }
        for end in ends ?? [] { bytes.append(u32: UInt32(end)) }
        for size in plainSizes ?? [] { bytes.append(u32: UInt32(size)) }
        if let states {
            var packed = [UInt8](repeating: 0, count: (states.count + 3) / 4)
            for (i, state) in states.enumerated() { packed[i / 4] |= state.rawValue << UInt8(i % 4 * 2) }
            bytes.append(contentsOf: packed)
        }
        return bytes
    }
}
