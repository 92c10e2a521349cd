// The schema's bytes: a record of records. Spec: FORMAT.md section 9.1 to 9.3, 9.5.

extension Schema {
    /// - Throws: `.corrupt`, `.unsupportedFeature` for what a newer version added, `.limitExceeded`.
    public init(parsing bytes: [UInt8]) throws(ShardError) {
        guard bytes.count <= Limits.maximumSchemaByteCount else {
            throw .limitExceeded("schema of \(bytes.count) bytes")
        }
        let record = try Record(parsing: bytes, known: 1...9, repeated: [1, 2, 3, 4, 5, 6, 7, 8], of: "schema")
        var axes: [Axis] = []
        for bytes in record.all(1) { axes.append(try Axis(parsing: bytes)) }
        var columns: [Column] = []
        for bytes in record.all(2) { columns.append(try Column(parsing: bytes)) }
        let metadata = try SchemaMetadata(record)
        do throws(ShardError) { try self.init(axes: axes, columns: columns, metadata: metadata) } catch {
            // What would be a caller's mistake is damage in a file.
            throw error.code == .invalidArgument ? .corrupt(error.reason) : error
        }
    }

    /// The bytes of this schema: equal schemas have equal bytes.
    public func serialized() -> [UInt8] {
        var record = RecordBuilder()
        for axis in axes { record.add(1, axis.serialized()) }
        for column in columns { record.add(2, column.serialized()) }
        metadata.serialize(into: &record)
        return record.bytes
    }
}

extension Axis {
    init(parsing bytes: [UInt8]) throws(ShardError) {
        let record = try Record(parsing: bytes, known: 1...6, of: "axis")
        name = try record.text(1)
        kind = Kind(rawValue: try record.u8(2))
        count = Int(try record.u16(3))
        let number = try record.u8(4)
        guard let exchangeable = Exchangeable(rawValue: number) else {
            throw .corrupt("axis \"\(name)\": exchangeable is \(number)")
        }
        self.exchangeable = exchangeable
        source = try record.optionalText(5)
        definingColumn = try record.optionalU16(6).map(Int.init)
    }

    func serialized() -> [UInt8] {
        var record = RecordBuilder()
        record.add(1, text: name)
        record.add(2, u8: kind.rawValue)
        record.add(3, u16: UInt16(count))
        record.add(4, u8: exchangeable.rawValue)
        record.add(5, text: source)
        record.add(6, u16: definingColumn.map { UInt16($0) })
        return record.bytes
    }
}

extension Column {
    init(parsing bytes: [UInt8]) throws(ShardError) {
        let record = try Record(parsing: bytes, known: 1...7, of: "column")
        name = try record.text(1)
        role = Role(rawValue: try record.u8(2))
        type = try Column.parseType(record, of: name)
        axis = try record.optionalU16(6).map(Int.init)
        tokenizer = try record.optionalU16(7).map(Int.init)
    }

    private static func parseType(_ record: Record, of name: String) throws(ShardError) -> ColumnType {
        let type = try record.u8(3)
        var element: ElementType?
        if let number = try record.optionalU8(4) {
            guard let known = ElementType(rawValue: number) else {
                throw .unsupportedFeature("column \"\(name)\": element type \(number)")
            }
            element = known
        }
        let dims = try parseDims(record, of: name)
        switch (type, element, dims) {
        case (1, let element?, let dims?): return .tensor(element, dims: dims)
        case (2, let element?, nil): return .ragged(element)
        case (3, nil, nil): return .utf8
        case (4, nil, nil): return .binary
        case (5, nil, nil): return .operations
        case (6, nil, nil): return .locator
        case (1...6, _, _): throw .corrupt("column \"\(name)\": its type \(type) does not go with its element or dims")
        default: throw .unsupportedFeature("column \"\(name)\": type \(type)")
        }
    }

    private static func parseDims(_ record: Record, of name: String) throws(ShardError) -> [Int]? {
        guard let bytes = record.optional(5) else { return nil }
        guard bytes.count % 4 == 0 else { throw .corrupt("column \"\(name)\": dims of \(bytes.count) bytes") }
        guard bytes.count / 4 <= Limits.maximumDims else {
            throw .limitExceeded("column \"\(name)\": \(bytes.count / 4) dims")
        }
        var cursor = ByteCursor(bytes, of: "dims")
        var dims: [Int] = []
        while cursor.remaining > 0 { dims.append(Int(try cursor.u32())) }
        return dims
    }

    func serialized() -> [UInt8] {
        var record = RecordBuilder()
        record.add(1, text: name)
        record.add(2, u8: role.rawValue)
        record.add(3, u8: type.id)
        record.add(4, u8: type.element?.rawValue)
        if case .tensor(_, let dims) = type {
            record.add(5) { for dim in dims { $0.append(u32: UInt32(dim)) } }
        }
        record.add(6, u16: axis.map { UInt16($0) })
        record.add(7, u16: tokenizer.map { UInt16($0) })
        return record.bytes
    }
}

