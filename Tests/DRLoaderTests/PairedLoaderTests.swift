import DRLoader
import DRShard
import DRShardFormat
import TestSupport
import Testing

@Suite struct PairedLoaderTests {
    private typealias Fixture = PairedFixture
    private typealias Cell = PairedFixture.Cell
    private static let shards = [70, 1, 0, 129]

    private func loader(
        _ folder: TemporaryFolder, access: Access = .read, _ change: (inout LoaderOptions) -> Void = { _ in }
    ) throws -> PairedLoader {
        var options = LoaderOptions()
        options.plan.batchSize = 48
        options.plan.lanes = 24
        options.plan.blockRows = 8
        options.plan.windowBlocks = 2
        options.plan.seed = 11
        options.plan.tail = .short
        options.content.insert(.rowIDs)
        change(&options)
        return try PairedLoader(dataSet: DataSet(path: folder.path, access: access), options: options)
    }

    /// Compares a batch with the values that were written at the addresses that it names.
    private func check(_ batch: PairedBatch, _ fixture: Fixture) throws {
        func expect(_ matrix: BatchMatrix?, _ column: Int, _ variants: [Int]) throws {
            let matrix = try #require(matrix)
            #expect(matrix.rowCount == batch.count)
            for (i, row) in batch.rows.enumerated() {
                #expect(matrix.bytes(row: i) == fixture.value(Cell(row: row, column: column, variant: variants[i])))
            }
        }
        func expect(_ tokens: TokenBatch?, _ column: Int, _ variants: [Int]) throws {
            guard fixture.hasTokens else { return #expect(tokens == nil) }
            let tokens = try #require(tokens)
            for (i, row) in batch.rows.enumerated() {
                let stored = fixture.tokens(Cell(row: row, column: column, variant: variants[i]))
                // As open_clip does it.
                var ids = [49406] + stored.map(Int32.init) + [49407]
                if ids.count > fixture.contextLength {
                    ids = Array(ids.prefix(Int(fixture.contextLength)))
                    ids[ids.count - 1] = 49407
                }
                #expect(tokens.lengths[i] == ids.count)
                ids += Array(repeating: 0, count: Int(fixture.contextLength) - ids.count)
                #expect(tokens.ids.int32s(row: i) == ids)
            }
        }
        let views = batch.image.views.delivered
        let captions = batch.synthetic.captions.delivered
        let only = Array(repeating: 0, count: batch.count)
        #expect(batch.real.captions.delivered == only)
        try expect(batch.rowIDs, Fixture.uid, only)
        try expect(batch.image.embeddings.first, Fixture.image, views)
        try expect(batch.real.embeddings.first, Fixture.realEmbedding, only)
        try expect(batch.synthetic.embeddings.first, Fixture.syntheticEmbedding, captions)
        try expect(batch.real.tokens, Fixture.realTokens, only)
        try expect(batch.synthetic.tokens, Fixture.syntheticTokens, captions)
        let augmentations = try #require(batch.image.augmentations)
        for (i, row) in batch.rows.enumerated() {
            let expected = fixture.augmentation(Cell(row: row, column: Fixture.augmentation, variant: views[i]))
            #expect(try augmentations.augmentation(i) == expected)
        }
    }

    @Test(arguments: [Access.read, .mapped]) func batchesHoldWhatThePlanNames(access: Access) throws {
        let folder = try TemporaryFolder()
        let fixture = Fixture()
        try fixture.write(folder, rowCounts: Self.shards)
        let loader = try loader(folder, access: access)
        let plan = try loader.plan(epoch: 2)
        let batches = try loader.batches(epoch: 2)
        #expect(batches.map(\.count) == [48, 48, 48, 48, 8])
        #expect(batches.flatMap(\.rows).sorted() == Array(0..<200))
        for (step, batch) in batches.enumerated() {
            let samples = try plan.samples(step: step)
            #expect(batch.epoch == 2 && batch.step == step && batch.rows == samples.map(\.row))
            #expect(batch.image.views.draws == samples.compactMap(\.view))
            #expect(batch.synthetic.captions.draws == samples.compactMap(\.synthetic))
            #expect(batch.image.views.replaced == [] && batch.synthetic.captions.replaced == [])
            #expect(batch.image.embeddings[0].element == .bf16 && batch.image.embeddings[0].width == fixture.dims)
            batch.image.embeddings[0].withBytes { #expect($0.count == batch.count * fixture.dims * 2) }
            try check(batch, fixture)
        }
        #expect(Set(batches.flatMap(\.image.views.drawn)) == [0, 1, 2, 3])
    }

    @Test func sameSeedIsTheSameEpochAndAnotherEpochIsAnother() throws {
        let folder = try TemporaryFolder()
        try Fixture().write(folder, rowCounts: Self.shards)
        let first = try loader(folder).batches(epoch: 0).map(BatchContents.init)
        #expect(try loader(folder).batches(epoch: 0).map(BatchContents.init) == first)
        #expect(try loader(folder, access: .mapped).batches(epoch: 0).map(BatchContents.init) == first)
        #expect(try loader(folder).batches(epoch: 1).map(BatchContents.init) != first)
        #expect(try loader(folder) { $0.plan.seed = 12 }.batches(epoch: 0).map(BatchContents.init) != first)
        let epoch = try loader(folder).epoch(0, startingAt: 3)
        #expect(try epoch.next().map(BatchContents.init) == first[3])
        #expect(epoch.nextStep == 4)
    }

    @Test func orderDoesNotDependOnHowRowsAreSharedAmongShards() throws {
        let one = try TemporaryFolder()
        let many = try TemporaryFolder()
        try Fixture().write(one, rowCounts: [200])
        try Fixture().write(many, rowCounts: Self.shards)
        let batches = try loader(one).batches(epoch: 0).map(BatchContents.init)
        #expect(try loader(many).batches(epoch: 0).map(BatchContents.init) == batches)
    }

    @Test func ranksTogetherDeliverTheGlobalBatch() throws {
        let folder = try TemporaryFolder()
        try Fixture().write(folder, rowCounts: Self.shards)
        let whole = try loader(folder).batches(epoch: 0)
        let ranks = try (0..<3).map { rank in
            try loader(folder) { $0.plan.world = World(rank: rank, worldSize: 3) }.batches(epoch: 0)
        }
        for step in whole.indices {
            let parts = ranks.map { BatchContents($0[step]) }
            let all = BatchContents(whole[step])
            #expect(parts.flatMap(\.rows) == all.rows)
            for matrix in all.matrices.indices {
                #expect(parts.flatMap { $0.matrices[matrix] } == all.matrices[matrix])
            }
        }
    }

    @Test func shortLastBatchMayLeaveARankNothing() throws {
        let folder = try TemporaryFolder()
        try Fixture().write(folder, rowCounts: [49])
        let batches = try loader(folder) { $0.plan.world = World(rank: 0, worldSize: 24) }.batches(epoch: 0)
        #expect(batches.map(\.count) == [2, 0])
        #expect(batches[1].image.embeddings[0].rowCount == 0 && batches[1].image.augmentations?.count == 0)
    }

    @Test func absentVariantsAreReplacedByTheNextThatHasEverything() throws {
        let folder = try TemporaryFolder()
        var fixture = Fixture()
        for row in 0..<200 where row % 3 == 0 {
            // View 1 lacks its embedding, view 2 its parameters; of captions only the second is whole.
            fixture.absent.insert(Cell(row: row, column: Fixture.image, variant: 1))
            fixture.absent.insert(Cell(row: row, column: Fixture.augmentation, variant: 2))
            fixture.absent.insert(Cell(row: row, column: Fixture.syntheticTokens, variant: 2))
            fixture.absent.insert(Cell(row: row, column: Fixture.syntheticEmbedding, variant: 0))
        }
        try fixture.write(folder, rowCounts: Self.shards)
        for batch in try loader(folder).batches(epoch: 0) {
            try check(batch, fixture)
            for (i, row) in batch.rows.enumerated() {
                let (views, captions) = (batch.image.views, batch.synthetic.captions)
                let isWhole = row % 3 != 0
                #expect(views.delivered[i] == (isWhole ? views.drawn[i] : [0, 3, 3, 3][views.drawn[i]]))
                #expect(captions.delivered[i] == (isWhole ? captions.drawn[i] : 1))
                #expect(views.replaced.contains(i) == (!isWhole && [1, 2].contains(views.drawn[i])))
            }
        }
        // Tokens that are not asked for are not missed.
        let withoutTokens = try loader(folder) { $0.content = [.embeddings] }.batches(epoch: 0)
        for batch in withoutTokens {
            for (i, row) in batch.rows.enumerated() where row % 3 == 0 {
                #expect(batch.synthetic.captions.delivered[i] == [1, 1, 2][batch.synthetic.captions.drawn[i]])
            }
        }
    }

    @Test func rowWithoutAnyVariantIsNamed() throws {
        let folder = try TemporaryFolder()
        var fixture = Fixture()
        for variant in 0..<3 {
            fixture.absent.insert(Cell(row: 75, column: Fixture.syntheticEmbedding, variant: variant))
        }
        try fixture.write(folder, rowCounts: Self.shards)
        let error = #expect(throws: ShardError.self) { _ = try loader(folder).batches(epoch: 0) }
        #expect(
            error?.code == .schemaMismatch && error?.context.row == 4 && error?.context.path == folder.file("3.drs"))
        #expect(error?.reason.contains("row 75 of the data set lacks all variants of axis \"synthetic\"") == true)
    }

    @Test func setWithoutTokensLoadsAllElse() throws {
        let folder = try TemporaryFolder()
        var fixture = Fixture()
        fixture.hasTokens = false
        try fixture.write(folder, rowCounts: [60])
        for batch in try loader(folder).batches(epoch: 0) { try check(batch, fixture) }
    }

    @Test(arguments: [2, 3, 12, 17, 77] as [UInt32]) func tokensAreCutAndPaddedToTheContext(contextLength: UInt32)
        throws
    {
        let folder = try TemporaryFolder()
        var fixture = Fixture()
        fixture.contextLength = contextLength
        try fixture.write(folder, rowCounts: [48])
        for batch in try loader(folder).batches(epoch: 0) { try check(batch, fixture) }
    }

    @Test func whatIsNotAskedForIsNotReadAndReadsAreCounted() throws {
        let folder = try TemporaryFolder()
        try Fixture().write(folder, rowCounts: Self.shards)
        let full = try loader(folder) { $0.content.insert(.texts) }
        let batch = try #require(try full.batches(epoch: 0).first)
        #expect(batch.real.texts == batch.rows.map { "caption 0 of row \($0)" })
        let little = try loader(folder) { $0.content = [.augmentations] }
        let small = try #require(try little.batches(epoch: 0).first)
        #expect(
            small.rowIDs == nil && small.image.embeddings.isEmpty && small.real.tokens == nil && small.real.texts == nil
        )
        #expect(small.image.augmentations?.count == 48 && small.image.embeddings.isEmpty)
        let counts = full.counts
        #expect(counts.batchCount == 5 && counts.sampleCount == 200 && counts.workNanoseconds > 0)
        // Of each row: id, three embeddings, two captions of 12 i32, a record of a crop, and texts.
        #expect(counts.deliveredByteCount > 200 * (16 + 3 * 40 + 2 * 48 + 17))
        #expect(little.counts.reads.byteCount > 0 && little.counts.reads.byteCount * 4 < full.counts.reads.byteCount)
    }

