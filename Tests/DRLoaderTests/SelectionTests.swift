import DRLoader
import DRShard
import DRShardFormat
import TestSupport
import Testing

/// Subsets by lists of ids and by splits. Spec: ORDER.md section 3.
@Suite struct SelectionTests {
    private func options() -> LoaderOptions {
        var options = LoaderOptions()
        options.plan.batchSize = 12
        options.plan.lanes = 4
        options.plan.blockRows = 8
        options.plan.tail = .short
        options.content = [.rowIDs, .embeddings, .tokens]
        return options
    }

    private func rows(_ set: LoaderSet, epoch: Int = 0) throws -> [Int] {
        try PairedLoader(sets: [set], options: options()).batches(epoch: epoch).flatMap(\.rows)
    }

    // R-ORDER-8
    @Test func partsOfASplitAreAllRowsOnceAndAboutAsLargeAsSaid() throws {
        let folder = try TemporaryFolder()
        try PairedFixture().write(folder, rowCounts: [300, 0, 100])
        let set = try DataSet(path: folder.path)
        let train = try RowSelection(set, filters: [.split(name: "split", range: 0..<8, count: 10)], threadCount: 3)
        let rest = try RowSelection(set, filters: [.split(name: "split", range: 8..<10, count: 10)])
        let (a, b) = try (rows(LoaderSet(set, selection: train)), rows(LoaderSet(set, selection: rest)))
        #expect((a + b).sorted() == Array(0..<400))
        // 320 expected, with a standard deviation of 8.
        #expect((280...360).contains(a.count), "\(a.count)")
        #expect(train.rowCount == a.count && (0..<a.count).map { train.row($0) } == a.sorted())
        for row in 0..<400 { #expect(train.logical(row) == a.sorted().firstIndex(of: row)) }
        let other = try RowSelection(set, filters: [.split(name: "another", range: 0..<8, count: 10)])
        #expect(other.rowSetDigest != train.rowSetDigest)
    }

    // R-ORDER-7
    @Test func aSelectionHasTheOrderOfADataSetOfTheSameRows() throws {
        let (whole, part) = (try TemporaryFolder(), try TemporaryFolder())
        var fixture = PairedFixture()
        try fixture.write(whole, rowCounts: [90, 110])
        fixture.firstID = 50
        try fixture.write(part, rowCounts: [120])
        let set = try DataSet(path: whole.path)
        let ids = Set((50..<170).map { Array(SHA256.digest(Array("row \($0)".utf8)).prefix(16)) })
        let selection = try RowSelection(set, filters: [.list(ids: ids, isExclusion: false)])
        let others = Set((0..<200).filter { !(50..<170).contains($0) }.map { id(row: $0) })
        let same = try RowSelection(set, filters: [.list(ids: others, isExclusion: true)])
        let expected = try rows(LoaderSet(DataSet(path: part.path)), epoch: 3).map { $0 + 50 }
        #expect(selection.rowSetDigest == (try DataSet(path: part.path)).rowSetDigest)
        #expect(try rows(LoaderSet(set, selection: selection), epoch: 3) == expected)
        #expect(try rows(LoaderSet(set, selection: same), epoch: 3) == expected)
    }

    private func id(row: Int) -> [UInt8] { Array(SHA256.digest(Array("row \(row)".utf8)).prefix(16)) }

    @Test func impossibleSelectionsAreRefused() throws {
        let folder = try TemporaryFolder()
        try PairedFixture().write(folder, rowCounts: [40])
        let set = try DataSet(path: folder.path)
        for filter in [
            RowFilter.list(ids: [[1, 2]], isExclusion: false), .list(ids: [id(row: 99)], isExclusion: false),
            .split(name: "", range: 0..<11, count: 10), .split(name: "", range: 3..<3, count: 10),
        ] {
            #expect(throws: ShardError.invalidArgument("")) { try RowSelection(set, filters: [filter]) }
        }
    }
}
