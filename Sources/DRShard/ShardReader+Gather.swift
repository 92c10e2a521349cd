package import DRShardFormat

/// A unit that a batch needs.
private struct UnitRequest {
    /// Its page, by its place in the list of the batch, and its number in that.
    var page: Int
    var unit: Int
    var position: UInt64 = 0
    var storedByteCount = 0
    /// Of the first of its cells in the sorted list, and behind the last.
    var firstCell: Int
    var endCell: Int
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
    case tokens(TokenSlots)
    /// Gets a cell's place among the addresses, its canonical value (of a missing cell: no bytes) and its state.
    case body((Int, UnsafeRawBufferPointer, CellState) -> Void)
}

/// Working memory of one batch; kept from one to the next.
// SAFETY: a reader keeps those that no thread uses, under a lock; a thread that takes one has it alone.
final class ReadContext: @unchecked Sendable {
    let units = UnitReader()
    fileprivate let batch = CellBatch()
    fileprivate var cells: [PlacedCell] = []
    fileprivate var pages: [OpenPage] = []
    fileprivate var requests: [UnitRequest] = []
    fileprivate var run: [UInt8] = []
    /// Rows of tokens of a unit, and the cells that they are of.
    fileprivate let rows = WorkingMemory()
    fileprivate var wanted: [UInt32] = []

    /// Whether it is small enough to be kept.
    var isSmall: Bool {
        let lists = 64 * (cells.capacity + requests.capacity)
        return units.workingByteCount + batch.workingByteCount + rows.byteCount + run.count + lists <= 16 << 20
    }

    fileprivate func clear() {
        cells.removeAll(keepingCapacity: true)
        pages.removeAll(keepingCapacity: true)
        requests.removeAll(keepingCapacity: true)
    }
}

extension ShardReader {
    /// Reads the units of all addresses, in the order of the file, and calls `body` for every cell.
    package func forEachCell(
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

    /// Reads cells of a column of tokens as rows of ids.
    /// - Returns: the cells that are not present, in order.
    func readTokens(column: Int, _ addresses: [CellAddress], _ slots: TokenSlots) throws(ShardError) -> [MissingCell] {
        var missing: [MissingCell] = []
        try gather(column: column, addresses, .tokens(slots), missing: &missing)
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
            try unsafe deliver(from: memory, in: context, target, &missing)
            return
        }
        try fetch(in: context, target, &missing)
    }

    /// Delivers the units from a source in memory.
    private func deliver(
        from memory: UnsafeRawBufferPointer, in context: ReadContext, _ target: CellTarget,
        _ missing: inout [MissingCell]
    ) throws(ShardError) {
        let all = Array(context.requests.indices)[...]
        try unsafe deliver(all, from: memory, at: 0, in: context, target, &missing)
    }

    /// Delivers units whose stored bytes are in memory, page by page.
    /// - Parameters:
    ///   - units: in the order in which they are delivered.
    ///   - position: of the memory's first byte in the file.
    private func deliver(
        _ units: ArraySlice<Int>, from memory: UnsafeRawBufferPointer, at position: UInt64, in context: ReadContext,
        _ target: CellTarget, _ missing: inout [MissingCell]
    ) throws(ShardError) {
        let requests = context.requests
        var first = units.startIndex
        while first < units.endIndex {
            let number = requests[units[first]].page
            var end = first + 1
            while end < units.endIndex, requests[units[end]].page == number { end += 1 }
            let page = context.pages[number]
            let part = units[first..<end]
            switch target {
            case .slots(let slots) where page.isOneCellAUnit:
                try unsafe deliverCells(part, of: page, from: memory, at: position, in: context, slots)
            case .tokens(let slots):
                for unit in part {
                    let request = requests[unit]
                    try located(request, of: page, in: context) { () throws(ShardError) in
                        try unsafe deliver(
                            request, stored: Self.stored(request, memory, position), of: page, in: context, slots,
                            &missing)
                    }
                }
            default:
                for unit in part {
                    let request = requests[unit]
                    try unsafe deliver(
                        request, stored: Self.stored(request, memory, position), in: context, target, &missing)
                }
            }
            first = end
        }
    }

    private static func stored(_ request: UnitRequest, _ memory: UnsafeRawBufferPointer, _ position: UInt64)
        -> UnsafeRawBufferPointer
    {
        let start = Int(request.position - position)
        // SAFETY: buffer subscripts check the range; slack lies behind it: of a page, or of the run that was read.
        return unsafe UnsafeRawBufferPointer(rebasing: memory[start..<start + request.storedByteCount])
    }

