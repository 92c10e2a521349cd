internal import CLZ4
internal import CZstd

/// Compresses units. Holds the libraries' working memory, so one serves one thread.
// SAFETY: the context is private, made in init and freed in deinit.
@safe package final class UnitCompressor {
    private let zstd: OpaquePointer?
    private var scratch: [UInt8] = []

    package init() { unsafe zstd = ZSTD_createCCtx() }
    deinit { unsafe ZSTD_freeCCtx(zstd) }

    /// Compresses `plain`, or says that this would not make it smaller, or too much smaller. Spec: [R-UNIT-3].
    /// - Parameter level: of zstd.
    package func compress(_ plain: ArraySlice<UInt8>, codec: Codec, level: Int) throws(ShardError) -> [UInt8]? {
        guard !plain.isEmpty, plain.count <= Limits.maximumCellByteCount else { return nil }
        let bound =
            switch codec {
            case .zstd: ZSTD_compressBound(plain.count)
            case .lz4: plain.count + plain.count / 255 + 16
            default: 0
            }
        guard bound > 0 else { return nil }
        if scratch.count < bound { scratch = [UInt8](repeating: 0, count: bound) }
        let count = try compress(plain, codec: codec, level: level, into: &scratch)
        guard count < plain.count, plain.count <= count * FormatConstants.expansionLimit else { return nil }
        return Array(scratch[0..<count])
    }

    private func compress(
        _ plain: ArraySlice<UInt8>, codec: Codec, level: Int, into target: inout [UInt8]
    ) throws(ShardError) -> Int {
        let zstd = unsafe zstd
        // SAFETY: both buffers are passed with their own counts.
        let count = unsafe plain.withUnsafeBytes { source in
            unsafe target.withUnsafeMutableBytes { target in
                if codec == .zstd {
                    let written = unsafe ZSTD_compressCCtx(
                        zstd, target.baseAddress, target.count, source.baseAddress, source.count, CInt(level))
                    return ZSTD_isError(written) != 0 ? -1 : written
                }
                return unsafe Int(
                    LZ4_compress_default(
                        source.baseAddress?.assumingMemoryBound(to: CChar.self),
                        target.baseAddress?.assumingMemoryBound(to: CChar.self), CInt(source.count),
                        CInt(clamping: target.count)))
            }
        }
        guard count > 0 else { throw .io("the library of codec \(codec) could not compress \(plain.count) bytes") }
        return count
    }
}

/// Decompresses units. Holds the libraries' working memory, so one serves one thread.
// SAFETY: the context is private, made in init and freed in deinit.
@safe package final class UnitDecompressor {
    private let zstd: OpaquePointer?

    package init() { unsafe zstd = ZSTD_createDCtx() }
    deinit { unsafe ZSTD_freeDCtx(zstd) }

    /// Decompresses one unit into exactly `target.count` bytes. Spec: [R-CODEC-1], [R-CODEC-2].
    /// - Parameter dictionary: of the page's auxiliary page; empty without one.
    package func decompress(
        _ stored: UnsafeRawBufferPointer, codec: Codec, dictionary: [UInt8], into target: UnsafeMutableRawBufferPointer
    ) throws(ShardError) {
        switch codec {
        case .zstd: try unsafe decompressZstd(stored, dictionary: dictionary, into: target)
        case .lz4:
            // SAFETY: both buffers are passed with their own counts, which limits keep below 2^31.
            let count = unsafe LZ4_decompress_safe(
                stored.baseAddress?.assumingMemoryBound(to: CChar.self),
                target.baseAddress?.assumingMemoryBound(to: CChar.self), CInt(clamping: stored.count),
                CInt(clamping: target.count))
            guard Int(count) == target.count else { throw .corrupt("an lz4 block does not hold \(target.count) bytes") }
        default: throw .unsupportedFeature("codec \(codec)")
        }
    }

    private func decompressZstd(
        _ stored: UnsafeRawBufferPointer, dictionary: [UInt8], into target: UnsafeMutableRawBufferPointer
    ) throws(ShardError) {
        let declared = unsafe ZSTD_getFrameContentSize(stored.baseAddress, stored.count)
        guard declared == UInt64(target.count) else {
            throw .corrupt("a zstd frame does not declare the \(target.count) bytes that its unit has")
        }
        let frame = unsafe ZSTD_findFrameCompressedSize(stored.baseAddress, stored.count)
        guard frame == stored.count else { throw .corrupt("a unit is not exactly one zstd frame") }
        let zstd = unsafe zstd
        // SAFETY: all buffers are passed with their own counts; zstd writes at most target.count bytes.
        let count = unsafe dictionary.withUnsafeBytes { dictionary in
            unsafe ZSTD_decompress_usingDict(
                zstd, target.baseAddress, target.count, stored.baseAddress, stored.count, dictionary.baseAddress,
                dictionary.count)
        }
        guard count == target.count else {
            let name = unsafe ZSTD_isError(count) != 0 ? String(cString: ZSTD_getErrorName(count)) : "wrong size"
            throw .corrupt("zstd: \(name)")
        }
    }
}
