import DRConvert
import Testing

import DRDoctor

@Suite struct ViewMeasureTests {
    @Test func tailsOfChiSquaredAreThoseOfTables() {
        // Known quantiles: 3.841459 (1 degree, 5 %), 16.918978 (9, 5 %), 49.587884 (29, 1 %), 84.4 of 9 by integration.
        #expect(abs(ChiSquared.upperTail(3.841459, degrees: 1) - 0.05) < 1e-6)
        #expect(abs(ChiSquared.upperTail(16.918978, degrees: 9) - 0.05) < 1e-6)
        #expect(abs(ChiSquared.upperTail(49.587884, degrees: 29) - 0.01) < 1e-6)
        // Two degrees are an exponential distribution, also in the far tail.
        #expect(abs(ChiSquared.upperTail(100, degrees: 2) / 1.9287498479639178e-22 - 1) < 1e-9)
        #expect(ChiSquared.upperTail(0, degrees: 4) == 1)
    }

    @Test func equalNumbersShareTheirRank() {
        let expected: [Double] = [2.5 / 3, 1.0 / 3, 2.5 / 3, 0]
        #expect(ViewMeasure.ranks([3, 1, 3, 0]) == expected)
        #expect(ViewMeasure.ranks([7, 7]) == [0.5, 0.5])
    }

    /// Of draws that are exchangeable, though they hang together in a row and have heavy tails.
    private func measure(rows: Int, views: Int, seed: UInt64, shift: (Int) -> Double = { _ in 0 }) -> [ViewMeasure] {
        var generator = SampleGenerator(seed: seed)
        var (ranks, rare) = (ViewMeasure(viewCount: views), ViewMeasure(viewCount: views))
        for _ in 0..<rows {
            let own = generator.normal()
            ranks.add(ranksOf: (0..<views).map { own + 1 / (0.01 + generator.uniform()) + shift($0) })
            rare.add((0..<views).map { _ in generator.uniform() < 0.02 ? 1 : 0 })
        }
        return [ranks, rare]
    }

    @Test func exchangeableDrawsAreNotFlagged() {
        for seed: UInt64 in 0..<300 {
            for measure in measure(rows: 10 + Int(seed % 90), views: 3 + Int(seed % 28), seed: seed) {
                // Of 600 bounds none is below 1e-6, and a bound is no sharper than it may be.
                #expect(measure.boundP > 1e-6, "seed \(seed)")
            }
        }
    }

    @Test func boundsOfExchangeableDrawsAreNotTooSmall() {
        let ps = (0..<600).flatMap { measure(rows: 60, views: 8, seed: 5000 + UInt64($0)).map(\.boundP) }
        for p in [0.1, 0.01, 0.001] {
            #expect(ps.count { $0 < p } <= Int(p * Double(ps.count)) + 3, "\(p)")
        }
    }

    @Test func theChiSquaredProbabilityIsAboutUniformForExchangeableDraws() {
        let ps = (0..<1000).map { measure(rows: 120, views: 8, seed: 9000 + UInt64($0))[0].chiSquaredP }
        for p in [0.1, 0.5, 0.9] {
            #expect(abs(Double(ps.count { $0 < p }) / 1000 - p) < 0.05, "\(p)")
        }
    }

    @Test func aViewThatDiffersIsNamed() throws {
        let found = measure(rows: 100, views: 10, seed: 3) { $0 == 7 ? 30 : 0 }[0]
        #expect(found.boundP < 1e-9)
        #expect(try #require(found.extreme).view == 7)
    }

    @Test func partsAddUp() {
        var generator = SampleGenerator(seed: 1)
        let rows = (0..<50).map { _ in (0..<5).map { _ in generator.uniform() } }
        var whole = ViewMeasure(viewCount: 5)
        for row in rows { whole.add(row) }
        var (first, second) = (ViewMeasure(viewCount: 5), ViewMeasure(viewCount: 5))
        for row in rows[..<20] { first.add(row) }
        for row in rows[20...] { second.add(row) }
        first.merge(second)
        #expect(abs(first.statistic - whole.statistic) < 1e-9 && first.rowCount == whole.rowCount)
    }
}