    /// Delivers units of one cell each, all present, of a page of a tensor column.
    private func deliverCells(
        _ units: ArraySlice<Int>, of page: OpenPage, from memory: UnsafeRawBufferPointer, at position: UInt64,
        in context: ReadContext, _ slots: CellSlots
    ) throws(ShardError) {
        let (requests, cells, batch) = (context.requests, context.cells, context.batch)
        let checksums = page.prologue.checksums
        batch.clear()
        // A cell that goes to several places is several cells.
        for unit in units {
            let request = requests[unit]
            // SAFETY: the place is the slot's, and has room for the cell as it comes out.
            guard let stored = unsafe Self.stored(request, memory, position).baseAddress else { continue }
            for i in request.firstCell..<request.endCell {
                guard let target = unsafe slots.memory(cells[i].index).baseAddress else { continue }
                unsafe batch.append(
                    stored, count: request.storedByteCount, checksum: checksums[request.unit], target: target)
            }
        }
        guard let cellByteCount = page.cellByteCount, let element = page.type.element else { return }
        var done = 0
        while true {
            done = batch.decode(
                from: done, cellByteCount: cellByteCount, valueByteCount: element.byteCount,
                exponents: page.exponents, conversion: slots.conversion, checks: options.checksUnits,
                isStreamed: slots.isStreamed)
            guard done < batch.count else { return }
            // One by one: by another way, or to an error that says what is wrong.
            let request = Self.request(ofCell: done, units, requests)
            var none: [MissingCell] = []
            try unsafe deliver(
                request, stored: Self.stored(request, memory, position), in: context, .slots(slots), &none)
            done += 1
        }
    }

    /// The request of the cell of a number, counted through some requests.
    private static func request(ofCell number: Int, _ units: ArraySlice<Int>, _ requests: [UnitRequest]) -> UnitRequest
    {
        var rest = number
        for unit in units {
            let count = requests[unit].endCell - requests[unit].firstCell
            if rest < count { return requests[unit] }
            rest -= count
        }
        preconditionFailure("cell \(number) of \(units.count) units")
    }

    /// Checks the addresses, and puts them into the order of the file.
    private func place(column: Int, _ addresses: [CellAddress], in context: ReadContext) throws(ShardError) {
        let variantCount = schema.variantCount(of: column)
        let rowsPerGroup = header.rowsPerGroup
        // A local array: one in an object is checked for others who use it, at every append.
        var cells: [PlacedCell] = []
        swap(&cells, &context.cells)
        defer { swap(&cells, &context.cells) }
        cells.reserveCapacity(addresses.count)
        var isSorted = true
        var last: UInt64 = 0
        var group = 0
        for i in addresses.indices {
            let address = addresses[i]
            guard address.row >= 0, address.row < rowCount, address.variant >= 0, address.variant < variantCount else {
                throw ShardError.invalidArgument("there is no variant \(address.variant) of row \(address.row)")
                    .with(.init(path: path, column: schema.columns[column].name))
            }
            var row = address.row - group * rowsPerGroup
            if row < 0 || row >= rowsPerGroup {
                group = address.row / rowsPerGroup
                row = address.row - group * rowsPerGroup
            }
            let chunk = chunk(column: column, variant: address.variant, group: group)
            // Rows of a row group have 24 bits, and a footer has fewer than 2^25 chunks.
            let key = UInt64(chunksBefore[group] + chunk) << 24 | UInt64(row)
            isSorted = isSorted && key >= last
            last = key
            cells.append(
                PlacedCell(
                    key: key, group: Int32(truncatingIfNeeded: group), chunk: Int32(truncatingIfNeeded: chunk),
                    row: Int32(truncatingIfNeeded: row), variant: Int32(truncatingIfNeeded: address.variant), index: i))
        }
        // The cells of one unit then stand together.
        if !isSorted { cells.sort { $0.key < $1.key } }
    }

