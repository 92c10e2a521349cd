internal import DRShardFormat

/// Where rows of token ids go in the caller's memory: checked once, for shards and data sets alike.
// SAFETY: `init` checks that every slot lies in the rows and the lengths, which are only used while the call that made it
// runs.
@safe struct TokenSlots {
    let shape: TokenRowShape
    private let element: ElementType
    /// The slot of each cell; nil: its own place.
    private let slots: [Int]?
    private let rows: UnsafeMutableBufferPointer<Int32>
    private let lengths: UnsafeMutableBufferPointer<Int32>

    /// - Throws: `.invalidArgument` if the column has no tokens of u16 or i32, or a row would not lie in the memory.
    init(
        _ schema: Schema, column: Int, count: Int, slots: [Int]?, shape: TokenRowShape,
        rows: UnsafeMutableBufferPointer<Int32>, lengths: UnsafeMutableBufferPointer<Int32>
    ) throws(ShardError) {
        guard schema.columns.indices.contains(column), Encoding.tokenRanks.suits(schema.columns[column].type),
            let element = schema.columns[column].type.element
        else { throw .invalidArgument("column \(column) is no ragged one of u16 or i32") }
        self.shape = shape
        self.element = element
        self.slots = slots
        unsafe self.rows = rows
        unsafe self.lengths = lengths
        guard slots?.count ?? count == count, slots?.min() ?? 0 >= 0 else {
            throw .invalidArgument("the slots do not fit \(count) cells")
        }
        let needed = count == 0 ? 0 : (slots?.max() ?? count - 1) + 1
        guard needed <= lengths.count, needed <= rows.count / shape.contextLength else {
            throw .invalidArgument("memory for \(lengths.count) rows, \(needed) are needed")
        }
    }

    private init(_ other: TokenSlots, slots: [Int]) {
        shape = other.shape
        element = other.element
        self.slots = slots
        unsafe rows = other.rows
        unsafe lengths = other.lengths
    }

    /// The slots of some of the cells.
    func part(_ indexes: [Int]) -> TokenSlots {
        TokenSlots(self, slots: slots.map { slots in indexes.map { slots[$0] } } ?? indexes)
    }

    private func slot(_ index: Int) -> Int { slots?[index] ?? index }

    /// The memory of a row: `shape.contextLength` ids.
    func ids(_ index: Int) -> UnsafeMutablePointer<Int32>? {
        unsafe rows.baseAddress?.advanced(by: slot(index) * shape.contextLength)
    }

    func length(_ index: Int) -> UnsafeMutablePointer<Int32>? { unsafe lengths.baseAddress?.advanced(by: slot(index)) }

    /// Whether a row that was made has no token between start and end.
    func isEmpty(_ index: Int) -> Bool { unsafe length(index)?.pointee == 2 }

    /// Makes the row of a cell that is not present: zeros.
    func clear(_ index: Int) {
        unsafe ids(index)?.update(repeating: 0, count: shape.contextLength)
        unsafe length(index)?.update(repeating: 0, count: 1)
    }

    /// Makes the row of a value.
    func fill(_ index: Int, _ value: UnsafeRawBufferPointer) throws(ShardError) {
        try unsafe shape.fill(ids(index), length: length(index), value: value, element: element)
    }
}
