import Testing

import DRDoctor

@Suite struct SketchTests {
    @Test func momentsOfPartsAreThoseOfTheWhole() {
        let values = (0..<100).map { Double($0 * $0 % 37) }
        var (whole, first, second) = (Moments(), Moments(), Moments())
        for value in values { whole.add(value) }
        for value in values[..<33] { first.add(value) }
        for value in values[33...] { second.add(value) }
        first.merge(second)
        first.merge(Moments())
        let mean = values.reduce(0, +) / 100
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 100
        #expect(first.count == 100 && first.minimum == 0 && first.maximum == values.max())
        #expect(abs(first.mean - mean) < 1e-12 && abs(whole.mean - mean) < 1e-12)
        #expect(abs(first.standardDeviation - variance.squareRoot()) < 1e-12)
    }

    @Test func quantilesLieWhereTheNumbersDo() throws {
        var histogram = Histogram(0...1, parts: 100)
        #expect(histogram.median == nil)
        for i in 0..<1000 { histogram.add(Double(i) / 1000) }
        #expect(abs(try #require(histogram.median) - 0.5) < 0.011)
        #expect(abs(try #require(histogram.quantile(0.99)) - 0.99) < 0.011)
        histogram.add(.nan)
        histogram.add(7)
        #expect(histogram.total == 1001 && histogram.counts[99] == 11)
    }

    @Test func coverageCountsTheBoxesOverEachPart() {
        var crops = CropProfile()
        crops.sizedCount = 2
        crops.cover(top: 0, left: 0, bottom: 1, right: 1)
        crops.cover(top: 0.5, left: 0, bottom: 1, right: 0.25)
        let coverage = crops.coverage
        #expect(coverage.count == 1024 && coverage[0] == 0.5)
        #expect(coverage[16 * 32] == 1 && coverage[16 * 32 + 7] == 1 && coverage[16 * 32 + 8] == 0.5)
        #expect(coverage[15 * 32] == 0.5)
    }

    @Test func aChoiceOfRowsHasAsManyAsWanted() {
        for (total, wanted) in [(10, 3), (1000, 999), (7, 7), (5, 50), (0, 4), (100, 1)] {
            let choice = RowChoice(total: total, wanted: wanted)
            #expect((0..<total + 5).filter { choice.contains($0) }.count == min(total, wanted))
        }
    }
}
