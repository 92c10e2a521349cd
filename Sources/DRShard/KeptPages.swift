internal import DRShardFormat

/// What an auxiliary page holds.
final class KeptTable: Sendable {
    let table: UnitTable
    let account: KeptAccount

    init(_ table: UnitTable) {
        self.table = table
        account = KeptAccount(byteCount: table.byteCount + KeptPages.objectByteCount)
    }
}

/// The chunk indexes, opened pages and tables of one shard, until the budget drops them.
///
/// The budget refers to this, and not to the reader; this refers to neither.
final class KeptPages: Sendable {
    enum Place {
        /// A row group, and a place in its list of chunks.
        case chunk(group: Int, Int)
        /// The number of an auxiliary page.
        case table(Int)
    }

    /// Of an object with its account and its place in the budget, apart from what it holds; roughly.
    static let objectByteCount = 256

    private struct Group {
        /// Empty if there are none.
        var chunks: [ChunkPages?] = []
        var keptCount = 0
    }

    /// By row group, so that a change while somebody looks at one copies the chunks of that one at most.
    private let groups: Guarded<[Group]>
    private let tables = Guarded<[Int: KeptTable]>([:])

    init(groupCount: Int) { groups = Guarded(Array(repeating: Group(), count: groupCount)) }

    /// The chunks of a row group that are kept, by their place in its list; empty if there are none.
    func chunks(ofGroup group: Int) -> [ChunkPages?] { groups.withLock { $0[group].chunks } }

    func chunk(_ chunk: Int, group: Int) -> ChunkPages? {
        groups.withLock { $0[group].chunks.isEmpty ? nil : $0[group].chunks[chunk] }
    }

    /// Keeps a chunk, unless another thread was first.
    /// - Parameter chunkCount: of the row group.
    /// - Returns: the one that is kept.
    func keep(_ pages: ChunkPages, chunk: Int, group: Int, chunkCount: Int) -> ChunkPages {
        groups.withLock { groups in
            if groups[group].chunks.isEmpty { groups[group].chunks = Array(repeating: nil, count: chunkCount) }
            if let earlier = groups[group].chunks[chunk] { return earlier }
            groups[group].chunks[chunk] = pages
            groups[group].keptCount += 1
            return pages
        }
    }

    func table(_ number: Int) -> KeptTable? { tables.withLock { $0[number] } }

    /// Keeps a table, unless another thread was first.
    /// - Returns: the one that is kept.
    func keep(_ table: KeptTable, number: Int) -> KeptTable {
        tables.withLock { tables in
            if let earlier = tables[number] { return earlier }
            tables[number] = table
            return table
        }
    }

    /// Drops what is in a place, if it is still what the account is of. Its memory is freed outside of the lock.
    func drop(_ place: Place, _ account: KeptAccount) {
        switch place {
        case .chunk(let group, let chunk): _ = take(chunk, group: group, account)
        case .table(let number):
            _ = tables.withLock { tables in
                tables[number]?.account === account ? tables.removeValue(forKey: number) : nil
            }
        }
    }

    private func take(_ chunk: Int, group: Int, _ account: KeptAccount) -> ChunkPages? {
        groups.withLock { groups in
            guard !groups[group].chunks.isEmpty, let known = groups[group].chunks[chunk], known.account === account
            else { return nil }
            groups[group].chunks[chunk] = nil
            groups[group].keptCount -= 1
            if groups[group].keptCount == 0 { groups[group].chunks = [] }
            return known
        }
    }

    /// Of all that is kept. Cost: O(chunks).
    var accounts: [KeptAccount] {
        let chunks = groups.withLock { groups in groups.flatMap { $0.chunks.compactMap { $0?.account } } }
        return chunks + tables.withLock { tables in tables.values.map(\.account) }
    }
}
