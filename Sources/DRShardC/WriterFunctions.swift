public import CDRShard
internal import DRShard
internal import DRShardFormat
internal import DRText

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// What a `drs_writer` points to. One thread at a time uses it, of the process that made it: a forked child that wrote into
/// the same file would spoil it.
final class WriterObject {
    let writer: ShardWriter
    private let processID = getpid()
    /// Of one cell, converted.
    var converted: [UInt8] = []
    init(_ writer: ShardWriter) { self.writer = writer }

    var isOwn: Bool { processID == getpid() }

    /// - Throws: `.invalidArgument` for NULL, and in another process.
    static func own(_ handle: OpaquePointer?) throws(ShardError) -> WriterObject {
        let object = try Handle.object(handle, WriterObject.self)
        guard object.isOwn else {
            throw ShardError.invalidArgument("a writer belongs to the process that made it").with(
                .init(path: object.writer.path))
        }
        return object
    }
}

@c @implementation public func drs_writer_options_init(
    _ options: UnsafeMutablePointer<drs_writer_options>?, _ size: Int
) { drs_writer_options.initialise(options, size: size) }

private func make(
    _ path: UnsafePointer<CChar>?, _ schema: UnsafePointer<CChar>?, _ options: UnsafePointer<drs_writer_options>?,
    _ writer: UnsafeMutablePointer<OpaquePointer?>?, _ error: UnsafeMutablePointer<OpaquePointer?>?,
    _ begin: (String, Schema, WriterOptions) throws(ShardError) -> ShardWriter
) -> Int32 {
    answer(error) { () throws(ShardError) in
        let place = try place(writer)
        let path = try text(path, "the path")
        let schema = try SchemaJSON.schema(try text(schema, "the schema"))
        let options = try drs_writer_options.read(options).options(schema)
        place.pointee = Handle.make(WriterObject(try begin(path, schema, options)))
    }
}

@c @implementation public func drs_writer_create(
    _ path: UnsafePointer<CChar>?, _ schema: UnsafePointer<CChar>?, _ options: UnsafePointer<drs_writer_options>?,
    _ writer: UnsafeMutablePointer<OpaquePointer?>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    make(path, schema, options, writer, error) { path, schema, options throws(ShardError) in
        try ShardWriter(path: path, schema: schema, options: options)
    }
}

@c @implementation public func drs_writer_resume(
    _ path: UnsafePointer<CChar>?, _ schema: UnsafePointer<CChar>?, _ options: UnsafePointer<drs_writer_options>?,
    _ writer: UnsafeMutablePointer<OpaquePointer?>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    make(path, schema, options, writer, error) { path, schema, options throws(ShardError) in
        try ShardWriter(resuming: path, schema: schema, options: options)
    }
}

@c @implementation public func drs_writer_row_count(_ writer: OpaquePointer?) -> Int64 {
    Int64(Handle.known(writer, WriterObject.self)?.writer.rowCount ?? 0)
}

@c @implementation public func drs_writer_rows_per_group(_ writer: OpaquePointer?) -> Int64 {
    Int64(Handle.known(writer, WriterObject.self)?.writer.rowsPerGroup ?? 0)
}

// MARK: Rows

@c @implementation public func drs_writer_set(
    _ writer: OpaquePointer?, _ column: Int32, _ variant: Int32, _ bytes: UnsafeRawPointer?, _ byte_count: Int,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    answer(error) { () throws(ShardError) in
        let writer = try WriterObject.own(writer).writer
        guard byte_count == 0 || (bytes != nil && byte_count > 0) else {
            throw .invalidArgument("a value of \(byte_count) bytes that is NULL")
        }
        try writer.set(callersBytes(bytes, byte_count).span, column: Int(column), variant: Int(variant))
    }
}

@c @implementation public func drs_writer_set_missing(
    _ writer: OpaquePointer?, _ column: Int32, _ variant: Int32, _ state: Int32,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    answer(error) { () throws(ShardError) in
        let writer = try WriterObject.own(writer).writer
        guard let state = UInt8(exactly: state).flatMap(CellState.init) else {
            throw .invalidArgument("there is no state \(state)")
        }
        try writer.setMissing(state, column: Int(column), variant: Int(variant))
    }
}

@c @implementation public func drs_writer_end_row(
    _ writer: OpaquePointer?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    answer(error) { () throws(ShardError) in try WriterObject.own(writer).writer.endRow() }
}

@c @implementation public func drs_writer_discard_row(_ writer: OpaquePointer?) {
    Handle.known(writer, WriterObject.self)?.writer.discardRow()
}

@c @implementation public func drs_writer_append(
    _ writer: OpaquePointer?, _ columns: UnsafePointer<drs_cells>?, _ column_count: Int, _ row_count: Int,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    answer(error) { () throws(ShardError) in
        let object = try WriterObject.own(writer)
        let schema = object.writer.schema
        guard let columns = columns, row_count >= 0, column_count == schema.columns.count else {
            throw .invalidArgument("\(column_count) columns of cells; the schema has \(schema.columns.count)")
        }
        var cells: [CellColumn] = []
        for i in 0..<column_count { cells.append(try CellColumn(columns[i], schema)) }
        guard Set(cells.map(\.column)).count == column_count else {
            throw .invalidArgument("a column is there twice")
        }
        for row in 0..<row_count {
            do throws(ShardError) {
                for column in cells { try column.set(row, object) }
                try object.writer.endRow()
            } catch {
                object.writer.discardRow()
                throw error
            }
        }
    }
}

// MARK: The end

@c @implementation public func drs_writer_note(
    _ writer: OpaquePointer?, _ key: UnsafePointer<CChar>?, _ value: UnsafePointer<CChar>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    answer(error) { () throws(ShardError) in
        let writer = try WriterObject.own(writer).writer
        writer.notes.append(Note(key: try text(key, "a key"), value: try text(value, "a value")))
    }
}

@c @implementation public func drs_writer_finish(
    _ writer: OpaquePointer?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    answer(error) { () throws(ShardError) in try WriterObject.own(writer).writer.finish() }
}

@c @implementation public func drs_writer_discard(_ writer: OpaquePointer?) {
    guard let object = Handle.known(writer, WriterObject.self), object.isOwn else { return }
    object.writer.discard()
}

@c @implementation public func drs_writer_free(_ writer: OpaquePointer?) {
    // A forked child leaves its copy alone: whom it would wait for is in the parent.
    guard let object = Handle.known(writer, WriterObject.self), object.isOwn else { return }
    Handle.free(writer, WriterObject.self)
}
