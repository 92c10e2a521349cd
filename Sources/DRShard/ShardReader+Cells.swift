public import DRShardFormat

/// A cell of a batch that has no value.
public struct MissingCell: Hashable, Sendable {
    /// Its place in the batch of addresses.
    public var index: Int
    public var state: CellState

    package init(index: Int, state: CellState) {
        self.index = index
        self.state = state
    }
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

extension ShardReader {
    /// Reads cells of a tensor column into the caller's memory: the cell of `addresses[i]` to byte `i * stride`.
    ///
    /// - Parameters:
    ///   - stride: at least the bytes of a cell as it comes out; nil: exactly that.
    ///   - element: another element type: bf16, f16 and f32 become each other (`FloatConversion`); nil: the column's.
    /// - Returns: the cells that are not present; their bytes become zero.
    /// - Throws: `.invalidArgument` for addresses or memory that do not fit; errors of the file with their place.
    ///   What was read before the error lies in `target`.
    /// Cost: no allocation per cell; a unit of one cell is decoded straight into its place; reads are sorted and joined
    /// where they are near.
    @discardableResult public func readCells(
        column: Int, _ addresses: [CellAddress], into target: UnsafeMutableRawBufferPointer, stride: Int? = nil,
        as element: ElementType? = nil
    ) throws(ShardError) -> [MissingCell] {
        let slots = try unsafe CellSlots(
            schema, column: column, count: addresses.count, stride: stride, element: element, target: target)
        return try readCells(column: column, addresses, slots)
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
}
