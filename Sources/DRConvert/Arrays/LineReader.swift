internal import DRShard
internal import DRShardFormat

/// The lines of a file, in order; a block of them is held. One thread at a time.
final class LineReader {
    struct Line {
        /// From 1 on.
        let number: Int
        /// Bytes from the start of the file.
        let position: UInt64
        let bytes: [UInt8]
        /// Whether a line break follows: the last line may lack it.
        let isEnded: Bool
    }

    static let maximumLineByteCount = 16 << 20
    private static let blockByteCount = 1 << 20

    private let source: any ByteSource
    private var buffer: [UInt8] = []
    /// Of the next line, in the buffer; and of the buffer's end, in the file.
    private var start = 0
    private var readByteCount: UInt64 = 0
    private var lineCount = 0

    var path: String { source.path }

    init(_ source: any ByteSource) { self.source = source }

    /// How many lines a file has: line breaks, and what follows the last one.
    /// Cost: one pass over the file.
    static func count(_ source: any ByteSource) throws(ShardError) -> Int {
        var (count, position, last) = (0, UInt64(0), UInt8(ascii: "\n"))
        while position < source.byteCount {
            let block = try source.bytes(
                at: position, count: Int(min(UInt64(blockByteCount), source.byteCount - position)))
            count += block.count { $0 == UInt8(ascii: "\n") }
            last = block.last ?? last
            position += UInt64(block.count)
        }
        return last == UInt8(ascii: "\n") ? count : count + 1
    }

    /// The next line; nil behind the last one.
    /// - Throws: `.limitExceeded` for a line above 16 MiB; `.io`.
    func next() throws(ShardError) -> Line? {
        var searched = start
        while true {
            if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) { return take(end, isEnded: true) }
            searched = buffer.count
            guard buffer.count - start <= Self.maximumLineByteCount else {
                throw ShardError.limitExceeded(
                    "line \(lineCount + 1) has more than \(Self.maximumLineByteCount) bytes, which is most that is read"
                ).with(.init(path: path, position: position))
            }
            guard readByteCount < source.byteCount else {
                return start == buffer.count ? nil : take(buffer.count, isEnded: false)
            }
            let count = Int(min(UInt64(Self.blockByteCount), source.byteCount - readByteCount))
            let block = try source.bytes(at: readByteCount, count: count)
            searched -= start
            buffer.removeSubrange(..<start)
            start = 0
            buffer += block
            readByteCount += UInt64(count)
        }
    }

    private var position: UInt64 { readByteCount - UInt64(buffer.count - start) }

    private func take(_ end: Int, isEnded: Bool) -> Line {
        lineCount += 1
        let line = Line(
            number: lineCount, position: position, bytes: Array(buffer[start..<end]), isEnded: isEnded)
        start = isEnded ? end + 1 : end
        return line
    }
}
