#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// What elements cost at least if they are coded one by one.
package enum ElementEntropy {
    /// Bits an element of the sample: of bf16, sign and fraction raw and the exponent's entropy, given the dimension where
    /// that is less; of tokens, their entropy. Nil for other types and for a sample without elements.
    ///
    /// Entropies are those of the sample's frequencies with the correction of Miller and Madow for its size.
    package static func bits(planes: [Plane]) -> Double? {
        switch planes[0].type {
        case .tensor(.bf16, _): exponentBits(planes).map { 8 + $0 }
        case .ragged(.u16): tokenBits(planes, byteCount: 2)
        case .ragged(.i32): tokenBits(planes, byteCount: 4)
        default: nil
        }
    }

    private static func entropy(_ counts: some Sequence<Int>) -> Double {
        var total = 0
        var distinct = 0
        var sum = 0.0
        for count in counts where count > 0 {
            total += count
            distinct += 1
            sum += Double(count) * log2(Double(count))
        }
        guard total > 0 else { return 0 }
        let plain = log2(Double(total)) - sum / Double(total)
        return plain + Double(distinct - 1) / (2 * Double(total) * log(2))
    }

    private static func exponentBits(_ planes: [Plane]) -> Double? {
        let valueCount = (planes[0].type.cellByteCount ?? 0) / 2
        guard planes.contains(where: { $0.missingCount < $0.rowCount }) else { return nil }
        // A histogram for each place of a cell, unless cells are very long.
        let places = valueCount <= 1 << 16 ? valueCount : 1
        var counts = [Int](repeating: 0, count: places * 256)
        for plane in planes {
            for row in 0..<plane.rowCount where plane.states[row] == .present {
                let start = plane.range(of: row).lowerBound
                for i in 0..<valueCount {
                    let low = plane.bytes[start + 2 * i]
                    let high = plane.bytes[start + 2 * i + 1]
                    counts[i % places * 256 + Int((high & 0x7F) << 1 | low >> 7)] += 1
                }
            }
        }
        let all = entropy(
            (0..<256).lazy.map { e in stride(from: e, to: counts.count, by: 256).reduce(0) { $0 + counts[$1] } })
        let byPlace =
            (0..<places).reduce(0.0) { $0 + entropy(counts[$1 * 256..<($1 + 1) * 256]) } / Double(places)
        return min(all, byPlace)
    }

    private static func tokenBits(_ planes: [Plane], byteCount: Int) -> Double? {
        var counts: [UInt32: Int] = [:]
        for plane in planes {
            for at in stride(from: 0, to: plane.bytes.count, by: byteCount) {
                counts[plane.bytes[at..<at + byteCount].reversed().reduce(0) { $0 << 8 | UInt32($1) }, default: 0] += 1
            }
        }
        return counts.isEmpty ? nil : entropy(counts.values)
    }
}
