internal import DRShardFormat

/// Where rows of token ids go in the caller's memory: checked once, for shards and data sets alike.
// SAFETY: `init` checks that every slot lies in the rows and the lengths, or the caller vouches for the places; both are
// only used while the call that made it runs.
@safe struct TokenSlots {
    let shape: TokenRowShape
    private let element: ElementType
    /// The slot of each cell; nil: its own place.
    private let slots: [Int]?
    private let rows: UnsafeMutableBufferPointer<Int32>
    private let lengths: UnsafeMutableBufferPointer<Int32>
    /// Where each row goes, if that is not a slot.
    private let places: [TokenPlace]?
    /// What ids become.
    private let idElement: ElementType
    /// One row of i32, from which others are made.
    private let scratch: WorkingMemory?

    /// - Throws: `.invalidArgument` if the column has no tokens of u16 or i32, or a row would not lie in the memory.
    init(
        _ schema: Schema, column: Int, count: Int, slots: [Int]?, shape: TokenRowShape,
        rows: UnsafeMutableBufferPointer<Int32>, lengths: UnsafeMutableBufferPointer<Int32>
    ) throws(ShardError) {
        element = try TokenSlots.element(schema, column: column)
        self.shape = shape
        self.slots = slots
        unsafe self.rows = rows
        unsafe self.lengths = lengths
        places = nil
        idElement = .i32
        scratch = nil
        guard slots?.count ?? count == count, slots?.min() ?? 0 >= 0 else {
            throw .invalidArgument("the slots do not fit \(count) cells")
        }
        let needed = count == 0 ? 0 : (slots?.max() ?? count - 1) + 1
        guard needed <= lengths.count, needed <= rows.count / shape.contextLength else {
            throw .invalidArgument("memory for \(lengths.count) rows, \(needed) are needed")
        }
    }

    /// Rows anywhere: the caller sees to it that each place has room for a row of `element`, while the value is used.
    /// - Throws: `.invalidArgument` if the column has no tokens of u16 or i32, or ids cannot be `element`.
    init(_ schema: Schema, column: Int, shape: TokenRowShape, places: [TokenPlace], element: ElementType)
        throws(ShardError)
    {
        self.element = try TokenSlots.element(schema, column: column)
        guard [.i32, .i64].contains(element) || (element == .u16 && shape.fitsUInt16) else {
            throw .invalidArgument(
                "token ids as \(element): a vocabulary of \(shape.vocabularySize) needs another type")
        }
        self.shape = shape
        slots = nil
        unsafe rows = UnsafeMutableBufferPointer(start: nil, count: 0)
        unsafe lengths = UnsafeMutableBufferPointer(start: nil, count: 0)
        self.places = places
        idElement = element
        scratch = element == .i32 ? nil : WorkingMemory()
    }

    private static func element(_ schema: Schema, column: Int) throws(ShardError) -> ElementType {
        guard schema.columns.indices.contains(column), Encoding.tokenRanks.suits(schema.columns[column].type),
            let element = schema.columns[column].type.element
        else { throw .invalidArgument("column \(column) is no ragged one of u16 or i32") }
        return element
    }

    private init(_ other: TokenSlots, slots: [Int]) {
        shape = other.shape
        element = other.element
        self.slots = slots
        unsafe rows = other.rows
        unsafe lengths = other.lengths
        places = nil
        idElement = other.idElement
        scratch = other.scratch
    }

    /// The slots of some of the cells.
    func part(_ indexes: [Int]) -> TokenSlots {
        TokenSlots(self, slots: slots.map { slots in indexes.map { slots[$0] } } ?? indexes)
    }

    private func slot(_ index: Int) -> Int { slots?[index] ?? index }

    /// Makes a row by `body`, which gets room for `shape.contextLength` ids and for the length.
    private func make<Failure: Error>(
        _ index: Int,
        _ body: (UnsafeMutablePointer<Int32>?, UnsafeMutablePointer<Int32>?) throws(Failure) -> Void
    ) throws(Failure) {
        guard let place = places?[index] else {
            return try unsafe body(
                rows.baseAddress?.advanced(by: slot(index) * shape.contextLength),
                lengths.baseAddress?.advanced(by: slot(index)))
        }
        guard let scratch else {
            return try unsafe body(place.ids.assumingMemoryBound(to: Int32.self), place.length)
        }
        // SAFETY: the scratch has room for a row; the place has room for one of the other type.
        let row = unsafe scratch.room(4 * shape.contextLength).bindMemory(to: Int32.self)
        try unsafe body(row.baseAddress, place.length)
        if idElement == .u16 {
            let target = unsafe place.ids.assumingMemoryBound(to: UInt16.self)
            for i in 0..<shape.contextLength { unsafe target[i] = UInt16(truncatingIfNeeded: row[i]) }
        } else {
            let target = unsafe place.ids.assumingMemoryBound(to: Int64.self)
            for i in 0..<shape.contextLength { unsafe target[i] = Int64(row[i]) }
        }
    }

    /// Makes the row of a cell that is not present: zeros.
    func clear(_ index: Int) {
        unsafe make(index) { ids, length in
            unsafe ids?.update(repeating: 0, count: shape.contextLength)
            unsafe length?.update(repeating: 0, count: 1)
        }
    }

    /// Makes the row of a value.
    func fill(_ index: Int, _ value: UnsafeRawBufferPointer) throws(ShardError) {
        try unsafe make(index) { (ids, length) throws(ShardError) in
            try unsafe shape.fill(ids, length: length, value: value, element: element)
        }
    }

    /// Makes the row of a cell of a unit of token ranks.
    func decode(
        _ index: Int, _ stored: UnsafeRawBufferPointer, ranks: TokenRankTable, plainByteCount: Int, cellCount: Int,
        cell: Int
    ) throws(ShardError) {
        try unsafe make(index) { (ids, length) throws(ShardError) in
            try unsafe ranks.decodeRow(
                stored, plainByteCount: plainByteCount, cellCount: cellCount, cell: cell, shape: shape, ids: ids,
                length: length)
        }
    }

    /// Whether a row that was made has no token between start and end.
    func isEmpty(_ index: Int) -> Bool {
        let length = unsafe places.map { unsafe $0[index].length } ?? lengths.baseAddress?.advanced(by: slot(index))
        return unsafe length?.pointee == 2
    }
}

/// Where one row of token ids goes.
@safe package struct TokenPlace {
    let ids: UnsafeMutableRawPointer
    let length: UnsafeMutablePointer<Int32>
    package init(ids: UnsafeMutableRawPointer, length: UnsafeMutablePointer<Int32>) {
        unsafe self.ids = ids
        unsafe self.length = length
    }
}
