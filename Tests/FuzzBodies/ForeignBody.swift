internal import DRConvert
internal import DRShard
internal import DRShardFormat
internal import DRText
internal import Foundation

extension FuzzBodies {
    /// Takes the bytes behind the first as a file of another format; the first one says of which.
    public static func foreign(_ bytes: [UInt8]) {
        guard let kind = bytes.first else { return }
        try? read(bytes[1...], as: Int(kind) % 16)
    }

    /// The numbers are those of `KINDS` in `Fuzz/make_seeds.py`.
    private static func read(_ input: ArraySlice<UInt8>, as kind: Int) throws(ShardError) {
        switch kind {
        case 0: try torch(input)
        case 1: try pickle(input)
        case 2: try zipMembers(input)
        case 3: try npy(input)
        case 4: try gzip(input)
        case 5: try json(input)
        case 6: try tar(input)
        case 7: _ = ImageSize(header: input)
        case 8: try vocabulary(input)
        case 9: try merges(input)
        case 10: text(input)
        case 12: try safetensors(input)
        case 13: try npyRows(input)
        case 14: try rowLine(input)
        case 15: try columnsFile(input)
        default: try sample(input)
        }
    }

    /// Bytes that one member may give.
    private static let limit = 16 << 20

    private static func torch(_ input: ArraySlice<UInt8>) throws(ShardError) {
        check(try TorchFile.read(input, limit: limit, with: try Inflater()).map(\.array))
    }

    /// A pickle in a zip that is in order, so that no checksum protects it.
    private static func pickle(_ input: ArraySlice<UInt8>) throws(ShardError) {
        var zip = ZipWriter(style: .torch)
        try zip.add("a/data.pkl", Array(input))
        try zip.add("a/data/0", [UInt8](repeating: 1, count: 256))
        try torch(zip.finish()[...])
    }

    private static func zipMembers(_ input: ArraySlice<UInt8>) throws(ShardError) {
        let zip = try ZipReader(input)
        let inflater = try Inflater()
        for entry in zip.entries.prefix(64) {
            guard let member = try? zip.read(entry, limit: limit, with: inflater) else { continue }
            precondition(member.count == entry.byteCount)
            if entry.name.hasSuffix(".npy") { try? npy(member) }
        }
    }

    private static func npy(_ input: ArraySlice<UInt8>) throws(ShardError) { check([try NpyReader.read(input)]) }

    /// Every tensor row by row: together as many bytes as its shape has.
    private static func safetensors(_ input: ArraySlice<UInt8>) throws(ShardError) {
        let reader = try SafetensorsReader(MemorySource(Array(input)))
        for tensor in reader.tensors {
            let rowCount = tensor.shape.first ?? 1
            let isEmpty = tensor.shape.contains(0)
            precondition((isEmpty ? 0 : tensor.shape.reduce(tensor.element.byteCount, *)) == tensor.byteCount)
            // Rows without bytes cost nothing, and there may be 2^63 of them.
            let most = min(rowCount, 64)
            var byteCount = 0
            for row in 0..<most { byteCount += try reader.bytes(of: tensor, rows: row..<row + 1).count }
            precondition(rowCount > most || byteCount == tensor.byteCount)
            let all = try reader.bytes(of: tensor, rows: 0..<rowCount)
            precondition(all.count == tensor.byteCount)
        }
    }

    /// A line of rows' texts and parameters, with names that are mapped and with none that are.
    private static func rowLine(_ input: ArraySlice<UInt8>) throws(ShardError) {
        var names = ColumnNames()
        names.fields = ["text": "caption", "syn_text_a": "b"]
        for names in [ColumnNames(), names] {
            var seen: Set<String> = []
            guard let line = try? RowLine(parsing: Array(input), names, seen: &seen) else { continue }
            precondition(line.captionSets.keys.allSatisfy { $0.hasPrefix("syn_text") })
            for record in line.augmentations {
                // What cannot be written is an error, and no crash.
                guard let record, let bytes = try? record.serialized() else { continue }
                let again = try Augmentation(parsing: bytes)
                precondition(again.items.count == record.items.count)
            }
        }
    }

    /// What was read once is read again from the same text.
    private static func columnsFile(_ input: ArraySlice<UInt8>) throws(ShardError) {
        let file = try ColumnsFile(parsing: Array(input))
        let again = try ColumnsFile(parsing: Array(input))
        precondition(file == again && Set(file.names.arrays.values).count == file.names.arrays.count)
    }

