import DRShardFormat
import Foundation
import GeneratedData

/// An array of u8 or u16 in C order, as numpy stores it.
struct NpyFile {
    let element: String
    let shape: [Int]
    let bytes: [UInt8]

    init(path: String) throws {
        let file = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        guard file.count > 12, Array(file[1..<6]) == Array("NUMPY".utf8) else { throw Failure("\(path): no npy file") }
        let isFirst = file[6] == 1
        let count = Int(file[8]) | Int(file[9]) << 8 | (isFirst ? 0 : Int(file[10]) << 16 | Int(file[11]) << 24)
        let start = isFirst ? 10 : 12
        guard count <= file.count - start else { throw Failure("\(path): cut short") }
        let header = String(decoding: file[start..<start + count], as: UTF8.self)
        guard let match = header.firstMatch(of: /'descr': *'([^']*)'.*'fortran_order': *False.*'shape': *\(([^)]*)\)/)
        else { throw Failure("\(path): \(header)") }
        element = String(match.1)
        shape = match.2.split(separator: ",").compactMap { Int($0.trimmingCharacters(in: .whitespaces)) }
        bytes = Array(file[(start + count)...])
        guard ["<u2", "|u1"].contains(element), shape.reduce(element == "<u2" ? 2 : 1, *) == bytes.count else {
            throw Failure("\(path): \(element) \(shape) in \(bytes.count) bytes")
        }
    }

    func uint16s() throws -> [UInt16] {
        guard element == "<u2" else { throw Failure("an array of \(element) where u16 is needed") }
        return stride(from: 0, to: bytes.count, by: 2).map { UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8 }
    }

    static func write(_ bytes: [UInt8], element: String, shape: [Int], to path: String) throws {
        let extents = shape.map { "\($0)," }.joined(separator: " ")
        var header = "{'descr': '\(element)', 'fortran_order': False, 'shape': (\(extents)), }"
        while (header.utf8.count + 11) % 64 != 0 { header += " " }
        header += "\n"
        var file = Data([0x93] + Array("NUMPY".utf8) + [1, 0])
        file.append(contentsOf: [UInt8(header.utf8.count & 255), UInt8(header.utf8.count >> 8)])
        file.append(contentsOf: header.utf8)
        file.append(contentsOf: bytes)
        try file.write(to: URL(fileURLWithPath: path))
    }
}

/// Embeddings of bf16, `[rows, variants, dims]`, little-endian.
struct Array3 {
    let rowCount: Int
    let variantCount: Int
    let dims: Int
    let bytes: [UInt8]
    var cellByteCount: Int { 2 * dims }

    init(rowCount: Int, variantCount: Int, dims: Int, bytes: [UInt8]) {
        self.rowCount = rowCount
        self.variantCount = variantCount
        self.dims = dims
        self.bytes = bytes
    }

    /// - Parameter variantCount: of a row: cells are taken in their order, whatever rows they are of in an array of three
    ///   axes; nil: as that array has them.
    init(_ file: NpyFile, variantCount: Int?) throws {
        let cellCount = file.shape.dropLast().reduce(1, *)
        guard file.element == "<u2", file.shape.count == 3 || (file.shape.count == 2 && variantCount != nil),
            variantCount.map({ $0 > 0 && file.shape[file.shape.count - 2] % $0 == 0 }) ?? true
        else { throw Failure("an array of \(file.element) \(file.shape) for \(variantCount ?? 0) variants") }
        let variants = variantCount ?? file.shape[1]
        self.init(
            rowCount: cellCount / variants, variantCount: variants, dims: file.shape[file.shape.count - 1],
            bytes: file.bytes)
    }
}

/// The generated data, as it is measured.
enum GeneratedSets {
    static func views() -> Array3 {
        array(GeneratedEmbeddings(dims: 1536, variantCount: 20, shape: .views, seed: 1), rowCount: 192)
    }

    static func captions() -> Array3 {
        array(GeneratedEmbeddings(dims: 1536, variantCount: 6, shape: .captions, seed: 2), rowCount: 640)
    }

    static func tokens() -> [[UInt16]] {
        var captions = GeneratedCaptions(seed: 3)
        return (0..<20_000).map { _ in captions.next() }
    }

    static func augmentations() throws -> RecordColumn {
        var records = GeneratedAugmentations(seed: 4)
        return RecordColumn(
            augmentations: try (0..<5000).flatMap { _ in
                try records.next(viewCount: RecordColumn.variantCount).map { try $0.serialized() }
            })
    }

    private static func array(_ embeddings: GeneratedEmbeddings, rowCount: Int) -> Array3 {
        var embeddings = embeddings
        return Array3(
            rowCount: rowCount, variantCount: embeddings.variantCount, dims: embeddings.dims,
            bytes: bytes(embeddings.values(rowCount: rowCount)))
    }

    private static func bytes(_ values: [UInt16]) -> [UInt8] {
        values.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
    }

    static func write(to folder: String) throws {
        for (name, array) in [("generated", views()), ("generated-captions", captions())] {
            try NpyFile.write(
                array.bytes, element: "<u2", shape: [array.rowCount, array.variantCount, array.dims],
                to: "\(folder)/\(name).npy")
        }
        let tokens = tokens()
        let flat = Array(tokens.joined())
        try NpyFile.write(bytes(flat), element: "<u2", shape: [flat.count], to: "\(folder)/generated-tokens_flat.npy")
        try NpyFile.write(
            tokens.map { UInt8($0.count) }, element: "|u1", shape: [tokens.count],
            to: "\(folder)/generated-tokens_len.npy")
    }
}
