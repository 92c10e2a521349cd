import DRLoader
import DRShard
import DRShardFormat
import Foundation
import TestSupport
import Testing

/// The whole stream of samples, as one digest, is the same whatever makes it. Spec: ORDER.md.
@Suite struct StreamTests {
    private static let shards = [70, 1, 0, 229, 100]

    private func options(_ change: (inout LoaderOptions) -> Void = { _ in }) -> LoaderOptions {
        var options = LoaderOptions()
        options.plan.batchSize = 48
        options.plan.lanes = 24
        options.plan.blockRows = 16
        options.plan.windowBlocks = 1
        options.plan.tail = .short
        options.plan.seed = 5
        options.content = [.rowIDs, .embeddings, .augmentations, .tokens, .texts]
        change(&options)
        return options
    }

    private func loader(_ path: String, access: Access = .read, _ options: LoaderOptions) throws -> PairedLoader {
        try PairedLoader(dataSet: DataSet(path: path, access: access), options: options)
    }

    /// The digest of each step.
    private func steps(_ loader: PairedLoader, epoch: Int = 1, from step: Int = 0) throws -> [SequenceDigest] {
        let epoch = try loader.epoch(epoch, startingAt: step)
        var digests: [SequenceDigest] = []
        while let batch = try epoch.next() { digests.append(batch.sampleDigest) }
        return digests
    }

    /// Takers who each take every so many steps take what one takes, and nobody holds batches for the others.
    @Test(arguments: modes.indices) func takersWithAStrideTakeTheStepsOfOne(mode: Int) throws {
        let folder = try TemporaryFolder()
        try PairedFixture().write(folder, rowCounts: Self.shards)
        for tail in [Tail.short, .pad, .drop] {
            let loader = try loader(
                folder.path,
                options {
                    ($0.plan.order, $0.plan.variants) = Self.modes[mode]
                    $0.plan.tail = tail
                })
            let expected = try steps(loader)
            for stride in [2, 3, 50] {
                for first in expected.indices.prefix(stride) {
                    let epoch = try loader.epoch(1, startingAt: first, stride: stride)
                    for step in Swift.stride(from: first, to: expected.count, by: stride) {
                        let batch = try #require(try epoch.next())
                        #expect(batch.step == step && batch.sampleDigest == expected[step], "stride \(stride)")
                    }
                    #expect(try epoch.next() == nil && epoch.state.step == expected.count)
                }
            }
        }
    }

    /// A wait with a limit ends without a batch, and the batch comes when it is asked for again.
    @Test func aWaitWithALimitGivesTheSameBatches() throws {
        let folder = try TemporaryFolder()
        try PairedFixture().write(folder, rowCounts: Self.shards)
        let loader = try loader(folder.path, options())
        var made: [SequenceDigest] = []
        var emptyAnswers = 0
        let epoch = try loader.epoch(1)
        loop: while true {
            switch try epoch.next(waitingAtMost: 1000) {
            case .batch(let batch): made.append(batch.sampleDigest)
            case .notYet: emptyAnswers += 1
            case .end: break loop
            }
        }
        // Nothing was made before the first call, which starts the threads.
        #expect(try made == steps(loader) && emptyAnswers > 0)
    }

    /// Orders, and variant modes, that every comparison is made in.
    private static let modes: [(RowOrder, VariantMode)] = [
        (.blocks, .balanced), (.blocks, .independent), (.global, .balanced), (.none, .epoch),
    ]

    @Test(arguments: modes.indices) func ranksTogetherAreOneRank(mode: Int) throws {
        let folder = try TemporaryFolder()
        try PairedFixture().write(folder, rowCounts: Self.shards)
        for tail in [Tail.short, .pad, .drop] {
            let whole = options {
                ($0.plan.order, $0.plan.variants) = Self.modes[mode]
                $0.plan.tail = tail
            }
            let expected = try steps(loader(folder.path, whole))
            #expect(expected.count == (tail == .drop ? 8 : 9))
            for worldSize in [2, 3, 8, 24] {
                var merged = Array(repeating: SequenceDigest(), count: expected.count)
                for rank in 0..<worldSize {
                    var part = whole
                    part.plan.world = World(rank: rank, worldSize: worldSize)
                    let loader = try loader(folder.path, part)
                    let plan = try loader.plan(epoch: 1)
                    for (step, digest) in try steps(loader).enumerated() {
                        merged[step].append(digest, count: UInt64(plan.sampleCount(step: step)))
                    }
                }
                #expect(merged == expected, "\(worldSize) ranks, \(tail)")
            }
        }
    }

