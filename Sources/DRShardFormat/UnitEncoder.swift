internal import CLZ4
internal import CZstd

/// Encodes the units of one column. Holds working memory, so one serves one thread.
// SAFETY: the context is private, made in init and freed in deinit; `scratch` grows and is only read behind a call that
// filled it.
@safe package final class UnitEncoder {
    package let storage: ColumnStorage
    /// 1 + the number of the auxiliary page with the table, or 0: what pages name.
    package let auxiliary: Int
    private let table: UnitTable?
    private let type: ColumnType
    /// Variants of a unit.
    private let variantCount: Int
    private let level: Int
    private let zstd: OpaquePointer?
    private let zstdDictionary: OpaquePointer?
    private var scratch: [UInt8] = []
    private let memory = WorkingMemory()

    /// - Parameters:
    ///   - storage: one that suits the type.
    ///   - table: the one that the storage needs, with its number in the shard.
    ///   - variantCount: of a unit: more than 1 if chunks span variants.
    ///   - level: of zstd.
    package init(
        storage: ColumnStorage, table: (table: UnitTable, number: Int)?, type: ColumnType, variantCount: Int, level: Int
    ) {
        self.storage = storage
        self.table = table?.table
        auxiliary = table.map { $0.number + 1 } ?? 0
        self.type = type
        self.variantCount = variantCount
        self.level = level
        unsafe zstd = storage == .zstd ? ZSTD_createCCtx() : nil
        if case .zstdDictionary(let dictionary)? = self.table {
            unsafe zstdDictionary = dictionary.bytes.withUnsafeBytes {
                unsafe ZSTD_createCDict($0.baseAddress, $0.count, CInt(level))
            }
        } else {
            unsafe zstdDictionary = nil
        }
    }
    deinit {
        unsafe ZSTD_freeCCtx(zstd)
        unsafe ZSTD_freeCDict(zstdDictionary)
    }

    /// Appends a unit's stored bytes: encoded, or plain where that would not be smaller, or too much smaller.
    /// - Parameter plain: the unit's plain bytes, at `range`.
    /// Spec: [R-UNIT-3].
    package func append(_ plain: [UInt8], _ range: Range<Int>, rowCount: Int, to payload: inout [UInt8])
        throws(ShardError)
    {
        let count = try encode(plain, range, rowCount: rowCount) ?? range.count
        if count < range.count, range.count <= count * FormatConstants.expansionLimit {
            payload.append(contentsOf: scratch[0..<count])
        } else {
            payload.append(contentsOf: plain[range])
        }
    }

    /// Encodes into `scratch`.
    /// - Returns: the bytes that are in it; nil if the unit does not become smaller.
    private func encode(_ plain: [UInt8], _ range: Range<Int>, rowCount: Int) throws(ShardError) -> Int? {
        guard !range.isEmpty, range.count <= Limits.maximumCellByteCount else { return nil }
        let bound = bound(range.count)
        if scratch.count < bound { scratch = [UInt8](repeating: 0, count: bound) }
        var result: Result<Int?, ShardError> = .success(nil)
        // SAFETY: the range is one of `plain`; both buffers are used inside the closures only.
        unsafe plain.withUnsafeBytes { plain in
            let plain = unsafe UnsafeRawBufferPointer(rebasing: plain[range])
            unsafe scratch.withUnsafeMutableBytes { target in
                do throws(ShardError) {
                    result = .success(try unsafe encode(plain, rowCount: rowCount, into: target))
                } catch { result = .failure(error) }
            }
        }
        return try result.get()
    }

    /// The bytes that encoding may need.
    private func bound(_ plainByteCount: Int) -> Int {
        switch storage {
        case .zstd: ZSTD_compressBound(plainByteCount)
        case .lz4: plainByteCount + plainByteCount / 255 + 16
        default: plainByteCount + FormatConstants.slackByteCount
        }
    }

    private func encode(
        _ plain: UnsafeRawBufferPointer, rowCount: Int, into target: UnsafeMutableRawBufferPointer
    ) throws(ShardError) -> Int? {
        switch (storage, table) {
        case (.zstd, _): try unsafe compressZstd(plain, into: target)
        case (.lz4, _): try unsafe compressLZ4(plain, into: target)
        case (.fast, .exponents(let table)?), (.balanced, .exponents(let table)?):
            unsafe table.encode(plain, into: target)
        case (.archive, .archive(let model)?):
            unsafe model.encode(plain, rowCount: rowCount, variantCount: variantCount, into: target, memory: memory)
        case (.tokenRanks, .tokenRanks(let table)?):
            unsafe table.encode(plain, cellCount: rowCount * variantCount, into: target)
        case (.operationTable, .operations(let table)?):
            unsafe table.encode(plain, cellCount: rowCount * variantCount, into: target)
        default: nil
        }
    }

    private func compressZstd(_ plain: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer)
        throws(ShardError) -> Int
    {
        // SAFETY: both buffers are passed with their own counts.
        let count =
            if let dictionary = unsafe zstdDictionary {
                unsafe ZSTD_compress_usingCDict(
                    zstd, target.baseAddress, target.count, plain.baseAddress, plain.count, dictionary)
            } else {
                unsafe ZSTD_compressCCtx(
                    zstd, target.baseAddress, target.count, plain.baseAddress, plain.count, CInt(level))
            }
        guard ZSTD_isError(count) == 0 else { throw .io("zstd could not compress \(plain.count) bytes") }
        return count
    }

    private func compressLZ4(_ plain: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer)
        throws(ShardError) -> Int
    {
        // SAFETY: both buffers are passed with their own counts, which limits keep below 2^31.
        let count = unsafe LZ4_compress_default(
            plain.baseAddress?.assumingMemoryBound(to: CChar.self),
            target.baseAddress?.assumingMemoryBound(to: CChar.self), CInt(plain.count), CInt(clamping: target.count))
        guard count > 0 else { throw .io("lz4 could not compress \(plain.count) bytes") }
        return Int(count)
    }
}
