public import DRShardFormat

/// A cell of a batch that has no value.
public struct MissingCell: Hashable, Sendable {
    /// Its place in the batch of addresses.
    public var index: Int
    public var state: CellState
}

/// The values of a batch of cells of a ragged type, in the order of their addresses.
public struct RaggedCells: Sendable {
    public internal(set) var bytes: [UInt8] = []
    /// Where each value lies in `bytes`; empty for a cell that is not present.
    public internal(set) var ranges: [Range<Int>]
    public internal(set) var missing: [MissingCell] = []

    public var count: Int { ranges.count }
    /// The value of the cell at `index`.
    public subscript(index: Int) -> [UInt8] { Array(bytes[ranges[index]]) }
    /// The value as text; what is not UTF-8 is replaced.
    public func text(_ index: Int) -> String { String(decoding: bytes[ranges[index]], as: UTF8.self) }

    /// Adds the value of the cell at `index`, in whatever order they come.
    mutating func append(_ value: UnsafeRawBufferPointer, index: Int, state: CellState) {
        guard state == .present else { return missing.append(MissingCell(index: index, state: state)) }
        let start = bytes.count
        unsafe bytes.append(contentsOf: value)
        ranges[index] = start..<bytes.count
    }
}

/// Where the cells of a batch go in the caller's memory: checked once, for shards and data sets alike.
struct CellSlots {
    private let cellByteCount: Int
    private let stride: Int
    private let slots: [Int]?

    /// - Parameter slots: the cell `i` goes to byte `slots[i] * stride`; nil: to `i * stride`.
    /// - Throws: `.invalidArgument` if the column is no tensor, or if a cell would not lie in the target.
    init(
        _ schema: Schema, column: Int, count: Int, slots: [Int]? = nil, stride: Int?, targetByteCount: Int
    ) throws(ShardError) {
        guard schema.columns.indices.contains(column), let cell = schema.columns[column].type.cellByteCount else {
            throw .invalidArgument("column \(column) is no tensor")
        }
        cellByteCount = cell
        self.stride = stride ?? cell
        self.slots = slots
        guard slots?.count ?? count == count, self.stride >= cell, slots?.min() ?? 0 >= 0 else {
            throw .invalidArgument("slots or stride do not fit \(count) cells of \(cell) bytes")
        }
        guard count > 0 else { return }
        let (start, overflow) = (slots?.max() ?? count - 1).multipliedReportingOverflow(by: self.stride)
        guard !overflow, cell <= targetByteCount, start <= targetByteCount - cell else {
            throw .invalidArgument("\(targetByteCount) bytes are too few for \(count) cells of \(cell) bytes")
        }
    }

    /// Copies every cell that `read` delivers to its slot.
    /// - Returns: the cells that are not present, in order.
    func fill(
        _ target: UnsafeMutableRawBufferPointer,
        _ read: ((Int, UnsafeRawBufferPointer, CellState) -> Void) throws(ShardError) -> Void
    ) throws(ShardError) -> [MissingCell] {
        var missing: [MissingCell] = []
        try unsafe read { index, value, state in
            let start = (slots?[index] ?? index) * stride
            // SAFETY: all slots lie in the target, as was checked; a tensor's value has exactly the bytes of a cell.
            unsafe UnsafeMutableRawBufferPointer(rebasing: target[start..<start + cellByteCount]).copyMemory(
                from: value)
            if state != .present { missing.append(MissingCell(index: index, state: state)) }
        }
        missing.sort { $0.index < $1.index }
        return missing
    }
}

extension ShardReader {
    /// Reads cells of a tensor column into the caller's memory: the cell of `addresses[i]` to byte `i * stride`.
    ///
    /// - Parameter stride: at least the column's cell size; nil: exactly that.
    /// - Returns: the cells that are not present; their bytes become zero.
    /// - Throws: `.invalidArgument` for addresses or memory that do not fit; errors of the file with their place.
    ///   What was read before the error lies in `target`.
    /// Cost: no allocation per cell; reads are sorted and joined where they are near.
    @discardableResult public func readCells(
        column: Int, _ addresses: [CellAddress], into target: UnsafeMutableRawBufferPointer, stride: Int? = nil
    ) throws(ShardError) -> [MissingCell] {
        let slots = try CellSlots(
            schema, column: column, count: addresses.count, stride: stride, targetByteCount: target.count)
        // SAFETY: the slots were checked against this target.
        return try unsafe slots.fill(target) { copy throws(ShardError) in
            try unsafe forEachCell(column: column, addresses, copy)
        }
    }

