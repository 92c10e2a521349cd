import DRLoader
import DRShard
import DRShardFormat
import Logging
import Synchronization
import TestSupport
import Testing

/// Damage and quarantine lists. Spec: ORDER.md section 7.
@Suite struct DamagedLoadTests {
    private func options(_ change: (inout LoaderOptions) -> Void = { _ in }) -> LoaderOptions {
        var options = LoaderOptions()
        options.plan.batchSize = 24
        options.plan.lanes = 4
        options.plan.blockRows = 8
        options.plan.tail = .short
        options.plan.variants = .epoch
        options.content = [.embeddings]
        change(&options)
        return options
    }

    /// Two shards in which view 0 of some rows is damaged.
    private func damaged(_ folder: TemporaryFolder, rows: [Int]) throws {
        var fixture = PairedFixture()
        fixture.dims = 640
        fixture.storage = .plain
        try fixture.write(folder, rowCounts: [60, 60])
        for row in rows {
            let path = folder.file("\(row / 60).drs")
            var bytes = try contents(path)
            let value = fixture.value(.init(row: row, column: PairedFixture.image, variant: 0))
            let at = try #require(
                stride(from: 0, to: bytes.count - value.count, by: 64).first {
                    bytes[$0] == value[0] && Array(bytes[$0..<$0 + value.count]) == value
                })
            bytes[at + 5] ^= 1
            try write(bytes, path)
        }
    }

    @Test func damageEndsTheRunAtItsBatchWithTheLinesForTheList() throws {
        let folder = try TemporaryFolder()
        try damaged(folder, rows: [77])
        let loader = try PairedLoader(dataSet: DataSet(path: folder.path), options: options())
        let plan = try loader.plan(epoch: 0)
        let step = try #require(try (0..<plan.stepCount).first { try plan.rows(step: $0).contains(77) })
        let epoch = try loader.epoch(0)
        for number in 0..<step { #expect(try epoch.next()?.step == number) }
        for _ in 0..<2 {
            let error = #expect(throws: ShardError.self) { try epoch.next() }
            #expect(error?.code == .checksumMismatch && error?.context.path == folder.file("1.drs"))
            #expect(error?.context.row == 17 && error?.context.column == "image_emb")
            let set = try DataSet(path: folder.path)
            #expect(
                error?.reason.contains("\ndrshard-quarantine 1 \(set.rowSetDigest)\n77 # checksum mismatch") == true,
                "\(error?.reason ?? "")")
        }
        // Whoever goes on behind it gets the rest.
        let rest = try loader.epoch(0, startingAt: step + 1)
        for number in step + 1..<plan.stepCount { #expect(try rest.next()?.step == number) }
        #expect(try loader.batches(epoch: 1).count == plan.stepCount, "another view is sound")
    }

    // R-ORDER-20
    @Test func lossesAreSubstitutedAsIfTheyStoodOnTheList() throws {
        let folder = try TemporaryFolder()
        try damaged(folder, rows: [3, 50, 77])
        let set = try DataSet(path: folder.path)
        let list = Quarantine(rowSetDigest: set.rowSetDigest, rows: [3, 50, 77])
        let listed = try PairedLoader(sets: [LoaderSet(set, quarantine: list)], options: options())
        let expected = try listed.batches(epoch: 0).map(BatchContents.init)
        let lines = Mutex<[String]>([])
        let logger = Logger(label: "test") { _ in Recorder { line in lines.withLock { $0.append(line) } } }
        let loader = try PairedLoader(
            dataSet: set, options: options { $0.damage = .substitute(maximumRows: 3) }, logger: logger)
        let found = try loader.batches(epoch: 0)
        #expect(found.map(BatchContents.init) == expected)
        #expect(loader.counts.lostRowCount == 3)
        #expect(found.flatMap(\.namedRows).sorted() == Array(0..<120))
        #expect(found.reduce(0) { $0 + $1.substituted.count } == 3)
        #expect(!found.flatMap(\.rows).contains { [3, 50, 77].contains($0) })
        let reports = lines.withLock { $0.filter { $0.contains("substituting") } }
        #expect(reports.count == 3 && reports.joined().contains(": 77 # checksum mismatch"), "\(reports)")
        // Ranks agree.
        let ranks = try (0..<4).map { rank in
            try PairedLoader(
                dataSet: set,
                options: options {
                    $0.damage = .substitute(maximumRows: 3)
                    $0.plan.world = World(rank: rank, worldSize: 4)
                }
            ).batches(epoch: 0)
        }
        for step in expected.indices { #expect(ranks.flatMap { $0[step].rows } == expected[step].rows) }
    }

    /// In another epoch another view is read, and a run that begins there knows nothing of the loss.
    @Test func aRowThatWasLostInOneEpochIsDeliveredInTheNext() throws {
        let folder = try TemporaryFolder()
        try damaged(folder, rows: [77])
        let set = try DataSet(path: folder.path)
        let loader = try PairedLoader(dataSet: set, options: options { $0.damage = .substitute(maximumRows: 3) })
        #expect(try !loader.batches(epoch: 0).flatMap(\.rows).contains(77))
        let next = try loader.batches(epoch: 1)
        #expect(next.flatMap(\.rows).sorted() == Array(0..<120) && loader.counts.lostRowCount == 1)
        #expect(loader.quarantines == [Quarantine(rowSetDigest: set.rowSetDigest, rows: [77])])
    }

    @Test func moreLossesThanAllowedEndTheRun() throws {
        let folder = try TemporaryFolder()
        try damaged(folder, rows: [3, 50, 77])
        let loader = try PairedLoader(
            dataSet: DataSet(path: folder.path),
            options: options {
                $0.damage = .substitute(maximumRows: 2)
                $0.threadCount = 1
            })
        let error = #expect(throws: ShardError.self) { _ = try loader.batches(epoch: 0) }
        #expect(error?.reason.contains("3 rows are lost by now, 2 are allowed") == true, "\(error?.reason ?? "")")
    }

    @Test func whatTheSecondReadGivesIsTaken() throws {
        let folder = try TemporaryFolder()
        try PairedFixture().write(folder, rowCounts: [60])
        let whole = try PairedLoader(dataSet: DataSet(path: folder.path), options: options())
        let expected = try whole.batches(epoch: 0).map(BatchContents.init)
        let source = FlakySource(try contents(folder.file("0.drs")))
        let set = try DataSet(path: folder.path, shards: [ShardReader(source: source)])
        let loader = try PairedLoader(dataSet: set, options: options { $0.threadCount = 1 })
        // The reads that open and look up have been made by then, or are made again as well.
        source.failures.store(3, ordering: .relaxed)
        #expect(try loader.batches(epoch: 0).map(BatchContents.init) == expected)
        #expect(source.failures.load(ordering: .relaxed) == 0 && loader.counts.lostRowCount == 0)
    }

    // R-ORDER-21
    @Test func listsAreReadAndRefused() throws {
        let folder = try TemporaryFolder()
        try PairedFixture().write(folder, rowCounts: [60])
        let set = try DataSet(path: folder.path)
        let head = "drshard-quarantine 1 \(set.rowSetDigest)"
        let list = try Quarantine(parsing: head + "\n5\n\n 7 # why\n5\n")
        #expect(list.rows == [5, 7] && list.rowSetDigest == set.rowSetDigest)
        #expect(try Quarantine(parsing: list.text) == list)
        for (text, word) in [
            ("", "line 1"), ("5\n", "line 1"), ("drshard-quarantine 2 \(set.rowSetDigest)\n", "line 1"),
            ("drshard-quarantine 1 12\n", "line 1"), (head + "\n5\nx\n", "line 3"), (head + "\n-1\n", "line 2"),
            (head + "\n1 2\n", "line 2"),
        ] {
            let error = #expect(throws: ShardError.self) { try Quarantine(parsing: text) }
            #expect(error?.code == .corrupt && error?.reason.contains(word) == true, "\(text)")
        }
        for other in [
            Quarantine(rowSetDigest: SequenceDigest(), rows: [1]),
            Quarantine(rowSetDigest: set.rowSetDigest, rows: [60]),
        ] {
            #expect(throws: ShardError.schemaMismatch("")) {
                try PairedLoader(sets: [LoaderSet(set, quarantine: other)], options: options())
            }
        }
        let all = Quarantine(rowSetDigest: set.rowSetDigest, rows: Set(0..<60))
        let loader = try PairedLoader(sets: [LoaderSet(set, quarantine: all)], options: options())
        #expect(throws: ShardError.limitExceeded("")) { try loader.batches(epoch: 0) }
    }

    @Test func aSelectionKeepsTheQuarantineOfItsDataSet() throws {
        let folder = try TemporaryFolder()
        try PairedFixture().write(folder, rowCounts: [120])
        let set = try DataSet(path: folder.path)
        let selection = try RowSelection(set, filters: [.split(name: "", range: 0..<1, count: 2)])
        let bad = Set([selection.row(0), selection.row(7), 119, 118])
        let list = Quarantine(rowSetDigest: set.rowSetDigest, rows: bad)
        let loader = try PairedLoader(
            sets: [LoaderSet(set, selection: selection, quarantine: list)], options: options())
        let batches = try loader.batches(epoch: 0)
        #expect(batches.flatMap(\.namedRows).sorted() == (0..<selection.rowCount).map { selection.row($0) })
        #expect(bad.isDisjoint(with: batches.flatMap(\.rows)))
    }
}

/// Fails so many reads once each.
private final class FlakySource: ByteSource {
    let path = "flaky"
    private let source: MemorySource
    let failures = Atomic<Int>(0)
    init(_ bytes: [UInt8]) { source = MemorySource(bytes) }
    var byteCount: UInt64 { source.byteCount }
    var memory: UnsafeRawBufferPointer? { nil }

    func read(_ requests: [ReadRequest], into target: UnsafeMutableRawBufferPointer) throws(ShardError) {
        // Every other read fails, so that its repetition is right.
        let left = failures.load(ordering: .relaxed)
        if left > 0, flips.bitwiseXor(1, ordering: .relaxed).newValue == 1 {
            failures.store(left - 1, ordering: .relaxed)
            throw .io("the cable shook")
        }
        try unsafe source.read(requests, into: target)
    }
    private let flips = Atomic<Int>(0)
}

/// Hands log lines to a closure.
private struct Recorder: LogHandler {
    let body: @Sendable (String) -> Void
    init(_ body: @escaping @Sendable (String) -> Void) { self.body = body }
    var logLevel = Logger.Level.trace
    var metadata: Logger.Metadata = [:]
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }
    func log(event: LogEvent) { body("\(event.message)") }
}
