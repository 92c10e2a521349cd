internal import CDRShard
internal import DRShard
internal import DRShardFormat
internal import DRText

/// What a `drs_dataset` points to.
final class DataSetObject: Sendable {
    let dataSet: DataSet
    init(_ dataSet: DataSet) { self.dataSet = dataSet }
}

@c @implementation public func drs_dataset_open(
    _ path: UnsafePointer<CChar>?, _ flags: UInt32, _ dataset: UnsafeMutablePointer<OpaquePointer?>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    answer(error) { () throws(ShardError) in
        let place = try place(dataset)
        let path = try text(path, "the path")
        guard flags & ~(DRS_OPEN_MAPPED.rawValue | DRS_OPEN_UNCHECKED.rawValue) == 0 else {
            throw .invalidArgument("flags \(flags)")
        }
        var options = ReaderOptions()
        options.checksUnits = flags & DRS_OPEN_UNCHECKED.rawValue == 0
        let access: Access = flags & DRS_OPEN_MAPPED.rawValue != 0 ? .mapped : .read
        place.pointee = Handle.make(DataSetObject(try DataSet(path: path, access: access, options: options)))
    }
}

@c @implementation public func drs_dataset_free(_ dataset: OpaquePointer?) {
    Handle.free(dataset, DataSetObject.self)
}

@c @implementation public func drs_dataset_row_count(_ dataset: OpaquePointer?) -> Int64 {
    Int64(Handle.known(dataset, DataSetObject.self)?.dataSet.rowCount ?? 0)
}

@c @implementation public func drs_dataset_describe(
    _ dataset: OpaquePointer?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    answer(json, error) { () throws(ShardError) in
        let dataSet = try Handle.object(dataset, DataSetObject.self).dataSet
        let shards = dataSet.shards.map {
            JSONText.object([
                ("path", JSONText.string($0.path)), ("rows", String($0.rowCount)), ("bytes", String($0.fileByteCount)),
                ("rowsPerGroup", String($0.header.rowsPerGroup)),
                (
                    "notes",
                    JSONText.array(
                        $0.footer.notes.map {
                            JSONText.object([("key", JSONText.string($0.key)), ("value", JSONText.string($0.value))])
                        })
                ),
            ])
        }
        return JSONText.object([
            ("rows", String(dataSet.rowCount)),
            ("rowSetDigest", JSONText.string(dataSet.rowSetDigest.description)),
            ("shards", JSONText.array(shards)), ("schema", SchemaJSON.text(dataSet.schema)),
        ])
    }
}

@c @implementation public func drs_dataset_storage(
    _ dataset: OpaquePointer?, _ column: Int32, _ storage: UnsafeMutablePointer<UnsafePointer<CChar>?>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    answer(error) { () throws(ShardError) in
        let place = try place(storage)
        let dataSet = try Handle.object(dataset, DataSetObject.self).dataSet
        guard dataSet.schema.columns.indices.contains(Int(column)) else {
            throw .invalidArgument("there is no column \(column)")
        }
        let found = try dataSet.shards[0].storage(column: Int(column)) ?? .plain
        place.pointee = StaticText.storages.first { $0.0 == found }?.1.pointer
    }
}

// MARK: Cells

/// The addresses that a caller names.
private func addresses(
    _ rows: UnsafePointer<Int64>?, _ variants: UnsafePointer<Int32>?, _ count: Int
) throws(ShardError) -> [CellAddress] {
    guard (0...maximumCellCount).contains(count) else { throw .invalidArgument("\(count) cells at once") }
    guard count > 0 else { return [] }
    guard let rows = rows else { throw .invalidArgument("the rows are NULL") }
    // SAFETY: the caller's arrays have `count` numbers.
    return (0..<count).map { i in
        CellAddress(row: Int(rows[i]), variant: variants.map { Int($0[i]) } ?? 0)
    }
}
/// More would not be arrays of anybody's.
private let maximumCellCount = 1 << 40

private func write(_ missing: [MissingCell], _ count: Int, to states: UnsafeMutablePointer<UInt8>?) {
    guard let states = states else { return }
    // SAFETY: the caller's array has `count` bytes, and places of missing cells are below.
    states.update(repeating: CellState.present.rawValue, count: count)
    for cell in missing { states[cell.index] = cell.state.rawValue }
}

