/// Makes the pages of one plane. Spec: FORMAT.md sections 5.3 and 6.
package struct PageEncoder {
    /// Bytes of values after which a page is closed.
    package static let pageByteCount = 1 << 20

    /// What the pages of a chunk have in common.
    package struct Place {
        package var shardTag: UInt64
        package var group: Int
        package var column: Int
        package var variant: Int
        package init(shardTag: UInt64, group: Int, column: Int, variant: Int) {
            self.shardTag = shardTag
            self.group = group
            self.column = column
            self.variant = variant
        }
    }

    private let plane: Plane
    private let place: Place
    private let codec: Codec
    private let level: Int
    private let rowsPerUnit: Int
    private var nextRow = 0
    private var ordinal = 0

    package init(plane: Plane, place: Place, codec: Codec, level: Int) {
        self.plane = plane
        self.place = place
        self.codec = codec
        self.level = level
        rowsPerUnit = plane.rowsPerUnit
    }

    /// Makes the next page: its header, and its block in `block`; nil behind the last row.
    /// Cost: O(page); allocates what units need while they are compressed.
    package mutating func next(into block: inout [UInt8], compressor: UnitCompressor) throws(ShardError) -> BlockHeader?
    {
        guard nextRow < plane.rowCount else { return nil }
        let rows = nextRow..<pageEnd()
        var header = BlockHeader(kind: .page, shardTag: place.shardTag)
        header.group = place.group
        header.column = place.column
        header.firstVariant = place.variant
        header.variantCount = 1
        header.ordinal = ordinal
        header.firstRow = rows.lowerBound
        header.rowCount = rows.count
        header.rowsPerUnit = rowsPerUnit
        let states = Array(plane.states[rows])
        header.hasMissing = states.contains { $0 != .present }
        try fill(&block, &header, rows: rows, states: header.hasMissing ? states : nil, compressor: compressor)
        nextRow = rows.upperBound
        ordinal += 1
        return header
    }

    /// Whole units until the page has its bytes.
    private func pageEnd() -> Int {
        let start = plane.range(of: nextRow).lowerBound
        var row = nextRow
        while row < plane.rowCount {
            row = min(row + rowsPerUnit, plane.rowCount)
            if plane.range(of: row - 1).upperBound - start >= Self.pageByteCount { break }
        }
        return row
    }

    private func fill(
        _ block: inout [UInt8], _ header: inout BlockHeader, rows: Range<Int>, states: [CellState]?,
        compressor: UnitCompressor
    ) throws(ShardError) {
        let units = stride(from: rows.lowerBound, to: rows.upperBound, by: rowsPerUnit).map {
            $0..<min($0 + rowsPerUnit, rows.upperBound)
        }
        if codec != .none, let page = try compressed(units, compressor: compressor) {
            header.codec = codec
            header.isPacked = true
            let plainSizes = plane.type.cellByteCount == nil ? page.plainSizes : nil
            let prologue = PagePrologue.serialize(
                checksums: page.sums, ends: page.ends, plainSizes: plainSizes, states: states)
            try assemble(&block, &header, prologue: prologue, payload: page.payload[...])
        } else if plane.type.cellByteCount != nil {
            try fillRaw(&block, &header, units: units, states: states)
        } else {
            header.isPacked = true
            var page = PackedUnits()
            for unit in units { page.append(stored: plainUnit(unit), plainByteCount: 0) }
            let prologue = PagePrologue.serialize(
                checksums: page.sums, ends: page.ends, plainSizes: nil, states: states)
            try assemble(&block, &header, prologue: prologue, payload: page.payload[...])
        }
    }

    /// A page of a tensor as it is: units on a 64-byte stride.
    private func fillRaw(
        _ block: inout [UInt8], _ header: inout BlockHeader, units: [Range<Int>], states: [CellState]?
    ) throws(ShardError) {
        let sums = units.map { unit in
            rowsPerUnit == 1 && plane.states[unit.lowerBound] == .present
                ? plane.sums[unit.lowerBound] : crc32c(plane.bytes, plane.range(of: unit))
        }
        let prologue = PagePrologue.serialize(checksums: sums, ends: nil, plainSizes: nil, states: states)
        let unitByteCount = plane.range(of: units[0]).count
        guard unitByteCount % FormatConstants.alignment != 0 else {
            let all = units[0].lowerBound..<(units.last ?? units[0]).upperBound
            return try assemble(&block, &header, prologue: prologue, payload: plane.bytes[plane.range(of: all)])
        }
        var payload: [UInt8] = []
        payload.reserveCapacity(units.count * pad64(unitByteCount))
        for unit in units {
            payload.append(contentsOf: plane.bytes[plane.range(of: unit)])
            payload.append(zeros: pad64(payload.count) - payload.count)
        }
        try assemble(&block, &header, prologue: prologue, payload: payload[...])
    }

    private struct PackedUnits {
        var payload: [UInt8] = []
        var sums: [UInt32] = []
        var ends: [Int] = []
        var plainSizes: [Int] = []

        mutating func append(stored: [UInt8], plainByteCount: Int) {
            payload.append(contentsOf: stored)
            sums.append(crc32c(stored))
            ends.append(payload.count)
            plainSizes.append(plainByteCount)
        }
    }

    /// The units, compressed; nil if that makes none of them smaller.
    private func compressed(_ units: [Range<Int>], compressor: UnitCompressor) throws(ShardError) -> PackedUnits? {
        var page = PackedUnits()
        var isSmaller = false
        for unit in units {
            let plain = plainUnit(unit)
            if let stored = try compressor.compress(plain[...], codec: codec, level: level) {
                page.append(stored: stored, plainByteCount: plain.count)
                isSmaller = true
            } else {
                page.append(stored: plain, plainByteCount: plain.count)
            }
        }
        return isSmaller ? page : nil
    }

    private func plainUnit(_ rows: Range<Int>) -> [UInt8] {
        let values = plane.bytes[plane.range(of: rows)]
        guard plane.type.cellByteCount == nil else { return Array(values) }
        var unit: [UInt8] = []
        unit.reserveCapacity(values.count + rows.count * 2)
        for row in rows { unit.append(varint: UInt32(plane.range(of: row).count)) }
        unit.append(contentsOf: values)
        return unit
    }

    private func assemble(
        _ block: inout [UInt8], _ header: inout BlockHeader, prologue: [UInt8], payload: ArraySlice<UInt8>
    ) throws(ShardError) {
        let payloadByteCount = header.isPacked ? payload.count : pad64(payload.count)
        guard payloadByteCount <= Limits.maximumPayloadByteCount else {
            throw .limitExceeded("\(payload.count) bytes of \(rowsPerUnit) neighbouring rows do not fit a page")
        }
        header.prologueByteCount = prologue.count
        header.payloadByteCount = payloadByteCount
        header.checksum = crc32c(prologue)
        block.removeAll(keepingCapacity: true)
        block.reserveCapacity(header.blockByteCount)
        block.append(contentsOf: header.serialized())
        block.append(contentsOf: prologue)
        block.append(zeros: header.payloadOffset - block.count)
        block.append(contentsOf: payload)
        block.append(zeros: header.blockByteCount - block.count)
    }
}
