internal import CDRKernels

/// CRC-32C of bytes. Spec: FORMAT.md section 8.1.
public func crc32c(_ bytes: Span<UInt8>) -> UInt32 {
    // SAFETY: the kernel reads exactly the bytes of the buffer.
    unsafe bytes.withUnsafeBytes { buffer in unsafe cdr_crc32c(0, buffer.baseAddress, buffer.count) }
}

package func crc32c(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    // SAFETY: the kernel reads exactly the bytes of the buffer.
    unsafe cdr_crc32c(0, bytes.baseAddress, bytes.count)
}

public func crc32c(_ bytes: [UInt8]) -> UInt32 { crc32c(bytes.span) }

/// CRC-32C of part of an array.
package func crc32c(_ bytes: [UInt8], _ range: Range<Int>) -> UInt32 { crc32c(bytes.span.extracting(range)) }

/// SHA-256, piece by piece.
public struct SHA256: Sendable {
    private var hash = cdr_sha256()

    public init() { unsafe cdr_sha256_begin(&hash) }

    public mutating func update(_ bytes: Span<UInt8>) {
        // SAFETY: the kernel reads exactly the bytes of the buffer.
        unsafe bytes.withUnsafeBytes { buffer in unsafe cdr_sha256_update(&hash, buffer.baseAddress, buffer.count) }
    }

    public mutating func update(_ bytes: [UInt8]) { update(bytes.span) }

    /// The 32 bytes of the digest of all bytes so far.
    public func finish() -> [UInt8] {
        var hash = hash
        // SAFETY: the kernel writes exactly 32 bytes.
        return unsafe [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
            unsafe cdr_sha256_end(&hash, buffer.baseAddress)
            count = 32
        }
    }

    public static func digest(_ bytes: Span<UInt8>) -> [UInt8] {
        var hash = SHA256()
        hash.update(bytes)
        return hash.finish()
    }

    public static func digest(_ bytes: [UInt8]) -> [UInt8] { digest(bytes.span) }
}
