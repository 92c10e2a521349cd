/// Count, mean, standard deviation and extremes of numbers, without the numbers.
///
/// Two of them merge as in Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing sample
/// variances" (1979). In a fixed order of merges the bits are fixed.
package struct Moments: Sendable {
    package private(set) var count = 0
    package private(set) var mean = 0.0
    package private(set) var minimum = Double.infinity
    package private(set) var maximum = -Double.infinity
    private var squares = 0.0

    package init() {}

    /// Of all the numbers, divided by their count; 0 for none.
    package var standardDeviation: Double { count == 0 ? 0 : (squares / Double(count)).squareRoot() }

    package mutating func add(_ value: Double) {
        count += 1
        let delta = value - mean
        mean += delta / Double(count)
        squares += delta * (value - mean)
        minimum = min(minimum, value)
        maximum = max(maximum, value)
    }

    package mutating func merge(_ other: Moments) {
        guard other.count > 0 else { return }
        guard count > 0 else { return self = other }
        let sum = Double(count + other.count)
        let delta = other.mean - mean
        squares += other.squares + delta * delta * Double(count) * Double(other.count) / sum
        mean += delta * Double(other.count) / sum
        count += other.count
        minimum = min(minimum, other.minimum)
        maximum = max(maximum, other.maximum)
    }
}

/// How many numbers fall into each of equal parts of a range; those outside count in the first or the last part.
package struct Histogram: Sendable {
    package let range: ClosedRange<Double>
    package private(set) var counts: [Int]

    package init(_ range: ClosedRange<Double>, parts: Int) {
        self.range = range
        counts = Array(repeating: 0, count: parts)
    }

    package var total: Int { counts.reduce(0, +) }
    package var partWidth: Double { (range.upperBound - range.lowerBound) / Double(counts.count) }

    /// The parts that lie in a range, by their number.
    package func bins(in shown: ClosedRange<Double>) -> Range<Int> {
        func bin(_ value: Double) -> Int {
            max(0, min(counts.count, Int(((value - range.lowerBound) / partWidth).rounded())))
        }
        let low = min(bin(shown.lowerBound), counts.count - 1)
        return low..<max(low + 1, bin(shown.upperBound))
    }

    /// A NaN is not counted.
    package mutating func add(_ value: Double, count: Int = 1) {
        guard !value.isNaN else { return }
        let place = (value - range.lowerBound) / partWidth
        counts[Int(max(0, min(Double(counts.count - 1), place)))] += count
    }

    package mutating func merge(_ other: Histogram) {
        precondition(counts.count == other.counts.count, "histograms of one kind have the same parts")
        for i in counts.indices { counts[i] += other.counts[i] }
    }

    /// The value below which a part of the numbers lies, as if they were spread evenly in each part; nil for none.
    package func quantile(_ part: Double) -> Double? {
        let all = total
        guard all > 0 else { return nil }
        var rest = part * Double(all)
        for (i, count) in counts.enumerated() where count > 0 {
            if rest <= Double(count) {
                return range.lowerBound + (Double(i) + rest / Double(count)) * partWidth
            }
            rest -= Double(count)
        }
        return range.upperBound
    }

    package var median: Double? { quantile(0.5) }
}
