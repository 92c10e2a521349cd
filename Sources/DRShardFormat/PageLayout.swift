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
        header.encoding.isKnown && header.codec.isKnown
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
        try checkEncoding(header, type: type)
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
    /// Encoding, codec and auxiliary page fit each other and the type. Spec: [R-ENC-3], [R-CODEC-4].
    private static func checkEncoding(_ header: BlockHeader, type: ColumnType) throws(ShardError) {
        if header.encoding == .plain {
            guard header.auxiliary == 0 || header.codec == .zstd else {
                throw .corrupt("page header: an auxiliary page for codec \(header.codec)")
            }
            return
        }
        guard header.encoding.suits(type) else {
            throw .corrupt("page header: encoding \(header.encoding) for a \(type.name)")
        }
        guard header.codec == .none else {
            throw .corrupt("page header: encoding \(header.encoding) with codec \(header.codec)")
        }
        guard header.auxiliary > 0 else {
            throw .corrupt("page header: encoding \(header.encoding) without an auxiliary page")
        }
    }
}