    @Test func damageIsNamedWithItsPlace() throws {
        let folder = try TemporaryFolder()
        var fixture = Fixture()
        fixture.storage = .plain
        try fixture.write(folder, rowCounts: [96])
        var bytes = try contents(folder.file("0.drs"))
        let value = Fixture().value(Cell(row: 40, column: Fixture.image, variant: 0))
        let at = try #require((0..<bytes.count - 40).first { Array(bytes[$0..<$0 + 40]) == value })
        bytes[at] ^= 1
        try write(bytes, folder.file("0.drs"))
        let error = #expect(throws: ShardError.self) {
            for epoch in 0..<20 { _ = try loader(folder).batches(epoch: epoch) }
        }
        #expect(
            error?.code == .checksumMismatch && error?.context.column == "image_emb" && error?.context.rowGroup == 1)
        #expect(error?.context.path == folder.file("0.drs") && error?.context.variant == 0)
    }

    @Test func tokenThatTheTokenizerDoesNotHaveIsRefusedWhenWritten() throws {
        let folder = try TemporaryFolder()
        var fixture = Fixture()
        fixture.badTokenRow = 71
        let error = #expect(throws: ShardError.self) { try fixture.write(folder, rowCounts: Self.shards) }
        #expect(error?.code == .invalidArgument && error?.reason == "token 1 is 49408, the vocabulary has 49408")
        #expect(error?.context.column == "tokens")
    }

    @Test func emptyDataSetHasNoBatches() throws {
        let folder = try TemporaryFolder()
        try Fixture().write(folder, rowCounts: [0])
        #expect(try loader(folder).batches(epoch: 0).isEmpty)
        #expect(try loader(folder) { $0.plan.tail = .drop }.batches(epoch: 0).isEmpty)
    }

    @Test func impossibleRequestsAreRefused() throws {
        let folder = try TemporaryFolder()
        try Fixture().write(folder, rowCounts: [40])
        #expect(throws: ShardError.invalidArgument("")) { try loader(folder) { $0.plan.tail = .drop } }
        #expect(throws: ShardError.invalidArgument("")) { try loader(folder) { $0.plan.batchSize = 0 } }
        #expect(throws: ShardError.invalidArgument("")) { try loader(folder).epoch(-1) }
        #expect(throws: ShardError.invalidArgument("")) { try loader(folder).epoch(0, startingAt: 2) }
        #expect(try loader(folder).epoch(0, startingAt: 1).next() == nil)
        for stride in [0, -1, .max] {
            #expect(throws: ShardError.invalidArgument("")) { try loader(folder).epoch(0, stride: stride) }
        }
        for count in [0, -1, .max] {
            #expect(throws: ShardError.invalidArgument("")) { try loader(folder) { $0.threadCount = count } }
        }
        #expect(throws: ShardError.invalidArgument("")) {
            try loader(folder) { $0.views = [AxisChoice("view", weight: .max)] }
        }
    }

    /// A block of a set that is drawn from rarely goes to many batches, which are all made at once.
    @Test func aMixThatWouldHoldMoreThanCanBeIsRefused() throws {
        let folder = try TemporaryFolder()
        try Fixture().write(folder, rowCounts: [64])
        let dataSet = try DataSet(path: folder.path)
        func loader(_ weights: [Int], steps: Int) throws -> PairedLoader {
            var options = LoaderOptions()
            options.plan.batchSize = 16
            options.plan.epochSteps = steps
            return try PairedLoader(sets: weights.map { LoaderSet(dataSet, weight: $0) }, options: options)
        }
        #expect(try loader([65_535, 1], steps: 50).plan(epoch: 0).stepCount == 50)
        #expect(throws: ShardError.limitExceeded("")) { try loader([65_535, 1], steps: 1 << 30) }
        #expect(throws: ShardError.invalidArgument("")) { try loader([1, 1], steps: 1 << 59) }
        #expect(throws: ShardError.invalidArgument("")) { try loader([.max, .max], steps: 1) }
    }
}
