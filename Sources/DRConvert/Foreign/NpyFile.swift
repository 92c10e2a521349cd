package import DRShard
package import DRShardFormat

/// An `.npy` file of which rows are read, as many at a time as the caller likes: an array may be larger than memory.
package struct NpyFile: Sendable {
    package let element: ElementType
    /// Extents, outermost first; at least one.
    package let shape: [Int]
    /// Bytes of everything under one index of the first axis.
    package let rowByteCount: Int
    private let source: any ByteSource
    /// Of the header, and of the first row.
    let position: UInt64
    let dataPosition: UInt64

    package var rowCount: Int { shape[0] }
    package var path: String { source.path }

    /// Reads the header, and compares the size of the file with it.
    ///
    /// - Throws: what `NpyReader.read` throws; `.unsupportedFeature` for a single number, which has no rows; `.io`.
    ///
    /// - Parameter range: where the array lies in the source; nil: it is all of it.
    package init(_ source: any ByteSource, range: Range<UInt64>? = nil) throws(ShardError) {
        let range = range ?? 0..<source.byteCount
        do throws(ShardError) {
            let byteCount = range.upperBound - range.lowerBound
            let most = UInt64(12 + NpyReader.maximumHeaderByteCount)
            let layout = try NpyReader.layout(
                try source.bytes(at: range.lowerBound, count: Int(min(byteCount, most)))[...])
            try NpyReader.check(layout, dataByteCount: byteCount - UInt64(layout.dataOffset))
            guard let rowCount = layout.shape.first else {
                throw .unsupportedFeature("npy of a single number, which has no rows")
            }
            element = layout.element
            shape = layout.shape
            rowByteCount = rowCount == 0 ? 0 : layout.byteCount / rowCount
            position = range.lowerBound
            dataPosition = range.lowerBound + UInt64(layout.dataOffset)
            self.source = source
        } catch { throw error.with(.init(path: source.path)) }
    }

    /// Everything before the rows.
    func headerBytes() throws(ShardError) -> [UInt8] {
        try source.bytes(at: position, count: Int(dataPosition - position))
    }

    /// The bytes of some rows, in row-major order.
    ///
    /// - Throws: `.invalidArgument` for rows that are not there; `.io`; `.truncated` if the file has become shorter.
    /// Cost: one read of exactly these bytes.
    package func bytes(rows: Range<Int>) throws(ShardError) -> [UInt8] {
        guard rows.lowerBound >= 0, rows.upperBound <= rowCount else {
            throw ShardError.invalidArgument("rows \(rows) of an array of \(rowCount)").with(.init(path: path))
        }
        return try source.bytes(
            at: dataPosition + UInt64(rows.lowerBound) * UInt64(rowByteCount), count: rows.count * rowByteCount)
    }
}
