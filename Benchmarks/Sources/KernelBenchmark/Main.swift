// KernelBenchmark: the float conversions, the sums of products, the checksum and the codecs of bf16, in the cache and out of it, with
// memcpy beside them. `float_peers.py` measures the same with torch.
//
// One thread. Each figure is the median of several rounds, with the fastest one in brackets; rounds are timed by the
// thread's processor time, so that what else runs disturbs less. GB/s count all traffic: what is read and what is
// written.
//
//   swift run -c release --package-path Benchmarks KernelBenchmark [L2_KIB]

import DRShardFormat
import Foundation

/// A number of bytes that source and target have together.
struct Footprint {
    let name: String
    let byteCount: Int
}

@main struct KernelBenchmark {
    static let rounds = 11
    /// Traffic of a round at least: enough for the clock's steps.
    static let roundByteCount = 256 << 20

    static func main() {
        let l2 = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 240
        let footprints = [
            Footprint(name: "L2", byteCount: l2 << 10), Footprint(name: "32 MB", byteCount: 32 << 20),
            Footprint(name: "1 GB", byteCount: 1 << 30),
        ]
        print("GB/s of all traffic, median (fastest) of \(rounds); L2 means \(l2) KiB of source and target")
        for footprint in footprints {
            let memory = Memory(byteCount: footprint.byteCount)
            report("memcpy", footprint, traffic: footprint.byteCount) { memory.copy(footprint.byteCount / 2) }
            for conversion in FloatConversion.allCases {
                let count = footprint.byteCount / (conversion.sourceByteCount + conversion.targetByteCount)
                let source = memory.source(count * conversion.sourceByteCount)
                let target = memory.target(count * conversion.targetByteCount)
                let traffic = count * (conversion.sourceByteCount + conversion.targetByteCount)
                report("\(conversion)", footprint, traffic: traffic) { conversion.convert(source, into: target) }
            }
        }
        sums(l2)
        checksums(l2)
        CodecKernels().run()
    }

    /// Rows of 1,536 values in L2.
    static func sums(_ l2: Int) {
        let rowByteCount = 3072
        let rowCount = (l2 << 10) / rowByteCount / 2
        let memory = Memory(byteCount: rowCount * rowByteCount * 2)
        let footprint = Footprint(name: "L2", byteCount: rowCount * rowByteCount * 2)
        var total = 0.0
        report("squared norm of 1,536", footprint, traffic: rowCount * rowByteCount) {
            for row in 0..<rowCount { total += FloatKernels.bf16SquaredNorm(memory.row(row, rowByteCount)) }
        }
        report("dot of 1,536", footprint, traffic: rowCount * rowByteCount) {
            for row in 0..<rowCount / 2 {
                let other = memory.row(rowCount - 1 - row, rowByteCount)
                total += FloatKernels.bf16Dot(memory.row(row, rowByteCount), other)
            }
        }
        if total == 0.5 { print(total) }
    }

    /// GB/s here count the cells' bytes once.
    static func checksums(_ l2: Int) {
        print("\nCRC-32C, GB/s of bytes checked or copied")
        let gigabyte = Memory(byteCount: 2 << 30)
        let cases = [
            (3072, Footprint(name: "L2", byteCount: l2 << 10)), (65_536, Footprint(name: "L2", byteCount: l2 << 10)),
            (3072, Footprint(name: "1 GB", byteCount: 1 << 30)), (65_536, Footprint(name: "1 GB", byteCount: 1 << 30)),
        ]
        for (cell, footprint) in cases {
            let cells = Cells(memory: gigabyte, byteCount: cell, span: footprint.byteCount)
            let bytes = cells.roundCount * cell
            report("check \(cell)", footprint, traffic: bytes) { cells.each { cells.check($0) } }
            report("copy \(cell)", footprint, traffic: bytes) { cells.each { cells.copy($0) } }
            report("copy \(cell), check the copy", footprint, traffic: bytes) {
                cells.each { cells.checkTarget(cells.copy($0)) }
            }
        }
    }

    static func report(_ what: String, _ footprint: Footprint, traffic: Int, _ body: () -> Void) {
        let repeats = max(1, roundByteCount / traffic)
        body()
        let speeds = (0..<rounds).map { _ in
            let start = processorSeconds()
            for _ in 0..<repeats { body() }
            return Double(traffic * repeats) / (processorSeconds() - start) / 1e9
        }.sorted()
        let median = String(format: "%6.1f (%.1f)", speeds[rounds / 2], speeds[rounds - 1])
        print("\(footprint.name)\t\(what.padding(toLength: 32, withPad: " ", startingAt: 0))\(median)")
    }

    static func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

/// A source and a target. Their places within a page differ by more than a line, as the processors that copy by one
/// instruction (`rep movsb`) take many times as long where they don't.
final class Memory {
    private let bytes: UnsafeMutableRawBufferPointer
    private let half: Int

    init(byteCount: Int) {
        // Three quarters of the footprint for either side: the wider side of a conversion has two thirds.
        half = byteCount / 4096 * 3072 + 8192
        bytes = .allocate(byteCount: 2 * half + 4096, alignment: 4096)
        for i in stride(from: 0, to: bytes.count - 7, by: 8) {
            // Floats of ordinary size in all formats.
            let bits = UInt64(truncatingIfNeeded: i) &* 0x9E37_79B9_7F4A_7C15 & 0x0FFF_0FFF_0FFF_0FFF
            bytes.storeBytes(of: bits | 0x3000_3000_3000_3000, toByteOffset: i, as: UInt64.self)
        }
    }

    deinit { bytes.deallocate() }

    func source(_ count: Int) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes[..<count]) }

    func target(_ count: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: bytes[half / 4096 * 4096 + 2112..<half / 4096 * 4096 + 2112 + count])
    }

    func row(_ row: Int, _ byteCount: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[row * byteCount..<(row + 1) * byteCount])
    }

    func copy(_ count: Int) { memcpy(target(count).baseAddress!, source(count).baseAddress!, count) }
}

/// Cells in a pseudo-random order within a span, each copied to the next place of a batch of 768 KiB at most.
final class Cells {
    private let memory: Memory
    private let byteCount: Int
    private let cellCount: Int
    private let slotCount: Int
    private var state: UInt64 = 1
    private var slot = 0
    private(set) var sum: UInt32 = 0
    let roundCount: Int

    init(memory: Memory, byteCount: Int, span: Int) {
        self.memory = memory
        self.byteCount = byteCount
        cellCount = span / 2 / byteCount
        slotCount = min(cellCount, (768 << 10) / byteCount)
        roundCount = (64 << 20) / byteCount
    }

    func each(_ body: (Int) -> Void) {
        for _ in 0..<roundCount {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            body(Int(state >> 33) % cellCount)
        }
    }

    func check(_ cell: Int) { add(memory.row(cell, byteCount)) }

    /// - Returns: the slot.
    @discardableResult func copy(_ cell: Int) -> Int {
        slot = slot + 1 < slotCount ? slot + 1 : 0
        memcpy(target(slot).baseAddress!, memory.row(cell, byteCount).baseAddress!, byteCount)
        return slot
    }

    func checkTarget(_ slot: Int) { add(UnsafeRawBufferPointer(target(slot))) }

    private func target(_ slot: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: memory.target((slot + 1) * byteCount)[(slot * byteCount)...])
    }

    private func add(_ bytes: UnsafeRawBufferPointer) {
        sum ^= crc32c(Span(_unsafeElements: bytes.bindMemory(to: UInt8.self)))
    }
}
