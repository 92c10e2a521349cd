package import DRShardFormat

/// Writes `.npz` as `numpy.savez_compressed` does.
package enum NpzWriter {
    /// - Throws: `.invalidArgument` for bfloat16, which NumPy does not have.
    package static func write(_ arrays: [(name: String, array: ForeignArray)], level: Int = 6) throws(ShardError)
        -> [UInt8]
    {
        var zip = ZipWriter(style: .numpy, level: level)
        for (name, array) in arrays { try zip.add(name + ".npy", try npy(array)) }
        return zip.finish()
    }

    /// One array as `.npy`, version 1.0.
    package static func npy(_ array: ForeignArray) throws(ShardError) -> [UInt8] {
        try NpyHeader.bytes(type: NpyHeader.type(of: array.element), shape: array.shape) + array.bytes
    }
}

/// What stands before the numbers of an `.npy`, version 1.0.
enum NpyHeader {
    /// A pair of numbers, as DataComp packs uids.
    static let pairOfU64 = "[('f0', '<u8'), ('f1', '<u8')]"

    /// The type as it stands in a header, quotes included.
    /// - Throws: `.invalidArgument` for bfloat16, which NumPy does not have.
    static func type(of element: ElementType) throws(ShardError) -> String {
        let types: [ElementType: String] = [
            .u8: "|u1", .i8: "|i1", .u16: "<u2", .i16: "<i2", .u32: "<u4", .i32: "<i4",
            .u64: "<u8", .i64: "<i8", .f16: "<f2", .f32: "<f4", .f64: "<f8",
        ]
        guard let type = types[element] else { throw .invalidArgument("npy cannot hold \(element)") }
        return "'\(type)'"
    }

    static func bytes(type: String, shape: [Int]) -> [UInt8] {
        let extents = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
        var header = "{'descr': \(type), 'fortran_order': False, 'shape': (\(extents)), }"
        // Room for a growing first axis, then blanks up to a multiple of 64, as NumPy does.
        let growth = max(0, 21 - (shape.first.map { String($0).utf8.count } ?? 21))
        header += String(repeating: " ", count: growth)
        header += String(repeating: " ", count: (64 - (11 + header.utf8.count) % 64) % 64) + "\n"
        var output = ByteWriter(bytes: [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59, 1, 0])
        output.little(UInt16(header.utf8.count))
        output.text(header)
        return output.bytes
    }
}

/// Writes a flat dictionary of tensors as `torch.save` does: a zip with a pickle of protocol 2.
package enum TorchWriter {
    /// - Throws: `.invalidArgument` for an unsigned type wider than a byte, which torch storages do not have.
    package static func write(_ arrays: [(name: String, array: ForeignArray)]) throws(ShardError) -> [UInt8] {
        var zip = ZipWriter(style: .torch)
        try zip.add("archive/data.pkl", try pickle(arrays))
        try zip.add("archive/byteorder", Array("little".utf8))
        for (index, item) in arrays.enumerated() { try zip.add("archive/data/\(index)", Array(item.array.bytes)) }
        try zip.add("archive/version", Array("3\n".utf8))
        return zip.finish()
    }

    private static let storages: [ElementType: String] = [
        .u8: "ByteStorage", .i8: "CharStorage", .i16: "ShortStorage", .i32: "IntStorage",
        .i64: "LongStorage", .f16: "HalfStorage", .bf16: "BFloat16Storage", .f32: "FloatStorage",
        .f64: "DoubleStorage",
    ]

    static func pickle(_ arrays: [(name: String, array: ForeignArray)]) throws(ShardError) -> [UInt8] {
        var output = ByteWriter(bytes: [0x80, 2])
        output.text("}(")
        for (index, (name, array)) in arrays.enumerated() {
            guard let storage = storages[array.element] else {
                throw .invalidArgument("torch has no storage of \(array.element)")
            }
            string(name, &output)
            output.text("ctorch._utils\n_rebuild_tensor_v2\n((")
            string("storage", &output)
            output.text("ctorch\n\(storage)\n")
            string(String(index), &output)
            string("cpu", &output)
            number(array.shape.reduce(1, *), &output)
            output.text("tQK\0(")
            for extent in array.shape { number(extent, &output) }
            output.text("t(")
            for axis in array.shape.indices { number(array.shape[(axis + 1)...].reduce(1, *), &output) }
            output.text("t")
            output.bytes.append(0x89)
            output.text("ccollections\nOrderedDict\n)RtR")
        }
        output.text("u.")
        return output.bytes
    }

    private static func string(_ text: String, _ output: inout ByteWriter) {
        output.text("X")
        output.little(UInt32(text.utf8.count))
        output.text(text)
    }

    private static func number(_ value: Int, _ output: inout ByteWriter) {
        switch value {
        case 0...0xFF: output.bytes += [UInt8(ascii: "K"), UInt8(value)]
        case 0...0xFFFF:
            output.text("M")
            output.little(UInt16(value))
        case 0...0x7FFF_FFFF:
            output.text("J")
            output.little(UInt32(value))
        default:
            output.bytes += [0x8A, 8]
            output.little(UInt64(truncatingIfNeeded: value))
        }
    }
}
