import DRLoader
import DRShard
import DRShardFormat
import Foundation
import TestSupport
import Testing

/// Threads, memory and their ends.
@Suite struct EngineTests {
    private func loader(_ folder: TemporaryFolder, _ change: (inout LoaderOptions) -> Void = { _ in }) throws
        -> PairedLoader
    {
        var options = LoaderOptions()
        options.plan.batchSize = 24
        options.plan.lanes = 4
        options.plan.blockRows = 8
        options.threadCount = 3
        change(&options)
        return try PairedLoader(dataSet: DataSet(path: folder.path), options: options)
    }

    @Test func aCallerThatStaysAwayFindsNoMoreThanTheBudget() throws {
        let folder = try TemporaryFolder()
        try PairedFixture().write(folder, rowCounts: [2000])
        let loader = try loader(folder) { $0.prefetchByteCount = 0 }
        let epoch = try loader.epoch(0)
        _ = try epoch.next()
        Thread.sleep(forTimeInterval: 0.2)
        let estimate = try loader.estimate()
        #expect(loader.liveBatchCount > 1 && loader.liveBatchCount <= estimate.batchesInFlight)
        #expect(estimate.batchesInFlight < estimate.stepCount / 2, "the test is about a part of the epoch")
        let counts = loader.counts
        #expect(counts.batchCount == 1 && counts.sampleCount == 24)
        var rest = 0
        while try epoch.next() != nil { rest += 1 }
        #expect(rest == estimate.stepCount - 1)
        #expect(loader.counts.idleNanoseconds > 100_000_000, "threads waited for the caller")
    }

    @Test func anEpochThatIsLeftEndsItsThreadsAndFreesItsBatches() throws {
        let folder = try TemporaryFolder()
        try PairedFixture().write(folder, rowCounts: [400])
        let loader = try loader(folder)
        var kept: PairedBatch?
        for count in 0..<50 {
            let epoch = try loader.epoch(count)
            for _ in 0..<count % 5 { kept = try epoch.next() }
            if count % 2 == 0 {
                epoch.cancel()
                #expect(try epoch.next() == nil)
                epoch.cancel()
            }
        }
        #expect(loader.liveBatchCount == (kept == nil ? 0 : 1))
        let digest = kept?.sampleDigest
        kept = nil
        #expect(digest != nil && loader.liveBatchCount == 0)
    }

    @Test func cancelledTaskEndsItsSequence() async throws {
        let folder = try TemporaryFolder()
        try PairedFixture().write(folder, rowCounts: [400])
        let loader = try loader(folder)
        let task = Task {
            var count = 0
            for epoch in 0..<10_000 {
                for try await _ in loader.batches(epoch: epoch) { count += 1 }
                if Task.isCancelled { break }
            }
            return count
        }
        try await Task.sleep(for: .milliseconds(50))
        task.cancel()
        _ = try await task.value
        for _ in 0..<200 where loader.liveBatchCount > 0 { try await Task.sleep(for: .milliseconds(10)) }
        #expect(loader.liveBatchCount == 0)
    }

    @Test func manyEpochsAtOnceAreEachWhatTheyAreAlone() async throws {
        let folder = try TemporaryFolder()
        try PairedFixture().write(folder, rowCounts: [200, 100])
        let loader = try loader(folder)
        func digest(_ number: Int) throws -> SequenceDigest {
            var digest = SequenceDigest()
            let epoch = try loader.epoch(number)
            while let batch = try epoch.next() { digest.append(batch.sampleDigest, count: UInt64(batch.count)) }
            return digest
        }
        let alone = try (0..<6).map { try digest($0) }
        let together = try await withThrowingTaskGroup(of: (Int, SequenceDigest).self) { group in
            for number in 0..<6 { group.addTask { (number, try digest(number)) } }
            var found = [SequenceDigest](repeating: SequenceDigest(), count: 6)
            for try await (number, digest) in group { found[number] = digest }
            return found
        }
        #expect(together == alone)
    }

    /// A portion reaches back to the first step of its window, which may be delivered by then.
    @Test(arguments: [(24, 4, 8, 8), (48, 24, 8, 2), (7, 7, 3, 1), (8, 1, 2, 9)])
    func shortLastBatchesComeWhateverIsDeliveredFirst(batchSize: Int, lanes: Int, blockRows: Int, window: Int) throws {
        let folder = try TemporaryFolder()
        try PairedFixture().write(folder, rowCounts: [331])
        let loader = try loader(folder) {
            $0.plan.batchSize = batchSize
            $0.plan.lanes = lanes
            $0.plan.blockRows = blockRows
            $0.plan.windowBlocks = window
            $0.plan.tail = .short
            $0.prefetchByteCount = 0
            $0.threadCount = 1
            $0.content = [.tokens]
        }
        for epoch in 0..<40 {
            #expect(try loader.batches(epoch: epoch).reduce(0) { $0 + $1.count } == 331)
        }
    }

    @Test func cancellationFromAnotherThreadEndsACallThatWaits() throws {
        let folder = try TemporaryFolder()
        try PairedFixture().write(folder, rowCounts: [400])
        let loader = try loader(folder)
        for delay in [0, 1, 5, 20] as [useconds_t] {
            for number in 0..<25 {
                let epoch = try loader.epoch(number)
                let cancellation = epoch.cancellation
                let thread = Thread {
                    usleep(delay * 100)
                    cancellation.cancel()
                }
                thread.start()
                while try epoch.next() != nil {}
                while !thread.isFinished { usleep(100) }
                #expect(loader.liveBatchCount == 0)
            }
        }
    }

