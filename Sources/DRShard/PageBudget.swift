internal import Synchronization

/// How many bytes one kept thing has, and its turn to be dropped.
final class KeptAccount: Sendable {
    private let bytes: Atomic<Int>
    /// Changed under the lock of the budget alone; 0: the budget has not counted it yet.
    fileprivate let turn = Atomic<Int>(0)

    init(byteCount: Int) { bytes = Atomic(byteCount) }

    var byteCount: Int { bytes.load(ordering: .relaxed) }

    /// To be told to the budget with `update`.
    func grow(by byteCount: Int) { bytes.wrappingAdd(byteCount, ordering: .relaxed) }
}

/// Counts the bytes of what readers keep, all shards of a data set together, and drops the oldest when they are too many.
///
/// The oldest, not the one that was not used for longest: a loader visits blocks in a random order, so that its last use
/// says nothing about its next, and a hit need not tell anybody: only what had to be read comes here. A chunk goes as one,
/// its index with the pages that were opened: they would be of no use without it.
///
/// No lock of a reader is held when that of the budget is taken, nor the other way round: what goes is found under the
/// one, and dropped under the other. In between it may still be found, which does no harm. Whoever uses what is dropped
/// keeps it as long as it needs it; such things, those of the calls in progress, are not counted.
final class PageBudget: Sendable {
    private struct Entry {
        let account: KeptAccount
        let pages: KeptPages
        let place: KeptPages.Place
        var byteCount: Int

        func drop() { pages.drop(place, account) }
    }

    private struct State {
        var entries: [Int: Entry] = [:]
        /// No entry has an earlier turn.
        var firstTurn = 1
        var nextTurn = 1
        var byteCount = 0

        /// Takes out the oldest entry, if there is more than the limit. Each turn is passed once.
        mutating func oldest(above limit: Int) -> Entry? {
            guard byteCount > limit else { return nil }
            while firstTurn < nextTurn {
                firstTurn += 1
                if let entry = remove(firstTurn - 1) { return entry }
            }
            return nil
        }

        mutating func remove(_ turn: Int) -> Entry? {
            guard let entry = entries.removeValue(forKey: turn) else { return nil }
            byteCount -= entry.byteCount
            return entry
        }
    }

    private let limit: Int
    /// Working memory that no thread uses: of all shards together no more than threads ever read at once.
    private let contexts = Guarded<[ReadContext]>([])
    private let state = Guarded(State())

    /// - Parameter limit: bytes that may be kept; with 0 nothing is.
    init(limit: Int) { self.limit = limit }

    func takeContext() -> ReadContext { contexts.withLock { $0.popLast() } ?? ReadContext() }

    func giveBack(_ context: ReadContext) {
        guard context.isSmall else { return }
        contexts.withLock { $0.append(context) }
    }

    /// Bytes of all that is kept, never above the limit, and the number of chunks and tables.
    var use: (byteCount: Int, count: Int) { state.withLock { ($0.byteCount, $0.entries.count) } }

    /// Counts what was put into a place of `pages` before: so it is there when it has to go.
    func add(_ account: KeptAccount, in pages: KeptPages, _ place: KeptPages.Place) {
        change { state in
            // What was opened in the meantime is in it; who opens more from now on finds the entry.
            let entry = Entry(account: account, pages: pages, place: place, byteCount: account.byteCount)
            account.turn.store(state.nextTurn, ordering: .relaxed)
            state.entries[state.nextTurn] = entry
            state.nextTurn += 1
            state.byteCount += entry.byteCount
        }
    }

    /// Counts again what has grown, unless it was dropped or is yet to be added.
    func update(_ account: KeptAccount) {
        change { state in
            let turn = account.turn.load(ordering: .relaxed)
            guard let known = state.entries[turn]?.byteCount else { return }
            let byteCount = account.byteCount
            state.entries[turn]?.byteCount = byteCount
            state.byteCount += byteCount - known
        }
    }

    /// Forgets what a reader that goes has kept.
    func remove(_ accounts: [KeptAccount]) {
        guard !accounts.isEmpty else { return }
        state.withLock { state in
            for account in accounts { _ = state.remove(account.turn.load(ordering: .relaxed)) }
        }
    }

    private func change(_ body: (inout State) -> Void) {
        let dropped = state.withLock { state in
            body(&state)
            var dropped: [Entry] = []
            while let entry = state.oldest(above: limit) { dropped.append(entry) }
            return dropped
        }
        for entry in dropped { entry.drop() }
    }
}