    @Test(arguments: modes.indices) func threadsPrefetchAndAccessChangeNothing(mode: Int) throws {
        let folder = try TemporaryFolder()
        var fixture = PairedFixture()
        fixture.dims = 640
        fixture.storage = .balanced
        try fixture.write(folder, rowCounts: Self.shards)
        let base = options { ($0.plan.order, $0.plan.variants) = Self.modes[mode] }
        let expected = try steps(loader(folder.path, base))
        for threadCount in 1...8 {
            for (prefetch, readAhead, access) in [(0, 0, Access.read), (1 << 30, 1 << 20, .mapped)] {
                var other = base
                other.threadCount = threadCount
                other.prefetchByteCount = prefetch
                other.readAheadByteCount = readAhead
                #expect(try steps(loader(folder.path, access: access, other)) == expected, "\(threadCount) threads")
            }
        }
    }

    @Test(arguments: modes.indices) func anyStepCanBeTheFirst(mode: Int) throws {
        let folder = try TemporaryFolder()
        try PairedFixture().write(folder, rowCounts: Self.shards)
        let loader = try loader(folder.path, options { ($0.plan.order, $0.plan.variants) = Self.modes[mode] })
        let expected = try steps(loader)
        for step in 0...expected.count { #expect(try steps(loader, from: step) == Array(expected[step...])) }
    }

    @Test func aColdCacheChangesNothing() throws {
        let folder = try TemporaryFolder()
        try PairedFixture().write(folder, rowCounts: Self.shards)
        let expected = try steps(loader(folder.path, options()))
        for name in ["0.drs", "3.drs", "4.drs"] { try forget(folder.file(name)) }
        #expect(try steps(loader(folder.path, options { $0.readAheadByteCount = 1 << 20 })) == expected)
    }

    @Test func repackingAndOtherShardsChangeNothing() throws {
        let folder = try TemporaryFolder()
        var fixture = PairedFixture()
        fixture.dims = 640
        try fixture.write(folder, rowCounts: Self.shards)
        let expected = try steps(loader(folder.path, options()))
        for storage in [ColumnStorage.plain, .fast, .balanced, .archive] {
            for (rowCounts, rowsPerGroup) in [([400], 100), ([33, 367], 7)] {
                let other = try TemporaryFolder()
                fixture.storage = storage
                fixture.rowsPerGroup = rowsPerGroup
                try fixture.write(other, rowCounts: rowCounts)
                #expect(try steps(loader(other.path, options())) == expected, "\(storage), \(rowCounts)")
            }
        }
        let packed = try TemporaryFolder()
        for (i, count) in Self.shards.enumerated() where count >= 0 {
            var again = RepackOptions()
            again.rowsPerGroup = 50
            again.bf16Storage = .archive
            try Repacker.repack(ShardReader(path: folder.file("\(i).drs")), to: packed.file("\(i).drs"), options: again)
        }
        #expect(try steps(loader(packed.path, options())) == expected)
    }

    @Test func asynchronousSequenceIsTheSameStream() async throws {
        let folder = try TemporaryFolder()
        try PairedFixture().write(folder, rowCounts: Self.shards)
        let loader = try loader(folder.path, options())
        let expected = try steps(loader)
        var found: [SequenceDigest] = []
        for try await batch in loader.batches(epoch: 1) { found.append(batch.sampleDigest) }
        #expect(found == expected)
        var rest: [SequenceDigest] = []
        for try await batch in loader.batches(epoch: 1, startingAt: 5) { rest.append(batch.sampleDigest) }
        #expect(rest == Array(expected[5...]))
    }

    @Test func batchesThatAreHeldAreNeverWrittenAgain() throws {
        let folder = try TemporaryFolder()
        try PairedFixture().write(folder, rowCounts: Self.shards)
        let loader = try loader(folder.path, options { $0.prefetchByteCount = 0 })
        let expected = try (0..<3).map { try steps(loader, epoch: $0) }
        var held: [[PairedBatch]] = []
        var matrices: [BatchMatrix] = []
        for number in 0..<3 {
            let epoch = try loader.epoch(number)
            var batches: [PairedBatch] = []
            while let batch = try epoch.next() {
                batches.append(batch)
                // A part alone holds the memory as well.
                if batch.step == 2 { matrices.append(batch.real.embeddings[0]) }
            }
            held.append(batches)
        }
        let copies = matrices.map { matrix in (0..<matrix.rowCount).map { matrix.bytes(row: $0) } }
        #expect(held.map { $0.map(\.sampleDigest) } == expected)
        #expect(loader.liveBatchCount == 27)
        held = []
        #expect(loader.liveBatchCount == 3)
        _ = try steps(loader, epoch: 7)
        #expect(matrices.map { matrix in (0..<matrix.rowCount).map { matrix.bytes(row: $0) } } == copies)
        matrices = []
        #expect(loader.liveBatchCount == 0)
    }

    @Test func stateGoesOnWhereItWasTakenOrSaysWhatDiffers() throws {
        let folder = try TemporaryFolder()
        try PairedFixture().write(folder, rowCounts: Self.shards)
        let loader = try loader(folder.path, options())
        let expected = try steps(loader, epoch: 3)
        let epoch = try loader.epoch(3)
        for _ in 0..<4 { _ = try epoch.next() }
        let bytes = try JSONEncoder().encode(epoch.state)
        let state = try JSONDecoder().decode(LoaderState.self, from: bytes)
        #expect(String(decoding: bytes, as: UTF8.self).contains("\"epoch_steps\":null"))
        // Other ranks, threads and prefetching are no other plan.
        let other = try self.loader(folder.path, options { $0.threadCount = 3 })
        let resumed = try other.epoch(resuming: state)
        var rest: [SequenceDigest] = []
        while let batch = try resumed.next() { rest.append(batch.sampleDigest) }
        #expect(rest == Array(expected[4...]))
        #expect(resumed.state.step == 9)
        #expect(try other.epoch(resuming: resumed.state).plan.epoch == 4, "behind the last step comes the next epoch")
        let changes: [(String, (inout LoaderOptions) -> Void)] = [
            ("seed is 5, here it is 6", { $0.plan.seed = 6 }),
            ("batch size is 48, here it is 24", { $0.plan.batchSize = 24 }),
            ("number of lanes is 24, here it is 12", { $0.plan.lanes = 12 }),
            ("number of rows in a block is 16", { $0.plan.blockRows = 8 }),
            ("number of blocks in a window is 1", { $0.plan.windowBlocks = 2 }),
            ("row order is blocks, here it is global", { $0.plan.order = .global }),
            ("variant mode is balanced, here it is epoch", { $0.plan.variants = .epoch }),
            ("tail is short, here it is drop", { $0.plan.tail = .drop }),
        ]
        for (text, change) in changes {
            let error = #expect(throws: ShardError.self) {
                try self.loader(folder.path, options(change)).epoch(resuming: state)
            }
            #expect(error?.code == .invalidArgument && error?.reason.contains(text) == true, "\(error?.reason ?? "")")
        }
        let rows = try TemporaryFolder()
        try PairedFixture().write(rows, rowCounts: [399])
        let error = #expect(throws: ShardError.self) {
            try self.loader(rows.path, options()).epoch(resuming: state)
        }
        #expect(error?.reason.contains("its row set is") == true)
    }
}

/// Makes the system forget what it holds of a file.
func forget(_ path: String) throws {
    let file = unsafe open(path, O_RDONLY)
    defer { close(file) }
    fsync(file)
    #if canImport(Glibc)
        posix_fadvise(file, 0, 0, CInt(POSIX_FADV_DONTNEED))
    #endif
}
