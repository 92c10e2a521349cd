public import DRShardFormat

/// One (row, variant) of a column. Rows are counted through the shard.
public struct CellAddress: Hashable, Sendable {
    public var row: Int
    public var variant: Int
    public init(row: Int, variant: Int = 0) {
        self.row = row
        self.variant = variant
    }
}

/// How a reader treats what it reads.
public struct ReaderOptions: Sendable {
    /// Whether the checksum of each unit is compared before its bytes are used. Metadata is always checked.
    public var checksUnits = true
    /// Bytes of memory, roughly, for what is kept of indexes, prologues and tables: of all shards of a data set together,
    /// or of a reader that was opened alone. When there is more, the oldest is dropped, and read again when it is needed.
    /// With 0 nothing is kept.
    public var keptByteCount = 256 << 20
    public init() {}
}

/// Random access to the cells of one complete shard.
///
/// Opening reads the tail, the footer and the first 64 bytes. Indexes and prologues are read when they are first
/// needed, and kept within the options' `keptByteCount`. Many threads may use one reader.
public final class ShardReader: Sendable {
    public let header: FileHeader
    public let footer: Footer
    public let options: ReaderOptions
    let source: any ByteSource
    let counter = ReadCounter()

    /// The chunks, pages and tables that were used and not dropped.
    private let kept: KeptPages
    /// What decides on dropping them; often of many readers.
    private let budget: PageBudget

    /// Chunks of the row groups before each one.
    let chunksBefore: [Int]

    /// Planes of the columns before each one: the place of its first chunk in a row group without spanning.
    private let planesBefore: [Int]
    private let planeCount: Int

    public var schema: Schema { footer.schema }
    public var rowCount: Int { footer.rowCount }
    public var path: String { source.path }
    public var fileByteCount: UInt64 { source.byteCount }
    /// What was asked of the source since the shard was opened.
    public var readCounts: ReadCounts { counter.counts }

    /// Opens a shard.
    /// - Throws: `.truncated`, `.corrupt`, `.unsupported…`, `.io`: see FORMAT.md section 10. Cost: O(footer).
    public convenience init(path: String, access: Access = .read, options: ReaderOptions = .init()) throws(ShardError) {
        try self.init(source: try access.open(path), options: options)
    }

    public convenience init(source: any ByteSource, options: ReaderOptions = .init()) throws(ShardError) {
        try self.init(source: source, options: options, budget: PageBudget(limit: options.keptByteCount))
    }

    /// A reader that shares a budget with others, whatever its options say.
    convenience init(source: any ByteSource, options: ReaderOptions, budget: PageBudget) throws(ShardError) {
        do throws(ShardError) {
            let opened = try ShardReader.open(source)
            self.init(
                source: source, header: opened.header, footer: opened.footer, options: options, budget: budget)
        } catch { throw error.with(.init(path: source.path)) }
    }

    /// A reader of what is known of a file: also of an unfinished one, whose footer was put together from its groups.
    init(
        source: any ByteSource, header: FileHeader, footer: Footer, options: ReaderOptions, budget: PageBudget? = nil
    ) {
        self.source = source
        self.header = header
        self.footer = footer
        self.options = options
        var chunkCount = 0
        chunksBefore = footer.groups.map { group in
            defer { chunkCount += group.chunks.count }
            return chunkCount
        }
        kept = KeptPages(groupCount: footer.groups.count)
        self.budget = budget ?? PageBudget(limit: options.keptByteCount)
        var planes = 0
        planesBefore = footer.schema.columns.indices.map { column in
            defer { planes += footer.schema.variantCount(of: column) }
            return planes
        }
        planeCount = planes
    }

    deinit { budget.remove(kept.accounts) }

    /// Bytes that opening reads from the end of the file: the tail, and usually the footer.
    private static let endByteCount = 64 << 10

