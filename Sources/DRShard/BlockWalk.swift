internal import DRShardFormat

/// Walks the blocks of a shard from the start, by their headers alone. Spec: FORMAT.md sections 5 and 11.
struct BlockWalk {
    let source: any ByteSource
    let header: FileHeader
    /// Where the next block should begin.
    private(set) var position: UInt64
    /// Where blocks end: the tail's place, or the end of an unfinished file.
    let end: UInt64
    /// Whether the file has its tail: then a block that points outside is not cut off but wrong. Spec: [R-BLOCK-5].
    let isComplete: Bool

    /// - Parameter start: where the first block begins; nil: behind the file header.
    init(
        source: any ByteSource, header: FileHeader, from start: UInt64? = nil, end: UInt64, isComplete: Bool = false
    ) {
        self.source = source
        self.header = header
        position = start ?? header.firstBlockPosition
        self.end = end
        self.isComplete = isComplete
    }

    /// The next block's place and header; nil at the end.
    /// - Throws: what is wrong with it; the walk then stays where it is.
    mutating func next() throws(ShardError) -> (position: UInt64, header: BlockHeader)? {
        guard position < end else { return nil }
        let here = position
        let block = try ShardReader.located(at: here) { () throws(ShardError) in
            guard end - here >= UInt64(FormatConstants.blockHeaderByteCount) else {
                throw outside("\(end - here) bytes, where a block should begin")
            }
            let block = try BlockHeader(
                parsing: try source.bytes(at: here, count: FormatConstants.blockHeaderByteCount))
            guard block.shardTag == header.shardTag else { throw .corrupt("this block carries another shard's tag") }
            guard UInt64(block.blockByteCount) <= end - here else {
                throw outside("a block of \(block.blockByteCount) bytes, \(end - here) are left")
            }
            return block
        }
        position = here + UInt64(block.blockByteCount)
        return (here, block)
    }

    private func outside(_ reason: String) -> ShardError { isComplete ? .corrupt(reason) : .truncated(reason) }

    private static let firstScanByteCount: UInt64 = 4 << 10
    private static let maximumScanByteCount: UInt64 = 1 << 20

    /// Goes on at the next place where a block of this shard begins, and ends before `end`. Spec: [R-REC-1].
    /// - Returns: false if there is none.
    /// - Throws: what reading throws.
    /// Cost: about twice the bytes up to that place, from 4 KiB on, so that many small damages cost little each.
    mutating func resynchronize() throws(ShardError) -> Bool {
        let step = UInt64(FormatConstants.alignment)
        guard end - position > step else { return false }
        var scan = Self.firstScanByteCount
        var place = position + step
        while place < end {
            let count = min(scan, end - place)
            let bytes = try source.bytes(at: place, count: Int(count))
            for offset in stride(from: 0, to: bytes.count - FormatConstants.blockHeaderByteCount + 1, by: Int(step))
            where isBlock(bytes, at: offset, left: end - place - UInt64(offset)) {
                position = place + UInt64(offset)
                return true
            }
            place += count
            scan = min(scan * 2, Self.maximumScanByteCount)
        }
        return false
    }

    private func isBlock(_ bytes: [UInt8], at offset: Int, left: UInt64) -> Bool {
        guard bytes[offset..<offset + 4].elementsEqual(FormatConstants.blockMagic),
            let block = try? BlockHeader(parsing: Array(bytes[offset..<offset + FormatConstants.blockHeaderByteCount]))
        else { return false }
        return block.shardTag == header.shardTag && UInt64(block.blockByteCount) <= left
    }
}
