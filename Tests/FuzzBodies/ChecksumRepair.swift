internal import DRShardFormat

/// Makes the checksums of damaged bytes right again, as far as their blocks can be walked, so that damage reaches the
/// code behind the checksums. What is stored twice is made equal, so that it gets past the comparison, and the tail
/// points at the footer again. Believes no number: where one leads outside, it stops.
struct ChecksumRepair {
    private var bytes: [UInt8]
    private var schema: Schema?
    /// Payloads of the group blocks that were walked.
    private var groups: [Range<Int>] = []
    /// The footer's block and payload, if the walk came to it.
    private var footer: (block: Int, payload: Int)?

    static func repair(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.count >= FormatConstants.minimumFileByteCount else { return bytes }
        var repair = ChecksumRepair(bytes: bytes)
        repair.repairStart()
        repair.repairBlocks()
        repair.repairTail()
        return repair.bytes
    }

    private func number(_ offset: Int, _ count: Int) -> Int {
        (0..<count).reversed().reduce(0) { $0 << 8 | Int(bytes[offset + $1]) }
    }

    private func has(_ offset: Int, _ count: Int) -> Bool {
        offset >= 0 && count >= 0 && offset <= bytes.count && count <= bytes.count - offset
    }

    private mutating func seal(_ offset: Int, _ count: Int) {
        bytes.set(u32: crc32c(bytes, offset..<offset + count), at: offset + count)
    }

    private mutating func repairStart() {
        let schemaByteCount = number(12, 4)
        if has(64, schemaByteCount) {
            bytes.set(u32: crc32c(bytes, 64..<64 + schemaByteCount), at: 44)
            schema = try? Schema(parsing: Array(bytes[64..<64 + schemaByteCount]))
        }
        bytes.replaceSubrange(0..<8, with: FormatConstants.fileMagic)
        seal(0, 60)
    }

    private mutating func repairBlocks() {
        var position = 64 + pad64(number(12, 4))
        let end = bytes.count - FormatConstants.tailByteCount
        while position <= end - 64, bytes[position..<position + 4].elementsEqual(FormatConstants.blockMagic) {
            let payload = position + 64 + pad64(number(position + 48, 4))
            let payloadByteCount = number(position + 52, 4)
            guard has(position + 64, number(position + 48, 4)), has(payload, payloadByteCount) else { return }
            switch bytes[position + 4] {
            case 1: repairPage(position, header: position)
            case 3: repairIndex(payload, payloadByteCount)
            case 4:
                repairGroup(payload, payloadByteCount)
                groups.append(payload..<payload + payloadByteCount)
            case 5:
                footer = (position, payload)
                repairFooter(payload, payloadByteCount)
            default: break
            }
            if bytes[position + 4] != 1 {
                bytes.set(u32: crc32c(bytes, payload..<payload + payloadByteCount), at: position + 56)
            }
            seal(position, 60)
            position = payload + pad64(payloadByteCount) + (bytes[position + 5] & 2 != 0 ? 64 : 0)
        }
    }

    /// The sums of a page's units, and of its prologue.
    /// - Parameter header: where the header is that describes it: its own, or the copy in an index.
    private mutating func repairPage(_ position: Int, header: Int) {
        let rows = number(header + 36, 4)
        let rowsPerUnit = max(1, number(header + 40, 4))
        let prologueByteCount = number(header + 48, 4)
        let payload = position + 64 + pad64(prologueByteCount)
        let unitCount = min((rows + rowsPerUnit - 1) / rowsPerUnit, prologueByteCount / 4)
        guard has(position + 64, prologueByteCount) else { return }
        let isPacked = bytes[header + 5] & 2 != 0
        for unit in 0..<unitCount {
            var range: Range<Int>
            if isPacked {
                guard (unitCount + unit + 1) * 4 <= prologueByteCount else { break }
                let ends = position + 64 + unitCount * 4
                let start = unit == 0 ? 0 : number(ends + (unit - 1) * 4, 4)
                range = start..<max(start, number(ends + unit * 4, 4))
            } else {
                let column = number(header + 20, 2)
                guard let schema, schema.columns.indices.contains(column),
                    let cell = schema.columns[column].type.cellByteCount
                else { break }
                let cells = number(header + 26, 2) * cell
                guard cells <= bytes.count, min(rows, rowsPerUnit) <= bytes.count else { break }
                let start = unit * pad64(min(rows, rowsPerUnit) * cells)
                range = start..<start + min(rowsPerUnit, rows - unit * rowsPerUnit) * cells
            }
            guard has(payload, range.upperBound) else { break }
            let sum = crc32c(bytes, payload + range.lowerBound..<payload + range.upperBound)
            bytes.set(u32: sum, at: position + 64 + unit * 4)
        }
        bytes.set(u32: crc32c(bytes, position + 64..<position + 64 + prologueByteCount), at: header + 56)
    }

