internal import DRShardFormat

/// Walks the blocks of a shard from the start, by their headers alone. Spec: FORMAT.md sections 5 and 11.
struct BlockWalk {
    let source: any ByteSource
    let header: FileHeader
    /// Where the next block should begin.
    private(set) var position: UInt64
    /// Where blocks end: the tail's place, or the end of an unfinished file.
    let end: UInt64

    /// - Parameter start: where the first block begins; nil: behind the file header.
    init(source: any ByteSource, header: FileHeader, from start: UInt64? = nil, end: UInt64) {
        self.source = source
        self.header = header
        position = start ?? header.firstBlockPosition
        self.end = end
    }

    /// The next block's place and header; nil at the end.
    /// - Throws: what is wrong with it; the walk then stays where it is.
    mutating func next() throws(ShardError) -> (position: UInt64, header: BlockHeader)? {
        guard position < end else { return nil }
        let here = position
        let block = try ShardReader.located(at: here) { () throws(ShardError) in
            guard end - here >= UInt64(FormatConstants.blockHeaderByteCount) else {
                throw .truncated("\(end - here) bytes, where a block should begin")
            }
            let block = try BlockHeader(parsing: try source.bytes(at: here, count: FormatConstants.blockHeaderByteCount))
            guard block.shardTag == header.shardTag else { throw .corrupt("this block carries another shard's tag") }
            guard UInt64(block.blockByteCount) <= end - here else {
                throw .truncated("a block of \(block.blockByteCount) bytes, \(end - here) are left")
            }
            return block
        }
        position = here + UInt64(block.blockByteCount)
        return (here, block)
    }

    /// Goes on at the next place where a block of this shard begins. Spec: [R-REC-1].
    /// - Returns: false if there is none.
    mutating func resynchronize() throws(ShardError) -> Bool {
        let step = UInt64(FormatConstants.alignment)
        let chunk: UInt64 = 1 << 20
        var place = position + step
        while place < end {
            let count = min(chunk, end - place)
            let bytes = try source.bytes(at: place, count: Int(count))
            for offset in stride(from: 0, to: bytes.count - FormatConstants.blockHeaderByteCount + 1, by: Int(step))
            where bytes[offset..<offset + 4].elementsEqual(FormatConstants.blockMagic) {
                let candidate = Array(bytes[offset..<offset + FormatConstants.blockHeaderByteCount])
                guard let block = try? BlockHeader(parsing: candidate), block.shardTag == header.shardTag else { continue }
                position = place + UInt64(offset)
                return true
            }
            place += count
        }
        return false
    }
}
