public import DRShardFormat

/// Writes one shard, row by row, front to back.
///
/// Memory: the values of one row group, which are about the budgets of `WriterOptions` (by default 128 MiB, and 256 MiB
/// of images) where values are as large as was expected, and `maximumGroupByteCount` at most. Arrays of tensors grow to a
/// row group's size and no further; those of other types double, so that they may hold twice their bytes, and while one
/// of them grows three times. Besides, 5 bytes a cell, 8 more where its type has no size; 16 bytes to about 50 for each
/// row of the whole shard, for its id; and one page, plain and compressed: about 2 MiB, or twice the largest cell.
///
/// A row group is on disk when it is full (with `packsBehind`: when the next one is), so that a writer that is killed
/// loses the open one at most: `init(resuming:)` goes on behind the others.
/// Without `finish()` no file appears under the final name. A writer that threw in `write` stays failed.
/// One writer belongs to one thread.
public final class ShardWriter {
    public let schema: Schema
    public let options: WriterOptions
    /// Rows of every row group but the last.
    public let rowsPerGroup: Int
    /// Rows that are finished, written or not.
    public private(set) var rowCount: Int
    /// Facts about this shard, for its footer.
    public var notes: [Note] = []

    /// Whether writing has failed: nothing more can be written.
    public var hasFailed: Bool { failure != nil }
    /// Where the shard goes.
    public var path: String { sink.path }

    private let sink: any ByteSink
    private let header: FileHeader
    private let schemaBytes: [UInt8]
    /// Of columns that name a tokenizer.
    private let vocabularySizes: [UInt32?]
    private let packer: GroupPacker
    /// The row group that is packed meanwhile.
    private var packing: PackingTask?
    private var open: OpenGroup
    private let maximumGroupByteCount: Int
    private var seenIDs: Set<UInt128> = []
    private var failure: ShardError?
    private var isFinished = false

    /// Begins a shard file.
    /// - Throws: `.invalidArgument`, `.limitExceeded` for options or a schema that cannot be: then nothing is created;
    ///   `.io` as `AtomicFile` does. An unfinished file that could not be written stays, to be resumed.
    public convenience init(path: String, schema: Schema, options: WriterOptions) throws(ShardError) {
        do throws(ShardError) { _ = try ShardWriter.start(schema, options) } catch {
            throw error.with(.init(path: path))
        }
        try self.init(sink: try AtomicFile(path: path), schema: schema, options: options)
    }

    /// Begins a shard that goes to any sink.
    public init(sink: any ByteSink, schema: Schema, options: WriterOptions) throws(ShardError) {
        self.sink = sink
        self.schema = schema
        vocabularySizes = schema.columns.indices.map { schema.vocabularySize(of: $0) }
        self.options = options
        let start: [UInt8]
        (header, schemaBytes, start) = try ShardWriter.start(schema, options)
        rowsPerGroup = header.rowsPerGroup
        rowCount = 0
        open = OpenGroup(schema, rowsPerGroup: rowsPerGroup)
        maximumGroupByteCount = options.maximumGroupByteCount ?? 4 * (options.groupByteBudget + options.imageByteBudget)
        packer = GroupPacker(sink: sink, header: header, schema: schema, options: options, position: 0)
        try packer.write(start)
    }

    /// Goes on with the unfinished file of a writer that was killed, behind its last complete row group.
    ///
    /// `rowCount` says with which row to go on. The schema and the options must be those of the first writer.
    /// - Throws: `.schemaMismatch` if they are not; `.corrupt` if the start of the file is damaged, or anything that is
    ///   not of the last row group; `.io` if there is no unfinished file, another writer has it, or a file has the final
    ///   name already; what else kept the file from being read. The file is then as it was.
    public init(resuming path: String, schema: Schema, options: WriterOptions) throws(ShardError) {
        self.schema = schema
        vocabularySizes = schema.columns.indices.map { schema.vocabularySize(of: $0) }
        self.options = options
        let start: [UInt8]
        do throws(ShardError) { (header, schemaBytes, start) = try ShardWriter.start(schema, options) } catch {
            throw error.with(.init(path: path))
        }
        rowsPerGroup = header.rowsPerGroup
        // Locked before it is read.
        let file = try AtomicFile(resuming: path)
        let kept = try CommittedPart(partPath: file.partPath, schema: schema, header: header, start: start)
        rowCount = kept.groups.reduce(0) { $0 + $1.rowCount }
        seenIDs = kept.rowIDTerms
        open = OpenGroup(schema, rowsPerGroup: rowsPerGroup)
        maximumGroupByteCount = options.maximumGroupByteCount ?? 4 * (options.groupByteBudget + options.imageByteBudget)
        sink = file
        packer = GroupPacker(
            sink: file, header: header, schema: schema, options: options, groups: kept.groups,
            auxiliaries: kept.auxiliaries.map(\.entry), position: kept.end)
        do throws(ShardError) {
            for auxiliary in kept.auxiliaries { try packer.takeUp(auxiliary.entry, payload: auxiliary.payload) }
        } catch { throw error.with(.init(path: file.partPath)) }
        try file.keep(byteCount: kept.end)
        if kept.end == 0 { try packer.write(start) }
    }

