package import DRShardFormat

/// Writes a zip file in memory, with fixed times: the same members give the same bytes.
package struct ZipWriter {
    /// Which of the two habits the zip is to have.
    package enum Style {
        /// Deflated members, sizes of the local header in a zip64 field: `numpy.savez_compressed`.
        case numpy
        /// Stored members whose data begins at a multiple of 64 bytes: `torch.save`.
        case torch
    }

    private struct Entry {
        let name: String
        let method: UInt16
        let crc32: UInt32
        let compressedByteCount: UInt32
        let byteCount: UInt32
        let headerOffset: UInt32
    }

    private let style: Style
    private let level: Int
    private var output = ByteWriter()
    private var entries: [Entry] = []

    package init(style: Style, level: Int = 6) {
        self.style = style
        self.level = level
    }

    /// Adds one member.
    ///
    /// - Throws: `.limitExceeded` once the file would need 4 GiB or more, or 65,535 members.
    package mutating func add(_ name: String, _ bytes: [UInt8]) throws(ShardError) {
        let data = style == .numpy ? try Deflate.compress(bytes, as: .raw, level: level) : bytes
        guard output.bytes.count + data.count < 1 << 31, bytes.count < 1 << 31, entries.count < 65_534 else {
            throw .limitExceeded("zip of 2 GiB or 65,534 members")
        }
        let entry = Entry(
            name: name, method: style == .numpy ? 8 : 0, crc32: Deflate.crc32(bytes[...]),
            compressedByteCount: UInt32(data.count), byteCount: UInt32(bytes.count),
            headerOffset: UInt32(output.bytes.count))
        output.bytes += [0x50, 0x4B, 3, 4]
        output.little(UInt16(style == .numpy ? 45 : 20))
        common(entry, isLocal: true)
        output.little(UInt16(name.utf8.count))
        let extra = extraField(dataOffsetWithout: output.bytes.count + 2 + name.utf8.count, entry)
        output.little(UInt16(extra.count))
        output.text(name)
        output.bytes += extra
        output.bytes += data
        entries.append(entry)
    }

    /// The whole file.
    package consuming func finish() -> [UInt8] {
        let start = output.bytes.count
        for entry in entries {
            output.bytes += [0x50, 0x4B, 1, 2]
            output.little(UInt16(style == .numpy ? 45 : 20))
            output.little(UInt16(style == .numpy ? 45 : 20))
            common(entry, isLocal: false)
            output.little(UInt16(entry.name.utf8.count))
            output.bytes += [UInt8](repeating: 0, count: 12)
            output.little(entry.headerOffset)
            output.text(entry.name)
        }
        let byteCount = output.bytes.count - start
        output.bytes += [0x50, 0x4B, 5, 6, 0, 0, 0, 0]
        output.little(UInt16(entries.count))
        output.little(UInt16(entries.count))
        output.little(UInt32(byteCount))
        output.little(UInt32(start))
        output.little(UInt16(0))
        return output.bytes
    }

    /// Flags to sizes, which local header and directory have in common.
    private mutating func common(_ entry: Entry, isLocal: Bool) {
        output.little(UInt16(0))
        output.little(entry.method)
        output.little(UInt16(0))
        output.little(UInt16(0x21))  // 1 January 1980
        output.little(entry.crc32)
        let isWide = isLocal && style == .numpy
        output.little(isWide ? UInt32.max : entry.compressedByteCount)
        output.little(isWide ? UInt32.max : entry.byteCount)
    }

    private func extraField(dataOffsetWithout offset: Int, _ entry: Entry) -> [UInt8] {
        var extra = ByteWriter()
        switch style {
        case .numpy:
            extra.little(UInt16(1))
            extra.little(UInt16(16))
            extra.little(UInt64(entry.byteCount))
            extra.little(UInt64(entry.compressedByteCount))
        case .torch:
            let padding = (64 - (offset + 4) % 64) % 64
            extra.text("FB")
            extra.little(UInt16(padding))
            extra.bytes += [UInt8](repeating: UInt8(ascii: "Z"), count: padding)
        }
        return extra.bytes
    }
}