extension SchemaMetadata {
    init(_ record: Record) throws(ShardError) {
        for bytes in record.all(3) { teachers.append(try Teacher(parsing: bytes)) }
        for bytes in record.all(4) {
            let record = try Record(parsing: bytes, known: 1...3, of: "captioner")
            captioners.append(
                Captioner(
                    name: try record.text(1), axis: Int(try record.u16(2)), settings: try record.optionalText(3)))
        }
        for bytes in record.all(5) {
            let record = try Record(parsing: bytes, known: 1...6, of: "tokenizer")
            tokenizers.append(
                Tokenizer(
                    name: try record.text(1), vocabularySHA256: try record.raw(2, count: 32),
                    vocabularySize: try record.u32(3), contextLength: try record.u32(4), start: try record.u32(5),
                    end: try record.u32(6)))
        }
        for bytes in record.all(6) {
            let record = try Record(parsing: bytes, known: 1...3, repeated: [3], of: "operation")
            operations.append(
                OperationEntry(
                    operation: try record.u8(1), name: try record.text(2), magnitudes: try record.f64s(3)))
        }
        for bytes in record.all(7) {
            let record = try Record(parsing: bytes, known: 1...3, of: "source")
            sources.append(
                Source(
                    name: try record.text(1), licence: try record.text(2), reference: try record.optionalText(3)))
        }
        for bytes in record.all(8) {
            let record = try Record(parsing: bytes, known: 1...2, of: "provenance")
            provenance.append(Note(key: try record.text(1), value: try record.text(2)))
        }
        if let bytes = record.optional(9) { side = try SideReference(parsing: bytes) }
    }

    func serialize(into record: inout RecordBuilder) {
        for teacher in teachers { record.add(3, teacher.serialized()) }
        for captioner in captioners {
            var inner = RecordBuilder()
            inner.add(1, text: captioner.name)
            inner.add(2, u16: UInt16(captioner.axis))
            inner.add(3, text: captioner.settings)
            record.add(4, inner.bytes)
        }
        for tokenizer in tokenizers {
            var inner = RecordBuilder()
            inner.add(1, text: tokenizer.name)
            inner.add(2, tokenizer.vocabularySHA256)
            inner.add(3, u32: tokenizer.vocabularySize)
            inner.add(4, u32: tokenizer.contextLength)
            inner.add(5, u32: tokenizer.start)
            inner.add(6, u32: tokenizer.end)
            record.add(5, inner.bytes)
        }
        for entry in operations {
            var inner = RecordBuilder()
            inner.add(1, u8: entry.operation)
            inner.add(2, text: entry.name)
            for magnitude in entry.magnitudes { inner.add(3, f64: magnitude) }
            record.add(6, inner.bytes)
        }
        for source in sources {
            var inner = RecordBuilder()
            inner.add(1, text: source.name)
            inner.add(2, text: source.licence)
            inner.add(3, text: source.reference)
            record.add(7, inner.bytes)
        }
        for note in provenance {
            var inner = RecordBuilder()
            inner.add(1, text: note.key)
            inner.add(2, text: note.value)
            record.add(8, inner.bytes)
        }
        if let side { record.add(9, side.serialized()) }
    }
}

extension Teacher {
    init(parsing bytes: [UInt8]) throws(ShardError) {
        let record = try Record(parsing: bytes, known: 1...5, repeated: [4], of: "teacher")
        name = try record.text(1)
        let number = try record.u8(2)
        guard let normalised = Normalised(rawValue: number) else {
            throw .corrupt("teacher \"\(name)\": normalised is \(number)")
        }
        self.normalised = normalised
        logitScale = try record.optionalF64(3)
        slices = []
        for var cursor in try record.structs(4, count: 10) {
            slices.append(
                Slice(column: Int(try cursor.u16()), first: Int(try cursor.u32()), count: Int(try cursor.u32())))
        }
        weightsSHA256 = try record.optionalRaw(5, count: 32)
    }

    func serialized() -> [UInt8] {
        var record = RecordBuilder()
        record.add(1, text: name)
        record.add(2, u8: normalised.rawValue)
        record.add(3, f64: logitScale)
        for slice in slices {
            record.add(4) {
                $0.append(u16: UInt16(slice.column))
                $0.append(u32: UInt32(slice.first))
                $0.append(u32: UInt32(slice.count))
            }
        }
        if let weightsSHA256 { record.add(5, weightsSHA256) }
        return record.bytes
    }
}

extension SideReference {
    init(parsing bytes: [UInt8]) throws(ShardError) {
        let record = try Record(parsing: bytes, known: 1...3, repeated: [3], of: "side")
        rowSetDigest = try record.digest(1)
        rowCount = try record.u64(2)
        axes = []
        for var cursor in try record.structs(3, count: 18) {
            let axis = Int(try cursor.u16())
            axes.append(SharedAxis(axis: axis, digest: try SequenceDigest(validating: try cursor.u128())))
        }
    }

    func serialized() -> [UInt8] {
        var record = RecordBuilder()
        record.add(1) { $0.append(u128: rowSetDigest.value) }
        record.add(2, u64: rowCount)
        for shared in axes {
            record.add(3) {
                $0.append(u16: UInt16(shared.axis))
                $0.append(u128: shared.digest.value)
            }
        }
        return record.bytes
    }
}
