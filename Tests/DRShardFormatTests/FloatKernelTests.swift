import CDRKernels
import DRShardFormat
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

@Suite struct FloatKernelTests {
    private func forEachLevel(_ body: (cdr_level) throws -> Void) rethrows {
        try KernelLevels.forEach { level in
            #expect(cdr_level_current() == level)
            try body(level)
        }
    }

    @Test func theBestLevelIsTheLastThatIsAvailable() {
        KernelLevels.exclusively {
            #expect(cdr_level_force(CDR_LEVEL_BEST) == 1)
            #expect(cdr_level_current() == KernelLevels.available.last)
            #if arch(x86_64)
                #expect(cdr_level_force(CDR_LEVEL_NEON) == 0)
            #endif
            #expect(cdr_level_current() == KernelLevels.available.last)
        }
    }

    @Test(arguments: FloatConversion.allCases) func everyResultAndRoundingBoundaryIsExact(conversion: FloatConversion) {
        var random = SeededGenerator(seed: 1)
        let inputs = FloatReference.inputs(conversion, random: &random)
        let source = FloatReference.bytes(inputs, conversion.sourceByteCount)
        let expected = reference(conversion, inputs)
        forEachLevel { level in
            var target = [UInt8](repeating: 0xEE, count: expected.count)
            var span = target.mutableSpan
            conversion.convert(source.span, into: &span)
            #expect(target == expected, "\(conversion) at level \(level.rawValue)")
        }
    }

    /// All 64 alignments of both sides with 0 to 70 values. Debug builds take every alignment of the target with some
    /// of the source.
    @Test(arguments: FloatConversion.allCases) func everyAlignmentAndTailIsExact(conversion: FloatConversion) {
        var random = SeededGenerator(seed: 2)
        let sourceWidth = conversion.sourceByteCount
        let targetWidth = conversion.targetByteCount
        let inputs = (0..<70).map { _ in UInt32(truncatingIfNeeded: random.next()) }
        let values = FloatReference.bytes(inputs, sourceWidth)
        let expected = reference(conversion, inputs)
        #if DEBUG
            let sourceAlignments = [0, 1, 2, 31, 62]
        #else
            let sourceAlignments = Array(0..<64)
        #endif
        let guardByteCount = 64
        let source = UnsafeMutableRawBufferPointer.allocate(byteCount: 512, alignment: 64)
        let target = UnsafeMutableRawBufferPointer.allocate(byteCount: 512, alignment: 64)
        let guards = [UInt8](repeating: 0xEE, count: 512)
        defer { unsafe source.deallocate(); unsafe target.deallocate() }
        forEachLevel { level in
            for sourceAlignment in sourceAlignments {
                unsafe UnsafeMutableRawBufferPointer(rebasing: source[sourceAlignment...]).copyBytes(from: values)
                for targetAlignment in 0..<64 {
                    for count in 0...70 {
                        unsafe target.copyBytes(from: guards)
                        let end = targetAlignment + count * targetWidth
                        let sourceEnd = sourceAlignment + count * sourceWidth
                        unsafe conversion.convert(
                            UnsafeRawBufferPointer(rebasing: source[sourceAlignment..<sourceEnd]),
                            into: UnsafeMutableRawBufferPointer(rebasing: target[targetAlignment..<end]))
                        let isExact = unsafe expected.withUnsafeBytes {
                            unsafe same(target, targetAlignment, $0, count * targetWidth)
                        }
                        let isGuarded = unsafe guards.withUnsafeBytes {
                            unsafe same(target, 0, $0, targetAlignment) && same(target, end, $0, guardByteCount)
                        }
                        if !isExact || !isGuarded {
                            let place = "\(sourceAlignment) to \(targetAlignment), \(count) values"
                            Issue.record("\(conversion), level \(level.rawValue), \(place)")
                            return
                        }
                    }
                }
            }
        }
    }