    /// The units of cells that are in the order of the file; each unit once.
    private func locate(in context: ReadContext) throws(ShardError) {
        let cells = context.cells
        var pages: [OpenPage] = []
        var requests: [UnitRequest] = []
        swap(&pages, &context.pages)
        swap(&requests, &context.requests)
        defer {
            swap(&pages, &context.pages)
            swap(&requests, &context.requests)
        }
        requests.reserveCapacity(cells.count)
        var lastChunk = UInt64.max
        var chunk: ChunkPages?
        var lastGroup: Int32 = -1
        var known: [ChunkPages?] = []
        var firstRow = 0
        var endRow = 0
        var rowsPerUnit = 1
        /// Requests whose place is known: those of all pages but the last.
        var placed = 0
        for i in cells.indices {
            let cell = cells[i]
            let row = Int(cell.row)
            if cell.key >> 24 != lastChunk || row >= endRow {
                if cell.key >> 24 != lastChunk {
                    lastChunk = cell.key >> 24
                    if cell.group != lastGroup {
                        lastGroup = cell.group
                        known = keptChunks(ofGroup: Int(lastGroup))
                    }
                    chunk = known.isEmpty ? nil : known[Int(cell.chunk)]
                    if chunk == nil { chunk = try self.pages(chunk: Int(cell.chunk), group: Int(cell.group)) }
                }
                if let last = pages.last { Self.place(&requests, placed..<requests.count, of: last) }
                placed = requests.count
                let page = try page(of: row, in: chunk)
                (firstRow, rowsPerUnit) = (page.header.firstRow, page.header.rowsPerUnit)
                endRow = firstRow + page.header.rowCount
                pages.append(page)
            }
            let number = pages.count - 1
            let unit = rowsPerUnit == 1 ? row - firstRow : (row - firstRow) / rowsPerUnit
            if let request = requests.last, request.page == number, request.unit == unit {
                requests[requests.count - 1].endCell = i + 1
                continue
            }
            requests.append(UnitRequest(page: number, unit: unit, firstCell: i, endCell: i + 1))
        }
        if let last = pages.last { Self.place(&requests, placed..<requests.count, of: last) }
    }

    /// Fills in where the units of one page lie.
    private static func place(_ requests: inout [UnitRequest], _ range: Range<Int>, of page: OpenPage) {
        for i in range {
            let stored = page.storedRange(ofUnit: requests[i].unit)
            requests[i].position = page.payloadPosition + UInt64(stored.lowerBound)
            requests[i].storedByteCount = stored.count
        }
    }

    private func page(of row: Int, in chunk: ChunkPages?) throws(ShardError) -> OpenPage {
        guard let chunk else { throw .corrupt("row \(row) has no chunk") }
        return try page(chunk.index.page(ofRow: row), in: chunk)
    }

    /// Bytes between units that are read with them: at most these, and an eighth of what is wanted. A read that is saved
    /// costs no more than that, and what nobody asked for stays little.
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
            var wanted: UInt64 = 0
            while last < order.count {
                let unit = requests[order[last]]
                let unitEnd = unit.position + UInt64(unit.storedByteCount)
                let gap = min(Self.gapByteCount, max(wanted / 8, UInt64(FormatConstants.alignment)))
                guard
                    last == next || (unit.position <= end + gap && unitEnd - first <= UInt64(Self.runByteCount))
                else { break }
                wanted += UInt64(unit.storedByteCount)
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
        // Decoders read past the last unit. Spec: FORMAT.md section 5.2.
        let room = count + FormatConstants.slackByteCount
        if context.run.count < room { context.run = [UInt8](repeating: 0, count: room) }
        var failure: ShardError?
        // SAFETY: the buffer is used inside the closure only; units lie in the range.
        unsafe context.run.withUnsafeMutableBytes { buffer in
            do throws(ShardError) {
                try counter.counting(byteCount: count) { () throws(ShardError) in
                    try unsafe source.read(
                        [ReadRequest(position: range.lowerBound, byteCount: count, targetOffset: 0)], into: buffer)
                }
                try unsafe deliver(
                    units, from: UnsafeRawBufferPointer(buffer), at: range.lowerBound, in: context, target, &missing)
            } catch { failure = error }
        }
        if let failure { throw failure }
    }

    /// Gives errors of `work` the place of a unit.
    private func located(
        _ request: UnitRequest, of page: OpenPage, in context: ReadContext, _ work: () throws(ShardError) -> Void
    ) throws(ShardError) {
        do throws(ShardError) { try work() } catch {
            var place = page.context
            let first = context.cells[request.firstCell]
            place.row = footer.groups[Int(first.group)].firstRow + Int(first.row)
            place.position = request.position
            throw error.with(place)
        }
    }

    private func deliver(
        _ request: UnitRequest, stored: UnsafeRawBufferPointer, in context: ReadContext, _ target: CellTarget,
        _ missing: inout [MissingCell]
    ) throws(ShardError) {
        let page = context.pages[request.page]
        try located(request, of: page, in: context) { () throws(ShardError) in
            switch target {
            case .slots(let slots):
                if page.isOneCellAUnit {
                    for i in request.firstCell..<request.endCell {
                        try unsafe context.units.decode(
                            stored, request.unit, of: page, into: slots.memory(context.cells[i].index),
                            conversion: slots.conversion)
                    }
                    return
                }
                try unsafe context.units.decode(stored, request.unit, of: page)
                try forEachCell(of: request, in: context) { (index, number, state) throws(ShardError) in
                    try unsafe context.units.withCell(number, state: state) {
                        unsafe slots.copy($0, index, state: state)
                    }
                    if state != .present { missing.append(MissingCell(index: index, state: state)) }
                }
            case .tokens(let slots):
                try unsafe deliver(request, stored: stored, of: page, in: context, slots, &missing)
            case .body(let body):
                try unsafe context.units.decode(stored, request.unit, of: page)
                try forEachCell(of: request, in: context) { (index, number, state) throws(ShardError) in
                    try unsafe context.units.withCell(number, state: state) { unsafe body(index, $0, state) }
                }
            }
        }
    }

