public import DRShardFormat

/// Checks a shard without trusting its shortcuts, and reports everything it finds. Spec: FORMAT.md section 10.
public struct ShardVerifier {
    public enum Depth: Sendable {
        /// What opening checks, all chunk indexes and all group blocks.
        case fast
        /// Also every block from the start, every checksum and all padding. The default.
        case full
        /// Also every value, and the digests.
        case decode
    }

    /// Called with what is done of what there is to do: first bytes of the file, while its blocks are walked; then, with
    /// `.decode`, rows of the shard, from none on again.
    public typealias Progress = (_ done: UInt64, _ total: UInt64) -> Void

    /// Findings that are listed. Behind them stands one more, which says that there are others.
    static let maximumFindings = 1000

    private let source: any ByteSource
    private let depth: Depth
    private let progress: Progress?
    private let stepByteCount: UInt64
    private var findings: [ShardError] = []
    private var checkedTables: Set<TableUse> = []

    private init(source: any ByteSource, depth: Depth, progress: Progress?, stepByteCount: UInt64) {
        self.stepByteCount = stepByteCount
        self.source = source
        self.depth = depth
        self.progress = progress
    }

    /// Verifies one shard.
    /// - Returns: what is wrong, in the order in which it was found; empty if the shard is sound.
    /// Cost: full: one read of the file; decode: about two.
    public static func verify(path: String, access: Access = .read, depth: Depth = .full, progress: Progress? = nil)
        -> [ShardError]
    {
        do throws(ShardError) {
            return verify(source: try access.open(path), depth: depth, progress: progress)
        } catch { return [error] }
    }

    public static func verify(source: any ByteSource, depth: Depth = .full, progress: Progress? = nil) -> [ShardError] {
        verify(source: source, depth: depth, progress: progress, stepByteCount: 4 << 20)
    }

    /// - Parameter stepByteCount: bytes of values that are decoded at once; a row more than that is one step.
    package static func verify(
        source: any ByteSource, depth: Depth, progress: Progress? = nil, stepByteCount: UInt64
    ) -> [ShardError] {
        var verifier = ShardVerifier(source: source, depth: depth, progress: progress, stepByteCount: stepByteCount)
        verifier.run()
        return verifier.findings
    }

    private mutating func report(_ error: ShardError, _ context: ShardError.Context = .init()) {
        guard findings.count <= Self.maximumFindings else { return }
        let error = error.with(context).with(.init(path: source.path))
        guard findings.count == Self.maximumFindings else { return findings.append(error) }
        findings.append(
            ShardError(error.code, "and more than these \(findings.count) findings", context: .init(path: source.path)))
    }

    private var isFull: Bool { findings.count > Self.maximumFindings }

    private mutating func run() {
        var reader: ShardReader?
        do throws(ShardError) { reader = try ShardReader(source: source) } catch { report(error) }
        if let reader {
            checkIndexes(reader)
            checkGroupBlocks(reader)
        }
        guard depth != .fast else { return }
        walk(reader)
        if let reader { checkSide(reader) }
        if depth == .decode, let reader { checkValues(reader) }
    }

    // MARK: From the footer

    private mutating func checkIndexes(_ reader: ShardReader) {
        for group in reader.footer.groups {
            var end: UInt64?
            for chunk in group.chunks {
                do throws(ShardError) {
                    let pages = try reader.pages(column: chunk.column, variant: chunk.firstVariant, group: group.group)
                    guard let first = pages.index.entries.first, first.position == end ?? first.position else {
                        throw ShardError.corrupt("the pages of this chunk do not follow those of the one before it")
                            .with(pages.context(page: 0))
                    }
                    end = first.position + chunk.storedByteCount
                    checkTables(pages, reader)
                    let missing = pages.index.entries.contains { $0.header.hasMissing }
                    guard missing == chunk.hasMissing else {
                        throw ShardError.corrupt(
                            "the row group says that cells are missing, and its pages do not, or the other way"
                        )
                        .with(pages.context(page: 0))
                    }
                } catch {
                    report(error)
                    end = nil
                }
            }
        }
    }

    /// Tables that pages name are sound, used or not. Spec: [R-ENC-5].
    private mutating func checkTables(_ pages: ChunkPages, _ reader: ShardReader) {
        for (page, entry) in pages.index.entries.enumerated()
        where entry.header.auxiliary > 0 && PageLayout.isKnown(entry.header) {
            let use = TableUse(
                auxiliary: entry.header.auxiliary, encoding: entry.header.encoding, column: entry.header.column)
            guard checkedTables.insert(use).inserted else { continue }
            do throws(ShardError) { _ = try reader.table(for: entry.header) } catch {
                report(error, pages.context(page: page))
            }
        }
    }

    /// A table, and what pages take it for.
    private struct TableUse: Hashable {
        var auxiliary: Int
        var encoding: Encoding
        var column: Int
    }

    /// Each group block follows its last index, and says what the footer says.
    private mutating func checkGroupBlocks(_ reader: ShardReader) {
        for group in reader.footer.groups {
            guard let last = group.chunks.last else { continue }
            let position = last.indexPosition + UInt64(last.indexByteCount)
            do throws(ShardError) {
                let block = try BlockHeader(
                    parsing: try source.bytes(at: position, count: FormatConstants.blockHeaderByteCount))
                guard block.kind == .group, block.shardTag == reader.header.shardTag, block.group == group.group,
                    block.rowCount == group.rowCount
                else { throw .corrupt("no group block stands behind the last index of the row group") }
                var expected: [UInt8] = []
                group.append(to: &expected)
                guard block.payloadByteCount == expected.count,
                    UInt64(block.blockByteCount) <= source.byteCount - position
                else {
                    throw .corrupt(
                        "the group block has \(block.payloadByteCount) bytes, the footer's copy \(expected.count)")
                }
                let payload = try source.bytes(at: position + 64, count: block.payloadByteCount)
                guard crc32c(payload) == block.checksum else { throw .checksumMismatch("group block") }
                guard payload == expected else { throw .corrupt("the group block does not say what the footer says") }
            } catch { report(error, .init(rowGroup: group.group, position: position)) }
        }
    }