    private mutating func repairIndex(_ payload: Int, _ count: Int) {
        for entry in stride(from: payload, to: payload + count - 71, by: 72) {
            let position = number(entry, 7)
            if has(position, 64) { repairPage(position, header: entry + 8) }
            seal(entry + 8, 60)
        }
    }

    /// One group entry; returns its size.
    @discardableResult private mutating func repairGroup(_ payload: Int, _ count: Int) -> Int? {
        guard count >= 32 else { return nil }
        let chunkCount = number(payload + 24, 4)
        guard chunkCount <= (count - 32) / 40 else { return nil }
        for chunk in 0..<chunkCount {
            let entry = payload + 32 + chunk * 40
            let index = number(entry + 8, 7)
            if has(index, 64) { copy(from: index + 56, to: entry + 20) }
        }
        return 32 + chunkCount * 40 + 16 + 16 * (schema?.columns.count ?? 0)
    }

    private mutating func copy(from: Int, to: Int) {
        for i in 0..<4 { bytes[to + i] = bytes[from + i] }
    }

    private mutating func repairFooter(_ payload: Int, _ count: Int) {
        guard count >= 24 else { return }
        let schemaByteCount = number(payload + 16, 4)
        guard schemaByteCount <= count - 24 else { return }
        if schemaByteCount == number(12, 4) {
            bytes.replaceSubrange(payload + 24..<payload + 24 + schemaByteCount, with: bytes[64..<64 + schemaByteCount])
        }
        var place = payload + 24 + schemaByteCount + number(payload + 20, 4)
        let end = payload + count
        for _ in 0..<number(payload + 12, 4) {
            guard place <= end - 32 else { return }
            let block = number(place, 7)
            if has(block, 64) { copy(from: block + 56, to: place + 20) }
            place += 32
        }
        for group in 0..<number(payload + 8, 4) {
            guard place <= end, let size = repairGroup(place, end - place) else { return }
            if group < groups.count, groups[group].count == size, size <= end - place {
                replaceGroup(groups[group], by: place)
            }
            place += size
        }
    }

    /// Makes a group block say what the footer says.
    private mutating func replaceGroup(_ group: Range<Int>, by entry: Int) {
        bytes.replaceSubrange(group, with: bytes[entry..<entry + group.count])
        // Group blocks begin on 64 bytes, and have no prologue.
        bytes.set(u32: crc32c(bytes, group), at: group.lowerBound - 8)
        seal(group.lowerBound - 64, 60)
    }

    private mutating func repairTail() {
        let tail = bytes.count - FormatConstants.tailByteCount
        if let footer, footer.block <= tail - 64, has(footer.payload, 4) {
            bytes.set(u32: UInt32(truncatingIfNeeded: footer.block), at: tail)
            copy(from: footer.block + 56, to: tail + 12)
            bytes.set(u32: UInt32(truncatingIfNeeded: tail - footer.block), at: tail + 8)
            bytes.set(u32: 0, at: tail + 4)
            copy(from: footer.payload, to: tail + 32)
        }
        bytes.set(u32: UInt32(truncatingIfNeeded: bytes.count), at: tail + 16)
        copy(from: 16, to: tail + 24)
        copy(from: 20, to: tail + 28)
        copy(from: 8, to: tail + 40)
        bytes.set(u32: crc32c(bytes, tail..<tail + 52), at: tail + 52)
        bytes.replaceSubrange(tail + 56..<tail + 64, with: FormatConstants.tailMagic)
    }
}
