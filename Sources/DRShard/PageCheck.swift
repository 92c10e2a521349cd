internal import DRShardFormat

/// Checks everything of a page that needs no decoding.
enum PageCheck {
    /// - Parameter block: all bytes of the page's block.
    /// - Throws: the first thing that is wrong.
    static func check(_ block: [UInt8], header: BlockHeader, type: ColumnType) throws(ShardError) {
        var findings: [ShardError] = []
        findAll(block, header: header, type: type) { findings.append($0) }
        if let first = findings.first { throw first }
    }

    /// Reports all that is wrong: header, prologue, each unit's checksum, padding.
    static func findAll(_ block: [UInt8], header: BlockHeader, type: ColumnType, report: (ShardError) -> Void) {
        do throws(ShardError) {
            guard block.count == header.blockByteCount else { throw .truncated("a page of \(block.count) bytes") }
            guard Array(block[0..<FormatConstants.blockHeaderByteCount]) == header.serialized() else {
                throw .corrupt("the page's header is not the one in the chunk index")
            }
            let prologueEnd = FormatConstants.blockHeaderByteCount + header.prologueByteCount
            let prologueBytes = Array(block[FormatConstants.blockHeaderByteCount..<prologueEnd])
            guard crc32c(prologueBytes) == header.checksum else { throw .checksumMismatch("prologue of a page") }
            let prologue = try PagePrologue(parsing: prologueBytes, header: header, type: type)
            let start = header.payloadOffset
            var covered = start
            reportPadding(block, prologueEnd..<start, report)
            for unit in 0..<PageLayout.unitCount(header) {
                let range = prologue.storedRange(ofUnit: unit, header: header, cellByteCount: type.cellByteCount)
                do throws(ShardError) {
                    _ = try prologue.plainByteCount(
                        ofUnit: unit, stored: range.count, header: header, cellByteCount: type.cellByteCount)
                } catch { report(error) }
                reportPadding(block, covered..<start + range.lowerBound, report)
                covered = start + range.upperBound
                if crc32c(block, start + range.lowerBound..<covered) != prologue.checksums[unit] {
                    let row = header.firstRow + unit * header.rowsPerUnit
                    report(
                        .checksumMismatch(
                            "unit \(unit), which begins with row \(row) of the row group, at byte \(start + range.lowerBound) of the page"
                        ))
                }
            }
            reportPadding(block, covered..<block.count, report)
        } catch { report(error) }
    }

    /// Checks a block that is no page: its payload's checksum, and padding.
    static func checkPayload(_ block: [UInt8], header: BlockHeader) throws(ShardError) {
        let end = header.payloadOffset + header.payloadByteCount
        guard crc32c(block, header.payloadOffset..<end) == header.checksum else {
            throw .checksumMismatch("block of kind \(header.kind)")
        }
        var finding: ShardError?
        reportPadding(block, end..<block.count) { finding = $0 }
        if let finding { throw finding }
    }

    static func reportPadding(_ block: [UInt8], _ range: Range<Int>, _ report: (ShardError) -> Void) {
        if let bad = block[range].firstIndex(where: { $0 != 0 }) {
            report(.corrupt("padding at byte \(bad) of the block is not 0"))
        }
    }
}
