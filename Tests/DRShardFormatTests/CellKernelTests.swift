import CDRKernels
import DRShardFormat
import TestSupport
import Testing

/// Copies past the cache, and the loop over many cells, at every level.
@Suite struct CellKernelTests {
    @Test func streamedCopiesAreCopiesAtEveryPlaceAndLength() {
        let source = (0..<900).map { UInt8(truncatingIfNeeded: $0 &* 131 &+ 7) }
        KernelLevels.forEach { level in
            for count in Array(0..<140) + [191, 192, 193, 640, 800] {
                for (from, to) in [(0, 0), (1, 0), (0, 1), (13, 37), (64, 63)] {
                    var target = [UInt8](repeating: 0xEE, count: count + 128)
                    // SAFETY: both ranges lie in their arrays.
                    unsafe source.withUnsafeBytes { source in
                        unsafe target.withUnsafeMutableBytes { target in
                            unsafe cdr_copy_streamed(
                                target.baseAddress?.advanced(by: to), source.baseAddress?.advanced(by: from), count)
                        }
                    }
                    cdr_stream_fence()
                    let expected =
                        [UInt8](repeating: 0xEE, count: to) + source[from..<from + count]
                        + [UInt8](repeating: 0xEE, count: 128 - to)
                    #expect(target == expected, "level \(level.rawValue), \(count) bytes from \(from) to \(to)")
                }
            }
        }
    }

    private static let dims = 600

    /// Cells that are stored plain, and encoded, in turns, with 64 bytes behind each.
    private func cells(_ table: PlaneReference) -> (plain: [[UInt16]], stored: [[UInt8]]) {
        var random = SeededGenerator(seed: 5)
        let plain = (0..<40).map { _ in
            (0..<Self.dims).map { _ in
                let bits = random.next()
                return UInt16(bits & 0x807F) | UInt16(119 + (bits >> 40) % 4) << 7
            }
        }
        let stored = plain.enumerated().map { i, values in
            let encoded = table.encode(values)
            return i % 5 == 3 || encoded.count >= 2 * Self.dims ? bytes(values) : encoded
        }
        return (plain, stored)
    }

    private func bytes(_ values: [UInt16]) -> [UInt8] { values.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] } }

    /// Decodes all cells behind `start`, each to a place of its own.
    /// - Returns: how far it came, and the bytes of each place.
    private func decode(
        _ stored: [[UInt8]], table: ExponentTable?, conversion: FloatConversion?, isStreamed: Bool, checks: Bool,
        damaged: Int? = nil
    ) -> (Int, [[UInt8]]) {
        let width = Self.dims * (conversion?.targetByteCount ?? 2)
        let batch = CellBatch()
        let stride = (width + 127) & ~63
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: stride * stored.count, alignment: 64)
        var slack = stored.map { $0 + [UInt8](repeating: 0xAA, count: 64) }
        defer { unsafe memory.deallocate() }
        // SAFETY: arrays stay where they are inside the closures; places lie in the memory.
        func append(_ i: Int, _ done: () -> Void) {
            guard i < stored.count else { return done() }
            let sum = crc32c(stored[i])
            if damaged == i { slack[i][3] ^= 1 }
            unsafe slack[i].withUnsafeBytes { bytes in
                if let start = bytes.baseAddress, let place = unsafe memory.baseAddress?.advanced(by: i * stride) {
                    unsafe batch.append(start, count: stored[i].count, checksum: sum, target: place)
                }
                append(i + 1, done)
            }
        }
        var end = 0
        append(0) {
            end = batch.decode(
                from: 0, cellByteCount: Self.dims * 2, valueByteCount: 2, exponents: table, conversion: conversion,
                checks: checks, isStreamed: isStreamed)
        }
        cdr_stream_fence()
        return (end, stored.indices.map { i in unsafe Array(memory[i * stride..<i * stride + width]) })
    }

    private func expected(_ values: [UInt16], _ conversion: FloatConversion?) -> [UInt8] {
        switch conversion {
        case nil: return bytes(values)
        case .bf16ToF32:
            return values.flatMap { value in
                (0..<4).map { UInt8(truncatingIfNeeded: (UInt32(value) << 16) >> UInt32(8 * $0)) }
            }
        default:
            return bytes(values.map { Float16(Float(bitPattern: UInt32($0) << 16)).bitPattern })
        }
    }

    @Test func everyCellIsWhatItIsAloneAtEveryLevel() throws {
        let reference = PlaneReference(planes: 2, levels: 0, offsets: [1, 2, 0], bases: [119])
        let table = try ExponentTable(parsing: reference.payload, valueCount: Self.dims)
        let (plain, stored) = cells(reference)
        #expect(Set(stored.map { $0.count < 2 * Self.dims }) == [true, false], "both ways of storing")
        KernelLevels.forEach { level in
            for conversion in [nil, FloatConversion.bf16ToF32, .bf16ToF16] {
                for isStreamed in [false, true] {
                    let (end, found) = decode(
                        stored, table: table, conversion: conversion, isStreamed: isStreamed, checks: true)
                    #expect(end == stored.count)
                    #expect(
                        found == plain.map { expected($0, conversion) },
                        "level \(level.rawValue), \(String(describing: conversion)), streamed \(isStreamed)")
                }
            }
        }
    }

    @Test func theFirstCellThatIsNotAsItShouldBeEndsTheLoop() throws {
        let reference = PlaneReference(planes: 2, levels: 0, offsets: [1, 2, 0], bases: [119])
        let table = try ExponentTable(parsing: reference.payload, valueCount: Self.dims)
        let (plain, stored) = cells(reference)
        for at in [0, 3, 17, 39] {
            let (end, found) = decode(
                stored, table: table, conversion: nil, isStreamed: false, checks: true, damaged: at)
            #expect(end == at && Array(found[..<at]) == plain[..<at].map(bytes), "damaged cell \(at)")
            var cut = stored
            cut[at] = at == 0 ? [] : Array(stored[at].dropLast())
            #expect(decode(cut, table: table, conversion: nil, isStreamed: true, checks: true).0 == at)
            cut[at] = stored[at] + [0]
            #expect(decode(cut, table: table, conversion: nil, isStreamed: true, checks: true).0 == at)
        }
        // Without a table only plain cells are decoded.
        #expect(decode(stored, table: nil, conversion: nil, isStreamed: false, checks: true).0 == 0)
        #expect(decode([bytes(plain[0])], table: nil, conversion: .bf16ToF32, isStreamed: true, checks: false).0 == 1)
    }
}
