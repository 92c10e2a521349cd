import DRConvert
import DRShardFormat
import Foundation

/// A valid sample of two views and two synthetic captions, whose members a test changes.
struct SampleMembers {
    let uid: String
    /// By suffix; they are written in the order of their suffixes.
    var members: [String: [UInt8]]

    init(_ number: Int) throws {
        let digits = String(number, radix: 16)
        uid = String(repeating: "0", count: 32 - digits.count) + digits
        members = [
            "json": Array(#"{"uid": "\#(uid)", "sha256": "\#(String(repeating: "ab", count: 32))"}"#.utf8),
            "url.txt": Array("https://example.com/\(number).jpg".utf8),
            "syn.json": Array(#"{"syn_text": ["a cat", "two cats"]}"#.utf8),
            "paug.json": Array(#"{"param_aug": [[[0,0,8,8],[[1,0.5],[6,0.25]]],[[1,1,4,4],[[0,0.0]]]]}"#.utf8),
            "npz": try NpzWriter.write([("image_emb", matrix(2)), ("text_emb", matrix(3))]),
        ]
    }

    /// The embedding file replaced by one with these matrices.
    mutating func setEmbeddings(image: ForeignArray, text: ForeignArray) throws {
        members["npz"] = try NpzWriter.write([("image_emb", image), ("text_emb", text)])
    }
}

/// `rows` vectors of four elements: 1, 2, 3 and so on.
func matrix(_ rows: Int, dims: Int = 4, element: ElementType = .f32, changing index: Int? = nil, to value: Float = 0)
    -> ForeignArray
{
    var bytes: [UInt8] = []
    for i in 0..<rows * dims {
        let number = i == index ? value : Float(i + 1)
        let bits = element == .f32 ? UInt64(number.bitPattern) : UInt64(i + 1)
        bytes += (0..<element.byteCount).map { UInt8(truncatingIfNeeded: bits >> (8 * $0)) }
    }
    return ForeignArray(element: element, shape: [rows, dims], bytes: bytes[...])
}

/// Writes samples as a tar.
func writeTar(_ path: String, _ samples: [SampleMembers]) throws {
    let tar = try TarWriter(path: path)
    for sample in samples {
        for (suffix, bytes) in sample.members.sorted(by: { $0.key < $1.key }) {
            try tar.add("\(sample.uid).\(suffix)", bytes)
        }
    }
    try tar.finish()
}

/// The caption samples of reinforced ones.
func captions(of samples: [SampleMembers]) -> [SampleMembers] {
    samples.map { sample in
        var caption = sample
        let identity = #"{"uid": "\#(sample.uid)", "original_width": 8, "original_height": 8}"#
        caption.members = ["json": Array(identity.utf8), "txt": Array("a real cat".utf8)]
        return caption
    }
}
