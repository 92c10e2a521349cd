package import DRShardFormat

/// gzip files in memory (RFC 1952), for `.pth.gz` members.
package enum Gzip {
    /// Decompresses all members of a gzip file, one after the other.
    ///
    /// - Parameters:
    ///   - limit: most bytes that may come out. The size in the trailer is used as a first guess and is not believed.
    /// - Throws: `.truncated` if a member ends too soon (see `InflateDiagnosis`); `.checksumMismatch` if its CRC-32 or
    ///   size is wrong; `.corrupt` if it is damaged or followed by anything but another member; `.limitExceeded`.
    package static func decompress(
        _ input: ArraySlice<UInt8>, limit: Int, with inflater: Inflater
    ) throws(ShardError) -> [UInt8] {
        var output: [UInt8] = []
        var rest = input
        repeat {
            guard rest.has([0x1F, 0x8B]) else {
                if rest.isEmpty || (rest.count == 1 && rest.has([0x1F])) {
                    throw .truncated("gzip data ends after \(input.count) bytes, inside a member's header")
                }
                if rest.startIndex == input.startIndex { throw .corrupt("not gzip: the first bytes are not 1f 8b") }
                throw .corrupt("\(rest.count) bytes after the end of the gzip data")
            }
            let consumed = try member(rest, limit: limit, with: inflater, into: &output)
            rest = rest[(rest.startIndex + consumed)...]
        } while !rest.isEmpty
        return output
    }

    /// Appends one member; returns how many bytes of `input` it took.
    private static func member(
        _ input: ArraySlice<UInt8>, limit: Int, with inflater: Inflater, into output: inout [UInt8]
    ) throws(ShardError) -> Int {
        let most = min(limit - output.count, Deflate.largestOutput(of: input.count))
        let hint = input.count >= 18 ? try input.small(input.count - 4, 4, "gzip trailer") : 0
        var room = min(max(hint, 64), most)
        while true {
            switch inflater.gzipMember(input, room: room, into: &output) {
            case .done(let consumed): return consumed
            case .needsRoom where room < most: room = room <= most / 2 ? max(2 * room, 4096) : most
            case .needsRoom: throw .limitExceeded("gzip data gives more than the allowed \(limit) bytes")
            case .bad: throw diagnose(input, limit: limit - output.count)
            }
            room = min(room, most)
        }
    }

    /// Why libdeflate refused the member at the start of `input`.
    private static func diagnose(_ input: ArraySlice<UInt8>, limit: Int) -> ShardError {
        do throws(ShardError) {
            let bodyOffset = try headerByteCount(input)
            switch InflateDiagnosis.examine(input[(input.startIndex + bodyOffset)...], limit: limit) {
            case .truncated: return .truncated("gzip data ends after \(input.count) bytes, inside its deflate stream")
            case .damaged: return .corrupt("damaged deflate stream in gzip data of \(input.count) bytes")
            case .tooLong: return .limitExceeded("gzip data gives more than the allowed \(limit) bytes")
            case .complete(let consumed, let produced):
                let trailer = bodyOffset + consumed
                let crc = try input.small(trailer, 4, "gzip trailer")
                let size = try input.small(trailer + 4, 4, "gzip trailer")
                guard size == produced & 0xFFFF_FFFF else {
                    return .checksumMismatch("gzip data of \(produced) bytes, its trailer says \(size)")
                }
                return .checksumMismatch("gzip data does not have the CRC-32 of its trailer, \(crc)")
            }
        } catch { return error }
    }

    /// Where the deflate stream begins.
    private static func headerByteCount(_ input: ArraySlice<UInt8>) throws(ShardError) -> Int {
        let fixed = try input.part(0, 10, "gzip header")
        let method = fixed[fixed.startIndex + 2]
        guard method == 8 else {
            throw .unsupportedFeature("gzip compression method \(method), only 8 (deflate) is read")
        }
        let flags = fixed[fixed.startIndex + 3]
        guard flags & 0xE0 == 0 else { throw .unsupportedFeature("gzip header flags \(flags), only 0...31 are known") }
        var offset = 10
        if flags & 4 != 0 { offset += 2 + (try input.small(offset, 2, "gzip extra field")) }
        for flag in [UInt8(8), 16] where flags & flag != 0 {
            guard offset <= input.count, let end = input[(input.startIndex + offset)...].firstIndex(of: 0) else {
                throw .truncated("gzip data ends after \(input.count) bytes, inside its header")
            }
            offset = end - input.startIndex + 1
        }
        if flags & 2 != 0 { offset += 2 }
        _ = try input.part(offset, 0, "gzip header")
        return offset
    }
}
