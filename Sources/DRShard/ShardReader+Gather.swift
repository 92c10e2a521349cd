internal import DRShardFormat

/// A unit that a batch needs.
private struct UnitRequest {
    var place: UnitPlace
    var position: UInt64
    var storedByteCount: Int
    /// Of the first of its cells in the sorted list, and behind the last.
    var cells: Range<Int>
}

private struct PlacedCell {
    /// In the order of the file: number of the chunk in the shard, then row in the row group.
    var key: UInt64
    var group: Int32
    /// Its place in the row group's list.
    var chunk: Int32
    /// In the row group.
    var row: Int32
    var variant: Int32
    /// Its place among the addresses.
    var index: Int
}

/// What becomes of the cells of a batch.
// SAFETY: the body gets memory that is valid during its call.
@safe private enum CellTarget {
    case slots(CellSlots)
    /// Gets a cell's place among the addresses, its canonical value (of a missing cell: no bytes) and its state.
    case body((Int, UnsafeRawBufferPointer, CellState) -> Void)
}

/// Working memory of one batch; kept from one to the next.
// SAFETY: a reader keeps those that no thread uses, under a lock; a thread that takes one has it alone.
final class ReadContext: @unchecked Sendable {
    fileprivate let units: UnitReader
    fileprivate var cells: [PlacedCell] = []
    fileprivate var requests: [UnitRequest] = []
    fileprivate var run: [UInt8] = []

    init(reader: ShardReader) { units = UnitReader(reader: reader) }

    /// Whether it is small enough to be kept.
    var isSmall: Bool { units.workingByteCount + run.count + 64 * (cells.capacity + requests.capacity) <= 16 << 20 }

    fileprivate func clear() {
        cells.removeAll(keepingCapacity: true)
        requests.removeAll(keepingCapacity: true)
    }
}

extension ShardReader {
    /// Reads the units of all addresses, in the order of the file, and calls `body` for every cell.
    func forEachCell(
        column: Int, _ addresses: [CellAddress], _ body: (Int, UnsafeRawBufferPointer, CellState) -> Void
    ) throws(ShardError) {
        var failure: ShardError?
        unsafe withoutActuallyEscaping(body) { body in
            var missing: [MissingCell] = []
            do throws(ShardError) {
                try gather(column: column, addresses, unsafe .body(body), missing: &missing)
            } catch { failure = error }
        }
        if let failure { throw failure }
    }

    /// Reads cells of a tensor column into their slots.
    /// - Returns: the cells that are not present, in order.
    func readCells(column: Int, _ addresses: [CellAddress], _ slots: CellSlots) throws(ShardError) -> [MissingCell] {
        var missing: [MissingCell] = []
        try gather(column: column, addresses, .slots(slots), missing: &missing)
        missing.sort { $0.index < $1.index }
        return missing
    }

    private func gather(
        column: Int, _ addresses: [CellAddress], _ target: CellTarget, missing: inout [MissingCell]
    ) throws(ShardError) {
        let context = takeContext()
        defer {
            context.clear()
            giveBack(context)
        }
        try place(column: column, addresses, in: context)
        try locate(in: context)
        if let memory = unsafe source.memory {
            counter.add(
                byteCount: context.requests.reduce(0) { $0 + $1.storedByteCount }, requestCount: context.requests.count)
            for unit in context.requests {
                // SAFETY: the unit's range lies in the file, slack included: its page was checked against the file's size.
                let stored = unsafe UnsafeRawBufferPointer(
                    rebasing: memory[Int(unit.position)..<Int(unit.position) + unit.storedByteCount])
                try unsafe deliver(unit, stored: stored, in: context, target, &missing)
            }
            return
        }
        try fetch(in: context, target, &missing)
    }

