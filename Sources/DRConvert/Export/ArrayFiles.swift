internal import DRShard
internal import DRShardFormat

/// Writes the arrays of a plan, block by block, so that memory is bounded whatever the shard's size.
struct ArrayFiles {
    let reader: ShardReader
    let plan: ArrayPlan
    private(set) var losses = ExportLosses()

    init(_ reader: ShardReader, _ plan: ArrayPlan) {
        self.reader = reader
        self.plan = plan
    }

    /// Rows of all arrays together: what `progress` counts.
    var progressCount: Int { plan.arrays.count * reader.rowCount }

    /// Calls `body` with the bytes of an array, front to back.
    private mutating func forEachBlock(
        _ array: ExportArray, _ progress: (Int) -> Void, _ body: ([UInt8]) throws(ShardError) -> Void
    ) throws(ShardError) {
        for row in stride(from: 0, to: reader.rowCount, by: array.blockRowCount) {
            let rows = row..<min(row + array.blockRowCount, reader.rowCount)
            try body(try array.bytes(reader, rows: rows, &losses))
            progress(rows.count)
        }
    }

    private func header(_ array: ExportArray) throws(ShardError) -> [UInt8] {
        if case .uidPairs = array.content {
            return NpyHeader.bytes(type: NpyHeader.pairOfU64, shape: [reader.rowCount])
        }
        return NpyHeader.bytes(
            type: try NpyHeader.type(of: array.element), shape: [reader.rowCount] + array.rowShape)
    }

    /// Writes one `.npy`, and commits it.
    mutating func writeNpy(_ array: ExportArray, to sink: any ByteSink, progress: (Int) -> Void) throws(ShardError) {
        try sink.write(try header(array))
        try forEachBlock(array, progress) { bytes throws(ShardError) in try sink.write(bytes) }
        try sink.commit()
    }

    /// Writes all as one zip of stored `.npy` members, as `numpy.savez` does, and commits it.
    mutating func writeNpz(to sink: any ByteSink, progress: (Int) -> Void) throws(ShardError) {
        let zip = try ArchiveWriter(sink: sink, format: .zip)
        for array in plan.arrays {
            let header = try header(array)
            try zip.begin(
                array.name + ".npy", byteCount: header.count + reader.rowCount * array.rowByteCount)
            try zip.append(header)
            try forEachBlock(array, progress) { bytes throws(ShardError) in try zip.append(bytes) }
        }
        try zip.finish()
    }

    /// Writes all as one safetensors file, and commits it. Tensors stand in the order of their elements' sizes, the
    /// largest first, so that each begins at a multiple of its element.
    mutating func writeSafetensors(to sink: any ByteSink, progress: (Int) -> Void) throws(ShardError) {
        let arrays = plan.arrays.sorted { ($1.element.byteCount, $0.name) < ($0.element.byteCount, $1.name) }
        var position = 0
        var members = [(key: "__metadata__", value: SafetensorsHeader.metadata(reader))]
        for array in arrays {
            let byteCount = reader.rowCount * array.rowByteCount
            members.append(
                (
                    array.name,
                    SafetensorsHeader.entry(
                        array.element, [reader.rowCount] + array.rowShape, position..<position + byteCount)
                ))
            position += byteCount
        }
        try sink.write(try SafetensorsHeader.bytes(members))
        for array in arrays {
            try forEachBlock(array, progress) { bytes throws(ShardError) in try sink.write(bytes) }
        }
        try sink.commit()
    }
}
