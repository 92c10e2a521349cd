import DRConvert
import DRShardFormat
import Foundation

/// A valid unit of arrays and lines, of five rows, two views and two synthetic captions, whose parts a test changes.
struct ArraySample {
    var rowCount = 5
    var dims = 4
    var element = ElementType.f32
    /// `.npy` files by the names of their arrays.
    var arrays: [String: [UInt8]] = [:]
    var lines: [String] = []
    var linesName = "rows.jsonl"

    init(rows: Int = 5, first: Int = 0, element: ElementType = .f32, dims: Int = 4) throws {
        (rowCount, self.dims, self.element) = (rows, dims, element)
        arrays["uids"] = try ArraySample.uids(first..<first + rows)
        arrays["image_emb"] = try embeddings([2])
        arrays["text_emb"] = try embeddings([1])
        arrays["syn_text_emb"] = try embeddings([2])
        lines = (first..<first + rows).map { ArraySample.line($0) }
    }

    static func uid(_ row: Int) -> String {
        let digits = String(row, radix: 16)
        return String(repeating: "0", count: 32 - digits.count) + digits
    }

    static func line(_ row: Int, uid: String? = nil, more: String = "") -> String {
        #"{"uid": "\#(uid ?? Self.uid(row))", "url": "http://\#(row)", "text": "a cat \#(row)", "#
            + #""syn_text": ["one", "two"], "param_aug": [[[0,0,8,8],[[1,0.5]]],[[1,1,4,4],[[0,0.0]]]], "#
            + #""original_width": 16, "original_height": 9\#(more)}"#
    }

    static func uids(_ rows: Range<Int>) throws -> [UInt8] {
        let bytes = rows.flatMap { UInt64(0).littleEndianBytes + UInt64($0).littleEndianBytes }
        return try NpzWriter.npy(ForeignArray(element: .u64, shape: [rows.count, 2], bytes: bytes[...]))
    }

    static func array(_ element: ElementType, _ shape: [Int], _ bytes: [UInt8]) throws -> [UInt8] {
        try NpzWriter.npy(ForeignArray(element: element, shape: shape, bytes: bytes[...]))
    }

    /// Numbers that bfloat16 holds, no two neighbours equal.
    func numbers(_ variants: [Int], changing changed: Int? = nil, to value: Float = 0) -> [UInt8] {
        (0..<([rowCount] + variants + [dims]).reduce(1, *)).flatMap { i -> [UInt8] in
            let bits = (i == changed ? value : Float(i % 255 + 1) / 8).bitPattern
            let bytes = (0..<4).map { UInt8(truncatingIfNeeded: bits >> (8 * UInt32($0))) }
            return element == .f32 ? bytes : Array(bytes[2...])
        }
    }

    func embeddings(_ variants: [Int], changing changed: Int? = nil, to value: Float = 0) throws -> [UInt8] {
        try ArraySample.array(
            element == .f32 ? .f32 : .u16, [rowCount] + variants + [dims],
            numbers(variants, changing: changed, to: value))
    }

    /// Writes a folder of `.npy`.
    func write(_ folder: String) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for (name, bytes) in arrays { try writeFile("\(folder)/\(name).npy", bytes) }
        if !lines.isEmpty { try writeFile("\(folder)/\(linesName)", text.utf8) }
    }

    var text: String { lines.map { $0 + "\n" }.joined() }

    /// Writes `path.npz`, deflated as `numpy.savez_compressed` does, and `path.jsonl`.
    func writeNpz(_ path: String) throws {
        var zip = ZipWriter(style: .numpy)
        for (name, bytes) in arrays.sorted(by: { $0.key < $1.key }) { try zip.add(name + ".npy", bytes) }
        try writeFile(path + ".npz", zip.finish())
        if !lines.isEmpty { try writeFile(path + ".jsonl", text.utf8) }
    }
}

extension UInt64 {
    var littleEndianBytes: [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: self >> (8 * UInt64($0))) } }
}