    // MARK: From the start

    private mutating func walk(_ reader: ShardReader?) {
        let start: (header: FileHeader, schema: Schema)
        do throws(ShardError) { start = try readStart(reader) } catch {
            if reader != nil { report(error) }
            return
        }
        let hasTail = reader != nil || endsWithTail()
        let end = hasTail ? source.byteCount - UInt64(FormatConstants.tailByteCount) : source.byteCount
        var walk = BlockWalk(source: source, header: start.header, end: end, isComplete: hasTail)
        var order = BlockOrder(reader: reader)
        while !isFull {
            do throws(ShardError) {
                guard let (position, block) = try walk.next() else { break }
                if let error = order.next(block, at: position) { report(error, .init(position: position)) }
                checkBlock(block, at: position, schema: start.schema)
                progress?(walk.position, source.byteCount)
            } catch {
                // An unfinished file ends anywhere; the missing tail is reported already.
                if hasTail || error.code != .truncated { report(error) }
                order.lost()
                guard resynchronize(&walk) else { break }
            }
        }
        if hasTail, !isFull, let error = order.atEnd() { report(error, .init(position: end)) }
    }

    private mutating func resynchronize(_ walk: inout BlockWalk) -> Bool {
        do throws(ShardError) { return try walk.resynchronize() } catch {
            report(error, .init(position: walk.position))
            return false
        }
    }

    /// Whether a tail stands at the end, be it one whose footer cannot be used: from a newer writer, or damaged.
    private func endsWithTail() -> Bool {
        let magic = FormatConstants.tailMagic
        guard source.byteCount >= UInt64(FormatConstants.minimumFileByteCount) else { return false }
        return (try? source.bytes(at: source.byteCount - UInt64(magic.count), count: magic.count)) == magic
    }

    private mutating func readStart(_ reader: ShardReader?) throws(ShardError) -> (header: FileHeader, schema: Schema) {
        let start = try source.bytes(at: 0, count: FormatConstants.fileHeaderByteCount)
        let header = try FileHeader(parsing: start)
        let bytes = try source.bytes(at: 64, count: pad64(header.schemaByteCount))
        let schemaBytes = Array(bytes[0..<header.schemaByteCount])
        if crc32c(schemaBytes) != header.schemaCRC32C {
            report(.checksumMismatch("schema behind the file header"), .init(position: 64))
        }
        PageCheck.reportPadding(bytes, header.schemaByteCount..<bytes.count) { report($0, .init(position: 64)) }
        if let reader { return (header, reader.schema) }
        return (header, try Schema(parsing: schemaBytes))
    }

    private mutating func checkBlock(_ block: BlockHeader, at position: UInt64, schema: Schema) {
        var context = ShardError.Context(position: position)
        if block.kind != .footer { context.rowGroup = block.group }
        do throws(ShardError) {
            try block.checkLimit()
            let bytes = try source.bytes(at: position, count: block.blockByteCount)
            if block.kind == .page {
                guard schema.columns.indices.contains(block.column) else {
                    throw .corrupt("a page of column \(block.column)")
                }
                context.column = schema.columns[block.column].name
                context.variant = block.firstVariant
                context.page = block.ordinal
                let type = schema.columns[block.column].type
                PageCheck.findAll(bytes, header: block, type: type) { report($0, context) }
            } else {
                try PageCheck.checkPayload(bytes, header: block)
            }
        } catch { report(error, context) }
    }

    /// A side shard has the rows of its base. Spec: [R-SIDE-2].
    private mutating func checkSide(_ reader: ShardReader) {
        guard let side = reader.schema.metadata.side else { return }
        if side.rowSetDigest != reader.footer.rowSetDigest || side.rowCount != UInt64(reader.rowCount) {
            report(.corrupt("the side shard does not have the rows of its base"))
        }
    }

    // MARK: Values

    private mutating func checkValues(_ reader: ShardReader) {
        var known = Set(findings.map(Place.init))
        var check = ValueCheck(reader: reader, stepByteCount: stepByteCount)
        for group in reader.footer.groups where !isFull {
            for column in reader.schema.columns.indices {
                let context = ShardError.Context(
                    path: source.path, rowGroup: group.group, column: reader.schema.columns[column].name)
                check.check(group, column: column) { error in
                    let error = error.with(context)
                    // What the indexes and the walk have found is found again here, by everybody who needs it.
                    if known.insert(Place(error)).inserted { report(error) }
                }
            }
            progress?(UInt64(group.firstRow + group.rowCount), UInt64(reader.rowCount))
        }
    }

    /// What was found where, as far as the walk and the values can agree on it.
    private struct Place: Hashable {
        private let code: ShardError.Code
        private let rowGroup: Int?
        private let column: String?
        private let page: Int?
        private let variant: Int?
        /// Of what has no page.
        private let row: Int?
        private let reason: String?

        init(_ error: ShardError) {
            code = error.code
            rowGroup = error.context.rowGroup
            column = error.context.column
            page = error.context.page
            variant = error.context.variant
            row = page == nil ? error.context.row : nil
            reason = page == nil ? error.reason : nil
        }
    }
}
