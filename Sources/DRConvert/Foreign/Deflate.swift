internal import CDeflate
package import DRShardFormat

/// The one place that calls libdeflate to decompress: whole buffers in, whole buffers out.
///
/// Holds libdeflate's work space, so keep one per thread and reuse it.
@safe package final class Inflater {
    private let handle: OpaquePointer

    /// - Throws: `.io` if there is no memory for the work space.
    package init() throws(ShardError) {
        // SAFETY: the pointer is owned by this object alone and freed in deinit.
        guard let handle = unsafe libdeflate_alloc_decompressor() else { throw .io("no memory for a decompressor") }
        unsafe self.handle = handle
    }

    deinit {
        // SAFETY: allocated in init, freed once.
        unsafe libdeflate_free_decompressor(handle)
    }

    enum Outcome {
        /// The stream ended; it took this many input bytes.
        case done(consumedByteCount: Int)
        /// There is more output than room for it.
        case needsRoom
        /// Not a stream, damaged, or cut off: libdeflate does not say which.
        case bad
    }

    /// Decompresses one gzip member from the start of `input`, appending at most `room` bytes to `output`.
    func gzipMember(_ input: ArraySlice<UInt8>, room: Int, into output: inout [UInt8]) -> Outcome {
        var consumed = 0
        let result = unsafe append(room, to: &output) { target, written in
            // SAFETY: both buffers are valid for their counts during the call, which stays inside them.
            unsafe input.withUnsafeBufferPointer { source in
                unsafe libdeflate_gzip_decompress_ex(
                    handle, source.baseAddress, source.count, target.baseAddress, room, &consumed, &written)
            }
        }
        return switch result {
        case LIBDEFLATE_SUCCESS: .done(consumedByteCount: consumed)
        case LIBDEFLATE_INSUFFICIENT_SPACE: .needsRoom
        default: .bad
        }
    }

    /// Decompresses a raw deflate stream that must give exactly `byteCount` bytes and take all of `input`.
    ///
    /// - Throws: `.corrupt` otherwise. The caller has checked `byteCount` against its limit.
    package func raw(_ input: ArraySlice<UInt8>, byteCount: Int) throws(ShardError) -> [UInt8] {
        var output: [UInt8] = []
        var consumed = 0
        let result = unsafe append(byteCount, to: &output) { target, written in
            // SAFETY: as above.
            unsafe input.withUnsafeBufferPointer { source in
                unsafe libdeflate_deflate_decompress_ex(
                    handle, source.baseAddress, source.count, target.baseAddress, byteCount, &consumed, &written)
            }
        }
        switch result {
        case LIBDEFLATE_SUCCESS where output.count == byteCount && consumed == input.count: return output
        case LIBDEFLATE_SUCCESS:
            throw .corrupt(
                "deflate stream took \(consumed) of \(input.count) bytes and gave \(output.count) of \(byteCount)")
        case LIBDEFLATE_INSUFFICIENT_SPACE:
            throw .corrupt("deflate stream gives more than its declared \(byteCount) bytes")
        default: throw .corrupt("damaged deflate stream of \(input.count) bytes")
        }
    }

    /// Appends what `body` writes into `room` spare bytes; nothing unless it succeeds.
    private func append(
        _ room: Int, to output: inout [UInt8],
        _ body: (UnsafeMutableBufferPointer<UInt8>, inout Int) -> libdeflate_result
    ) -> libdeflate_result {
        var result = LIBDEFLATE_BAD_DATA
        // One byte more than asked for, so that an empty output still has an address.
        let fresh = unsafe [UInt8](unsafeUninitializedCapacity: room + 1) { buffer, count in
            var written = 0
            result = unsafe body(buffer, &written)
            // SAFETY: libdeflate wrote exactly `written` bytes from the start, at most `room`.
            count = result == LIBDEFLATE_SUCCESS ? min(written, room) : 0
        }
        if output.isEmpty { output = fresh } else { output += fresh }
        return result
    }
}

/// Checksums and compression by libdeflate.
package enum Deflate {
    package enum Container { case raw, zlib, gzip }

    /// No deflate stream gives more than 1032 bytes for one; used to refuse declared sizes before allocating.
    static func largestOutput(of inputByteCount: Int) -> Int {
        let (bytes, overflow) = inputByteCount.multipliedReportingOverflow(by: 1032)
        return overflow ? .max : bytes
    }

    /// CRC-32 as gzip, zip and PNG use it.
    /// - Parameter start: that of the bytes before these.
    package static func crc32(_ bytes: ArraySlice<UInt8>, after start: UInt32 = 0) -> UInt32 {
        // SAFETY: the buffer is valid for its count during the call. A null pointer would mean "start", so empty
        // input is answered here.
        bytes.isEmpty
            ? start : unsafe bytes.withUnsafeBufferPointer { unsafe libdeflate_crc32(start, $0.baseAddress, $0.count) }
    }

    /// Compresses `bytes`; the same input, level and libdeflate version give the same output.
    ///
    /// - Throws: `.invalidArgument` for a level outside 0...12; `.io` without memory.
    package static func compress(_ bytes: [UInt8], as container: Container, level: Int = 6) throws(ShardError)
        -> [UInt8]
    {
        guard (0...12).contains(level) else { throw .invalidArgument("deflate level \(level), allowed is 0...12") }
        // SAFETY: the compressor is freed before this function returns.
        guard let handle = unsafe libdeflate_alloc_compressor(Int32(level)) else {
            throw .io("no memory for a compressor")
        }
        defer { unsafe libdeflate_free_compressor(handle) }
        let bound =
            switch container {
            case .raw: unsafe libdeflate_deflate_compress_bound(handle, bytes.count)
            case .zlib: unsafe libdeflate_zlib_compress_bound(handle, bytes.count)
            case .gzip: unsafe libdeflate_gzip_compress_bound(handle, bytes.count)
            }
        // SAFETY: both buffers are valid for their counts; libdeflate returns how many bytes it wrote, 0 for none.
        let output = unsafe [UInt8](unsafeUninitializedCapacity: bound) { target, count in
            count = unsafe bytes.withUnsafeBufferPointer { source in
                switch container {
                case .raw:
                    unsafe libdeflate_deflate_compress(
                        handle, source.baseAddress, source.count, target.baseAddress, target.count)
                case .zlib:
                    unsafe libdeflate_zlib_compress(
                        handle, source.baseAddress, source.count, target.baseAddress, target.count)
                case .gzip:
                    unsafe libdeflate_gzip_compress(
                        handle, source.baseAddress, source.count, target.baseAddress, target.count)
                }
            }
        }
        guard !output.isEmpty else { throw .io("libdeflate could not compress \(bytes.count) bytes") }
        return output
    }
}
