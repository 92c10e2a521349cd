/// Chooses the table of a column of tokens: the payload of an auxiliary page of kind 4. Spec: FORMAT.md section 6.6.
///
/// Equal cells, in whatever order, make equal tables. Give it the present cells of the column's first row group.
package struct TokenTableChoice: Sendable {
    package static let maximumIDs = 16 + 256 + 4096
    /// How often an id must occur to be listed: one costs four bytes, the table being written twice, and saves four bits
    /// or more each time.
    package static let leastOccurrences = 4

    private var occurrences = [Int](repeating: 0, count: 1 << 16)

    package init() {}

    /// Counts the tokens of a cell.
    /// - Parameters:
    ///   - value: its canonical value; bytes that are no whole token are left out.
    ///   - width: bytes of a token: 2 or 4.
    package mutating func add(_ value: Span<UInt8>, width: Int) {
        precondition(width == 2 || width == 4, "tokens of \(width) bytes")
        for start in stride(from: 0, to: value.count - width + 1, by: width) {
            if width == 4, value[start + 2] | value[start + 3] != 0 { continue }
            occurrences[Int(value[start]) | Int(value[start + 1]) << 8] += 1
        }
    }

    /// The bytes of the table.
    package func payload() -> [UInt8] {
        let ids = occurrences.indices.filter { occurrences[$0] >= TokenTableChoice.leastOccurrences }
            .sorted { (-occurrences[$0], $0) < (-occurrences[$1], $1) }.prefix(TokenTableChoice.maximumIDs)
        var payload: [UInt8] = []
        for number in [ids.count, 0] + ids {
            payload.append(UInt8(truncatingIfNeeded: number))
            payload.append(UInt8(truncatingIfNeeded: number >> 8))
        }
        return payload
    }
}
