internal import Foundation

/// Whether a number that every view of a row has depends on which view it is.
///
/// If views are exchangeable, then in each row all orders of its numbers are equally likely, whatever the numbers are and
/// however they hang together; rows are independent. Then a view's number less the mean of its row has expectation 0
/// and a variance that the row itself tells. That is all that is used: nothing is assumed about distributions.
package struct ViewMeasure: Sendable {
    /// Rows whose numbers are not all equal.
    package private(set) var rowCount = 0
    /// By view: the sum over rows of its number less the mean of the row.
    private var sums: [Double]
    /// Sum over rows of the mean square of those differences.
    private var variance = 0.0
    /// The largest difference.
    private var bound = 0.0

    package init(viewCount: Int) { sums = Array(repeating: 0, count: viewCount) }

    /// Adds the numbers of a row, one for each view.
    package mutating func add(_ values: [Double]) {
        let mean = values.reduce(0, +) / Double(values.count)
        var square = 0.0
        for value in values { square += (value - mean) * (value - mean) }
        guard square > 0 else { return }
        for (view, value) in values.enumerated() {
            sums[view] += value - mean
            bound = max(bound, abs(value - mean))
        }
        variance += square / Double(values.count)
        rowCount += 1
    }

    /// Adds the ranks of a row's numbers instead, so that single large ones do not count for more.
    package mutating func add(ranksOf values: [Double]) { add(ViewMeasure.ranks(values)) }

    package mutating func merge(_ other: ViewMeasure) {
        for view in sums.indices { sums[view] += other.sums[view] }
        variance += other.variance
        bound = max(bound, other.bound)
        rowCount += other.rowCount
    }

    /// Ranks from 0 to 1; equal numbers share the mean of theirs.
    package static func ranks(_ values: [Double]) -> [Double] {
        let order = values.indices.sorted { values[$0] < values[$1] }
        var ranks = Array(repeating: 0.0, count: values.count)
        var first = 0
        while first < order.count {
            var end = first + 1
            while end < order.count, values[order[end]] == values[order[first]] { end += 1 }
            for i in first..<end { ranks[order[i]] = Double(first + end - 1) / 2 / Double(max(1, order.count - 1)) }
            first = end
        }
        return ranks
    }

    /// The sum of squares of all views' sums in units of what exchangeable views have: of ranks Friedman's statistic, of
    /// zeros and ones Cochran's Q. About chi-squared with one degree of freedom fewer than there are views.
    package var statistic: Double {
        guard variance > 0 else { return 0 }
        let count = Double(sums.count)
        return (count - 1) * sums.reduce(0) { $0 + $1 * $1 } / (count * variance)
    }

    /// How likely so large a statistic is for exchangeable views, by the chi-squared distribution: close in the middle,
    /// not in the far tail.
    package var chiSquaredP: Double {
        ChiSquared.upperTail(statistic, degrees: Double(max(1, sums.count - 1)))
    }

    /// The view that differs most, and by how much on average.
    package var extreme: (view: Int, difference: Double)? {
        guard rowCount > 0, let view = sums.indices.max(by: { abs(sums[$0]) < abs(sums[$1]) }) else { return nil }
        return (view, sums[view] / Double(rowCount))
    }

    /// An upper bound of how likely it is that any view differs so much, for exchangeable views of independent rows and
    /// any number of them: Bennett's inequality for both sides of every view.
    /// Source: G. Bennett, "Probability inequalities for the sum of independent random variables" (1962).
    package var boundP: Double {
        guard variance > 0, let extreme else { return 1 }
        let deviation = abs(sums[extreme.view])
        let u = bound * deviation / variance
        let exponent = variance / (bound * bound) * ((1 + u) * log1p(u) - u)
        return min(1, 2 * Double(sums.count) * exp(-exponent))
    }
}

/// The chi-squared distribution.
package enum ChiSquared {
    /// The probability of more than `x`: the regularised incomplete gamma function Q(degrees / 2, x / 2), by its series
    /// below the mean and by its continued fraction above. Source: DLMF 8.7.1 and 8.9.2 (there with Lentz's method).
    package static func upperTail(_ x: Double, degrees: Double) -> Double {
        guard x > 0 else { return 1 }
        let (a, z) = (degrees / 2, x / 2)
        let scale = exp(a * log(z) - z - lgamma(a))
        if z < a + 1 {
            var term = 1 / a
            var sum = term
            var n = a
            while term > sum * 1e-16 {
                n += 1
                term *= z / n
                sum += term
            }
            return max(0, 1 - scale * sum)
        }
        var b = z + 1 - a
        var c = 1e300
        var d = 1 / b
        var fraction = d
        for i in 1...500 {
            let factor = -Double(i) * (Double(i) - a)
            b += 2
            d = 1 / (factor * d + b)
            c = b + factor / c
            fraction *= c * d
            if abs(c * d - 1) < 1e-15 { break }
        }
        return min(1, scale * fraction)
    }
}