    /// Delivers the wanted cells of a unit of tokens: rows are made one behind the other, and then put into their places.
    private func deliver(
        _ request: UnitRequest, stored: UnsafeRawBufferPointer, of page: OpenPage, in context: ReadContext,
        _ slots: TokenSlots, _ missing: inout [MissingCell]
    ) throws(ShardError) {
        let (width, count) = (slots.shape.contextLength, request.endCell - request.firstCell)
        // SAFETY: the memory has room for so many rows and lengths, and nothing else uses it during this call.
        let room = unsafe context.rows.room(4 * count * (width + 1)).bindMemory(to: Int32.self)
        let ids = unsafe UnsafeMutableBufferPointer(rebasing: room[0..<count * width])
        let lengths = unsafe UnsafeMutableBufferPointer(rebasing: room[(count * width)...])
        let firstRow = page.header.firstRow + request.unit * page.header.rowsPerUnit
        let cells = context.cells
        if let ranks = try unsafe context.units.tokenRanks(stored, request.unit, of: page) {
            var wanted = context.wanted
            context.wanted = []
            wanted.removeAll(keepingCapacity: true)
            for i in request.firstCell..<request.endCell {
                let number = (Int(cells[i].row) - firstRow) * page.header.variantCount + Int(cells[i].variant)
                wanted.append(UInt32(number - page.header.firstVariant))
            }
            try unsafe ranks.table.decodeRows(
                stored, plainByteCount: ranks.plainByteCount,
                cellCount: PageLayout.rowCount(page.header, unit: request.unit) * page.header.variantCount,
                wanted: wanted, shape: slots.shape, ids: ids, lengths: lengths)
            context.wanted = wanted
        } else {
            try unsafe context.units.decode(stored, request.unit, of: page)
            var next = 0
            try forEachCell(of: request, in: context) { (_, number, state) throws(ShardError) in
                var result: Result<Int32, ShardError> = .success(0)
                try unsafe context.units.withCell(number, state: state) { value in
                    guard let row = unsafe ids.baseAddress?.advanced(by: next * width) else { return }
                    do throws(ShardError) { result = .success(try unsafe slots.fill(row, value)) } catch {
                        result = .failure(error)
                    }
                }
                unsafe lengths[next] = try result.get()
                next += 1
            }
        }
        guard let first = ids.baseAddress else { return }
        guard page.header.hasMissing else {
            for i in 0..<count {
                unsafe slots.put(
                    cells[request.firstCell + i].index, first.advanced(by: i * width), length: lengths[i])
            }
            return
        }
        var next = 0
        try forEachCell(of: request, in: context) { (index, _, state) throws(ShardError) in
            let row = unsafe first.advanced(by: next * width)
            if state != .present {
                // Start and end alone: the slot is empty. Spec: [R-PAGE-8].
                guard unsafe lengths[next] == 2 else {
                    throw .corrupt("the slot of a cell that is not present is not empty")
                }
                unsafe row.update(repeating: 0, count: width)
                unsafe lengths[next] = 0
                missing.append(MissingCell(index: index, state: state))
            }
            unsafe slots.put(index, row, length: lengths[next])
            next += 1
        }
    }

    /// The wanted cells of a unit: the place among the addresses, the number in the unit, the state.
    private func forEachCell(
        of request: UnitRequest, in context: ReadContext, _ body: (Int, Int, CellState) throws(ShardError) -> Void
    ) throws(ShardError) {
        let page = context.pages[request.page]
        let firstRow = page.header.firstRow + request.unit * page.header.rowsPerUnit
        let firstCell = page.firstCell(ofUnit: request.unit)
        for i in request.firstCell..<request.endCell {
            let cell = context.cells[i]
            let number =
                (Int(cell.row) - firstRow) * page.header.variantCount + Int(cell.variant) - page.header.firstVariant
            do throws(ShardError) {
                try body(cell.index, number, page.prologue.state(ofCell: firstCell + number))
            } catch {
                let row = footer.groups[Int(cell.group)].firstRow + Int(cell.row)
                throw error.with(.init(variant: Int(cell.variant), row: row))
            }
        }
    }
}
