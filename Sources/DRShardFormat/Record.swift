/// A record: a flat list of tagged fields, in ascending order of tags. Spec: FORMAT.md section 4 [R-NOTE-2..4].
package struct Record {
    package struct Field {
        package let tag: UInt16
        package let bytes: [UInt8]
    }

    private let fields: [Field]
    private let what: String

    /// Parses all of `bytes`.
    /// - Parameters:
    ///   - known: the tags that this version knows; another one below 0x8000 is unsupported, one above is skipped.
    ///   - repeated: those of them that may occur more than once.
    ///   - what: the record's name, for errors.
    package init(
        parsing bytes: [UInt8], known: ClosedRange<UInt16>, repeated: Set<UInt16> = [], of what: String
    ) throws(ShardError) {
        var cursor = ByteCursor(bytes, of: what)
        var fields: [Field] = []
        var previous: UInt16?
        while cursor.remaining > 0 {
            let tag = try cursor.u16()
            let count = try cursor.u32()
            let value = try cursor.raw(Int(count))
            if let previous, tag < previous { throw .corrupt("\(what): tag \(tag) stands behind tag \(previous)") }
            if tag == previous, !repeated.contains(tag), tag < 0x8000 {
                throw .corrupt("\(what): tag \(tag) occurs twice")
            }
            previous = tag
            guard tag < 0x8000 else { continue }
            guard known.contains(tag) else { throw .unsupportedFeature("\(what): field with tag \(tag)") }
            fields.append(Field(tag: tag, bytes: value))
        }
        self.fields = fields
        self.what = what
    }

    package func all(_ tag: UInt16) -> [[UInt8]] { fields.filter { $0.tag == tag }.map(\.bytes) }

    package func optional(_ tag: UInt16) -> [UInt8]? { fields.first { $0.tag == tag }?.bytes }

    private func required(_ tag: UInt16) throws(ShardError) -> [UInt8] {
        guard let bytes = optional(tag) else { throw .corrupt("\(what): field with tag \(tag) is missing") }
        return bytes
    }

    private func cursor(_ bytes: [UInt8], _ tag: UInt16, count: Int) throws(ShardError) -> ByteCursor {
        guard bytes.count == count else {
            throw .corrupt("\(what): field with tag \(tag) has \(bytes.count) bytes, not \(count)")
        }
        return ByteCursor(bytes, of: what)
    }

    package func text(_ tag: UInt16) throws(ShardError) -> String { try text(in: try required(tag)) }
    package func optionalText(_ tag: UInt16) throws(ShardError) -> String? {
        guard let bytes = optional(tag) else { return nil }
        return try text(in: bytes)
    }
    private func text(in bytes: [UInt8]) throws(ShardError) -> String {
        var cursor = ByteCursor(bytes, of: what)
        return try cursor.text(bytes.count)
    }

    package func u8(_ tag: UInt16) throws(ShardError) -> UInt8 {
        var cursor = try cursor(try required(tag), tag, count: 1)
        return try cursor.u8()
    }
    package func optionalU8(_ tag: UInt16) throws(ShardError) -> UInt8? {
        optional(tag) == nil ? nil : try u8(tag)
    }
    package func u16(_ tag: UInt16) throws(ShardError) -> UInt16 {
        var cursor = try cursor(try required(tag), tag, count: 2)
        return try cursor.u16()
    }
    package func optionalU16(_ tag: UInt16) throws(ShardError) -> UInt16? {
        optional(tag) == nil ? nil : try u16(tag)
    }
    package func u32(_ tag: UInt16) throws(ShardError) -> UInt32 {
        var cursor = try cursor(try required(tag), tag, count: 4)
        return try cursor.u32()
    }
    package func u64(_ tag: UInt16) throws(ShardError) -> UInt64 {
        var cursor = try cursor(try required(tag), tag, count: 8)
        return try cursor.u64()
    }
    package func optionalF64(_ tag: UInt16) throws(ShardError) -> Double? {
        guard let bytes = optional(tag) else { return nil }
        var cursor = try cursor(bytes, tag, count: 8)
        return try cursor.f64()
    }
    package func f64s(_ tag: UInt16) throws(ShardError) -> [Double] {
        var values: [Double] = []
        for bytes in all(tag) {
            var cursor = try cursor(bytes, tag, count: 8)
            values.append(try cursor.f64())
        }
        return values
    }
    package func raw(_ tag: UInt16, count: Int) throws(ShardError) -> [UInt8] {
        var cursor = try cursor(try required(tag), tag, count: count)
        return try cursor.raw(count)
    }
    package func optionalRaw(_ tag: UInt16, count: Int) throws(ShardError) -> [UInt8]? {
        optional(tag) == nil ? nil : try raw(tag, count: count)
    }
    package func digest(_ tag: UInt16) throws(ShardError) -> SequenceDigest {
        var cursor = try cursor(try required(tag), tag, count: 16)
        return try SequenceDigest(validating: try cursor.u128())
    }
    /// Each value of a repeated field of `count` bytes.
    package func structs(_ tag: UInt16, count: Int) throws(ShardError) -> [ByteCursor] {
        var cursors: [ByteCursor] = []
        for bytes in all(tag) { cursors.append(try cursor(bytes, tag, count: count)) }
        return cursors
    }
}

/// Builds a record. Fields are added in ascending order of their tags.
package struct RecordBuilder {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    package mutating func add(_ tag: UInt16, _ value: [UInt8]) {
        bytes.append(u16: tag)
        bytes.append(u32: UInt32(value.count))
        bytes.append(contentsOf: value)
    }
    package mutating func add(_ tag: UInt16, text: String?) {
        if let text { add(tag, Array(text.utf8)) }
    }
    package mutating func add(_ tag: UInt16, u8 value: UInt8?) {
        if let value { add(tag, [value]) }
    }
    package mutating func add(_ tag: UInt16, u16 value: UInt16?) {
        guard let value else { return }
        add(tag) { $0.append(u16: value) }
    }
    package mutating func add(_ tag: UInt16, u32 value: UInt32) { add(tag) { $0.append(u32: value) } }
    package mutating func add(_ tag: UInt16, u64 value: UInt64) { add(tag) { $0.append(u64: value) } }
    package mutating func add(_ tag: UInt16, f64 value: Double?) {
        guard let value else { return }
        add(tag) { $0.append(f64: value) }
    }
    package mutating func add(_ tag: UInt16, _ fill: (inout [UInt8]) -> Void) {
        var value: [UInt8] = []
        fill(&value)
        add(tag, value)
    }
}
