internal import CZstd

/// A zstd dictionary, digested once. Spec: FORMAT.md section 7.1.
// SAFETY: the digest is private, made in init, freed in deinit, and never changed: zstd allows many threads to use it.
@safe package final class ZstdDictionary: Sendable {
    package let bytes: [UInt8]
    nonisolated(unsafe) let forDecompression: OpaquePointer?

    package init(_ bytes: [UInt8]) throws(ShardError) {
        guard !bytes.isEmpty else { throw .corrupt("a zstd dictionary without a byte") }
        self.bytes = bytes
        unsafe forDecompression = bytes.withUnsafeBytes { unsafe ZSTD_createDDict($0.baseAddress, $0.count) }
        guard unsafe forDecompression != nil else {
            throw .corrupt("zstd does not take a dictionary of \(bytes.count) bytes")
        }
    }
    deinit { unsafe ZSTD_freeDDict(forDecompression) }

    /// With the digest, which has a copy of the bytes.
    var byteCount: Int { unsafe bytes.count + ZSTD_sizeof_DDict(forDecompression) }

    /// Plain bytes of a row group from which on a dictionary is tried.
    private static let minimumByteCount = 64 << 10
    /// Plain bytes that it is trained on, taken evenly from the row group.
    private static let sampleByteCount = 4 << 20
    /// Sizes of dictionaries that are tried.
    private static let capacities = [4 << 10, 16 << 10, 64 << 10]

    /// Trains a dictionary on the units of one row group.
    /// - Returns: the one that saves the most beyond its two copies; nil for tensors, and where none would save three
    ///   times its own bytes in this row group alone.
    /// Cost: about a second for the largest sample.
    static func train(planes: [Plane], level: Int) throws(ShardError) -> [UInt8]? {
        let byteCount = planes.reduce(0) { $0 + $1.bytes.count }
        guard planes[0].type.cellByteCount == nil, byteCount >= minimumByteCount else { return nil }
        let sample = UnitSample(planes: planes, storage: .zstd, byteCount: sampleByteCount)
        let share = Double(byteCount) / Double(max(1, sample.bytes.count))
        let type = planes[0].type
        let without = try sample.encodedByteCount(
            UnitEncoder(storage: .zstd, table: nil, type: type, variantCount: 1, level: level))
        var best: (bytes: [UInt8], gain: Double)?
        for capacity in capacities where capacity <= byteCount / 16 {
            guard let bytes = train(sample, capacity: capacity) else { continue }
            let dictionary = UnitTable.zstdDictionary(try ZstdDictionary(bytes))
            let with = try sample.encodedByteCount(
                UnitEncoder(storage: .zstd, table: (dictionary, 0), type: type, variantCount: 1, level: level))
            let saved = Double(without - with) * share
            let gain = saved - Double(2 * bytes.count)
            if saved > Double(3 * bytes.count), gain > best?.gain ?? 0 { best = (bytes, gain) }
        }
        return best?.bytes
    }

    private static func train(_ sample: UnitSample, capacity: Int) -> [UInt8]? {
        let sizes = sample.ranges.map(\.count)
        // SAFETY: every buffer is passed with its own count; zdict writes at most `capacity` bytes.
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: capacity) { target, count in
            let written = unsafe ZDICT_trainFromBuffer(
                target.baseAddress, target.count, sample.bytes, sizes, UInt32(sizes.count))
            // Too few samples, or too much alike: then there is none.
            count = ZDICT_isError(written) != 0 ? 0 : written
        }
        return bytes.isEmpty ? nil : bytes
    }
}
