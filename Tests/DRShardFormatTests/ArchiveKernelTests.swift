import CDRKernels
import TestSupport
import Testing

/// Rows of views to code, [row][variant][dimension].
struct ArchiveRows {
    enum Kind: CaseIterable {
        /// Views that are alike, around a mean with a few outliers, as embeddings are.
        case alike
        /// The same, some of whose values are any bits: NaNs, infinities, denormals, zeros.
        case mixed
        /// The same, at the ends of the range of exponents.
        case extreme
        /// Any bits: nothing to gain.
        case random
        /// One number, with infinities and NaNs.
        case constant
    }

    let rowCount, variantCount, dims: Int
    var values: [UInt16]

    init(
        _ kind: Kind, rows: Int, variants: Int, dims: Int, absent: Int = 8,
        using random: inout some RandomNumberGenerator
    ) {
        (rowCount, variantCount, self.dims, values) = (rows, variants, dims, [])
        let exponent = Int.random(in: -130...110, using: &random)
        let size = kind == .extreme ? Float(sign: .plus, exponent: exponent, significand: 1) : 0.03
        let means = (0..<dims).map { Self.deviate(&random) * ($0 % 19 == 7 ? 20 : 1) }
        for _ in 0..<rows {
            let image = (0..<dims).map { _ in Self.deviate(&random) }
            for _ in 0..<variants {
                let isAbsent = Int.random(in: 0..<absent, using: &random) == 0
                for i in 0..<dims {
                    let value = (means[i] + image[i] + 0.4 * Self.deviate(&random)) * size
                    let bits = UInt16.random(in: 0...UInt16.max, using: &random)
                    let shaped: UInt16 =
                        switch kind {
                        case .alike, .extreme: UInt16(value.bitPattern >> 16)
                        case .mixed: bits % 16 == 0 ? bits &* 0x6D2B : UInt16(value.bitPattern >> 16)
                        case .random: bits
                        case .constant: bits % 4 != 0 ? 0x3C00 : bits % 8 == 0 ? 0x7F80 : 0xFFC1
                        }
                    values.append(isAbsent ? 0 : shaped)
                }
            }
        }
    }

    /// About normal.
    private static func deviate(_ random: inout some RandomNumberGenerator) -> Float {
        var sum: Float = -3
        for _ in 0..<6 { sum += .random(in: 0..<1, using: &random) }
        return sum * 1.41
    }
}

/// The kernels with memory of their own. Stored bytes lie in a buffer that ends with the slack, and what the kernels write
/// lies between guards.
///
/// SAFETY: every buffer has the size that its kernel asks for.
@safe final class ArchiveCoder {
    let dims: Int
    private var prepared: UnsafeMutableRawPointer?
    /// SAFETY: once `prepare` has returned 0, the memory is a model.
    private var model: OpaquePointer { unsafe OpaquePointer(prepared!) }

    init(dims: Int) { unsafe (self.dims, prepared) = (dims, nil) }

    deinit { unsafe prepared?.deallocate() }

    private static func memory(_ byteCount: Int) -> UnsafeMutableRawPointer {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: max(byteCount, 1), alignment: 64)
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0xA5, count: byteCount)
        return unsafe memory
    }

    static func train(_ rows: ArchiveRows, lanes: UInt32) -> [UInt8] {
        let memory = unsafe Self.memory(cdr_archive_training_byte_count(rows.dims))
        defer { unsafe memory.deallocate() }
        var payload = [UInt8](repeating: 0, count: cdr_archive_payload_bound(rows.dims))
        let count = unsafe payload.withUnsafeMutableBytes { payload in
            unsafe rows.values.withUnsafeBytes {
                unsafe cdr_archive_train(
                    $0.baseAddress, rows.rowCount, rows.variantCount, rows.dims, lanes, payload.baseAddress, memory)
            }
        }
        return Array(payload[..<count])
    }

    /// Returns what the kernel does; the coder can code if that is 0.
    func prepare(_ payload: [UInt8]) -> Int32 {
        let fresh = unsafe Self.memory(cdr_archive_model_byte_count(dims))
        let result = unsafe payload.withUnsafeBytes {
            unsafe cdr_archive_prepare($0.baseAddress, payload.count, dims, OpaquePointer(fresh))
        }
        if result != 0 {
            unsafe fresh.deallocate()
        } else {
            unsafe prepared?.deallocate()
            unsafe prepared = fresh
        }
        return result
    }

    /// Nil if the unit would not shrink.
    func encode(_ rows: ArchiveRows) -> [UInt8]? {
        let cells = rows.rowCount * rows.variantCount
        let memory = unsafe Self.memory(cdr_archive_encoding_byte_count(dims, cells))
        defer { unsafe memory.deallocate() }
        var stored = [UInt8](repeating: 0xEE, count: 2 * rows.values.count + 64)
        let count = unsafe stored.withUnsafeMutableBytes { stored in
            unsafe rows.values.withUnsafeBytes {
                unsafe cdr_archive_encode(
                    model, $0.baseAddress, rows.rowCount, rows.variantCount, stored.baseAddress, memory)
            }
        }
        #expect(stored[(2 * rows.values.count)...].allSatisfy { $0 == 0xEE }, "wrote behind the plain bytes")
        return count == 0 ? nil : Array(stored[..<count])
    }

    /// Nil if the unit is corrupt. The values lie at an odd address.
    func decode(_ stored: [UInt8], rowCount: Int, variantCount: Int) -> [UInt16]? {
        let memory = unsafe Self.memory(cdr_archive_decoding_byte_count(dims))
        let source = unsafe Self.memory(stored.count + CDR_ARCHIVE_SLACK)
        let byteCount = 2 * rowCount * variantCount * dims
        let target = unsafe Self.memory(byteCount + 128)
        defer { unsafe memory.deallocate(); unsafe source.deallocate(); unsafe target.deallocate() }
        unsafe UnsafeMutableRawBufferPointer(start: source, count: stored.count).copyBytes(from: stored)
        let result = unsafe cdr_archive_decode(
            model, source, stored.count, rowCount, variantCount, target + 63, memory)
        let guards = (0..<63).allSatisfy { unsafe target.load(fromByteOffset: $0, as: UInt8.self) == 0xA5 }
        let behind = (63 + byteCount..<byteCount + 128)
            .allSatisfy { unsafe target.load(fromByteOffset: $0, as: UInt8.self) == 0xA5 }
        #expect(guards && behind, "wrote outside the values")
        guard result == 0 else { return nil }
        return (0..<byteCount / 2).map { unsafe target.loadUnaligned(fromByteOffset: 63 + 2 * $0, as: UInt16.self) }
    }
}