    /// Checks the addresses, and puts them into the order of the file.
    private func place(column: Int, _ addresses: [CellAddress], in context: ReadContext) throws(ShardError) {
        let variantCount = schema.variantCount(of: column)
        context.cells.reserveCapacity(addresses.count)
        var isSorted = true
        var last: UInt64 = 0
        for (i, address) in addresses.enumerated() {
            guard address.row >= 0, address.row < rowCount, address.variant >= 0, address.variant < variantCount else {
                throw ShardError.invalidArgument("there is no variant \(address.variant) of row \(address.row)")
                    .with(.init(path: path, column: schema.columns[column].name))
            }
            let group = group(ofRow: address.row)
            let chunk = chunk(column: column, variant: address.variant, group: group)
            let row = address.row - group * header.rowsPerGroup
            // Rows of a row group have 24 bits, and a footer has fewer than 2^25 chunks.
            let key = UInt64(chunksBefore[group] + chunk) << 24 | UInt64(row)
            isSorted = isSorted && key >= last
            last = key
            context.cells.append(
                PlacedCell(
                    key: key, group: Int32(truncatingIfNeeded: group), chunk: Int32(truncatingIfNeeded: chunk),
                    row: Int32(truncatingIfNeeded: row), variant: Int32(truncatingIfNeeded: address.variant), index: i))
        }
        // The cells of one unit then stand together.
        if !isSorted { context.cells.sort { $0.key < $1.key } }
    }

    /// The units of cells that are in the order of the file; each unit once.
    private func locate(in context: ReadContext) throws(ShardError) {
        let known = knownChunks()
        context.requests.reserveCapacity(context.cells.count)
        var last: (chunk: UInt64, pages: ChunkPages)?
        var lastPage: (number: Int, prologue: PagePrologue)?
        for i in context.cells.indices {
            let cell = context.cells[i]
            let pages: ChunkPages
            if let last, last.chunk == cell.key >> 24 {
                pages = last.pages
            } else {
                if let earlier = known[Int(cell.key >> 24)] {
                    pages = earlier
                } else {
                    pages = try self.pages(chunk: Int(cell.chunk), group: Int(cell.group))
                }
                last = (cell.key >> 24, pages)
                lastPage = nil
            }
            let page = pages.index.page(ofRow: Int(cell.row))
            let header = pages.index.entries[page].header
            let unit = (Int(cell.row) - header.firstRow) / header.rowsPerUnit
            if let request = context.requests.last, request.place.pages === pages, request.place.page == page,
                request.place.unit == unit
            {
                context.requests[context.requests.count - 1].cells = request.cells.lowerBound..<i + 1
                continue
            }
            let prologue: PagePrologue
            if let lastPage, lastPage.number == page {
                prologue = lastPage.prologue
            } else {
                prologue = try self.prologue(of: page, in: pages)
                lastPage = (page, prologue)
            }
            let place = UnitPlace(pages: pages, prologue: prologue, page: page, unit: unit)
            let stored = place.storedRange
            context.requests.append(
                UnitRequest(
                    place: place, position: place.position(stored), storedByteCount: stored.count, cells: i..<i + 1))
        }
    }

    private static let gapByteCount: UInt64 = 16 << 10
    private static let runByteCount = 4 << 20

    /// Reads the units, joined into runs where they are near.
    private func fetch(in context: ReadContext, _ target: CellTarget, _ missing: inout [MissingCell])
        throws(ShardError)
    {
        // The verifier checks that chunks lie in their order; a reader does not rely on it.
        let requests = context.requests
        let order = requests.indices.sorted { requests[$0].position < requests[$1].position }
        var next = 0
        while next < order.count {
            let first = requests[order[next]].position
            var end = first
            var last = next
            while last < order.count {
                let unit = requests[order[last]]
                let unitEnd = unit.position + UInt64(unit.storedByteCount)
                guard
                    last == next
                        || (unit.position <= end + Self.gapByteCount && unitEnd - first <= UInt64(Self.runByteCount))
                else { break }
                end = max(end, unitEnd)
                last += 1
            }
            try deliverRun(first..<end, of: order[next..<last], in: context, target, &missing)
            next = last
        }
    }