    /// The same of an npy, and that it is read as the whole is.
    private static func npyRows(_ input: ArraySlice<UInt8>) throws(ShardError) {
        let file = try NpyFile(MemorySource(Array(input)))
        let whole = try NpyReader.read(input)
        precondition(whole.shape == file.shape && whole.element == file.element)
        let all = try file.bytes(rows: 0..<file.rowCount)
        precondition(all.elementsEqual(whole.bytes))
        for row in 0..<min(file.rowCount, 64) {
            let start = whole.bytes.startIndex + row * file.rowByteCount
            let bytes = try file.bytes(rows: row..<row + 1)
            precondition(bytes.elementsEqual(whole.bytes[start..<start + file.rowByteCount]))
        }
    }

    private static func check(_ arrays: [ForeignArray]) {
        for array in arrays {
            precondition(array.shape.reduce(array.element.byteCount, *) == array.bytes.count)
        }
    }

    private static func gzip(_ input: ArraySlice<UInt8>) throws(ShardError) {
        let output = try Gzip.decompress(input, limit: limit, with: try Inflater())
        precondition(output.count <= limit)
    }

    private static func json(_ input: ArraySlice<UInt8>) throws(ShardError) {
        let document = try JSON.parse(Array(input))
        _ = try AugmentationList.parse(document.value["param_aug"] ?? document.value)
    }

    /// A tar, which is read by its path; all its samples are decoded both ways.
    private static func tar(_ input: ArraySlice<UInt8>) throws(ShardError) {
        let path = NSTemporaryDirectory() + "/drshard-fuzz-\(ProcessInfo.processInfo.globallyUniqueString).tar"
        guard FileManager.default.createFile(atPath: path, contents: Data(input)) else { return }
        defer { try? FileManager.default.removeItem(atPath: path) }
        let groups = SampleGroupReader(try TarReader(path: path, memberByteLimit: limit))
        let decoder = try DRSampleDecoder()
        while let group = try groups.next() {
            _ = try? CaptionSample(group)
            _ = try? decoder.decode(group)
        }
    }

    private static func vocabulary(_ input: ArraySlice<UInt8>) throws(ShardError) {
        tokenize("a photo of a dog's <start_of_text> ünï 日本 🙂 12", try CLIPTokenizer(vocabulary: Array(input)))
    }

    /// A vocabulary before it is compressed.
    private static func merges(_ input: ArraySlice<UInt8>) throws(ShardError) {
        try vocabulary(try Deflate.compress(Array(input), as: .gzip, level: 1)[...])
    }

    private static let smallTokenizer = try? CLIPTokenizer(
        vocabulary: Deflate.compress(Array("v\na b</w>\nt h\nth e</w>\n1 2\n".utf8), as: .gzip))

    /// Any text, with a small vocabulary.
    private static func text(_ input: ArraySlice<UInt8>) {
        guard let tokenizer = smallTokenizer else { preconditionFailure("the small vocabulary is not read") }
        tokenize(String(decoding: input, as: UTF8.self), tokenizer)
    }

    private static func tokenize(_ text: String, _ tokenizer: CLIPTokenizer) {
        let ids = tokenizer.encode(text)
        precondition(ids.allSatisfy { Int($0) < tokenizer.vocabularySize })
        _ = CLIPTokenizer.repairDoubt(of: text)
    }

    /// The members of one sample: `byte_count u16 ‖ bytes` each, as far as the input goes.
    private static func sample(_ input: ArraySlice<UInt8>) throws(ShardError) {
        var rest = input
        var members: [SampleGroup.Member] = []
        for suffix in ["url.txt", "syn.json", "paug.json", "npz", "json", "txt"] {
            guard rest.count >= 2, let low = rest.popFirst(), let high = rest.popFirst() else { break }
            let bytes = rest.prefix(Int(low) | Int(high) << 8)
            rest = rest.dropFirst(bytes.count)
            members.append(.init(suffix: suffix, name: "k.\(suffix)", bytes: Array(bytes), dataPosition: 0))
        }
        let group = SampleGroup(key: "k", members: members, path: "fuzz.tar")
        _ = try? CaptionSample(group)
        _ = try DRSampleDecoder().decode(group)
    }
}