    /// The same into a new array, cell behind cell.
    public func cells(column: Int, _ addresses: [CellAddress]) throws(ShardError) -> (
        bytes: [UInt8], missing: [MissingCell]
    ) {
        guard schema.columns.indices.contains(column), let cell = schema.columns[column].type.cellByteCount else {
            throw .invalidArgument("column \(column) is no tensor of this shard")
        }
        var bytes = [UInt8](repeating: 0, count: addresses.count * cell)
        var result: Result<[MissingCell], ShardError> = .success([])
        // SAFETY: the buffer is used inside the closure only.
        unsafe bytes.withUnsafeMutableBytes { target in
            do throws(ShardError) {
                result = .success(try unsafe readCells(column: column, addresses, into: target))
            } catch { result = .failure(error) }
        }
        return (bytes, try result.get())
    }

    /// Reads cells of any column as their canonical values.
    public func values(column: Int, _ addresses: [CellAddress]) throws(ShardError) -> RaggedCells {
        guard schema.columns.indices.contains(column) else { throw .invalidArgument("there is no column \(column)") }
        var cells = RaggedCells(ranges: Array(repeating: 0..<0, count: addresses.count))
        try unsafe forEachCell(column: column, addresses) { index, value, state in
            unsafe cells.append(value, index: index, state: state)
        }
        cells.missing.sort { $0.index < $1.index }
        return cells
    }

    /// The canonical value of one cell; nil if it is not present.
    public func value(column: Int, row: Int, variant: Int = 0) throws(ShardError) -> [UInt8]? {
        let cells = try values(column: column, [CellAddress(row: row, variant: variant)])
        return cells.missing.isEmpty ? cells[0] : nil
    }

    // MARK: Units

    /// A unit that a batch needs, and where its bytes are.
    private struct UnitRequest {
        var position: UInt64
        var storedByteCount: Int
        var page: Int
        var unit: Int
        var pages: PlanePages
        /// Of the first of its cells in the sorted list of addresses, and behind the last.
        var cells: Range<Int>
    }

    private struct PlacedCell {
        var group: Int
        /// Its place in the row group's list.
        var chunk: Int
        var row: Int
        var variant: Int
        var index: Int
    }

    /// Reads the units of all addresses, in the order of the file, and calls `body` for every cell with its place in
    /// `addresses`, its canonical value (of a missing cell: its slot) and its state.
    func forEachCell(
        column: Int, _ addresses: [CellAddress], _ body: (Int, UnsafeRawBufferPointer, CellState) -> Void
    ) throws(ShardError) {
        let variantCount = schema.variantCount(of: column)
        var cells: [PlacedCell] = []
        cells.reserveCapacity(addresses.count)
        for (i, address) in addresses.enumerated() {
            guard address.row >= 0, address.row < rowCount, address.variant >= 0, address.variant < variantCount else {
                throw ShardError.invalidArgument("there is no variant \(address.variant) of row \(address.row)")
                    .with(.init(path: path, column: schema.columns[column].name))
            }
            let group = group(ofRow: address.row)
            let chunk = chunk(column: column, variant: address.variant, group: group)
            cells.append(PlacedCell(group: group, chunk: chunk, row: address.row, variant: address.variant, index: i))
        }
        // As they lie in the file: the variants of a row stand together where a chunk spans them, in one unit.
        cells.sort {
            ($0.group, $0.chunk, $0.row, $0.variant, $0.index) < ($1.group, $1.chunk, $1.row, $1.variant, $1.index)
        }
        let units = try locate(cells)
        let decoder = UnitReader(reader: self, column: column)
        if let memory = unsafe source.memory {
            counter.add(byteCount: units.reduce(0) { $0 + $1.storedByteCount }, requestCount: units.count)
            for unit in units {
                // SAFETY: the unit's range lies in the file: its page was checked against the file's size.
                let stored = unsafe UnsafeRawBufferPointer(
                    rebasing: memory[Int(unit.position)..<Int(unit.position) + unit.storedByteCount])
                try unsafe deliver(unit, stored: stored, cells: cells, decoder: decoder, body)
            }
            return
        }
        try unsafe fetch(units) { unit, stored throws(ShardError) in
            try unsafe deliver(unit, stored: stored, cells: cells, decoder: decoder, body)
        }
    }