    private func deliverRun(
        _ range: Range<UInt64>, of units: ArraySlice<Int>, in context: ReadContext, _ target: CellTarget,
        _ missing: inout [MissingCell]
    ) throws(ShardError) {
        let count = Int(range.upperBound - range.lowerBound)
        counter.add(byteCount: count)
        // Decoders read past the last unit. Spec: FORMAT.md section 5.2.
        let room = count + FormatConstants.slackByteCount
        if context.run.count < room { context.run = [UInt8](repeating: 0, count: room) }
        var failure: ShardError?
        // SAFETY: the buffer is used inside the closure only; units lie in the range.
        unsafe context.run.withUnsafeMutableBytes { buffer in
            do throws(ShardError) {
                try unsafe source.read(
                    [ReadRequest(position: range.lowerBound, byteCount: count, targetOffset: 0)], into: buffer)
                for i in units {
                    let unit = context.requests[i]
                    let start = Int(unit.position - range.lowerBound)
                    let stored = unsafe UnsafeRawBufferPointer(rebasing: buffer[start..<start + unit.storedByteCount])
                    try unsafe deliver(unit, stored: stored, in: context, target, &missing)
                }
            } catch { failure = error }
        }
        if let failure { throw failure }
    }

    private func deliver(
        _ unit: UnitRequest, stored: UnsafeRawBufferPointer, in context: ReadContext, _ target: CellTarget,
        _ missing: inout [MissingCell]
    ) throws(ShardError) {
        do throws(ShardError) {
            switch target {
            case .slots(let slots):
                try unsafe deliver(unit, stored: stored, in: context, slots, &missing)
            case .body(let body):
                try unsafe context.units.decode(stored, unit.place)
                try forEach(cellOf: unit, in: context) { (cell, number, state) throws(ShardError) in
                    try unsafe context.units.withCell(number, state: state) { unsafe body(cell.index, $0, state) }
                }
            }
        } catch {
            var place = unit.place.pages.context(page: unit.place.page)
            let first = context.cells[unit.cells.lowerBound]
            place.row = footer.groups[Int(first.group)].firstRow + Int(first.row)
            place.position = unit.position
            throw error.with(place)
        }
    }

    private func deliver(
        _ unit: UnitRequest, stored: UnsafeRawBufferPointer, in context: ReadContext, _ slots: CellSlots,
        _ missing: inout [MissingCell]
    ) throws(ShardError) {
        let header = unit.place.header
        if header.rowsPerUnit == 1, header.variantCount == 1,
            unit.place.prologue.state(ofCell: unit.place.firstCell) == .present
        {
            for i in unit.cells {
                try unsafe context.units.decode(
                    stored, unit.place, into: slots.memory(context.cells[i].index), conversion: slots.conversion)
            }
            return
        }
        try unsafe context.units.decode(stored, unit.place)
        try forEach(cellOf: unit, in: context) { (cell, number, state) throws(ShardError) in
            try unsafe context.units.withCell(number, state: state) { unsafe slots.copy($0, cell.index, state: state) }
            if state != .present { missing.append(MissingCell(index: cell.index, state: state)) }
        }
    }

    /// The wanted cells of a unit: the cell, its number in the unit, its state.
    private func forEach(
        cellOf unit: UnitRequest, in context: ReadContext,
        _ body: (PlacedCell, Int, CellState) throws(ShardError) -> Void
    ) throws(ShardError) {
        let header = unit.place.header
        let firstRow = header.firstRow + unit.place.unit * header.rowsPerUnit
        for i in unit.cells {
            let cell = context.cells[i]
            let number = (Int(cell.row) - firstRow) * header.variantCount + Int(cell.variant) - header.firstVariant
            try body(cell, number, unit.place.prologue.state(ofCell: unit.place.firstCell + number))
        }
    }
}
