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

    /// Called with the bytes that are checked so far, and those there are.
    public typealias Progress = (_ done: UInt64, _ total: UInt64) -> Void

    private let source: any ByteSource
    private let depth: Depth
    private let progress: Progress?
    private var findings: [ShardError] = []

    private init(source: any ByteSource, depth: Depth, progress: Progress?) {
        self.source = source
        self.depth = depth
        self.progress = progress
    }

    /// Verifies one shard.
    /// - Returns: what is wrong, in the order in which it was found; empty if the shard is sound.
    /// Cost: full: one read of the file; decode: about two.
    public static func verify(path: String, access: Access = .read, depth: Depth = .full, progress: Progress? = nil) -> [ShardError] {
        do throws(ShardError) {
            return verify(source: try access.open(path), depth: depth, progress: progress)
        } catch { return [error] }
    }

    public static func verify(source: any ByteSource, depth: Depth = .full, progress: Progress? = nil) -> [ShardError] {
        var verifier = ShardVerifier(source: source, depth: depth, progress: progress)
        verifier.run()
        return verifier.findings
    }

    private mutating func report(_ error: ShardError, _ context: ShardError.Context = .init()) {
        findings.append(error.with(context).with(.init(path: source.path)))
    }

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
        if depth == .decode, let reader, findings.isEmpty { checkValues(reader) }
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
                    let missing = pages.index.entries.contains { $0.header.hasMissing }
                    guard missing == chunk.hasMissing else {
                        throw ShardError.corrupt("the row group says that cells are missing, and its pages do not, or the other way")
                            .with(pages.context(page: 0))
                    }
                } catch {
                    report(error)
                    end = nil
                }
            }
        }
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
                let payload = try source.bytes(at: position + 64, count: block.payloadByteCount)
                guard crc32c(payload) == block.checksum else { throw .checksumMismatch("group block") }
                var expected: [UInt8] = []
                group.append(to: &expected)
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
        let hasTail = reader != nil
        let end = hasTail ? source.byteCount - UInt64(FormatConstants.tailByteCount) : source.byteCount
        var walk = BlockWalk(source: source, header: start.header, end: end)
        var order = BlockOrder(schema: start.schema, footer: reader?.footer)
        while true {
            do throws(ShardError) {
                guard let (position, block) = try walk.next() else { break }
                if let error = order.next(block, at: position) { report(error, .init(position: position)) }
                checkBlock(block, at: position, schema: start.schema)
                progress?(walk.position, source.byteCount)
            } catch {
                // An unfinished file ends anywhere; the missing tail is reported already.
                if hasTail || error.code != .truncated { report(error) }
                guard (try? walk.resynchronize()) == true else { break }
                order.lost()
            }
        }
        if hasTail, let error = order.atEnd() { report(error, .init(position: end)) }
    }

    private mutating func readStart(_ reader: ShardReader?) throws(ShardError) -> (header: FileHeader, schema: Schema) {
        let start = try source.bytes(at: 0, count: FormatConstants.fileHeaderByteCount)
        let header = try FileHeader(parsing: start)
        let bytes = try source.bytes(at: 64, count: pad64(header.schemaByteCount))
        let schemaBytes = Array(bytes[0..<header.schemaByteCount])
        if crc32c(schemaBytes) != header.schemaCRC32C { report(.checksumMismatch("schema behind the file header"), .init(position: 64)) }
        PageCheck.reportPadding(bytes, header.schemaByteCount..<bytes.count) { report($0, .init(position: 64)) }
        if let reader { return (header, reader.schema) }
        return (header, try Schema(parsing: schemaBytes))
    }

    private mutating func checkBlock(_ block: BlockHeader, at position: UInt64, schema: Schema) {
        var context = ShardError.Context(position: position)
        if block.kind != .footer { context.rowGroup = block.group }
        do throws(ShardError) {
            let bytes = try source.bytes(at: position, count: block.blockByteCount)
            if block.kind == .page {
                guard schema.columns.indices.contains(block.column) else { throw .corrupt("a page of column \(block.column)") }
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
        var ids: Set<UInt128> = []
        for group in reader.footer.groups {
            for column in reader.schema.columns.indices {
                do throws(ShardError) { try checkValues(reader, group: group, column: column, ids: &ids) } catch {
                    report(error, .init(rowGroup: group.group, column: reader.schema.columns[column].name))
                }
            }
            progress?(UInt64(group.firstRow + group.rowCount), UInt64(reader.rowCount))
        }
    }

    private func checkValues(_ reader: ShardReader, group: GroupEntry, column: Int, ids: inout Set<UInt128>) throws(ShardError) {
        let variants = reader.schema.variantCount(of: column)
        var digest = SequenceDigest()
        var plain: UInt64 = 0
        var rowSet = SequenceDigest()
        let isID = column == reader.schema.rowIDColumn
        let vocabularySize = reader.schema.vocabularySize(of: column)
        var row = group.firstRow
        // A few rows at a time: memory stays near a page's.
        let cell = reader.schema.columns[column].type.cellByteCount ?? 4096
        let step = max(1, PageEncoder.pageByteCount / (max(1, cell) * variants))
        while row < group.firstRow + group.rowCount {
            let rows = row..<min(row + step, group.firstRow + group.rowCount)
            let addresses = rows.flatMap { row in (0..<variants).map { CellAddress(row: row, variant: $0) } }
            let cells = try reader.values(column: column, addresses)
            var states = [CellState](repeating: .present, count: addresses.count)
            for missing in cells.missing { states[missing.index] = missing.state }
            for i in addresses.indices {
                let value = cells.bytes.span.extracting(cells.ranges[i])
                plain += UInt64(value.count)
                let sum = states[i] == .present ? crc32c(value) : 0
                digest.append(term: SequenceDigest.term(state: states[i], byteCount: value.count, crc32c: sum))
                if let vocabularySize, states[i] == .present {
                    do throws(ShardError) {
                        try CellValue.check(value, tokensBelow: vocabularySize, type: reader.schema.columns[column].type)
                    } catch { throw error.with(.init(variant: addresses[i].variant, row: addresses[i].row)) }
                }
                guard isID, states[i] == .present else { continue }
                let term = SequenceDigest.term(rowID: value)
                rowSet.append(term: term)
                if !ids.insert(term).inserted { throw ShardError.corrupt("a row id occurs twice").with(.init(row: addresses[i].row)) }
            }
            if isID, let absent = states.firstIndex(of: .absent) {
                throw ShardError.corrupt("a row id is absent").with(.init(row: addresses[absent].row))
            }
            if isID, states.contains(where: { $0 != .present }) { rowSet = group.rowSetDigest }
            row = rows.upperBound
        }
        guard digest == group.columnDigests[column] else { throw .corrupt("the values do not have the column's digest") }
        guard !isID || rowSet == group.rowSetDigest else { throw .corrupt("the row ids do not have the row-set digest") }
        let said = group.chunks.filter { $0.column == column }.reduce(0) { $0 + $1.plainByteCount }
        guard plain == said else { throw .corrupt("values of \(plain) bytes, the row group says \(said)") }
    }
}

/// In which order blocks must come: auxiliary pages, pages by chunk, indexes by chunk, group block; then the footer.
/// Spec: [R-GROUP-4], [R-AUX-2], [R-FILE-1].
private struct BlockOrder {
    private let footer: Footer?
    private let schema: Schema
    private var group = 0
    /// 0 auxiliary pages, 1 pages, 2 indexes, 3 behind the group block, 4 behind the footer.
    private var stage = 0
    private var pages: [BlockHeader] = []
    private var indexes = 0
    private var auxiliaryCount = 0
    private var lastAuxiliary: BlockHeader?
    private var isLost = false

    init(schema: Schema, footer: Footer?) {
        self.schema = schema
        self.footer = footer
    }

    /// After damage the order is taken up again at the next group.
    mutating func lost() { isLost = true }

    mutating func next(_ block: BlockHeader, at position: UInt64) -> ShardError? {
        if isLost {
            guard block.kind == .group || block.kind == .footer else { return nil }
            isLost = false
            group = block.kind == .group ? block.group + 1 : footer?.groups.count ?? group
            stage = block.kind == .footer ? 4 : 0
            pages = []
            indexes = 0
            return nil
        }
        if block.kind != .footer, block.group != group { return .corrupt("a block of row group \(block.group) inside row group \(group)") }
        switch block.kind {
        case .auxiliary: return nextAuxiliary(block, at: position)
        case .page:
            guard stage <= 1 else { return .corrupt("a page stands behind the indexes of its row group") }
            if stage == 0, let error = pairIsOpen() { return error }
            if stage == 0, pages.isEmpty, let footer, footer.groups.indices.contains(group), footer.groups[group].position > position {
                return .corrupt("the row group begins before the place that the footer says")
            }
            stage = 1
            pages.append(block)
        case .chunkIndex:
            guard stage == 1 || stage == 2 else { return .corrupt("a chunk index before the pages of its row group") }
            stage = 2
            indexes += 1
        case .group:
            guard stage == 2 else { return .corrupt("a group block before the indexes of its row group") }
            let error = checkGroup(end: position)
            group += 1
            stage = 0
            pages = []
            indexes = 0
            return error
        case .footer:
            guard stage == 0, let footer, footer.groups.count == group else { return .corrupt("a footer where row groups are not complete") }
            stage = 4
        }
        return nil
    }

    private mutating func nextAuxiliary(_ block: BlockHeader, at position: UInt64) -> ShardError? {
        guard stage == 0 else { return .corrupt("an auxiliary page behind the first page of its row group") }
        if let first = lastAuxiliary {
            var twin = first
            twin.copy = 1
            lastAuxiliary = nil
            guard twin == block else { return .corrupt("the second copy of an auxiliary page is not like the first") }
            auxiliaryCount += 1
            return nil
        }
        guard block.copy == 0, block.ordinal == auxiliaryCount else { return .corrupt("an auxiliary page out of its order") }
        lastAuxiliary = block
        guard let footer else { return nil }
        guard footer.auxiliaries.indices.contains(auxiliaryCount), footer.auxiliaries[auxiliaryCount].firstPosition == position
        else { return .corrupt("an auxiliary page that the footer does not list") }
        return nil
    }

    private func pairIsOpen() -> ShardError? {
        lastAuxiliary == nil ? nil : .corrupt("an auxiliary page without its second copy")
    }

    /// Pages and indexes of a group are those that the footer's entry names, each once.
    private func checkGroup(end: UInt64) -> ShardError? {
        guard let footer else { return nil }
        guard footer.groups.indices.contains(group) else { return .corrupt("a row group that the footer does not list") }
        let chunks = footer.groups[group].chunks
        guard indexes == chunks.count else { return .corrupt("\(indexes) chunk indexes, \(chunks.count) chunks") }
        var page = 0
        for chunk in chunks {
            var row = 0
            while row < footer.groups[group].rowCount, page < pages.count, pages[page].column == chunk.column,
                pages[page].firstVariant == chunk.firstVariant, pages[page].firstRow == row, pages[page].rowCount > 0
            {
                row += pages[page].rowCount
                page += 1
            }
            guard row == footer.groups[group].rowCount else {
                return .corrupt("the pages in the file are not those of column \(chunk.column), variant \(chunk.firstVariant)")
            }
        }
        return page == pages.count ? nil : .corrupt("\(pages.count - page) pages that no chunk claims")
    }

    func atEnd() -> ShardError? { stage == 4 || isLost ? nil : .corrupt("there is no footer before the tail") }
}