    /// The units of cells that are in the order of the file; each unit once.
    private func locate(_ cells: [PlacedCell]) throws(ShardError) -> [UnitRequest] {
        var units: [UnitRequest] = []
        var chunk: (group: Int, number: Int, pages: PlanePages)?
        for (i, cell) in cells.enumerated() {
            if chunk?.group != cell.group || chunk?.number != cell.chunk {
                chunk = (cell.group, cell.chunk, try pages(chunk: cell.chunk, group: cell.group))
            }
            guard let pages = chunk?.pages else { continue }
            let row = cell.row - footer.groups[cell.group].firstRow
            let page = pages.index.page(ofRow: row)
            let entry = pages.index.entries[page]
            let unit = (row - entry.header.firstRow) / entry.header.rowsPerUnit
            if let last = units.last, last.pages === pages, last.page == page, last.unit == unit {
                units[units.count - 1].cells = last.cells.lowerBound..<i + 1
                continue
            }
            let prologue = try prologue(of: page, in: pages)
            let stored = prologue.storedRange(ofUnit: unit, header: entry.header, cellByteCount: pages.cellByteCount)
            units.append(
                UnitRequest(
                    position: entry.position + UInt64(entry.header.payloadOffset + stored.lowerBound),
                    storedByteCount: stored.count, page: page, unit: unit, pages: pages, cells: i..<i + 1))
        }
        return units
    }

    private static let gapByteCount: UInt64 = 16 << 10
    private static let runByteCount = 4 << 20

    /// Reads units that are in the order of the file, joined into runs where they are near.
    private func fetch(
        _ units: [UnitRequest], _ body: (UnitRequest, UnsafeRawBufferPointer) throws(ShardError) -> Void
    ) throws(ShardError) {
        // The verifier checks that chunks lie in their order; a reader does not rely on it.
        let order = units.indices.sorted { units[$0].position < units[$1].position }
        var scratch = [UInt8]()
        var next = 0
        while next < order.count {
            let first = units[order[next]].position
            var end = first
            var last = next
            while last < order.count {
                let unit = units[order[last]]
                let unitEnd = unit.position + UInt64(unit.storedByteCount)
                guard
                    last == next
                        || (unit.position <= end + Self.gapByteCount && unitEnd - first <= UInt64(Self.runByteCount))
                else { break }
                end = max(end, unitEnd)
                last += 1
            }
            let count = Int(end - first)
            counter.add(byteCount: count)
            if scratch.count < count { scratch = [UInt8](repeating: 0, count: count) }
            var failure: ShardError?
            // SAFETY: the buffer is used inside the closure only; units lie in [first, end).
            unsafe scratch.withUnsafeMutableBytes { buffer in
                do throws(ShardError) {
                    try unsafe source.read(
                        [ReadRequest(position: first, byteCount: count, targetOffset: 0)], into: buffer)
                    for i in order[next..<last] {
                        let start = Int(units[i].position - first)
                        let stored = unsafe UnsafeRawBufferPointer(
                            rebasing: buffer[start..<start + units[i].storedByteCount])
                        try unsafe body(units[i], stored)
                    }
                } catch { failure = error }
            }
            if let failure { throw failure }
            next = last
        }
    }

    private func deliver(
        _ unit: UnitRequest, stored: UnsafeRawBufferPointer, cells: [PlacedCell], decoder: UnitReader,
        _ body: (Int, UnsafeRawBufferPointer, CellState) -> Void
    ) throws(ShardError) {
        let page = unit.pages.index.entries[unit.page].header
        let prologue = try prologue(of: unit.page, in: unit.pages)
        do throws(ShardError) {
            try unsafe decoder.decode(stored, unit: unit.unit, page: page, prologue: prologue)
            let firstRow = footer.groups[page.group].firstRow + page.firstRow + unit.unit * page.rowsPerUnit
            for cell in cells[unit.cells] {
                let number = (cell.row - firstRow) * page.variantCount + cell.variant - page.firstVariant
                let state = prologue.state(ofCell: unit.unit * page.rowsPerUnit * page.variantCount + number)
                try unsafe decoder.withCell(number, state: state) { value in unsafe body(cell.index, value, state) }
            }
        } catch {
            var context = unit.pages.context(page: unit.page)
            context.row = cells[unit.cells.lowerBound].row
            context.position = unit.position
            throw error.with(context)
        }
    }
}
