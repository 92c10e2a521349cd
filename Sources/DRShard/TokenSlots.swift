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
    }

    /// The slots of some of the cells.
    func part(_ indexes: [Int]) -> TokenSlots {
        TokenSlots(self, slots: slots.map { slots in indexes.map { slots[$0] } } ?? indexes)
    }

    private func slot(_ index: Int) -> Int { slots?[index] ?? index }

    /// Puts a row where it belongs: `shape.contextLength` ids.
    func put(_ index: Int, _ ids: UnsafePointer<Int32>, length: Int32) {
        let count = shape.contextLength
        guard let place = places?[index] else {
            unsafe rows.baseAddress?.advanced(by: slot(index) * count).update(from: ids, count: count)
            unsafe lengths[slot(index)] = length
            return
        }
        unsafe place.length.pointee = length
        switch idElement {
        case .u16:
            let target = unsafe place.ids.assumingMemoryBound(to: UInt16.self)
            for i in 0..<count { unsafe target[i] = UInt16(truncatingIfNeeded: ids[i]) }
        case .i64:
            let target = unsafe place.ids.assumingMemoryBound(to: Int64.self)
            for i in 0..<count { unsafe target[i] = Int64(ids[i]) }
        default: unsafe place.ids.copyMemory(from: ids, byteCount: 4 * count)
        }
    }

    /// Makes a row of a value at `ids`, and says how long it is.
    func fill(_ ids: UnsafeMutablePointer<Int32>, _ value: UnsafeRawBufferPointer) throws(ShardError) -> Int32 {
        var length: Int32 = 0
        try unsafe shape.fill(ids, length: &length, value: value, element: element)
        return length
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
