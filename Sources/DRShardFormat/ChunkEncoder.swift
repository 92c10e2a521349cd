/// Makes the pages of one column chunk: of one plane, or of all planes of a column, spanning.
/// Spec: FORMAT.md sections 5.3 and 6.
package struct ChunkEncoder {
    /// Bytes of values after which a page is closed, unless told otherwise.
    package static let standardPageByteCount = 1 << 20

    /// What the pages of a chunk have in common.
    package struct Place {
        package var shardTag: UInt64
        package var group: Int
        package var column: Int
        package var firstVariant: Int
        package init(shardTag: UInt64, group: Int, column: Int, firstVariant: Int) {
            self.shardTag = shardTag
            self.group = group
            self.column = column
            self.firstVariant = firstVariant
        }
    }

    private let planes: [Plane]
    private let place: Place
    private let encoder: UnitEncoder
    private let pageByteCount: Int
    private let rowsPerUnit: Int
    private let isTensor: Bool
    private var nextRow = 0
    private var ordinal = 0
    /// Plain bytes of a unit, where they don't lie together in a plane.
    private var unitBytes: [UInt8] = []

    /// - Parameters:
    ///   - planes: of neighbouring variants; with the same rows.
    ///   - pageByteCount: bytes of values after which a page is closed.
    package init(
        planes: [Plane], place: Place, encoder: UnitEncoder, pageByteCount: Int = Self.standardPageByteCount
    ) {
        self.pageByteCount = pageByteCount
        self.planes = planes
        self.place = place
        self.encoder = encoder
        isTensor = planes[0].type.cellByteCount != nil
        let bytes = planes.reduce(0) { $0 + $1.bytes.count }
        rowsPerUnit = encoder.storage.rowsPerUnit(rowCount: planes[0].rowCount, byteCount: bytes)
    }

    private var rowCount: Int { planes[0].rowCount }

    /// Makes the next page: its header, and its block in `block`; nil behind the last row.
    /// Cost: O(page); no allocation per unit.
    package mutating func next(into block: inout [UInt8]) throws(ShardError) -> BlockHeader? {
        guard nextRow < rowCount else { return nil }
        let rows = nextRow..<pageEnd()
        var header = BlockHeader(kind: .page, shardTag: place.shardTag)
        header.group = place.group
        header.column = place.column
        header.firstVariant = place.firstVariant
        header.variantCount = planes.count
        header.ordinal = ordinal
        header.firstRow = rows.lowerBound
        header.rowCount = rows.count
        header.rowsPerUnit = rowsPerUnit
        let states =
            planes.count == 1 ? Array(planes[0].states[rows]) : rows.flatMap { row in planes.map { $0.states[row] } }
        header.hasMissing = states.contains { $0 != .present }
        try fill(&block, &header, rows: rows, states: header.hasMissing ? states : nil)
        nextRow = rows.upperBound
        ordinal += 1
        return header
    }

    /// Whole units until the page has its bytes.
    private func pageEnd() -> Int {
        var row = nextRow
        while row < rowCount {
            row = min(row + rowsPerUnit, rowCount)
            if planes.reduce(0, { $0 + $1.range(of: nextRow..<row).count }) >= pageByteCount { break }
        }
        return row
    }

    private mutating func fill(
        _ block: inout [UInt8], _ header: inout BlockHeader, rows: Range<Int>, states: [CellState]?
    ) throws(ShardError) {
        let units = stride(from: rows.lowerBound, to: rows.upperBound, by: rowsPerUnit).map {
            $0..<min($0 + rowsPerUnit, rows.upperBound)
        }
        if encoder.storage != .plain, let page = try encoded(units) {
            header.encoding = encoder.storage.encoding
            header.codec = encoder.storage.codec
            header.auxiliary = encoder.auxiliary
            header.isPacked = true
            let prologue = PagePrologue.serialize(
                checksums: page.sums, ends: page.ends, plainSizes: isTensor ? nil : page.plainSizes, states: states)
            try assemble(&block, &header, prologue: prologue, payload: page.payload[...])
        } else if isTensor {
            try fillRaw(&block, &header, units: units, states: states)
        } else {
            header.isPacked = true
            var page = PackedUnits()
            for unit in units {
                makePlain(unit)
                try page.close(plain: unitBytes)
            }
            let prologue = PagePrologue.serialize(
                checksums: page.sums, ends: page.ends, plainSizes: nil, states: states)
            try assemble(&block, &header, prologue: prologue, payload: page.payload[...])
        }
    }

    /// A page of a tensor as it is: units on a 64-byte stride.
    private mutating func fillRaw(
        _ block: inout [UInt8], _ header: inout BlockHeader, units: [Range<Int>], states: [CellState]?
    ) throws(ShardError) {
        let cellByteCount = planes[0].range(of: units[0].lowerBound).count
        let unitByteCount = units[0].count * planes.count * cellByteCount
        if planes.count == 1, unitByteCount % FormatConstants.alignment == 0 {
            let plane = planes[0]
            let sums = units.map { unit in
                rowsPerUnit == 1 && plane.states[unit.lowerBound] == .present
                    ? plane.sums[unit.lowerBound] : crc32c(plane.bytes, plane.range(of: unit))
            }
            let all = units[0].lowerBound..<(units.last ?? units[0]).upperBound
            let prologue = PagePrologue.serialize(checksums: sums, ends: nil, plainSizes: nil, states: states)
            return try assemble(&block, &header, prologue: prologue, payload: plane.bytes[plane.range(of: all)])
        }
        var page = PackedUnits()
        page.payload.reserveCapacity(units.count * pad64(unitByteCount))
        for unit in units {
            makePlain(unit)
            try page.close(plain: unitBytes)
            page.payload.append(zeros: pad64(page.payload.count) - page.payload.count)
        }
        let prologue = PagePrologue.serialize(checksums: page.sums, ends: nil, plainSizes: nil, states: states)
        try assemble(&block, &header, prologue: prologue, payload: page.payload[...])
    }

    private struct PackedUnits {
        var payload: [UInt8] = []
        var sums: [UInt32] = []
        var ends: [Int] = []
        var plainSizes: [Int] = []

        mutating func close(plain unit: [UInt8]) throws(ShardError) {
            let start = payload.count
            payload.append(contentsOf: unit)
            try close(from: start, plainByteCount: unit.count)
        }

        /// What was appended behind `start` is a unit.
        /// - Throws: `.limitExceeded` for a unit or a payload that no reader takes. Spec: FORMAT.md section 10.
        mutating func close(from start: Int, plainByteCount: Int) throws(ShardError) {
            guard plainByteCount <= Limits.maximumUnitByteCount, payload.count <= Limits.maximumPayloadByteCount else {
                throw .limitExceeded("a unit of \(plainByteCount) bytes, in a page of \(payload.count)")
            }
            sums.append(crc32c(payload, start..<payload.count))
            ends.append(payload.count)
            plainSizes.append(plainByteCount)
        }
    }

    /// The units, encoded; nil if that makes the page no smaller.
    private mutating func encoded(_ units: [Range<Int>]) throws(ShardError) -> PackedUnits? {
        var page = PackedUnits()
        page.payload.reserveCapacity(min(pageByteCount, Self.standardPageByteCount))
        var plainByteCount = 0
        for unit in units {
            let start = page.payload.count
            let count: Int
            if isTensor, !planes.contains(where: { $0.states[unit].contains(.present) }) {
                // Spec: [R-UNIT-5].
                count = unit.reduce(0) { $0 + planes.count * planes[0].range(of: $1).count }
            } else if isTensor, planes.count == 1 {
                let plane = planes[0]
                count = plane.range(of: unit).count
                try encoder.append(plane.bytes, plane.range(of: unit), rowCount: unit.count, to: &page.payload)
            } else {
                makePlain(unit)
                count = unitBytes.count
                try encoder.append(unitBytes, 0..<count, rowCount: unit.count, to: &page.payload)
            }
            try page.close(from: start, plainByteCount: count)
            plainByteCount += isTensor ? pad64(count) : count
        }
        // A raw page has no table of ends.
        let cost = page.payload.count + 4 * units.count + (isTensor ? FormatConstants.slackByteCount : 0)
        return isTensor && cost >= plainByteCount || page.payload.count >= plainByteCount ? nil : page
    }

    /// Puts the plain bytes of a unit into `unitBytes`. Spec: FORMAT.md section 6.1.
    private mutating func makePlain(_ rows: Range<Int>) {
        unitBytes.removeAll(keepingCapacity: true)
        Plane.appendPlain(planes, rows: rows, to: &unitBytes)
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