    /// Targets from just under to just over the size that is written past the cache, at alignments that can and can't
    /// be.
    @Test(arguments: FloatConversion.allCases) func largeTargetsAreExact(conversion: FloatConversion) {
        let width = conversion.targetByteCount
        var random = SeededGenerator(seed: 3)
        let inputs = (0..<16_384).map { _ in UInt32(truncatingIfNeeded: random.next()) }
        let chunk = FloatReference.bytes(inputs, conversion.sourceByteCount)
        let expectedChunk = reference(conversion, inputs)
        let count = 16 << 20 / width + 77
        let slack = 128
        let sourceByteCount = count * conversion.sourceByteCount
        let source = UnsafeMutableRawBufferPointer.allocate(byteCount: sourceByteCount, alignment: 64)
        let expected = UnsafeMutableRawBufferPointer.allocate(byteCount: count * width, alignment: 64)
        let target = UnsafeMutableRawBufferPointer.allocate(byteCount: count * width + slack, alignment: 64)
        defer { unsafe source.deallocate(); unsafe expected.deallocate(); unsafe target.deallocate() }
        unsafe fill(source, with: chunk)
        unsafe fill(expected, with: expectedChunk)
        let cases = [(0, count), (width, count - 77), (63, count), (64 - width, count - 45), (32, count - 78)]
        forEachLevel { level in
            // The plain level has no other way for large targets.
            for (alignment, taken) in level == CDR_LEVEL_PLAIN ? Array(cases[..<1]) : cases {
                unsafe memset(target.baseAddress!, 0xEE, target.count)
                unsafe conversion.convert(
                    UnsafeRawBufferPointer(rebasing: source[..<(taken * conversion.sourceByteCount)]),
                    into: UnsafeMutableRawBufferPointer(rebasing: target[alignment..<alignment + taken * width]))
                let isExact = unsafe same(target, alignment, UnsafeRawBufferPointer(expected), taken * width)
                #expect(isExact, "\(conversion), level \(level.rawValue), alignment \(alignment), \(taken) values")
                let before = unsafe target[..<alignment].allSatisfy { $0 == 0xEE }
                let after = unsafe target[(alignment + taken * width)...].prefix(64).allSatisfy { $0 == 0xEE }
                #expect(before && after, "\(conversion) wrote outside its target")
            }
        }
    }

    @Test func typedConversionsTakeSpans() {
        let halves: [UInt16] = [0x0000, 0x8000, 0x3F80, 0xC000, 0x7F80]
        var floats = [Float](repeating: 9, count: 5)
        var floatSpan = floats.mutableSpan
        FloatKernels.bf16ToF32(halves.span, into: &floatSpan)
        #expect(floats == [0, 0, 1, -2, .infinity] && floats[1].sign == .minus)
        var back = [UInt16](repeating: 9, count: 5)
        var backSpan = back.mutableSpan
        FloatKernels.f32ToBF16(floats.span, into: &backSpan)
        #expect(back == halves)
        backSpan = back.mutableSpan
        FloatKernels.f32ToF16(floats.span, into: &backSpan)
        #expect(back == [0x0000, 0x8000, 0x3C00, 0xC000, 0x7C00])
        floatSpan = floats.mutableSpan
        FloatKernels.f16ToF32(back.span, into: &floatSpan)
        #expect(floats == [0, 0, 1, -2, .infinity])
        var other = [UInt16](repeating: 9, count: 5)
        var otherSpan = other.mutableSpan
        FloatKernels.f16ToBF16(back.span, into: &otherSpan)
        #expect(other == halves)
        backSpan = back.mutableSpan
        FloatKernels.bf16ToF16(other.span, into: &backSpan)
        #expect(back == [0x0000, 0x8000, 0x3C00, 0xC000, 0x7C00])
    }

    /// What must come out of values, as bytes.
    private func reference(_ conversion: FloatConversion, _ inputs: [UInt32]) -> [UInt8] {
        var results: [UInt32] = []
        results.reserveCapacity(inputs.count)
        for bits in inputs { results.append(FloatReference.result(conversion, bits)) }
        return FloatReference.bytes(results, conversion.targetByteCount)
    }

    /// SAFETY of the two below: slices check their ranges.
    private func same(
        _ bytes: UnsafeMutableRawBufferPointer, _ position: Int, _ expected: UnsafeRawBufferPointer, _ count: Int
    ) -> Bool {
        let found = unsafe UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
        let wanted = unsafe UnsafeRawBufferPointer(rebasing: expected[..<count])
        return unsafe count == 0 || memcmp(found.baseAddress!, wanted.baseAddress!, count) == 0
    }

    private func fill(_ target: UnsafeMutableRawBufferPointer, with chunk: [UInt8]) {
        for start in stride(from: 0, to: target.count, by: chunk.count) {
            let end = min(start + chunk.count, target.count)
            unsafe UnsafeMutableRawBufferPointer(rebasing: target[start..<end]).copyBytes(from: chunk[..<(end - start)])
        }
    }
}
