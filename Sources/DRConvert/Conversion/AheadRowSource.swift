internal import DRShard
internal import DRShardFormat

/// The rows of another source, read and decompressed on a thread of their own before they are asked for.
final class AheadRowSource: RowSource {
    /// A row or what is wrong with it, and the place of the source then.
    private struct Item {
        let result: Result<SourceRow?, ShardError>
        let canGoOn: Bool
        let rowName: String?
        let rowPosition: UInt64?
        let doneByteCount: UInt64
        let byteCount: Int
    }

    /// What both threads share.
    // SAFETY: the queue is used under the monitor's lock, the source by the reading thread alone.
    private final class Queue: @unchecked Sendable {
        private let source: any RowSource
        private let monitor = Monitor(conditionCount: 2)
        private var items: [Item] = []
        private var byteCount = 0
        private var isEnded = false
        private var isAbandoned = false

        /// Rows and bytes that wait at most; one row may be more.
        static let maximumCount = 64
        static let maximumByteCount = 32 << 20

        init(_ source: any RowSource) { self.source = source }

        func fill() {
            var goesOn = true
            while goesOn {
                var result: Result<SourceRow?, ShardError>
                do throws(ShardError) { result = .success(try source.next()) } catch { result = .failure(error) }
                let item = Item(
                    result: result, canGoOn: source.canGoOn, rowName: source.rowName,
                    rowPosition: source.rowPosition, doneByteCount: source.doneByteCount,
                    byteCount: AheadRowSource.byteCount(of: result))
                goesOn =
                    switch result {
                    case .success(let row): row != nil
                    case .failure: item.canGoOn
                    }
                guard put(item, isLast: !goesOn) else { return }
            }
        }

        /// - Returns: false if nobody wants more.
        private func put(_ item: Item, isLast: Bool) -> Bool {
            monitor.lock()
            defer { monitor.unlock() }
            while !isAbandoned, !items.isEmpty,
                items.count >= Self.maximumCount || byteCount + item.byteCount > Self.maximumByteCount
            {
                monitor.wait(0)
            }
            items.append(item)
            byteCount += item.byteCount
            isEnded = isLast
            monitor.signal(1)
            return !isAbandoned
        }

        /// All that waits; empty behind the end.
        func take() -> [Item] {
            monitor.lock()
            defer { monitor.unlock() }
            while items.isEmpty, !isEnded { monitor.wait(1) }
            let taken = items
            items = []
            byteCount = 0
            monitor.signal(0)
            return taken
        }

        func abandon() {
            monitor.lock()
            isAbandoned = true
            monitor.signal(0)
            monitor.unlock()
        }
    }

    private let queue: Queue
    private let thread: WorkerThread
    /// Taken from the queue, in reverse order.
    private var taken: [Item] = []
    private(set) var canGoOn = false
    private(set) var rowName: String?
    private(set) var rowPosition: UInt64?
    private(set) var doneByteCount: UInt64 = 0

    /// - Returns: nil if the system has no thread to give; the source was not touched then.
    init?(_ source: any RowSource) {
        let queue = Queue(source)
        guard let thread = WorkerThread({ queue.fill() }) else { return nil }
        self.queue = queue
        self.thread = thread
    }

    deinit {
        queue.abandon()
        thread.join()
    }

    func next() throws(ShardError) -> SourceRow? {
        if taken.isEmpty { taken = queue.take().reversed() }
        guard let item = taken.popLast() else { return nil }
        canGoOn = item.canGoOn
        rowName = item.rowName
        rowPosition = item.rowPosition
        doneByteCount = item.doneByteCount
        return try item.result.get()
    }

    private static func byteCount(of result: Result<SourceRow?, ShardError>) -> Int {
        guard case .success(let row?) = result else { return 0 }
        return row.matrices.reduce(row.image?.bytes.count ?? 0) { $0 + $1.array.bytes.count }
    }
}