    deinit {
        // A thread of its own may still pack: it is waited for, and what it wrote stays for a resumption.
        _ = try? packing?.finish()
    }

    /// What every shard begins with: header, schema and padding.
    private static func start(
        _ schema: Schema, _ options: WriterOptions
    ) throws(ShardError) -> (header: FileHeader, schemaBytes: [UInt8], start: [UInt8]) {
        let rowsPerGroup = try options.rowsPerGroup(for: schema)
        try options.checkStorage(of: schema)
        try options.checkPages()
        let schemaBytes = schema.serialized()
        guard schemaBytes.count <= Limits.maximumSchemaByteCount else {
            throw .limitExceeded("a schema of \(schemaBytes.count) bytes")
        }
        let header = FileHeader(
            schema: schemaBytes, shardTag: options.shardTag,
            requiredFeatures: schema.columns.indices.contains { options.spans(schema, column: $0) }
                ? FormatConstants.spanningFeature : 0, rowsPerGroup: rowsPerGroup)
        var start = header.serialized()
        start.append(contentsOf: schemaBytes)
        start.append(zeros: pad64(schemaBytes.count) - schemaBytes.count)
        return (header, schemaBytes, start)
    }

    /// Gives the shard up, and removes the unfinished file if the sink is an `AtomicFile`; nothing more can be written.
    /// Does nothing behind `finish`, also one that failed while it gave the complete file its name.
    public func discard() {
        guard !isFinished else { return }
        if failure == nil {
            failure = ShardError.invalidArgument("the shard was discarded").with(.init(path: sink.path))
        }
        _ = try? packing?.finish()
        packing = nil
        (sink as? AtomicFile)?.discard()
    }

    // MARK: Rows

    /// Sets a cell of the open row to a canonical value (FORMAT.md section 6.2). Cells of a row come in any order.
    /// - Throws: `.invalidArgument` if the cell does not exist or is set already, or the bytes are no value of its type.
    public func set(_ value: Span<UInt8>, column: Int, variant: Int = 0) throws(ShardError) {
        try checkOpen(column: column, variant: variant)
        guard value.count <= Limits.maximumCellByteCount else {
            throw ShardError.limitExceeded("a cell of \(value.count) bytes").with(context(column, variant))
        }
        try checkRoom(for: value.count, column, variant)
        do throws(ShardError) {
            try CellValue.check(value, type: schema.columns[column].type)
            if let vocabularySize = vocabularySizes[column] {
                try CellValue.check(value, tokensBelow: vocabularySize, type: schema.columns[column].type)
            }
        } catch { throw ShardError.invalidArgument(error.reason).with(context(column, variant)) }
        open.append(value, column, variant)
    }

    public func set(_ value: [UInt8], column: Int, variant: Int = 0) throws(ShardError) {
        try set(value.span, column: column, variant: variant)
    }

    public func set(_ text: String, column: Int, variant: Int = 0) throws(ShardError) {
        try set(Array(text.utf8).span, column: column, variant: variant)
    }

    /// Sets a cell of the open row to have no value: never there, or lost to damage.
    /// - Throws: as `set` does.
    public func setMissing(_ state: CellState = .absent, column: Int, variant: Int = 0) throws(ShardError) {
        try checkOpen(column: column, variant: variant)
        guard state != .present, column != schema.rowIDColumn else {
            throw ShardError.invalidArgument("this cell needs a value").with(context(column, variant))
        }
        // The cell of a tensor takes its place all the same.
        let byteCount = schema.columns[column].type.cellByteCount ?? 0
        try checkRoom(for: byteCount, column, variant)
        open.append(missing: state, byteCount: byteCount, column, variant)
    }

    private func checkRoom(for byteCount: Int, _ column: Int, _ variant: Int) throws(ShardError) {
        guard byteCount <= maximumGroupByteCount - open.byteCount else {
            throw ShardError.limitExceeded(
                "the row group would hold more than \(maximumGroupByteCount) bytes; finish this shard, and give its followers fewer than \(rowsPerGroup) rows a row group"
            ).with(context(column, variant))
        }
    }

    private func context(_ column: Int, _ variant: Int) -> ShardError.Context {
        let name = schema.columns.indices.contains(column) ? schema.columns[column].name : "number \(column)"
        return .init(path: sink.path, column: name, variant: variant, row: rowCount)
    }

    private func checkOpen(column: Int, variant: Int) throws(ShardError) {
        if let failure { throw failure }
        guard !isFinished else { throw .invalidArgument("the shard is finished") }
        guard open.planes.indices.contains(column), open.planes[column].indices.contains(variant) else {
            throw ShardError.invalidArgument("there is no such cell").with(context(column, variant))
        }
        guard !open.isSet(column, variant) else {
            throw ShardError.invalidArgument("this cell is set already").with(context(column, variant))
        }
    }

