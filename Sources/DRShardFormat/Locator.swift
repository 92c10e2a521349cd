/// Where bytes lie in another file. Spec: FORMAT.md section 6.2.
public struct Locator: Hashable, Sendable {
    public enum Hash: Hashable, Sendable {
        case none
        case sha256([UInt8])
        case crc32c(UInt32)
    }

    /// The file, as the owner of the data set names it.
    public var container: String
    public var position: UInt64
    public var byteCount: UInt64
    public var hash: Hash

    public init(container: String, position: UInt64, byteCount: UInt64, hash: Hash = .none) {
        self.container = container
        self.position = position
        self.byteCount = byteCount
        self.hash = hash
    }

    /// Parses a canonical value.
    public init(parsing bytes: [UInt8]) throws(ShardError) {
        var cursor = ByteCursor(bytes, of: "locator")
        position = try cursor.u64()
        byteCount = try cursor.u64()
        switch try cursor.u8() {
        case 0: hash = .none
        case 1: hash = .sha256(try cursor.raw(32))
        case 2: hash = .crc32c(try cursor.u32())
        case let kind: throw .unsupportedFeature("locator: hash kind \(kind)")
        }
        container = try cursor.text(cursor.remaining)
    }

    /// The canonical value.
    /// - Throws: `.invalidArgument` for a SHA-256 that does not have 32 bytes.
    public func serialized() throws(ShardError) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(u64: position)
        bytes.append(u64: byteCount)
        switch hash {
        case .none: bytes.append(0)
        case .sha256(let digest):
            guard digest.count == 32 else { throw .invalidArgument("locator: a SHA-256 of \(digest.count) bytes") }
            bytes.append(1)
            bytes.append(contentsOf: digest)
        case .crc32c(let sum):
            bytes.append(2)
            bytes.append(u32: sum)
        }
        bytes.append(contentsOf: container.utf8)
        return bytes
    }
}
