/// Where units lie in a page, from its header alone. Spec: FORMAT.md section 5.3.
package enum PageLayout {
    /// Number of units of a page.
    package static func unitCount(_ header: BlockHeader) -> Int {
        (header.rowCount + header.rowsPerUnit - 1) / header.rowsPerUnit
    }

    /// Number of cells of a page.
    package static func cellCount(_ header: BlockHeader) -> Int { header.rowCount * header.variantCount }

    /// Rows of a unit: all but the last have `rowsPerUnit`.
    package static func rowCount(_ header: BlockHeader, unit: Int) -> Int {
        min(header.rowsPerUnit, header.rowCount - unit * header.rowsPerUnit)
    }

    /// Distance of units in a page that is not packed.
    package static func unitStride(_ header: BlockHeader, cellByteCount: Int) -> Int {
        pad64(min(header.rowsPerUnit, header.rowCount) * header.variantCount * cellByteCount)
    }

    /// Whether the prologue has a table of plain sizes.
    package static func hasPlainSizes(_ header: BlockHeader, type: ColumnType) -> Bool {
        header.isPacked && type.cellByteCount == nil && !(header.encoding == .plain && header.codec == .none)
    }

    package static func stateByteCount(_ header: BlockHeader) -> Int {
        header.hasMissing ? (cellCount(header) + 3) / 4 : 0
    }

    package static func prologueByteCount(_ header: BlockHeader, type: ColumnType) -> Int {
        let tables = 1 + (header.isPacked ? 1 : 0) + (hasPlainSizes(header, type: type) ? 1 : 0)
        return unitCount(header) * 4 * tables + stateByteCount(header)
    }

    /// Whether this library knows the page's encoding and codec.
    package static func isKnown(_ header: BlockHeader) -> Bool {
        header.encoding == .plain && header.codec.rawValue <= Codec.lz4.rawValue
    }

    /// What a page header must satisfy before its prologue is read. Spec: [R-PAGE-1], [R-PAGE-2], [R-PAGE-6], [R-PAGE-7].
    package static func checkShape(_ header: BlockHeader, type: ColumnType) throws(ShardError) {
        guard header.rowCount >= 1, header.rowsPerUnit >= 1, header.variantCount >= 1 else {
            throw .corrupt("page header: \(header.rowCount) rows, \(header.rowsPerUnit) a unit")
        }
        // What follows need not hold for a page of a newer encoding or codec. Spec: [R-ENC-1].
        guard isKnown(header) else { return }
        if let cellByteCount = type.cellByteCount {
            let cells = min(header.rowsPerUnit, header.rowCount) * header.variantCount
            let (unit, overflow) = cells.multipliedReportingOverflow(by: cellByteCount)
            guard !overflow, unit <= Limits.maximumPayloadByteCount else {
                throw .limitExceeded("page header: units of \(cells) cells of \(cellByteCount) bytes")
            }
        }
        let mayBeRaw = type.cellByteCount != nil && header.encoding == .plain && header.codec == .none
        guard header.isPacked != mayBeRaw else {
            throw .corrupt(
                "page header: a page of \(type.name), encoding \(header.encoding), codec \(header.codec) must\(mayBeRaw ? " not" : "") be packed"
            )
        }
        guard header.prologueByteCount == prologueByteCount(header, type: type) else {
            throw .corrupt(
                "page header: a prologue of \(header.prologueByteCount) bytes, not \(prologueByteCount(header, type: type))"
            )
        }
        guard header.auxiliary == 0 || header.codec == .zstd else {
            throw .corrupt("page header: an auxiliary page for codec \(header.codec)")
        }
        if let cellByteCount = type.cellByteCount, !header.isPacked {
            let unit = unitCount(header) - 1
            let last = rowCount(header, unit: unit) * header.variantCount * cellByteCount
            let (start, overflow) = unit.multipliedReportingOverflow(
                by: unitStride(header, cellByteCount: cellByteCount))
            guard !overflow, start <= Limits.maximumPayloadByteCount, header.payloadByteCount == start + pad64(last)
            else {
                throw .corrupt("page header: a payload of \(header.payloadByteCount) bytes for \(header.rowCount) rows")
            }
        }
    }
}

/// The tables of a page, checked. Spec: FORMAT.md section 5.3.
package struct PagePrologue: Sendable {
    package let checksums: [UInt32]
    /// Where each unit begins in the payload, and behind the last one its end; empty if the page is not packed.
    package let starts: [Int]
    /// Plain bytes of each unit; empty if it follows from the type or the stored bytes.
    package let plainSizes: [Int]
    /// Two bits a cell; empty if all are present.
    private let states: [UInt8]

    /// - Parameter bytes: exactly the prologue, whose checksum the caller has checked.
    package init(parsing bytes: [UInt8], header: BlockHeader, type: ColumnType) throws(ShardError) {
        guard header.encoding == .plain else { throw .unsupportedFeature("encoding \(header.encoding)") }
        guard PageLayout.isKnown(header) else { throw .unsupportedFeature("codec \(header.codec)") }
        try PageLayout.checkShape(header, type: type)
        guard bytes.count == header.prologueByteCount else { throw .truncated("prologue of \(bytes.count) bytes") }
        let unitCount = PageLayout.unitCount(header)
        var cursor = ByteCursor(bytes, of: "prologue")
        checksums = try PagePrologue.table(&cursor, unitCount)
        starts = header.isPacked ? try PagePrologue.starts(&cursor, unitCount, header: header) : []
        if PageLayout.hasPlainSizes(header, type: type) {
            plainSizes = try PagePrologue.table(&cursor, unitCount).map(Int.init)
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
        -> [Int]
    {
        var starts = [0]
        starts.reserveCapacity(count + 1)
        for unit in 0..<count {
            let end = Int(try cursor.u32())
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
        if !starts.isEmpty { return starts[unit]..<starts[unit + 1] }
        let cell = cellByteCount ?? 0
        let start = unit * PageLayout.unitStride(header, cellByteCount: cell)
        return start..<start + PageLayout.rowCount(header, unit: unit) * header.variantCount * cell
    }

    /// Plain bytes of a unit, checked against what its stored bytes can hold. Spec: [R-UNIT-4].
    package func plainByteCount(ofUnit unit: Int, stored: Int, header: BlockHeader, cellByteCount: Int?)
        throws(ShardError) -> Int
    {
        let plain: Int
        if let cellByteCount {
            plain = PageLayout.rowCount(header, unit: unit) * header.variantCount * cellByteCount
        } else {
            plain = plainSizes.isEmpty ? stored : plainSizes[unit]
        }
        guard plain >= stored,
            plain <= stored.multipliedReportingOverflow(by: FormatConstants.expansionLimit).partialValue
        else { throw .corrupt("unit \(unit): \(plain) plain bytes in \(stored) stored ones") }
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
