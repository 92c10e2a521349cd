internal import CDRKernels
internal import CLZ4
internal import CZstd

/// Decodes units. Holds working memory, so one serves one thread.
// SAFETY: the context is private, made in init and freed in deinit.
@safe package final class UnitDecoder {
    private let zstd: OpaquePointer?
    private let memory = WorkingMemory()

    package init() { unsafe zstd = ZSTD_createDCtx() }
    deinit { unsafe ZSTD_freeDCtx(zstd) }

    /// Bytes that it keeps, besides those of zstd.
    package var workingByteCount: Int { memory.byteCount }

    /// Asks for a unit's bytes before they are needed, where they are in memory and not in the cache.
    package static func fetch(_ stored: UnsafeRawBufferPointer) {
        // SAFETY: a hint, which reads nothing.
        unsafe cdr_planes_fetch(stored.baseAddress, stored.count)
    }

    /// Decodes a unit that is neither empty nor stored plain into exactly `target.count` bytes, its plain bytes.
    ///
    /// - Parameters:
    ///   - stored: its stored bytes; 64 more behind them can be read.
    ///   - table: of the page's auxiliary page, if it names one; its kind is the one that the page needs.
    ///   - rowCount: rows of the unit.
    /// - Throws: `.corrupt` for bytes that are no such unit; `target` then holds anything.
    /// Spec: [R-ENC-4], [R-CODEC-1], [R-CODEC-2].
    package func decode(
        _ stored: UnsafeRawBufferPointer, page: BlockHeader, table: UnitTable?, rowCount: Int,
        into target: UnsafeMutableRawBufferPointer
    ) throws(ShardError) {
        switch (page.encoding, table) {
        case (.plain, .zstdDictionary(let dictionary)?):
            try unsafe decompressZstd(stored, dictionary: dictionary, into: target)
        case (.fast, .exponents(let table)?), (.balanced, .exponents(let table)?):
            try unsafe table.decode(stored, count: target.count / 2, into: target)
        case (.archive, .archive(let model)?):
            try unsafe model.decode(
                stored, rowCount: rowCount, variantCount: page.variantCount, into: target, memory: memory)
        case (.tokenRanks, .tokenRanks(let table)?):
            try unsafe table.decode(stored, cellCount: rowCount * page.variantCount, into: target)
        case (.operationTable, .operations(let table)?):
            try unsafe table.decode(stored, cellCount: rowCount * page.variantCount, into: target)
        case (.plain, nil): try unsafe decompress(stored, codec: page.codec, into: target)
        default: throw .corrupt("encoding \(page.encoding) with an auxiliary page that is not for it")
        }
    }

    /// Decodes a unit of bf16 as f32 in one step, if its encoding can; as `decode` does it otherwise.
    /// - Returns: false if it can't: nothing is done then.
    package func decodeFloat32(
        _ stored: UnsafeRawBufferPointer, page: BlockHeader, table: UnitTable?,
        into target: UnsafeMutableRawBufferPointer
    ) throws(ShardError) -> Bool {
        guard case .exponents(let table)? = table else { return false }
        try unsafe table.decode(stored, count: target.count / 4, into: target)
        return true
    }

    private func decompress(
        _ stored: UnsafeRawBufferPointer, codec: Codec, into target: UnsafeMutableRawBufferPointer
    ) throws(ShardError) {
        switch codec {
        case .zstd: try unsafe decompressZstd(stored, dictionary: nil, into: target)
        case .lz4:
            // SAFETY: both buffers are passed with their own counts, which limits keep below 2^31.
            let count = unsafe LZ4_decompress_safe(
                stored.baseAddress?.assumingMemoryBound(to: CChar.self),
                target.baseAddress?.assumingMemoryBound(to: CChar.self), CInt(clamping: stored.count),
                CInt(clamping: target.count))
            guard Int(count) == target.count else { throw .corrupt("an lz4 block does not hold \(target.count) bytes") }
        default: throw .corrupt("\(stored.count) bytes of a plain unit of \(target.count)")
        }
    }

    private func decompressZstd(
        _ stored: UnsafeRawBufferPointer, dictionary: ZstdDictionary?, into target: UnsafeMutableRawBufferPointer
    ) throws(ShardError) {
        let declared = unsafe ZSTD_getFrameContentSize(stored.baseAddress, stored.count)
        guard declared == UInt64(target.count) else {
            throw .corrupt("a zstd frame does not declare the \(target.count) bytes that its unit has")
        }
        let frame = unsafe ZSTD_findFrameCompressedSize(stored.baseAddress, stored.count)
        guard frame == stored.count else { throw .corrupt("a unit is not exactly one zstd frame") }
        // SAFETY: all buffers are passed with their own counts; zstd writes at most target.count bytes.
        let count =
            if let dictionary {
                unsafe ZSTD_decompress_usingDDict(
                    zstd, target.baseAddress, target.count, stored.baseAddress, stored.count,
                    dictionary.forDecompression)
            } else {
                unsafe ZSTD_decompressDCtx(
                    zstd, target.baseAddress, target.count, stored.baseAddress, stored.count)
            }
        guard count == target.count else {
            let name = unsafe ZSTD_isError(count) != 0 ? String(cString: ZSTD_getErrorName(count)) : "wrong size"
            throw .corrupt("zstd: \(name)")
        }
    }
}
