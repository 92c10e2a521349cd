import CDRKernels
import DRShardFormat
import Foundation
import GeneratedData

/// The codecs of bf16 alone, without reader and writer: exponent planes on cells of 1,536 generated values that stay in
/// L2, archive on rows of 20 views. GB/s count the plain bytes once. DRSHARD_LEVEL chooses the level.
struct CodecKernels {
    private static let dims = 1536
    private static let cellCount = 60
    private let values: [UInt16]
    private let footprint = Footprint(name: "L2", byteCount: 0)

    init() {
        var generated = GeneratedEmbeddings(dims: Self.dims, variantCount: 20, shape: .views, seed: 1)
        values = (0..<Self.cellCount / 20).flatMap { _ in generated.nextRow() }
    }

    func run() {
        let levels = ["plain": CDR_LEVEL_PLAIN, "avx2": CDR_LEVEL_AVX2, "avx512": CDR_LEVEL_AVX512]
        if let level = ProcessInfo.processInfo.environment["DRSHARD_LEVEL"].flatMap({ levels[$0] }) {
            precondition(cdr_level_force(level) == 1, "this machine has not that level")
        }
        print("\nCodecs, GB/s of plain bytes, level \(cdr_level_current().rawValue)")
        planes("fast", planeCount: 3)
        planes("balanced", planeCount: 2)
        archive()
    }

    private func planes(_ name: String, planeCount: UInt32) {
        let (dims, plain) = (Self.dims, Self.dims * 2)
        var histogram = [UInt32](repeating: 0, count: 256 * dims)
        cdr_planes_count(values, values.count, dims, &histogram)
        var payload = [UInt8](repeating: 0, count: 24 + dims)
        let payloadCount = cdr_planes_choose(planeCount, histogram, dims, &payload)
        let bases = UnsafeMutablePointer<UInt8>.allocate(capacity: dims + 64)
        var table = cdr_planes_table()
        precondition(cdr_planes_prepare(&table, bases, payload, payloadCount, dims) == 0)
        let stored = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.cellCount * (plain + 64), alignment: 64)
        let target = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.cellCount * plain * 2, alignment: 64)
        var counts = [Int](repeating: 0, count: Self.cellCount)
        let traffic = Self.cellCount * plain
        values.withUnsafeBytes { source in
            func cell(_ i: Int) -> UnsafeMutableRawPointer { stored.baseAddress! + i * (plain + 64) }
            KernelBenchmark.report("\(name), encode", footprint, traffic: traffic) {
                for i in counts.indices {
                    counts[i] = cdr_planes_encode(&table, source.baseAddress! + i * plain, dims, cell(i))
                }
            }
            KernelBenchmark.report("\(name), decode", footprint, traffic: traffic) {
                for i in counts.indices {
                    _ = cdr_planes_decode(&table, cell(i), counts[i], target.baseAddress! + i * plain, dims)
                }
            }
            precondition(memcmp(target.baseAddress!, source.baseAddress!, traffic) == 0, "\(name) lost something")
            var sum: UInt32 = 0
            KernelBenchmark.report("\(name), checksum and decode", footprint, traffic: traffic) {
                for i in counts.indices {
                    sum ^= cdr_crc32c(0, cell(i), counts[i])
                    _ = cdr_planes_decode(&table, cell(i), counts[i], target.baseAddress! + i * plain, dims)
                }
            }
            KernelBenchmark.report("\(name), decode to f32", footprint, traffic: traffic) {
                for i in counts.indices {
                    _ = cdr_planes_decode_f32(&table, cell(i), counts[i], target.baseAddress! + i * plain * 2, dims)
                }
            }
            if sum == 1 { print(sum) }
        }
        bases.deallocate()
        stored.deallocate()
        target.deallocate()
    }

    private func archive() {
        let (dims, rows) = (Self.dims, Self.cellCount / 20)
        func memory(_ count: Int) -> UnsafeMutableRawPointer { .allocate(byteCount: count, alignment: 64) }
        let training = memory(cdr_archive_training_byte_count(dims))
        var payload = [UInt8](repeating: 0, count: cdr_archive_payload_bound(dims))
        let count = cdr_archive_train(values, rows, 20, dims, 32, &payload, training)
        let prepared = memory(cdr_archive_model_byte_count(dims))
        let model = OpaquePointer(prepared)
        precondition(cdr_archive_prepare(payload, count, dims, model) == 0)
        let encoding = memory(cdr_archive_encoding_byte_count(dims, 20))
        let decoding = memory(cdr_archive_decoding_byte_count(dims))
        let plain = 20 * dims * 2
        let stored = memory(rows * (plain + 64))
        let target = memory(rows * plain)
        var counts = [Int](repeating: 0, count: rows)
        values.withUnsafeBytes { source in
            KernelBenchmark.report("archive, encode", footprint, traffic: rows * plain) {
                for i in counts.indices {
                    counts[i] = cdr_archive_encode(
                        model, source.baseAddress! + i * plain, 1, 20, stored + i * (plain + 64), encoding)
                }
            }
            KernelBenchmark.report("archive, decode", footprint, traffic: rows * plain) {
                for i in counts.indices {
                    _ = cdr_archive_decode(
                        model, stored + i * (plain + 64), counts[i], 1, 20, target + i * plain, decoding)
                }
            }
            precondition(memcmp(target, source.baseAddress!, rows * plain) == 0, "archive lost something")
        }
        for pointer in [training, prepared, encoding, decoding, stored, target] { pointer.deallocate() }
    }
}
