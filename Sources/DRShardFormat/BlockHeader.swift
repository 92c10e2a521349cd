/// The first 64 bytes of a block: what it is, and where it belongs. Spec: FORMAT.md section 5.2.
public struct BlockHeader: Hashable, Sendable {
    public enum Kind: UInt8, Sendable {
        case page = 1
        case auxiliary = 2
        case chunkIndex = 3
        case group = 4
        case footer = 5
    }

    public var kind: Kind
    /// Some cell of the page is not present: the prologue has a table of states.
    public var hasMissing = false
    /// Units have any length: the prologue has a table of ends, and slack follows the payload.
    public var isPacked = false
    public var codec: Codec = .none
    /// Auxiliary page: 0 or 1.
    public var copy: UInt8 = 0
    public var shardTag: UInt64
    public var group = 0
    public var column = 0
    /// Of a page. Of an auxiliary page: its kind.
    public var encoding: Encoding = .plain
    public var firstVariant = 0
    public var variantCount = 0
    public var ordinal = 0
    public var firstRow = 0
    public var rowCount = 0
    public var rowsPerUnit = 0
    /// 1 + the number of the auxiliary page that this page needs, or 0.
    public var auxiliary = 0
    public var prologueByteCount = 0
    public var payloadByteCount = 0
    /// Of the prologue of a page; of the payload of any other block.
    public var checksum: UInt32 = 0

    package init(kind: Kind, shardTag: UInt64) {
        self.kind = kind
        self.shardTag = shardTag
    }

    /// Bytes of the whole block, padding and slack included.
    public var blockByteCount: Int {
        payloadOffset + pad64(payloadByteCount) + (isPacked ? FormatConstants.slackByteCount : 0)
    }

    /// Where the payload begins, counted from the block.
    public var payloadOffset: Int { FormatConstants.blockHeaderByteCount + pad64(prologueByteCount) }

    /// Parses a header from exactly its 64 bytes and checks it alone; its place is checked by `expect`.
    package init(parsing bytes: [UInt8]) throws(ShardError) {
        guard bytes.count == FormatConstants.blockHeaderByteCount else {
            throw .truncated("\(bytes.count) bytes, where a block header has \(FormatConstants.blockHeaderByteCount)")
        }
        var cursor = ByteCursor(bytes, of: "block header")
        guard try cursor.raw(4) == FormatConstants.blockMagic else { throw .corrupt("no block begins here") }
        var sums = ByteCursor(bytes, in: 60..<64, of: "block header")
        guard try sums.u32() == crc32c(bytes, 0..<60) else { throw .checksumMismatch("block header") }
        let number = try cursor.u8()
        guard let kind = Kind(rawValue: number) else { throw .unsupportedFeature("block of kind \(number)") }
        self.kind = kind
        let flags = try cursor.u8()
        guard flags & ~3 == 0 else { throw .unsupportedFeature("block flags \(flags)") }
        hasMissing = flags & 1 != 0
        isPacked = flags & 2 != 0
        codec = Codec(rawValue: try cursor.u8())
        copy = try cursor.u8()
        shardTag = try cursor.u64()
        group = Int(try cursor.u32())
        column = Int(try cursor.u16())
        encoding = Encoding(rawValue: try cursor.u16())
        firstVariant = Int(try cursor.u16())
        variantCount = Int(try cursor.u16())
        ordinal = Int(try cursor.u32())
        firstRow = Int(try cursor.u32())
        rowCount = Int(try cursor.u32())
        rowsPerUnit = Int(try cursor.u32())
        auxiliary = Int(try cursor.u32())
        prologueByteCount = Int(try cursor.u32())
        payloadByteCount = Int(try cursor.u32())
        checksum = try cursor.u32()
        try checkFields()
    }