    /// Finishes the open row. Every cell must be set. Writes the row group if it is full.
    /// - Throws: `.invalidArgument` for a cell that is not set, or a row id that the shard has already: the row stays open.
    public func endRow() throws(ShardError) {
        if let failure { throw failure }
        if !open.isRowComplete { try failForMissingCell() }
        let ids = open.planes[schema.rowIDColumn][0]
        let term = SequenceDigest.term(rowID: ids.bytes.span.extracting(ids.range(of: open.rowCount)))
        guard seenIDs.insert(term).inserted else {
            throw ShardError.invalidArgument("the shard has a row with this id already").with(
                context(schema.rowIDColumn, 0))
        }
        open.rowSetDigest.append(term: term)
        open.endRow()
        rowCount += 1
        if open.rowCount == rowsPerGroup { try failing(flush) }
    }

    private func failForMissingCell() throws(ShardError) {
        for column in open.planes.indices {
            for variant in open.planes[column].indices where !open.isSet(column, variant) {
                throw ShardError.invalidArgument("this cell is not set").with(context(column, variant))
            }
        }
    }

    /// Takes back what was set of the open row.
    public func discardRow() { open.discardRow() }

    // MARK: Writing

    private func failing(_ work: () throws(ShardError) -> Void) throws(ShardError) {
        do throws(ShardError) { try work() } catch {
            failure = error.with(.init(path: sink.path))
            throw error.with(.init(path: sink.path))
        }
    }

    /// Packs the open row group, or lets a thread do it.
    private func flush() throws(ShardError) {
        guard options.packsBehind else { return try packer.pack(&open) }
        var next = try packing?.finish()
        packing = nil
        if next == nil { next = OpenGroup(schema, rowsPerGroup: rowsPerGroup) }
        guard let next else { return }
        let full = open
        open = next
        packing = PackingTask(packer, full)
    }

    /// Waits for what is packed meanwhile.
    private func settle() throws(ShardError) {
        guard let task = packing else { return }
        packing = nil
        let group = try task.finish()
        // The larger memory is kept for the rows to come.
        if open.rowCount == 0 { open = group }
    }

    /// Writes the last row group and the footer, and puts the file in its place.
    /// - Returns: the footer, as it was written.
    /// - Throws: `.invalidArgument` if a row is open; `.limitExceeded` for notes that no reader takes.
    @discardableResult public func finish() throws(ShardError) -> Footer { try finish { _ in } }

    /// The same; `check` may refuse the footer before it is written: then the shard is not finished.
    func finish(_ check: (Footer) throws(ShardError) -> Void) throws(ShardError) -> Footer {
        if let failure { throw failure }
        guard !isFinished else { throw .invalidArgument("the shard is finished already") }
        do throws(ShardError) { try checkNotes() } catch { throw error.with(.init(path: sink.path)) }
        guard open.openCellCount == 0 else {
            throw ShardError.invalidArgument("a row is open; end it or discard it").with(.init(path: sink.path))
        }
        let footer: Footer
        do throws(ShardError) { footer = try writeEnd(check) } catch { throw error.with(.init(path: sink.path)) }
        isFinished = true
        return footer
    }

    /// What a reader would refuse is not written. Spec: [R-LIMIT-1].
    private func checkNotes() throws(ShardError) {
        var byteCount = 0
        for note in notes {
            guard note.key.utf8.count <= UInt16.max else {
                throw .limitExceeded("a note whose key has \(note.key.utf8.count) bytes")
            }
            byteCount += 8 + note.key.utf8.count + note.value.utf8.count
        }
        guard byteCount <= Limits.maximumSchemaByteCount else { throw .limitExceeded("notes of \(byteCount) bytes") }
    }

    private func writeEnd(_ check: (Footer) throws(ShardError) -> Void) throws(ShardError) -> Footer {
        try failing(settle)
        if open.rowCount > 0 { try failing { () throws(ShardError) in try packer.pack(&open) } }
        let footer = Footer(
            schema: schema, schemaBytes: schemaBytes, notes: notes, auxiliaries: packer.auxiliaries,
            groups: packer.groups)
        try check(footer)
        let payload = footer.serialized()
        guard payload.count <= Limits.maximumFooterByteCount else {
            throw .limitExceeded("a footer of \(payload.count) bytes")
        }
        let block = BlockHeader.block(BlockHeader(kind: .footer, shardTag: header.shardTag), payload: payload)
        let tail = FooterTail(
            footerPosition: packer.position, footer: block, footerCRC32C: crc32c(payload), header: header,
            rowCount: UInt64(footer.rowCount))
        try failing { () throws(ShardError) in
            try packer.write(block + tail.serialized())
            try sink.commit()
        }
        return footer
    }
}
