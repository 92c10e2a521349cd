internal import DRShardFormat

/// A shard that is to be made of rows of others: which rows, columns and variants, and how they are stored.
public struct ShardPlan: Sendable {
    public let path: String
    let options: WriterOptions
    let notes: [Note]
    let selection: SchemaSelection
    let sources: [CopiedRows]

    /// Rows of the new shard.
    public let rowCount: Int

    /// - Throws: `.unsupportedFeature` for a source with fields that this library does not know: they would be lost.
    init(
        path: String, options: WriterOptions, notes: [Note], selection: SchemaSelection, sources: [CopiedRows]
    ) throws(ShardError) {
        self.path = path
        self.options = options
        self.notes = notes
        self.selection = selection
        self.sources = sources
        rowCount = sources.reduce(0) { $0 + $1.rowCount }
        for source in sources {
            for shard in source.set.shards {
                guard shard.schema.serialized() == shard.footer.schemaBytes, shard.header.optionalFeatures == 0 else {
                    throw ShardError.unsupportedFeature(
                        "the schema or the header has fields of a newer drshard, which would be lost"
                    )
                    .with(.init(path: shard.path))
                }
            }
        }
    }

    /// What a row group may hold: what the writer allows by itself, or twice what the sources' have for as many rows.
    static func maximumGroupByteCount(_ options: WriterOptions, rowsPerGroup: Int, _ sets: [DataSet]) -> Int {
        let usual = 4 * (options.groupByteBudget + options.imageByteBudget)
        var largest = 0.0
        for group in sets.flatMap(\.shards).flatMap(\.footer.groups) {
            let plain = group.chunks.reduce(0.0) { $0 + Double($1.plainByteCount) }
            largest = max(largest, plain * max(1, Double(rowsPerGroup) / Double(group.rowCount)))
        }
        return max(usual, Int(min(2 * largest, 0x1p62)))
    }

    // MARK: What must come out

    /// The digest of all row ids.
    func rowSetDigest() throws(ShardError) -> SequenceDigest {
        var digest = SequenceDigest()
        for source in sources { digest.append(try source.rowSetDigest(), count: UInt64(source.rowCount)) }
        return digest
    }

    /// The digest of a column of the new shard, where the sources' digests say it: all variants of whole row groups.
    func columnDigest(_ column: Int) -> SequenceDigest? {
        let old = selection.columns[column]
        var digest = SequenceDigest()
        for source in sources {
            guard source.set.schema.variantCount(of: old) == selection.schema.variantCount(of: column),
                let part = source.columnDigest(old)
            else { return nil }
            digest.append(part.digest, count: part.count)
        }
        return digest
    }

    /// Compares the footer of the new shard with what the sources say. Spec: FORMAT.md section 8.2.
    /// - Parameter rowSetDigest: what `rowSetDigest()` gave.
    func check(_ footer: Footer, rowSetDigest: SequenceDigest) throws(ShardError) {
        guard footer.rowCount == rowCount, footer.rowSetDigest == rowSetDigest else {
            throw ShardError.corrupt("the rows that were written are not those that were read").with(.init(path: path))
        }
        for (i, column) in selection.schema.columns.enumerated() {
            guard let digest = columnDigest(i), digest != footer.columnDigest(i) else { continue }
            throw ShardError.corrupt("the values that were written are not those that the source's digest is of")
                .with(.init(path: path, column: column.name))
        }
    }

    /// Whether a complete shard that has the path already is what this plan makes, as far as that shows without
    /// encoding it again: header, schema, notes, row ids, digests, and how its first row group is stored.
    /// - Returns: its footer.
    /// - Throws: `.schemaMismatch` if it is not; what opening it throws.
    func checkExisting() throws(ShardError) -> Footer {
        let reader = try ShardReader(path: path)
        func mismatch(_ what: String) -> ShardError {
            ShardError.schemaMismatch(
                "it is there, and not what this run makes: its \(what) differs; remove it or choose another name"
            )
            .with(.init(path: path))
        }
        guard reader.footer.schemaBytes == selection.schema.serialized() else { throw mismatch("schema") }
        guard reader.header.shardTag == options.shardTag else { throw mismatch("tag") }
        guard reader.header.rowsPerGroup == (try options.rowsPerGroup(for: selection.schema)) else {
            throw mismatch("number of rows a row group")
        }
        guard reader.footer.notes == notes else { throw mismatch("list of notes") }
        guard reader.rowCount == rowCount, reader.footer.rowSetDigest == (try rowSetDigest()) else {
            throw mismatch("list of rows")
        }
        for i in selection.schema.columns.indices {
            guard let digest = columnDigest(i), digest != reader.footer.columnDigest(i) else { continue }
            throw mismatch("content of column \"\(selection.schema.columns[i].name)\"")
        }
        if let column = try columnStoredOtherwise(reader) {
            throw mismatch("way to store column \"\(selection.schema.columns[column].name)\"")
        }
        return reader.footer
    }

    /// A column whose pages in the first row group are neither plain nor what the options say, or lack their table.
    private func columnStoredOtherwise(_ reader: ShardReader) throws(ShardError) -> Int? {
        for chunk in reader.footer.groups.first?.chunks ?? [] {
            let storage = options.storage(of: selection.schema.columns[chunk.column], number: chunk.column)
            let kind = storage.encoding.auxiliaryKind?.rawValue
            let pages = try reader.pages(column: chunk.column, variant: chunk.firstVariant, group: 0)
            for (number, entry) in pages.index.entries.enumerated() {
                let page = entry.header
                let isSame = page.encoding == storage.encoding && page.codec == storage.codec
                guard isSame || !page.isEncoded else { return chunk.column }
                let isLast = number == pages.index.entries.count - 1
                guard fillsPage(page, pages.type, isLast: isLast) else { return chunk.column }
            }
            // A column with a value has its table from the first row group on.
            let tables = reader.footer.auxiliaries.filter { $0.column == chunk.column }.map(\.kind)
            if let kind, chunk.plainByteCount > 0, !tables.contains(kind) { return chunk.column }
            if kind == nil, tables.contains(where: { $0 != AuxiliaryKind.zstdDictionary.rawValue }) {
                return chunk.column
            }
        }
        return nil
    }

    /// Whether a page of a tensor was closed with the unit that filled it; of other types that does not show.
    private func fillsPage(_ page: BlockHeader, _ type: ColumnType, isLast: Bool) -> Bool {
        guard let cell = type.cellByteCount else { return true }
        let rowByteCount = Double(cell) * Double(page.variantCount)
        let last = (page.rowCount - 1) % max(1, page.rowsPerUnit) + 1
        let isFull = Double(page.rowCount) * rowByteCount >= Double(options.pageByteCount)
        let wasOpen = Double(page.rowCount - last) * rowByteCount < Double(options.pageByteCount)
        return wasOpen && (isFull || isLast)
    }
}

extension BlockHeader {
    /// Whether a page names an encoding or a codec.
    var isEncoded: Bool { encoding != .plain || codec != .none }
}
