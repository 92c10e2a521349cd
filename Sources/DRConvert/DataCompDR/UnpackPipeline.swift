internal import DRShard
internal import DRShardFormat

/// The samples of a tar, in order, read and decompressed ahead: by a thread of its own, and by the thread that asks
/// whenever it would have to wait. So both are busy, however the work divides between decompressing and the rest.
final class UnpackPipeline {
    /// A sample of the tar, or what is wrong with it.
    struct Step: Sendable {
        let result: Result<DRSampleDecoder.Unpacked, ShardError>
        /// Whether the tar can be read on.
        let canGoOn: Bool
    }

    private let queue: Queue
    private let decoder: DRSampleDecoder
    /// Nil if the system has no thread to give.
    private let thread: WorkerThread?

    /// - Parameter decoder: for the thread that asks.
    /// - Throws: what `TarReader` throws.
    init(path: String, decoder: DRSampleDecoder) throws(ShardError) {
        self.decoder = decoder
        let queue = Queue(
            SampleGroupReader(try TarReader(path: path)), try DRSampleDecoder(options: decoder.options))
        self.queue = queue
        thread = WorkerThread { queue.work() }
    }

    deinit {
        queue.abandon()
        thread?.join()
    }

    /// The next sample; nil behind the last one. One thread at a time.
    func next() -> Step? {
        guard thread != nil else { return queue.read().map { queue.unpack($0, decoder) } }
        return queue.take(decoder)
    }

    private enum Raw: Sendable {
        case group(SampleGroup)
        case failure(ShardError, canGoOn: Bool)
    }

    private enum Slot {
        case raw(Raw)
        case taken
        case done(Step)
    }

    // SAFETY: the slots are used under the monitor's lock, reader and decoder by the working thread alone.
    private final class Queue: @unchecked Sendable {
        private let reader: SampleGroupReader
        private let decoder: DRSampleDecoder
        private var isReaderEnded = false
        private let monitor = Monitor(conditionCount: 2)
        /// In the order of the tar; those before `first` are gone.
        private var slots: [Slot] = []
        private var first = 0
        private var byteCount = 0
        private var isEnded = false
        private var isAbandoned = false

        /// Samples that wait, at most, and their bytes; one sample may be more. So many are read before they are
        /// decompressed.
        private static let maximumCount = 128
        private static let maximumByteCount = 48 << 20
        private static let readAheadCount = 8

        init(_ reader: SampleGroupReader, _ decoder: DRSampleDecoder) {
            self.reader = reader
            self.decoder = decoder
        }

        /// The next sample of the tar as it lies there.
        func read() -> Raw? {
            guard !isReaderEnded else { return nil }
            do throws(ShardError) {
                guard let group = try reader.next() else { return nil }
                return .group(group)
            } catch {
                isReaderEnded = !reader.canGoOn
                return .failure(error, canGoOn: reader.canGoOn)
            }
        }

        func unpack(_ raw: Raw, _ decoder: DRSampleDecoder) -> Step {
            switch raw {
            case .group(let group): Step(result: .success(decoder.unpack(group)), canGoOn: true)
            case .failure(let error, let canGoOn): Step(result: .failure(error), canGoOn: canGoOn)
            }
        }

        // MARK: The thread of its own

        /// Reads, and decompresses the first that waits, until the tar ends or nobody wants more.
        func work() {
            while true {
                while rawCount() < Self.readAheadCount, put(read()) {}
                guard unpackFirst() else { return }
            }
        }

        private func rawCount() -> Int {
            monitor.lock()
            defer { monitor.unlock() }
            guard !isEnded, !isAbandoned, !isFull || first == slots.count else { return .max }
            return slots[first...].count { if case .raw = $0 { true } else { false } }
        }

        /// - Returns: whether more may be read now.
        private func put(_ raw: Raw?) -> Bool {
            monitor.lock()
            defer { monitor.unlock() }
            guard let raw else {
                isEnded = true
                monitor.signal(1)
                return false
            }
            slots.append(.raw(raw))
            if case .group(let group) = raw { byteCount += Self.byteCount(group) }
            monitor.signal(1)
            return true
        }

        private var isFull: Bool { slots.count - first >= Self.maximumCount || byteCount > Self.maximumByteCount }

        /// Whether the sample that is asked for next still has to be decompressed.
        private var isFirstRaw: Bool {
            guard first < slots.count, case .raw = slots[first] else { return false }
            return true
        }

        /// Decompresses the first sample that nobody has taken; waits while enough of them wait.
        /// - Returns: false at the end.
        private func unpackFirst() -> Bool {
            monitor.lock()
            while !isAbandoned, isFull, first < slots.count, !isFirstRaw { monitor.wait(0) }
            guard !isAbandoned, let (place, raw) = takeRaw() else {
                defer { monitor.unlock() }
                return !isAbandoned && !isEnded
            }
            monitor.unlock()
            let step = unpack(raw, decoder)
            monitor.lock()
            finish(place, step)
            monitor.signal(1)
            monitor.unlock()
            return true
        }

        /// Slots that were removed from the front.
        private var gone = 0

        /// Under the lock: the first raw sample, which is the caller's from now on, and its place, counted from the start.
        private func takeRaw() -> (place: Int, raw: Raw)? {
            for i in first..<slots.count {
                guard case .raw(let raw) = slots[i] else { continue }
                slots[i] = .taken
                return (i + gone, raw)
            }
            return nil
        }

        // MARK: The thread that asks

        func take(_ decoder: DRSampleDecoder) -> Step? {
            monitor.lock()
            defer { monitor.unlock() }
            while true {
                if first < slots.count, case .done(let step) = slots[first] {
                    remove(step)
                    return step
                }
                if let (place, raw) = takeRaw() {
                    monitor.unlock()
                    let step = unpack(raw, decoder)
                    monitor.lock()
                    finish(place, step)
                } else if first == slots.count, isEnded {
                    return nil
                } else {
                    monitor.wait(1)
                }
            }
        }

        private func remove(_ step: Step) {
            if case .success(let unpacked) = step.result {
                byteCount -= Self.byteCount(unpacked.group) + unpacked.embeddingByteCount
            }
            slots[first] = .taken
            first += 1
            if first == Self.maximumCount {
                slots.removeFirst(first)
                gone += first
                first = 0
            }
            monitor.signal(0)
        }

        func abandon() {
            monitor.lock()
            isAbandoned = true
            monitor.signal(0)
            monitor.unlock()
        }

        private func finish(_ place: Int, _ step: Step) {
            slots[place - gone] = .done(step)
            if case .success(let unpacked) = step.result { byteCount += unpacked.embeddingByteCount }
        }

        private static func byteCount(_ group: SampleGroup) -> Int { group.members.reduce(0) { $0 + $1.bytes.count } }
    }
}