    /// Fields without a meaning for the kind are 0, and the sizes of a page are within limits. Spec: [R-BLOCK-2], section 10.
    private func checkFields() throws(ShardError) {
        let isPage = kind == .page
        // Numbers of a page are compared with their limits first of all; other lengths with what holds them: `checkLimit`.
        if isPage { try checkLimit() }
        var idle = [copy == 0 || kind == .auxiliary]
        idle.append(isPage || (!hasMissing && !isPacked && codec == .none && firstRow == 0 && rowsPerUnit == 0))
        idle.append(isPage || (auxiliary == 0 && prologueByteCount == 0))
        idle.append(isPage || kind == .chunkIndex || (firstVariant == 0 && variantCount == 0))
        idle.append(isPage || kind == .auxiliary || (encoding == .plain && ordinal == 0))
        idle.append(isPage || kind == .auxiliary || kind == .chunkIndex || column == 0)
        idle.append(kind != .footer || group == 0)
        idle.append(isPage || kind == .chunkIndex || kind == .group || rowCount == 0)
        guard idle.allSatisfy({ $0 }) else {
            throw .corrupt("block header: a field that has no meaning for a block of kind \(kind) is not 0")
        }
        if kind == .auxiliary, copy > 1 { throw .corrupt("block header: copy \(copy) of an auxiliary page") }
    }

    /// Throws `.limitExceeded` for sizes above the format's. Parsing does this for a page; for another kind, it is for
    /// the caller, after comparing the block with what holds it: a length that does not fit is corrupt, whatever its
    /// size. An index and a group block have no limit of their own. Spec: [R-LIMIT-1].
    package func checkLimit() throws(ShardError) {
        let limit: Int? =
            switch kind {
            case .page: Limits.maximumPayloadByteCount
            case .auxiliary: Limits.maximumAuxiliaryByteCount
            case .footer: Limits.maximumFooterByteCount
            case .chunkIndex, .group: nil
            }
        guard payloadByteCount <= limit ?? .max else {
            throw .limitExceeded("block header: \(payloadByteCount) bytes of payload")
        }
        guard kind != .page || prologueByteCount <= Limits.maximumPrologueByteCount else {
            throw .limitExceeded("block header: \(prologueByteCount) bytes of prologue")
        }
        guard kind != .page || (rowCount <= Limits.maximumRowsPerGroup && variantCount <= Limits.maximumVariants) else {
            throw .limitExceeded("page header: \(rowCount) rows of \(variantCount) variants")
        }
    }

    package func serialized() -> [UInt8] {
        var bytes = FormatConstants.blockMagic
        bytes.reserveCapacity(FormatConstants.blockHeaderByteCount)
        bytes.append(kind.rawValue)
        bytes.append((hasMissing ? 1 : 0) | (isPacked ? 2 : 0))
        bytes.append(codec.rawValue)
        bytes.append(copy)
        bytes.append(u64: shardTag)
        bytes.append(u32: UInt32(group))
        bytes.append(u16: UInt16(column))
        bytes.append(u16: encoding.rawValue)
        bytes.append(u16: UInt16(firstVariant))
        bytes.append(u16: UInt16(variantCount))
        bytes.append(u32: UInt32(ordinal))
        bytes.append(u32: UInt32(firstRow))
        bytes.append(u32: UInt32(rowCount))
        bytes.append(u32: UInt32(rowsPerUnit))
        bytes.append(u32: UInt32(auxiliary))
        bytes.append(u32: UInt32(prologueByteCount))
        bytes.append(u32: UInt32(payloadByteCount))
        bytes.append(u32: checksum)
        bytes.append(u32: crc32c(bytes))
        return bytes
    }

    /// A block without a prologue: header, payload and padding.
    package static func block(_ header: BlockHeader, payload: [UInt8]) -> [UInt8] {
        var header = header
        header.payloadByteCount = payload.count
        header.checksum = crc32c(payload)
        var bytes = header.serialized()
        bytes.append(contentsOf: payload)
        bytes.append(zeros: pad64(payload.count) - payload.count)
        return bytes
    }
}
