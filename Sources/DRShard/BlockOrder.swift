internal import DRShardFormat

/// Whether the blocks of a walk are those that the footer and the chunk indexes name, each once and in its place:
/// auxiliary pages, pages by chunk, indexes by chunk, group block; then the footer.
/// Spec: [R-GROUP-4], [R-AUX-2], [R-FILE-1], [R-INDEX-2].
///
/// Without a reader, because the footer could not be used, only what blocks say of each other is checked.
struct BlockOrder {
    private enum Stage: Int { case auxiliaries, pages, indexes, end }

    private let reader: ShardReader?
    private var group = 0
    private var stage = Stage.auxiliaries
    /// A block of the row group was met.
    private var isOpen = false
    /// The next page: its chunk, its number in the chunk, and its first row.
    private var chunk = 0
    private var page = 0
    private var row = 0
    private var index: ChunkPages?
    private var indexCount = 0
    private var auxiliaryCount = 0
    private var lastAuxiliary: BlockHeader?
    private var knowsAuxiliaries = true
    private var isLost = false

    init(reader: ShardReader?) { self.reader = reader }

    /// After damage the order is taken up again behind the next group block.
    mutating func lost() { isLost = true }

    /// Takes the next block of the walk.
    /// - Returns: what is wrong with its place. What depends on that place is not reported again.
    mutating func next(_ block: BlockHeader, at position: UInt64) -> ShardError? {
        guard !isLost else {
            recover(block)
            return nil
        }
        do throws(ShardError) {
            if block.kind != .footer {
                guard block.group == group else {
                    throw .corrupt("a block of row group \(block.group) inside row group \(group)")
                }
                try open(at: position)
            }
            switch block.kind {
            case .auxiliary: try nextAuxiliary(block, at: position)
            case .page: try nextPage(block, at: position)
            case .chunkIndex: try nextIndex(at: position)
            case .group: try closeGroup()
            case .footer: try checkFooter()
            }
            return nil
        } catch {
            isLost = true
            if block.kind == .group || block.kind == .footer { recover(block) }
            return error
        }
    }

    /// What the walk should have ended with.
    func atEnd() -> ShardError? { stage == .end || isLost ? nil : .corrupt("there is no footer before the tail") }

    private mutating func recover(_ block: BlockHeader) {
        guard block.kind == .group || block.kind == .footer else { return }
        isLost = false
        beginGroup(block.group + 1)
        if block.kind == .footer { stage = .end }
        // Those that were passed over were reported with the damage, or are what the footer lists.
        auxiliaryCount = reader?.footer.auxiliaries.prefix { $0.group <= block.group }.count ?? auxiliaryCount
        lastAuxiliary = nil
        // Without the footer's list it is not known how many were passed over.
        knowsAuxiliaries = reader != nil
    }

    private mutating func beginGroup(_ number: Int) {
        group = number
        stage = .auxiliaries
        isOpen = false
        (chunk, page, row, indexCount) = (0, 0, 0, 0)
        index = nil
    }

    private var entry: GroupEntry? {
        guard let groups = reader?.footer.groups, groups.indices.contains(group) else { return nil }
        return groups[group]
    }

    /// The first block of a group stands where the footer says that the group begins.
    private mutating func open(at position: UInt64) throws(ShardError) {
        guard stage != .end else { throw .corrupt("a block behind the footer") }
        guard !isOpen else { return }
        isOpen = true
        if let entry, entry.position != position {
            throw .corrupt("the row group begins here, the footer says at byte \(entry.position)")
        }
    }

