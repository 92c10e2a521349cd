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
    private let dataPosition: UInt64

    package var rowCount: Int { shape[0] }
    package var path: String { source.path }

    /// Reads the header, and compares the size of the file with it.
    ///
    /// - Throws: what `NpyReader.read` throws; `.unsupportedFeature` for a single number, which has no rows; `.io`.
    package init(_ source: any ByteSource) throws(ShardError) {
        do throws(ShardError) {
            let most = UInt64(12 + NpyReader.maximumHeaderByteCount)
            let layout = try NpyReader.layout(
                try source.bytes(at: 0, count: Int(min(source.byteCount, most)))[...])
            try NpyReader.check(layout, dataByteCount: source.byteCount - UInt64(layout.dataOffset))
            guard let rowCount = layout.shape.first else {
                throw .unsupportedFeature("npy of a single number, which has no rows")
            }
            element = layout.element
            shape = layout.shape
            rowByteCount = rowCount == 0 ? 0 : layout.byteCount / rowCount
            dataPosition = UInt64(layout.dataOffset)
            self.source = source
        } catch { throw error.with(.init(path: source.path)) }
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