    private static func open(_ source: any ByteSource) throws(ShardError) -> (header: FileHeader, footer: Footer) {
        let size = source.byteCount
        guard size >= UInt64(FormatConstants.minimumFileByteCount) else {
            throw .truncated("\(size) bytes: a shard has at least \(FormatConstants.minimumFileByteCount)")
        }
        let header = try FileHeader(parsing: try source.bytes(at: 0, count: FormatConstants.fileHeaderByteCount))
        let endCount = Int(min(size, UInt64(endByteCount)))
        let end = try source.bytes(at: size - UInt64(endCount), count: endCount)
        let tail = try located(at: size - 64) { () throws(ShardError) in
            try FooterTail(parsing: Array(end.suffix(FormatConstants.tailByteCount)), fileByteCount: size)
        }
        guard tail.shardTag == header.shardTag, tail.minorVersion == header.minorVersion else {
            throw ShardError.corrupt("tail and file header have different tags or versions").with(
                .init(position: size - 64))
        }
        // The tail's length fits the file, so one above the limit is that; nothing is read for it.
        guard tail.footerByteCount <= FormatConstants.blockHeaderByteCount + pad64(Limits.maximumFooterByteCount) else {
            throw ShardError.limitExceeded("a footer of \(tail.footerByteCount) bytes").with(
                .init(position: tail.footerPosition))
        }
        let block =
            size - tail.footerPosition <= UInt64(endCount)
            ? Array(end.suffix(Int(size - tail.footerPosition)).dropLast(FormatConstants.tailByteCount))
            : try source.bytes(at: tail.footerPosition, count: tail.footerByteCount)
        return try located(at: tail.footerPosition) { () throws(ShardError) in
            let footer = try parseFooter(block, tail: tail, header: header)
            return (header, footer)
        }
    }

    private static func parseFooter(_ block: [UInt8], tail: FooterTail, header: FileHeader) throws(ShardError) -> Footer
    {
        let blockHeader = try BlockHeader(parsing: Array(block.prefix(FormatConstants.blockHeaderByteCount)))
        guard blockHeader.kind == .footer, blockHeader.shardTag == header.shardTag,
            blockHeader.blockByteCount == block.count, blockHeader.checksum == tail.footerCRC32C
        else { throw .corrupt("the block that the tail names is not this shard's footer") }
        try blockHeader.checkLimit()
        let payload = Array(block[64..<64 + blockHeader.payloadByteCount])
        guard crc32c(payload) == blockHeader.checksum else { throw .checksumMismatch("footer") }
        let footer = try Footer(parsing: payload, header: header, position: tail.footerPosition)
        guard UInt64(footer.rowCount) == tail.rowCount else {
            throw .corrupt("the tail says \(tail.rowCount) rows, the footer \(footer.rowCount)")
        }
        return footer
    }

    /// Gives errors of `work` a position in the file.
    static func located<T>(at position: UInt64, _ work: () throws(ShardError) -> T) throws(ShardError) -> T {
        do throws(ShardError) { return try work() } catch { throw error.with(.init(position: position)) }
    }

    // MARK: Pages

    /// The row group of a row.
    func group(ofRow row: Int) -> Int { row / header.rowsPerGroup }

    private func countedBytes(at position: UInt64, count: Int) throws(ShardError) -> [UInt8] {
        try counter.counting(byteCount: count) { () throws(ShardError) in
            try source.bytes(at: position, count: count)
        }
    }

