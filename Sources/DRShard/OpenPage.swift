internal import DRShardFormat

/// The pages of a column chunk, and those of them that were opened.
final class ChunkPages: Sendable {
    let index: ChunkIndex
    /// Of the index and the opened pages.
    let account: KeptAccount
    let type: ColumnType
    let cellByteCount: Int?
    private let place: ShardError.Context
    private let pages: Guarded<[OpenPage?]>

    init(index: ChunkIndex, type: ColumnType, context: ShardError.Context) {
        self.index = index
        self.type = type
        cellByteCount = type.cellByteCount
        place = context
        pages = Guarded(Array(repeating: nil, count: index.entries.count))
        let entryByteCount = MemoryLayout<ChunkIndex.Entry>.stride + MemoryLayout<OpenPage?>.stride
        account = KeptAccount(byteCount: KeptPages.objectByteCount + index.entries.count * entryByteCount)
    }

    func page(_ number: Int) -> OpenPage? { pages.withLock { $0[number] } }

    /// Keeps a page, unless another thread was first.
    /// - Returns: the one that is kept; the budget is to be told of it.
    func keep(_ page: OpenPage) -> OpenPage {
        pages.withLock { pages in
            if let earlier = pages[page.number] { return earlier }
            pages[page.number] = page
            account.grow(by: page.byteCount)
            return page
        }
    }

    func context(page: Int) -> ShardError.Context {
        var context = place
        context.page = page
        context.position = index.entries[page].position
        return context
    }
}

/// A page whose tables were read and checked.
final class OpenPage: Sendable {
    let header: BlockHeader
    let prologue: PagePrologue
    let type: ColumnType
    let cellByteCount: Int?
    /// Its place in the chunk.
    let number: Int
    /// Of its payload in the file.
    let payloadPosition: UInt64
    /// Whether a unit is one cell, and the page holds no missing one.
    let isOneCellAUnit: Bool
    /// Of exponent planes, if that is how it is encoded.
    let exponents: ExponentTable?
    /// For errors.
    let context: ShardError.Context

    init(
        _ entry: ChunkIndex.Entry, number: Int, prologue: PagePrologue, table: UnitTable?, type: ColumnType,
        context: ShardError.Context
    ) {
        header = entry.header
        self.prologue = prologue
        self.type = type
        cellByteCount = type.cellByteCount
        self.number = number
        payloadPosition = entry.position + UInt64(entry.header.payloadOffset)
        isOneCellAUnit =
            entry.header.rowsPerUnit == 1 && entry.header.variantCount == 1 && !entry.header.hasMissing
            && cellByteCount != nil
        if case .exponents(let table)? = table { exponents = table } else { exponents = nil }
        self.context = context
    }

    /// What it takes in memory, roughly: its tables take what they take in the file. The exponent table is counted where
    /// it is kept, though a page that was opened with it may outlast it there.
    var byteCount: Int {
        header.prologueByteCount + MemoryLayout<BlockHeader>.size + MemoryLayout<ShardError.Context>.size
            + KeptPages.objectByteCount
    }

    /// Where a unit's stored bytes lie in the payload.
    func storedRange(ofUnit unit: Int) -> Range<Int> {
        prologue.storedRange(ofUnit: unit, header: header, cellByteCount: cellByteCount)
    }

    /// The number of a unit's first cell in the page.
    func firstCell(ofUnit unit: Int) -> Int { unit * header.rowsPerUnit * header.variantCount }
}
