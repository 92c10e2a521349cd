import CDRKernels
import Testing

/// Exponent planes as FORMAT.md 6.4 writes them down, bit by bit.
struct PlaneReference {
    let planeCount: Int
    let levelCount: Int
    let offsets: [UInt8]
    let bases: [UInt8]

    var most: Int { 1 << planeCount - 1 }
    var rankCount: Int { most + levelCount }

    /// Offsets of the ranks are padded to 16.
    init(planes: Int, levels: Int, offsets: [UInt8], bases: [UInt8]) {
        (planeCount, levelCount, self.bases) = (planes, levels, bases)
        self.offsets = offsets + [UInt8](repeating: 0, count: 16 - offsets.count)
    }

    var payload: [UInt8] {
        let count = (0..<4).map { UInt8(truncatingIfNeeded: bases.count >> (8 * $0)) }
        return [UInt8(planeCount), UInt8(levelCount), 0, 0] + count + offsets + bases
    }

    func encode(_ values: [UInt16]) -> [UInt8] {
        var fractions: [UInt8] = []
        var ranks: [Int] = []
        var exceptions: [UInt8] = []
        for (i, value) in values.enumerated() {
            fractions.append(UInt8(truncatingIfNeeded: value << 1 | value >> 15))
            let exponent = UInt8(truncatingIfNeeded: value >> 7)
            let base = bases[i % bases.count]
            let rank = (0..<rankCount).first { base &+ offsets[$0] == exponent } ?? rankCount
            ranks.append(rank)
            if rank == rankCount { exceptions.append(exponent) }
        }
        let padding = [Bool](repeating: false, count: -values.count & 63)
        var bits: [Bool] = []
        for plane in 0..<planeCount { bits += ranks.map { min($0, most) >> plane & 1 == 1 } + padding }
        for level in 0..<levelCount {
            bits += ranks.filter { $0 >= most + level }.map { $0 > most + level }
        }
        var packed = [UInt8](repeating: 0, count: (bits.count + 7) / 8)
        for (i, bit) in bits.enumerated() where bit { packed[i / 8] |= 1 << UInt8(i % 8) }
        return fractions + packed + exceptions
    }

    /// Null if the stored bytes aren't exactly a unit of `count` values.
    func decode(_ stored: [UInt8], count: Int) -> [UInt16]? {
        let words = (count + 63) / 64
        let fixed = count + 8 * words * planeCount
        guard stored.count >= fixed else { return nil }
        var ranks = [Int](repeating: 0, count: 64 * words)
        for plane in 0..<planeCount {
            for i in ranks.indices {
                ranks[i] |= Int(stored[count + 8 * words * plane + i / 8] >> UInt8(i % 8) & 1) << plane
            }
        }
        guard ranks[count...].allSatisfy({ $0 == 0 }) else { return nil }
        let tail = stored[fixed...]
        var at = 0
        for level in 0..<levelCount {
            for i in 0..<count where ranks[i] == most + level {
                guard at < 8 * tail.count else { return nil }
                ranks[i] += Int(tail[fixed + at / 8] >> UInt8(at % 8) & 1)
                at += 1
            }
        }
        var next = fixed + (at + 7) / 8
        if at % 8 > 0, tail[next - 1] >> UInt8(at % 8) != 0 { return nil }
        guard stored.count - next == ranks[..<count].count(where: { $0 == rankCount }) else { return nil }
        return (0..<count).map { i in
            var exponent = bases[i % bases.count] &+ offsets[ranks[i] & 15]
            if ranks[i] == rankCount {
                exponent = stored[next]
                next += 1
            }
            let fraction = UInt16(stored[i])
            return fraction << 15 | UInt16(exponent) << 7 | fraction >> 1
        }
    }
}

/// The kernels with a table, as the reader uses them.
@safe final class PlaneKernels {
    private var table = unsafe cdr_planes_table()
    private let bases: UnsafeMutablePointer<UInt8>
    private static let slack = Int(CDR_PLANES_SLACK)

    /// Null if the payload isn't a table for such cells.
    init?(payload: [UInt8], cellValues: Int) {
        unsafe bases = .allocate(capacity: cellValues + Self.slack)
        let verdict = unsafe payload.withUnsafeBytes {
            unsafe cdr_planes_prepare(&table, bases, $0.baseAddress, $0.count, cellValues)
        }
        if verdict != 0 { return nil }
    }

    deinit { unsafe bases.deallocate() }

    /// Null if it wouldn't be smaller.
    func encode(_ values: [UInt16]) -> [UInt8]? {
        let capacity = 2 * values.count + Self.slack
        let stored = unsafe [UInt8](unsafeUninitializedCapacity: capacity + 1) { target, count in
            unsafe target.initialize(repeating: 0xEE)
            unsafe count = cdr_planes_encode(&table, values, values.count, target.baseAddress!)
            unsafe #expect(target[capacity] == 0xEE)
        }
        return stored.isEmpty ? nil : stored
    }

    /// Null if the stored bytes are corrupt. Expects that nothing around the target is written.
    func decode(_ stored: [UInt8], count: Int) -> [UInt16]? {
        unsafe decode(stored, count: count, of: UInt16.self) { unsafe cdr_planes_decode($0, $1, $2, $3, $4) }
    }

    func decodeF32(_ stored: [UInt8], count: Int) -> [UInt32]? {
        unsafe decode(stored, count: count, of: UInt32.self) { unsafe cdr_planes_decode_f32($0, $1, $2, $3, $4) }
    }

    private typealias Kernel = (
        UnsafePointer<cdr_planes_table>, UnsafePointer<UInt8>, Int, UnsafeMutableRawPointer, Int
    ) -> Int32

    private func decode<Value: FixedWidthInteger>(
        _ stored: [UInt8], count: Int, of: Value.Type, with kernel: Kernel
    ) -> [Value]? {
        let guardCount = 80
        var values = [Value](repeating: 0x5A, count: count + 2 * guardCount)
        let readable = stored + [UInt8](repeating: 0xFF, count: Self.slack)
        let verdict = unsafe values.withUnsafeMutableBytes { target in
            unsafe kernel(
                &table, readable, stored.count, target.baseAddress! + guardCount * MemoryLayout<Value>.size, count)
        }
        let isGuarded =
            values.prefix(guardCount).allSatisfy { $0 == 0x5A }
            && values.suffix(guardCount).allSatisfy { $0 == 0x5A }
        #expect(isGuarded, "written outside the target of \(count) values")
        return verdict == 0 ? Array(values[guardCount..<guardCount + count]) : nil
    }
}