@c @implementation public func drs_dataset_read_cells(
    _ dataset: OpaquePointer?, _ column: Int32, _ rows: UnsafePointer<Int64>?, _ variants: UnsafePointer<Int32>?,
    _ count: Int, _ element: Int32, _ target: UnsafeMutableRawPointer?, _ byte_count: Int, _ stride: Int,
    _ states: UnsafeMutablePointer<UInt8>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    answer(error) { () throws(ShardError) in
        let dataSet = try Handle.object(dataset, DataSetObject.self).dataSet
        let addresses = try addresses(rows, variants, count)
        let room = try DRShardC.count(byte_count, "bytes of the target")
        let memory = UnsafeMutableRawBufferPointer(start: target, count: target == nil ? 0 : room)
        let missing = try dataSet.readCells(
            column: Int(column), addresses, into: memory, stride: stride == 0 ? nil : stride,
            as: try elementType(element))
        write(missing, addresses.count, to: states)
    }
}

@c @implementation public func drs_dataset_read_tokens(
    _ dataset: OpaquePointer?, _ column: Int32, _ rows: UnsafePointer<Int64>?, _ variants: UnsafePointer<Int32>?,
    _ count: Int, _ ids: UnsafeMutablePointer<Int32>?, _ context: Int, _ lengths: UnsafeMutablePointer<Int32>?,
    _ states: UnsafeMutablePointer<UInt8>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    answer(error) { () throws(ShardError) in
        let dataSet = try Handle.object(dataset, DataSetObject.self).dataSet
        let addresses = try addresses(rows, variants, count)
        let shape = try dataSet.schema.tokenRowShape(column: Int(column))
        guard shape.contextLength == context else {
            throw .invalidArgument("rows of \(context) ids; the tokenizer's have \(shape.contextLength)")
        }
        let missing = try dataSet.readTokens(
            column: Int(column), addresses, shape: shape,
            rows: UnsafeMutableBufferPointer(start: ids, count: ids == nil ? 0 : count * context),
            lengths: UnsafeMutableBufferPointer(start: lengths, count: lengths == nil ? 0 : count))
        write(missing, addresses.count, to: states)
    }
}

/// What a `drs_values` points to.
// SAFETY: both buffers are allocated and filled in init, only read after, and freed in deinit.
final class ValuesObject: Sendable {
    nonisolated(unsafe) let bytes: UnsafeMutablePointer<UInt8>
    nonisolated(unsafe) let offsets: UnsafeMutablePointer<Int64>
    nonisolated(unsafe) let states: UnsafeMutablePointer<UInt8>

    init(_ cells: RaggedCells) {
        bytes = .allocate(capacity: max(1, cells.bytes.count))
        offsets = .allocate(capacity: cells.count + 1)
        states = .allocate(capacity: max(1, cells.count))
        var end = 0
        cells.bytes.withUnsafeBytes { all in
            for (i, range) in cells.ranges.enumerated() {
                offsets[i] = Int64(end)
                let value = UnsafeRawBufferPointer(rebasing: all[range])
                UnsafeMutableRawBufferPointer(start: bytes + end, count: range.count).copyMemory(from: value)
                end += range.count
            }
        }
        offsets[cells.count] = Int64(end)
        write(cells.missing, cells.count, to: states)
    }
    deinit {
        bytes.deallocate()
        offsets.deallocate()
        states.deallocate()
    }
}

@c @implementation public func drs_dataset_read_values(
    _ dataset: OpaquePointer?, _ column: Int32, _ rows: UnsafePointer<Int64>?, _ variants: UnsafePointer<Int32>?,
    _ count: Int, _ values: UnsafeMutablePointer<OpaquePointer?>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    answer(error) { () throws(ShardError) in
        let place = try place(values)
        let dataSet = try Handle.object(dataset, DataSetObject.self).dataSet
        let cells = try dataSet.values(column: Int(column), addresses(rows, variants, count))
        place.pointee = Handle.make(ValuesObject(cells))
    }
}

@c @implementation public func drs_values_get(
    _ values: OpaquePointer?, _ bytes: UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
    _ offsets: UnsafeMutablePointer<UnsafePointer<Int64>?>?, _ states: UnsafeMutablePointer<UnsafePointer<UInt8>?>?
) {
    guard let object = Handle.known(values, ValuesObject.self) else { return }
    bytes?.pointee = UnsafePointer(object.bytes)
    offsets?.pointee = UnsafePointer(object.offsets)
    states?.pointee = UnsafePointer(object.states)
}

@c @implementation public func drs_values_free(_ values: OpaquePointer?) { Handle.free(values, ValuesObject.self) }
