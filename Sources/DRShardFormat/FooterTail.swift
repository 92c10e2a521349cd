/// The last 64 bytes of a complete shard. Spec: FORMAT.md section 5.8.
public struct FooterTail: Hashable, Sendable {
    package var footerPosition: UInt64
    package var footerByteCount: Int
    package var footerCRC32C: UInt32
    package var fileByteCount: UInt64
    package var shardTag: UInt64
    package var rowCount: UInt64
    package var majorVersion: UInt16
    package var minorVersion: UInt16

    package init(footerPosition: UInt64, footer: [UInt8], footerCRC32C: UInt32, header: FileHeader, rowCount: UInt64) {
        self.footerPosition = footerPosition
        footerByteCount = footer.count
        self.footerCRC32C = footerCRC32C
        fileByteCount = footerPosition + UInt64(footer.count + FormatConstants.tailByteCount)
        shardTag = header.shardTag
        self.rowCount = rowCount
        majorVersion = header.majorVersion
        minorVersion = header.minorVersion
    }

    /// Parses the tail from exactly its 64 bytes. Spec: [R-TAIL-1], [R-TAIL-2].
    /// - Parameter actualByteCount: the size of the file.
    package init(parsing bytes: [UInt8], fileByteCount actualByteCount: UInt64) throws(ShardError) {
        guard bytes.count == FormatConstants.tailByteCount else {
            throw .truncated("\(bytes.count) bytes, where a tail has \(FormatConstants.tailByteCount)")
        }
        var sums = ByteCursor(bytes, in: 52..<64, of: "tail")
        let sumIsRight = try sums.u32() == crc32c(bytes, 0..<52)
        guard try sums.raw(8) == FormatConstants.tailMagic else {
            if sumIsRight { throw .corrupt("the tail's magic bytes are damaged") }
            throw .truncated("the file does not end with a tail: it is incomplete (an unfinished write or copy)")
        }
        guard sumIsRight else { throw .checksumMismatch("tail") }
        var cursor = ByteCursor(bytes, of: "tail")
        footerPosition = try cursor.u64()
        footerByteCount = Int(try cursor.u32())
        footerCRC32C = try cursor.u32()
        fileByteCount = try cursor.u64()
        shardTag = try cursor.u64()
        rowCount = try cursor.u64()
        majorVersion = try cursor.u16()
        minorVersion = try cursor.u16()
        guard majorVersion == FormatConstants.majorVersion else {
            throw .unsupportedVersion("the tail has format \(majorVersion).\(minorVersion)")
        }
        try cursor.reserved(8)
        guard fileByteCount == actualByteCount else {
            let reason = "the file has \(actualByteCount) bytes, its tail says \(fileByteCount)"
            throw actualByteCount < fileByteCount ? .truncated(reason) : .corrupt(reason)
        }
        let end = fileByteCount - UInt64(FormatConstants.tailByteCount)
        guard footerPosition <= end, end - footerPosition == UInt64(footerByteCount),
            footerByteCount >= FormatConstants.blockHeaderByteCount
        else {
            throw .corrupt(
                "tail: a footer of \(footerByteCount) bytes at byte \(footerPosition) does not end at the tail")
        }
    }

    package func serialized() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(u64: footerPosition)
        bytes.append(u32: UInt32(footerByteCount))
        bytes.append(u32: footerCRC32C)
        bytes.append(u64: fileByteCount)
        bytes.append(u64: shardTag)
        bytes.append(u64: rowCount)
        bytes.append(u16: majorVersion)
        bytes.append(u16: minorVersion)
        bytes.append(zeros: 8)
        bytes.append(u32: crc32c(bytes))
        bytes.append(contentsOf: FormatConstants.tailMagic)
        return bytes
    }
}
