package import DRShardFormat

/// NumPy's array file (.npy, versions 1, 2 and 3). Source: numpy.lib.format.
package enum NpyReader {
    static let maximumHeaderByteCount = 65_536
    static let maximumRank = 32

    /// What a header says.
    struct Layout {
        let element: ElementType
        let shape: [Int]
        /// Of the data: where it begins, and its size, which is the shape's.
        let dataOffset: Int
        let byteCount: Int
    }

    /// Reads an array without copying its data.
    ///
    /// - Throws: `.truncated` if header or data are short; `.corrupt` for a header that NumPy does not write or bytes
    ///   after the data; `.unsupportedVersion`; `.unsupportedFeature` for big-endian, object, structured (but for pairs
    ///   of u64, as uids are packed, which are read as one axis more) and other types, and for column-major order of two axes or more; `.limitExceeded` for a header above 64 KiB.
    package static func read(_ bytes: ArraySlice<UInt8>) throws(ShardError) -> ForeignArray {
        let layout = try layout(bytes)
        let data = bytes[(bytes.startIndex + layout.dataOffset)...]
        try check(layout, dataByteCount: UInt64(data.count))
        return ForeignArray(element: layout.element, shape: layout.shape, bytes: data)
    }

    /// Reads the header at the start of `bytes`, whatever follows it.
    static func layout(_ bytes: ArraySlice<UInt8>) throws(ShardError) -> Layout {
        let magic: [UInt8] = [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59]
        guard bytes.has(magic) else {
            if magic.starts(with: bytes) { throw .truncated("npy of \(bytes.count) bytes, its magic has 6") }
            throw .corrupt("not npy: the first bytes are not 93 NUMPY")
        }
        let version = try bytes.small(6, 2, "npy version")
        guard [1, 2, 3].contains(version) else {
            throw .unsupportedVersion(
                "npy version \(version & 255).\(version >> 8), versions 1.0, 2.0 and 3.0 are read")
        }
        let lengthByteCount = version == 1 ? 2 : 4
        let headerByteCount = try bytes.small(8, lengthByteCount, "npy header length")
        guard headerByteCount <= maximumHeaderByteCount else {
            throw .limitExceeded("npy header of \(headerByteCount) bytes, at most \(maximumHeaderByteCount) are read")
        }
        let header = try bytes.part(8 + lengthByteCount, headerByteCount, "npy header")
        var parser = NpyHeaderParser(header)
        try parser.parse()
        guard let descriptor = parser.descriptor, var shape = parser.shape, let isFortran = parser.isFortran else {
            throw .corrupt("npy header lacks one of descr, fortran_order, shape")
        }
        if parser.isPair { shape.append(2) }
        let element = try elementType(descriptor)
        guard !isFortran || parser.shape?.count ?? 0 <= 1 else {
            throw .unsupportedFeature("npy array of shape \(shape) in column-major (Fortran) order")
        }
        guard let byteCount = ForeignArray.byteCount(element, shape) else {
            throw .corrupt("npy array of shape \(shape) has more bytes than a number can hold")
        }
        return Layout(
            element: element, shape: shape, dataOffset: 8 + lengthByteCount + headerByteCount, byteCount: byteCount)
    }

    /// - Throws: `.truncated` if there is less data than the layout says, `.corrupt` if there is more.
    static func check(_ layout: Layout, dataByteCount count: UInt64) throws(ShardError) {
        guard count >= layout.byteCount else {
            throw .truncated(
                "npy array of shape \(layout.shape) needs \(layout.byteCount) bytes of data, \(count) are there")
        }
        guard count == layout.byteCount else {
            throw .corrupt(
                "\(count - UInt64(layout.byteCount)) bytes after the data of an npy array of shape \(layout.shape)")
        }
    }

    private static let elementTypes: [String: ElementType] = [
        "u1": .u8, "i1": .i8, "u2": .u16, "i2": .i16, "u4": .u32, "i4": .i32,
        "u8": .u64, "i8": .i64, "f2": .f16, "f4": .f32, "f8": .f64,
    ]

    private static func elementType(_ descriptor: String) throws(ShardError) -> ElementType {
        let order = descriptor.first
        let name = order.map { "<>|=".contains($0) } == true ? String(descriptor.dropFirst()) : descriptor
        if name.hasPrefix("O") {
            throw .unsupportedFeature("npy type \"\(descriptor)\": objects are pickles and are never read")
        }
        guard let element = elementTypes[name] else {
            throw .unsupportedFeature("npy type \"\(descriptor)\", only plain numbers are read")
        }
        guard order == "<" || element.byteCount == 1 else {
            throw .unsupportedFeature("npy type \"\(descriptor)\", only little-endian (\"<\(name)\") is read")
        }
        return element
    }
}

