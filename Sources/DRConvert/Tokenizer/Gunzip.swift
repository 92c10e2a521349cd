internal import CDeflate
internal import DRShardFormat

/// Deflate's best: 258 bytes by two bits.
private let maximumRatio = 1032

/// The contents of a gzip file of one member.
///
/// - Parameters:
///   - bytes: the whole file.
///   - maximumByteCount: the most that the contents may hold.
/// - Throws: `.corrupt` if `bytes` are no gzip file or its checksum is wrong; `.limitExceeded` above the maximum.
func gunzip(_ bytes: [UInt8], maximumByteCount: Int) throws(ShardError) -> [UInt8] {
    guard bytes.count >= 18, bytes[0] == 0x1F, bytes[1] == 0x8B else {
        throw .corrupt("\(bytes.count) bytes that are no gzip file")
    }
    // The last four bytes state the size of the contents: what is allocated, once it is known to be allowed.
    let stated = bytes.suffix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
    guard stated / maximumRatio <= bytes.count else {
        throw .corrupt("a gzip file of \(bytes.count) bytes that states \(stated) bytes inside")
    }
    guard stated <= maximumByteCount else {
        throw .limitExceeded("a gzip file of \(stated) bytes inside, at most \(maximumByteCount) are read")
    }
    // SAFETY: the pointer is owned by this function alone, and freed on every way out.
    guard let decompressor = unsafe libdeflate_alloc_decompressor() else {
        throw .io("no memory for a gzip decompressor")
    }
    defer { unsafe libdeflate_free_decompressor(decompressor) }
    var result = LIBDEFLATE_BAD_DATA
    var actual = 0
    let contents = unsafe [UInt8](unsafeUninitializedCapacity: stated) { buffer, count in
        // SAFETY: both pointers come with the sizes of the arrays behind them; the call writes `actual` bytes.
        result = unsafe bytes.withUnsafeBytes { input in
            unsafe libdeflate_gzip_decompress(
                decompressor, input.baseAddress, input.count, buffer.baseAddress, stated, &actual)
        }
        count = result == LIBDEFLATE_SUCCESS ? actual : 0
    }
    guard result == LIBDEFLATE_SUCCESS, actual == stated else {
        throw .corrupt("a gzip file that does not decompress to the \(stated) bytes it states")
    }
    return contents
}
