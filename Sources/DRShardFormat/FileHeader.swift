/// The first 64 bytes of a shard. Spec: FORMAT.md section 5.1.
public struct FileHeader: Hashable, Sendable {
    public var majorVersion: UInt16
    public var minorVersion: UInt16
    package var schemaByteCount: Int
    public var shardTag: UInt64
    public var requiredFeatures: UInt64
    public var optionalFeatures: UInt64
    public var rowsPerGroup: Int
    package var schemaCRC32C: UInt32

    package init(schema: [UInt8], shardTag: UInt64, requiredFeatures: UInt64, rowsPerGroup: Int) {
        majorVersion = FormatConstants.majorVersion
        minorVersion = FormatConstants.minorVersion
        schemaByteCount = schema.count
        self.shardTag = shardTag
        self.requiredFeatures = requiredFeatures
        optionalFeatures = 0
        self.rowsPerGroup = rowsPerGroup
        schemaCRC32C = crc32c(schema)
    }

    /// Where the first block begins.
    package var firstBlockPosition: UInt64 { UInt64(FormatConstants.fileHeaderByteCount + pad64(schemaByteCount)) }

    /// Parses the header from exactly its 64 bytes; checks in the order of [R-HEAD-1].
    package init(parsing bytes: [UInt8]) throws(ShardError) {
        guard bytes.count == FormatConstants.fileHeaderByteCount else {
            throw .truncated("\(bytes.count) bytes, where a file header has \(FormatConstants.fileHeaderByteCount)")
        }
        var cursor = ByteCursor(bytes, of: "file header")
        guard try cursor.raw(8) == FormatConstants.fileMagic else {
            throw .corrupt("this is not a shard: it does not begin with its magic bytes")
        }
        var sums = ByteCursor(bytes, in: 60..<64, of: "file header")
        guard try sums.u32() == crc32c(bytes, 0..<60) else { throw .checksumMismatch("file header") }
        majorVersion = try cursor.u16()
        minorVersion = try cursor.u16()
        guard majorVersion == FormatConstants.majorVersion else {
            throw .unsupportedVersion(
                "the shard has format \(majorVersion).\(minorVersion), this library reads \(FormatConstants.majorVersion)"
            )
        }
        schemaByteCount = Int(try cursor.u32())
        shardTag = try cursor.u64()
        requiredFeatures = try cursor.u64()
        optionalFeatures = try cursor.u64()
        let unknown = requiredFeatures & ~FormatConstants.knownRequiredFeatures
        guard unknown == 0 else {
            throw .unsupportedFeature(
                "the shard needs feature \(unknown.trailingZeroBitCount), which this library does not have")
        }
        rowsPerGroup = Int(try cursor.u32())
        schemaCRC32C = try cursor.u32()
        try cursor.reserved(12)
        guard rowsPerGroup >= 1 else { throw .corrupt("file header: 0 rows a row group") }
        guard rowsPerGroup <= Limits.maximumRowsPerGroup else {
            throw .limitExceeded("file header: \(rowsPerGroup) rows a row group")
        }
        guard schemaByteCount <= Limits.maximumSchemaByteCount else {
            throw .limitExceeded("file header: a schema of \(schemaByteCount) bytes")
        }
    }

    package func serialized() -> [UInt8] {
        var bytes = FormatConstants.fileMagic
        bytes.append(u16: majorVersion)
        bytes.append(u16: minorVersion)
        bytes.append(u32: UInt32(schemaByteCount))
        bytes.append(u64: shardTag)
        bytes.append(u64: requiredFeatures)
        bytes.append(u64: optionalFeatures)
        bytes.append(u32: UInt32(rowsPerGroup))
        bytes.append(u32: schemaCRC32C)
        bytes.append(zeros: 12)
        bytes.append(u32: crc32c(bytes))
        return bytes
    }
}