    /// The place of the chunk that holds a variant of a column, which exist, in a row group's list of chunks.
    /// Chunks are in order of (column, first variant) and cover every variant once; the entry was checked for this.
    func chunk(column: Int, variant: Int, group: Int) -> Int {
        guard header.requiredFeatures & FormatConstants.spanningFeature != 0 else {
            return planesBefore[column] + variant
        }
        let chunks = footer.groups[group].chunks
        guard chunks.count < planeCount else { return planesBefore[column] + variant }
        // Some chunks span variants: the last chunk that does not begin behind the plane.
        var low = 0
        var high = chunks.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if (chunks[middle].column, chunks[middle].firstVariant) <= (column, variant) {
                low = middle
            } else {
                high = middle
            }
        }
        return low
    }

    /// The pages of the chunk that holds a variant of a column in a row group; read unless they are kept.
    func pages(column: Int, variant: Int, group: Int) throws(ShardError) -> ChunkPages {
        guard schema.columns.indices.contains(column), (0..<schema.variantCount(of: column)).contains(variant) else {
            throw .invalidArgument("there is no variant \(variant) of column \(column)")
        }
        return try pages(chunk: chunk(column: column, variant: variant, group: group), group: group)
    }

    /// The pages of a chunk, by its place in the row group's list; read unless they are kept.
    func pages(chunk: Int, group: Int) throws(ShardError) -> ChunkPages {
        if let known = kept.chunk(chunk, group: group) { return known }
        let entry = footer.groups[group]
        let made = try readPages(entry.chunks[chunk], group: entry)
        let pages = kept.keep(made, chunk: chunk, group: group, chunkCount: entry.chunks.count)
        if pages === made { budget.add(pages.account, in: kept, .chunk(group: group, chunk)) }
        return pages
    }

    /// The chunks of a row group that are kept, by their place in its list; empty if there are none.
    func keptChunks(ofGroup group: Int) -> [ChunkPages?] { kept.chunks(ofGroup: group) }

    /// Bytes of all that is kept of this shard, as a budget counts them. Cost: O(chunks).
    package var keptByteCount: Int { kept.accounts.reduce(0) { $0 + $1.byteCount } }
    /// What the budget counts, of all its readers: bytes, and the number of chunks and tables.
    package var budgetUse: (byteCount: Int, count: Int) { budget.use }

    // MARK: Working memory

    /// Working memory for one thread, of this reader or of one that shares its budget.
    func takeContext() -> ReadContext {
        let context = budget.takeContext()
        context.units.begin(self)
        return context
    }

    func giveBack(_ context: ReadContext) {
        context.units.end()
        budget.giveBack(context)
    }

    private func readPages(_ chunk: ChunkEntry, group: GroupEntry) throws(ShardError) -> ChunkPages {
        let context = ShardError.Context(
            path: path, rowGroup: group.group, column: schema.columns[chunk.column].name, variant: chunk.firstVariant,
            position: chunk.indexPosition)
        do throws(ShardError) {
            let block = try countedBytes(at: chunk.indexPosition, count: chunk.indexByteCount)
            let index = try BlockHeader(parsing: Array(block.prefix(FormatConstants.blockHeaderByteCount)))
            guard index.kind == .chunkIndex, index.shardTag == header.shardTag, index.group == group.group,
                index.column == chunk.column, index.firstVariant == chunk.firstVariant,
                index.variantCount == chunk.variantCount, index.rowCount == group.rowCount,
                index.blockByteCount == block.count, index.checksum == chunk.indexCRC32C
            else { throw .corrupt("the block that the row group names is not this chunk's index") }
            let payload = Array(block[64..<64 + index.payloadByteCount])
            guard crc32c(payload) == index.checksum else { throw .checksumMismatch("chunk index") }
            return ChunkPages(
                index: try ChunkIndex(
                    parsing: payload, chunk: chunk, group: group, schema: schema, shardTag: header.shardTag),
                type: schema.columns[chunk.column].type, context: context)
        } catch { throw error.with(context) }
    }

    /// A page with its tables; read unless it is kept.
    func page(_ number: Int, in pages: ChunkPages) throws(ShardError) -> OpenPage {
        if let known = pages.page(number) { return known }
        let entry = pages.index.entries[number]
        do throws(ShardError) {
            let position = entry.position + UInt64(FormatConstants.blockHeaderByteCount)
            let bytes = try countedBytes(at: position, count: entry.header.prologueByteCount)
            guard crc32c(bytes) == entry.header.checksum else { throw .checksumMismatch("prologue of a page") }
            let prologue = try PagePrologue(parsing: bytes, header: entry.header, type: pages.type)
            _ = try auxiliaryKind(for: entry.header)
            // A table that cannot be had is an error of the units that need it.
            let table = entry.header.encoding.auxiliaryKind == .exponentTable ? try tableIfSound(entry.header) : nil
            let made = OpenPage(
                entry, number: number, prologue: prologue, table: table, type: pages.type,
                context: pages.context(page: number))
            let page = pages.keep(made)
            if page === made { budget.update(pages.account) }
            return page
        } catch { throw error.with(pages.context(page: number)) }
    }

    /// The table of a page; nil if it cannot be used.
    /// - Throws: `.io`, which may be otherwise the next time.
    private func tableIfSound(_ page: BlockHeader) throws(ShardError) -> UnitTable? {
        do throws(ShardError) { return try table(for: page) } catch {
            guard error.code != .io else { throw error }
            return nil
        }
    }

    /// - Throws: `.corrupt` for a page that names an auxiliary page that is not for it. Spec: [R-AUX-5].
    private func auxiliaryKind(for page: BlockHeader) throws(ShardError) -> AuxiliaryKind? {
        guard page.auxiliary > 0 else { return nil }
        let number = page.auxiliary - 1
        guard footer.auxiliaries.indices.contains(number), footer.auxiliaries[number].group <= page.group,
            footer.auxiliaries[number].column == page.column
        else {
            throw .corrupt("the page needs auxiliary page \(number), which is not of its column and before it")
        }
        let needed = page.encoding.auxiliaryKind ?? .zstdDictionary
        guard footer.auxiliaries[number].kind == needed.rawValue else {
            throw .corrupt(
                "the page needs auxiliary page \(number), which is of kind \(footer.auxiliaries[number].kind), not \(needed.rawValue)"
            )
        }
        return needed
    }

    /// The table that a page needs, from the first undamaged copy of its auxiliary page; nil if it needs none. Read
    /// unless it is kept.
    func table(for page: BlockHeader) throws(ShardError) -> UnitTable? {
        // That another page may use it says nothing about this one.
        guard let kind = try auxiliaryKind(for: page) else { return nil }
        let number = page.auxiliary - 1
        do throws(ShardError) {
            let table = try table(number, kind: kind)
            try table.check(for: page.encoding)
            return table
        } catch { throw error.with(.init(path: path, position: footer.auxiliaries[number].firstPosition)) }
    }

    private func table(_ number: Int, kind: AuxiliaryKind) throws(ShardError) -> UnitTable {
        if let known = kept.table(number) { return known.table }
        let type = schema.columns[footer.auxiliaries[number].column].type
        // A failure is not kept: what is read again may be right.
        let made = KeptTable(try UnitTable(parsing: try auxiliaryPayload(number), kind: kind, type: type))
        let table = kept.keep(made, number: number)
        if table === made { budget.add(table.account, in: kept, .table(number)) }
        return table.table
    }

    /// The payload of an auxiliary page, from its first undamaged copy.
    func auxiliaryPayload(_ number: Int) throws(ShardError) -> [UInt8] {
        let entry = footer.auxiliaries[number]
        var first: ShardError?
        for (copy, position) in [entry.firstPosition, entry.secondPosition].enumerated() {
            do throws(ShardError) {
                return try readAuxiliary(entry, number: number, copy: copy, position: position)
            } catch { first = first ?? error.with(.init(path: path, position: position)) }
        }
        throw first ?? .corrupt("auxiliary page \(number)")
    }

    private func readAuxiliary(_ entry: AuxiliaryEntry, number: Int, copy: Int, position: UInt64) throws(ShardError)
        -> [UInt8]
    {
        let block = try BlockHeader(
            parsing: try countedBytes(at: position, count: FormatConstants.blockHeaderByteCount))
        guard block.kind == .auxiliary, block.shardTag == header.shardTag, block.ordinal == number,
            Int(block.copy) == copy, block.encoding.rawValue == entry.kind, block.group == entry.group,
            block.column == entry.column, block.payloadByteCount == entry.payloadByteCount,
            block.checksum == entry.checksum
        else { throw .corrupt("the block that the footer names is not auxiliary page \(number)") }
        let payload = try countedBytes(at: position + 64, count: block.payloadByteCount)
        guard crc32c(payload) == entry.checksum else {
            throw .checksumMismatch("auxiliary page \(number), copy \(copy)")
        }
        return payload
    }
}