@Suite struct ArchiveKernelTests {
    /// What every level makes, which must be the same.
    private func atEveryLevel<Result: Equatable>(_ about: String, _ body: () throws -> Result) rethrows -> Result {
        try KernelLevels.exclusively {
            _ = cdr_level_force(CDR_LEVEL_PLAIN)
            let first = try body()
            try KernelLevels.forEach { level in
                let found = try body()
                if found != first { Issue.record("level \(level.rawValue) differs: \(about)") }
            }
            return first
        }
    }

    private static let shapes: [(rows: Int, variants: Int, dims: Int, lanes: UInt32)] = [
        (1, 1, 1, 16), (2, 3, 5, 64), (1, 2, 16, 16), (3, 4, 17, 32), (1, 30, 33, 16), (2, 6, 64, 64), (4, 5, 96, 32),
        (1, 20, 127, 64), (2, 2, 200, 16), (1, 10, 333, 64), (8, 3, 48, 32), (1, 2, 768, 64),
    ]

    @Test(arguments: ArchiveRows.Kind.allCases) func everyLevelCodesEveryValue(kind: ArchiveRows.Kind) throws {
        var random = SeededGenerator(seed: 20)
        for shape in Self.shapes {
            let about = "\(kind) \(shape)"
            let rows = ArchiveRows(kind, rows: shape.rows, variants: shape.variants, dims: shape.dims, using: &random)
            let payload = atEveryLevel(about) { ArchiveCoder.train(rows, lanes: shape.lanes) }
            let coder = ArchiveCoder(dims: shape.dims)
            try #require(coder.prepare(payload) == 0, "\(about)")
            guard let stored = atEveryLevel(about, { coder.encode(rows) }) else { continue }
            let decoded = atEveryLevel(about) {
                coder.decode(stored, rowCount: shape.rows, variantCount: shape.variants)
            }
            let isSame = decoded == rows.values
            #expect(isSame, "\(about)")
        }
    }

    /// A model of other rows, which never saw such values: escapes have to do.
    @Test func aModelOfOtherRowsCodesEveryValue() throws {
        var random = SeededGenerator(seed: 21)
        let dims = 160
        let seen = ArchiveRows(.alike, rows: 6, variants: 6, dims: dims, using: &random)
        let coder = ArchiveCoder(dims: dims)
        #expect(coder.prepare(ArchiveCoder.train(seen, lanes: 32)) == 0)
        var coded = 0
        for kind in ArchiveRows.Kind.allCases {
            for variants in [1, 4, 20] {
                let rows = ArchiveRows(kind, rows: 2, variants: variants, dims: dims, absent: 3, using: &random)
                guard let stored = atEveryLevel("\(kind)", { coder.encode(rows) }) else { continue }
                coded += 1
                let decoded = atEveryLevel("\(kind)") { coder.decode(stored, rowCount: 2, variantCount: variants) }
                let isSame = decoded == rows.values
                #expect(isSame, "\(kind), \(variants) variants")
            }
        }
        #expect(coded > 3)
    }