    @Test func waitsAreCountedForAsynchronousCallersToo() async throws {
        let folder = try TemporaryFolder()
        try PairedFixture().write(folder, rowCounts: [400])
        let loader = try loader(folder)
        for try await _ in loader.batches(epoch: 0) {}
        let counts = loader.counts
        #expect(counts.batchCount == 16 && counts.waitNanoseconds > 0 && counts.workNanoseconds > 0)
        #expect(counts.readWaitNanoseconds <= counts.waitNanoseconds)
    }

    /// A fork while the loader's threads are at work, and after: both processes go on.
    @Test func aForkedChildMakesItsOwnThreads() throws {
        let folder = try TemporaryFolder()
        try PairedFixture().write(folder, rowCounts: [400])
        let loader = try loader(folder)
        func rest(_ epoch: PairedEpoch) throws -> SequenceDigest {
            var digest = SequenceDigest()
            while let batch = try epoch.next() { digest.append(batch.sampleDigest, count: UInt64(batch.count)) }
            return digest
        }
        let whole = try loader.epoch(3)
        _ = try whole.next()
        let expected = try rest(whole)
        for isRunning in Array(repeating: true, count: 20) + [false] {
            let epoch = try loader.epoch(3)
            _ = try epoch.next()
            if !isRunning { epoch.cancel() }
            let status = try fork {
                // The child has the copy of an epoch whose threads are not there, or starts one.
                let own = isRunning ? epoch : try loader.epoch(3, startingAt: 1)
                return try rest(own) == expected
            }
            #expect(status == 0, "the child ended with \(status)")
            if isRunning { #expect(try rest(epoch) == expected) }
        }
    }

    /// Runs `body` in a forked child.
    /// - Returns: 0 if it was true; else how the child ended. A child that does not end is killed after a minute.
    private func fork(_ body: () throws -> Bool) throws -> Int32 {
        typealias Fork = @convention(c) () -> Int32
        // The name alone is kept from Swift.
        guard let symbol = unsafe dlsym(nil, "fork") else { throw ShardError.io("there is no fork") }
        let process = unsafe unsafeBitCast(symbol, to: Fork.self)()
        if process == 0 {
            let isRight = (try? body()) ?? false
            _exit(isRight ? 0 : 1)
        }
        var status: Int32 = 0
        for _ in 0..<6000 {
            if unsafe waitpid(process, &status, WNOHANG) == process { return status }
            usleep(10_000)
        }
        kill(process, SIGKILL)
        unsafe waitpid(process, &status, 0)
        return -1
    }

    @Test func explanationsAreWhatBatchesHaveAndReadNoCell() throws {
        let folder = try TemporaryFolder()
        var fixture = PairedFixture()
        fixture.dims = 640
        for row in 0..<120 where row % 3 == 0 {
            fixture.absent.insert(.init(row: row, column: PairedFixture.image, variant: row % 4))
        }
        try fixture.write(folder, rowCounts: [50, 70])
        let loader = try loader(folder)
        var replaced = 0
        for (step, batch) in try loader.batches(epoch: 2).enumerated() {
            let explained = try loader.explain(epoch: 2, step: step)
            #expect(explained.map(\.row) == batch.rows && explained.map(\.slot) == Array(0..<24))
            for (i, sample) in explained.enumerated() {
                let place = loader.dataSets[0].locate(row: batch.rows[i])
                #expect(sample.shard == folder.file("\(place.shard).drs") && sample.shardRow == place.row)
                #expect(sample.view?.variant == batch.image.views.drawn[i])
                #expect(sample.view?.deliveredVariant == batch.image.views.delivered[i])
                #expect(sample.synthetic?.deliveredVariant == batch.synthetic.captions.delivered[i])
                if sample.view?.variant != sample.view?.deliveredVariant { replaced += 1 }
            }
        }
        #expect(replaced > 0)
        let fresh = try self.loader(folder)
        for step in 0..<5 { _ = try fresh.explain(epoch: 2, step: step) }
        // All tables of all pages, and not one embedding.
        #expect(fresh.counts.reads.byteCount < 60_000, "\(fresh.counts.reads.byteCount)")
        let rank = try fresh.explain(epoch: 2, step: 1, rank: 0)
        #expect(rank.count == 24)
    }

    /// What `plan` says, measured.
    @Test(arguments: [RowOrder.blocks, .global], [VariantMode.balanced, .independent])
    func estimatesAreAboutWhatIsMeasured(order: RowOrder, variants: VariantMode) throws {
        let folder = try TemporaryFolder()
        var fixture = PairedFixture()
        (fixture.dims, fixture.storage, fixture.rowsPerGroup) = (1536, .balanced, 1024)
        try fixture.write(folder, rowCounts: [2048])
        let loader = try loader(folder) {
            $0.plan.order = order
            $0.plan.variants = variants
            $0.plan.batchSize = 128
            $0.plan.blockRows = 256
            $0.content = [.embeddings]
        }
        let estimate = try loader.estimate()
        let batches = try loader.batches(epoch: 0)
        let counts = loader.counts
        #expect(estimate.stepCount == batches.count && estimate.sampleCount == Int(counts.sampleCount))
        #expect(abs(Double(counts.deliveredByteCount) / Double(estimate.deliveredByteCount) - 1) < 0.05)
        let read = Double(counts.reads.byteCount) / Double(estimate.fetchedByteCount)
        #expect(abs(read - 1) < 0.1, "\(counts.reads.byteCount) read, \(estimate.fetchedByteCount) expected")
        let requests = Double(counts.reads.requestCount) / Double(estimate.requestCount)
        #expect((0.5...1.5).contains(requests), "\(counts.reads.requestCount), \(estimate.requestCount) expected")
        if order == .blocks, variants == .balanced {
            // Checksums, ends and indexes counted.
            let amplification = Double(counts.reads.byteCount) / Double(estimate.cellByteCount)
            #expect(amplification < 1.02, "\(amplification)")
        }
    }
}
