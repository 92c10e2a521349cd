/// Rows of a set that are looked at: all, or some that are spread evenly. The same rows for the same numbers.
package struct RowChoice: Sendable {
    package let total: Int
    package let wanted: Int

    package init(total: Int, wanted: Int?) {
        self.total = total
        self.wanted = min(total, max(0, wanted ?? total))
    }

    package var isAll: Bool { wanted == total }

    /// Whether the row of a number is one of them: `wanted` of `total` are.
    package func contains(_ row: Int) -> Bool {
        func before(_ row: Int) -> Int { Int((UInt128(row) * UInt128(wanted)) / UInt128(max(1, total))) }
        return row < total && before(row + 1) > before(row)
    }
}
