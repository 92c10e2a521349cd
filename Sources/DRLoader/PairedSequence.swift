internal import DRShard
public import DRShardFormat

/// The batches of an epoch for `for try await`: the same engine as `PairedEpoch`, on its own threads. Waiting holds no
/// thread of Swift's.
public struct PairedSequence: AsyncSequence, Sendable {
    public typealias Element = PairedBatch
    private let loader: PairedLoader
    private let epoch: Int
    private let step: Int

    init(loader: PairedLoader, epoch: Int, step: Int) {
        self.loader = loader
        self.epoch = epoch
        self.step = step
    }

    public func makeAsyncIterator() -> Iterator { Iterator(loader: loader, epoch: epoch, step: step) }

    /// Ends when its task is cancelled; threads and memory go with it.
    public struct Iterator: AsyncIteratorProtocol {
        private let loader: PairedLoader
        private let number: Int
        private let step: Int
        private var epoch: PairedEpoch?

        init(loader: PairedLoader, epoch: Int, step: Int) {
            self.loader = loader
            number = epoch
            self.step = step
        }

        private mutating func begun() throws(ShardError) -> PairedEpoch {
            if let epoch { return epoch }
            let epoch = try loader.epoch(number, startingAt: step)
            self.epoch = epoch
            return epoch
        }

        public mutating func next() async throws(ShardError) -> PairedBatch? {
            let epoch = try begun()
            guard let engine = epoch.runningEngine() else { return nil }
            var waited: UInt64 = 0
            while true {
                guard !Task.isCancelled else {
                    epoch.cancel()
                    return nil
                }
                let answer = engine.poll(waited: waited)
                guard case .notYet = answer else { return try epoch.take(answer) }
                let start = MonotonicClock.nanoseconds
                await withTaskCancellationHandler {
                    await withCheckedContinuation { continuation in engine.whenReady { continuation.resume() } }
                } onCancel: {
                    engine.stopWaiting()
                }
                waited = Swift.max(1, MonotonicClock.nanoseconds &- start)
            }
        }
    }
}

extension PairedLoader {
    /// The batches of an epoch as an asynchronous sequence; each iterator begins at `step`.
    public func batches(epoch: Int, startingAt step: Int = 0) -> PairedSequence {
        PairedSequence(loader: self, epoch: epoch, step: step)
    }
}