    @Test func likeViewsShrinkAndAbsentOnesCostTwoBytes() throws {
        var random = SeededGenerator(seed: 22)
        let dims = 512
        let rows = ArchiveRows(.alike, rows: 4, variants: 20, dims: dims, absent: .max, using: &random)
        let coder = ArchiveCoder(dims: dims)
        #expect(coder.prepare(ArchiveCoder.train(rows, lanes: 64)) == 0)
        let stored = try #require(coder.encode(rows))
        #expect(Double(2 * rows.values.count) > 1.6 * Double(stored.count))
        var gap = rows
        for i in 0..<dims { gap.values[(20 + 13) * dims + i] = 0 }
        let gapped = try #require(coder.encode(gap))
        let gain = stored.count - gapped.count
        #expect(gain > 2 * dims * 5 / 10, "the other views predict as well without the one that is absent: \(gain)")
        gap.values = Array(repeating: 0, count: gap.values.count)
        let empty = try #require(coder.encode(gap))
        #expect(empty == Array(repeating: [0, 255], count: 80).flatMap { $0 })
        #expect(atEveryLevel("absent") { coder.decode(empty, rowCount: 4, variantCount: 20) } == gap.values)
        #expect(coder.decode(empty + [0], rowCount: 4, variantCount: 20) == nil)
    }

    @Test(arguments: [UInt32(16), 32, 64]) func damagedUnitsHaveOneVerdict(lanes: UInt32) throws {
        var random = SeededGenerator(seed: 23 + UInt64(lanes))
        for (variants, dims) in [(3, 83), (6, 64), (2, 250)] {
            let rows = ArchiveRows(.mixed, rows: 2, variants: variants, dims: dims, using: &random)
            let coder = ArchiveCoder(dims: dims)
            #expect(coder.prepare(ArchiveCoder.train(rows, lanes: lanes)) == 0)
            let stored = try #require(coder.encode(rows))
            for count in Array(0..<stored.count).shuffled(using: &random).prefix(40) + [stored.count - 1] {
                let cut = Array(stored[..<count])
                #expect(atEveryLevel("cut") { coder.decode(cut, rowCount: 2, variantCount: variants) } == nil)
            }
            for more in 1...3 {
                let longer = stored + (0..<more).map { _ in 0 }
                #expect(atEveryLevel("longer") { coder.decode(longer, rowCount: 2, variantCount: variants) } == nil)
            }
            for i in 0..<200 {
                var damaged = stored
                // Heads and states, and then anything.
                let place = Int.random(in: 0..<(i % 2 == 0 ? min(stored.count, 300) : stored.count), using: &random)
                damaged[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                _ = atEveryLevel("byte \(place)") { coder.decode(damaged, rowCount: 2, variantCount: variants) }
            }
            for _ in 0..<40 {
                let noise = (0..<stored.count).map { _ in UInt8.random(in: 0...255, using: &random) }
                #expect(atEveryLevel("noise") { coder.decode(noise, rowCount: 2, variantCount: variants) } == nil)
            }
        }
    }

    @Test func modelsAreCheckedAndForeignOnesAreHarmless() throws {
        var random = SeededGenerator(seed: 24)
        let dims = 70
        let rows = ArchiveRows(.mixed, rows: 3, variants: 4, dims: dims, using: &random)
        let payload = ArchiveCoder.train(rows, lanes: 32)
        let coder = ArchiveCoder(dims: dims)
        #expect(coder.prepare(payload) == 0)
        let stored = try #require(coder.encode(rows))
        func rejects(_ about: String, _ result: Int32 = 1, _ change: (inout [UInt8]) -> Void) {
            var changed = payload
            change(&changed)
            #expect(ArchiveCoder(dims: dims).prepare(changed) == result, "\(about)")
        }
        for count in [0, 7, 8, 8 + 5 * dims, payload.count - 1] { rejects("cut") { $0 = Array($0[..<count]) } }
        rejects("a byte more") { $0.append(0) }
        for lanes in [0, 1, 48, 128] { rejects("\(lanes) lanes") { $0[0] = UInt8(lanes) } }
        rejects("reserved", 2) { $0[2] = 1 }
        rejects("dims") { $0[4] += 1 }
        rejects("unit") { $0[8 + 2 * dims] = UInt8(bitPattern: -101) }
        rejects("unit") { $0[8 + 2 * dims] = 121 }
        rejects("scale") { $0[8 + 3 * dims] = 32 }
        rejects("scale") { $0[8 + 5 * dims - 1] = 32 }
        rejects("sum of frequencies") { $0[8 + 5 * dims] ^= 1 }
        #expect(ArchiveCoder(dims: dims + 1).prepare(payload) == 1)
        var accepted = 0
        for _ in 0..<300 {
            var changed = payload
            let end = Bool.random(using: &random) ? 8 + 5 * dims : changed.count
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                changed[Int.random(in: 8..<end, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            let foreign = ArchiveCoder(dims: dims)
            guard foreign.prepare(changed) == 0 else { continue }
            accepted += 1
            _ = atEveryLevel("foreign model") { foreign.decode(stored, rowCount: 3, variantCount: 4) }
            guard let own = atEveryLevel("foreign model", { foreign.encode(rows) }) else { continue }
            let isSame = foreign.decode(own, rowCount: 3, variantCount: 4) == rows.values
            #expect(isSame)
        }
        #expect(accepted > 10)
    }
}