    private mutating func nextAuxiliary(_ block: BlockHeader, at position: UInt64) throws(ShardError) {
        guard stage == .auxiliaries else { throw .corrupt("an auxiliary page behind the first page of its row group") }
        if let first = lastAuxiliary {
            var twin = first
            twin.copy = 1
            lastAuxiliary = nil
            guard twin == block else { throw .corrupt("the second copy of an auxiliary page is not like the first") }
            auxiliaryCount += 1
            return
        }
        guard block.copy == 0, block.ordinal == auxiliaryCount || !knowsAuxiliaries else {
            throw .corrupt("an auxiliary page out of its order")
        }
        lastAuxiliary = block
        guard let known = reader?.footer.auxiliaries else { return }
        guard known.indices.contains(auxiliaryCount), known[auxiliaryCount].firstPosition == position,
            known[auxiliaryCount].kind == block.encoding.rawValue, known[auxiliaryCount].column == block.column,
            known[auxiliaryCount].group == block.group, known[auxiliaryCount].checksum == block.checksum,
            known[auxiliaryCount].payloadByteCount == block.payloadByteCount
        else { throw .corrupt("an auxiliary page that the footer does not list so") }
    }

    private func checkPair() throws(ShardError) {
        guard lastAuxiliary == nil else { throw .corrupt("an auxiliary page without its second copy") }
    }

    private mutating func nextPage(_ block: BlockHeader, at position: UInt64) throws(ShardError) {
        guard stage == .auxiliaries || stage == .pages else {
            throw .corrupt("a page stands behind the indexes of its row group")
        }
        try checkPair()
        stage = .pages
        guard let reader else { return }
        guard let entry else { throw .corrupt("a row group that the footer does not list") }
        guard chunk < entry.chunks.count else { throw .corrupt("a page that no chunk claims") }
        // An index that cannot be used was reported; then the pages are held to their chunk alone.
        if page == 0 { index = try? reader.pages(chunk: chunk, group: group) }
        let rowCount: Int
        if let entries = index?.index.entries {
            let expected = entries[page]
            guard expected.position == position else {
                throw .corrupt("a page, where the chunk index says byte \(expected.position) for the next one")
            }
            rowCount = expected.header.rowCount
            defer { advance(rowCount, of: entry) }
            guard expected.header == block else {
                throw .corrupt("the page's header is not the one in the chunk index")
            }
        } else {
            let claimed = entry.chunks[chunk]
            guard block.column == claimed.column, block.firstVariant == claimed.firstVariant,
                block.variantCount == claimed.variantCount, block.ordinal == page, block.firstRow == row,
                (1...(entry.rowCount - row)).contains(block.rowCount)
            else {
                throw .corrupt("not the next page of column \(claimed.column), variant \(claimed.firstVariant)")
            }
            advance(block.rowCount, of: entry)
        }
    }

    private mutating func advance(_ rowCount: Int, of entry: GroupEntry) {
        row += rowCount
        page += 1
        guard row == entry.rowCount else { return }
        chunk += 1
        (page, row) = (0, 0)
    }

    private mutating func nextIndex(at position: UInt64) throws(ShardError) {
        guard stage == .pages || stage == .indexes else {
            throw .corrupt("a chunk index before the pages of its row group")
        }
        stage = .indexes
        defer { indexCount += 1 }
        guard reader != nil else { return }
        guard let chunks = entry?.chunks, chunk == chunks.count else {
            throw .corrupt("a chunk index, where pages of the row group are still to come")
        }
        guard indexCount < chunks.count, chunks[indexCount].indexPosition == position else {
            throw .corrupt("a chunk index that is not the one of the next chunk")
        }
    }

    private mutating func closeGroup() throws(ShardError) {
        guard stage == .indexes else { throw .corrupt("a group block before the indexes of its row group") }
        if reader != nil {
            guard let chunks = entry?.chunks else { throw .corrupt("a row group that the footer does not list") }
            guard indexCount == chunks.count else {
                throw .corrupt("\(indexCount) chunk indexes, \(chunks.count) chunks")
            }
        }
        beginGroup(group + 1)
    }

    private mutating func checkFooter() throws(ShardError) {
        try checkPair()
        guard stage == .auxiliaries, reader.map({ $0.footer.groups.count == group }) ?? true else {
            throw .corrupt("a footer where row groups are not complete")
        }
        if let listed = reader?.footer.auxiliaries.count, listed != auxiliaryCount {
            throw .corrupt("\(auxiliaryCount) auxiliary pages, the footer lists \(listed)")
        }
        stage = .end
    }
}