/// The Python dictionary in an npy header: three keys, and nothing but strings, booleans and a tuple of whole numbers.
private struct NpyHeaderParser {
    private let bytes: ArraySlice<UInt8>
    private var position: Int
    var descriptor: String?
    /// Whether an element is two numbers of the descriptor's type.
    var isPair = false
    var isFortran: Bool?
    var shape: [Int]?

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    mutating func parse() throws(ShardError) {
        try expect("{")
        while !take("}") {
            let key = try string()
            try expect(":")
            switch key {
            case "descr" where descriptor == nil:
                descriptor = peek() == UInt8(ascii: "[") ? try pair() : try string()
            case "fortran_order" where isFortran == nil: isFortran = try boolean()
            case "shape" where shape == nil: shape = try tuple()
            default: throw .corrupt("npy header has the key \"\(key)\" too often or at all")
            }
            if !take(",") {
                try expect("}")
                break
            }
        }
        guard peek() == nil else { throw failure("the end") }
    }

    /// The next byte that is not a blank.
    private mutating func peek() -> UInt8? {
        while position < bytes.endIndex, [0x20, 0x0A].contains(bytes[position]) { position += 1 }
        return position < bytes.endIndex ? bytes[position] : nil
    }

    private func failure(_ expected: String) -> ShardError {
        .corrupt("npy header: expected \(expected) at byte \(position - bytes.startIndex)")
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard peek() == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func expect(_ character: Unicode.Scalar) throws(ShardError) {
        guard take(character) else { throw failure("\"\(character)\"") }
    }

    private mutating func string() throws(ShardError) -> String {
        guard let quote = peek(), quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"") else {
            throw failure("a string")
        }
        guard let end = bytes[(position + 1)...].firstIndex(of: quote),
            let text = String(validating: bytes[(position + 1)..<end], as: UTF8.self), !text.contains("\\")
        else { throw failure("a plain string") }
        position = end + 1
        return text
    }

    /// The type of both fields of `[('f0', '<u8'), ('f1', '<u8')]`, whatever their names.
    private mutating func pair() throws(ShardError) -> String {
        try expect("[")
        var types: [String] = []
        while !take("]") {
            let isField = take("(")
            let name = isField ? try string() : ""
            guard isField, take(","), peek() != UInt8(ascii: "["), case let type = try string(), take(")"),
                types.count < 2, type == "<u8"
            else {
                throw .unsupportedFeature(
                    "npy array of structures (field \"\(name)\"), only plain numbers and pairs of \"<u8\" are read")
            }
            types.append(type)
            if !take(",") {
                try expect("]")
                break
            }
        }
        guard types.count == 2 else {
            throw .unsupportedFeature(
                "npy array of structures of \(types.count) fields, only pairs of \"<u8\" are read")
        }
        isPair = true
        return types[0]
    }

    private mutating func boolean() throws(ShardError) -> Bool {
        _ = peek()
        for (word, value) in [("True", true), ("False", false)] where bytes[position...].starts(with: word.utf8) {
            position += word.utf8.count
            return value
        }
        throw failure("True or False")
    }

    private mutating func tuple() throws(ShardError) -> [Int] {
        try expect("(")
        var extents: [Int] = []
        while !take(")") {
            guard extents.count < NpyReader.maximumRank else {
                throw .limitExceeded("npy array of more than \(NpyReader.maximumRank) axes")
            }
            extents.append(try wholeNumber())
            if !take(",") {
                try expect(")")
                break
            }
        }
        return extents
    }

    private mutating func wholeNumber() throws(ShardError) -> Int {
        _ = peek()
        let digits = bytes[position...].prefix { (0x30...0x39).contains($0) }
        guard let text = String(validating: digits, as: UTF8.self), let value = Int(text) else {
            throw failure("a whole number below 2^63")
        }
        position += digits.count
        return value
    }
}
