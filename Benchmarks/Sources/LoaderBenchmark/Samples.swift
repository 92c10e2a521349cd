import DRShard
import DRShardFormat
import Foundation
import GeneratedData

/// The samples that all loaders get.
enum Samples {
    static let dims = 1536
    static let viewCount = 10
    static let captionCount = 5
    static let context = 77

    static func schema() throws -> Schema {
        let embedding = ColumnType.tensor(.bf16, dims: [dims])
        var metadata = SchemaMetadata()
        metadata.tokenizers = [GeneratedCaptions.tokenizer]
        metadata.operations = GeneratedAugmentations.operations
        return try Schema(
            axes: [
                Axis(name: "view", kind: .view, count: viewCount, exchangeable: .yes),
                Axis(name: "real", kind: .realCaption, count: 1, exchangeable: .no),
                Axis(name: "synthetic", kind: .syntheticCaption, count: captionCount, exchangeable: .yes),
            ],
            columns: [
                Column(name: "uid", role: .rowID, type: .tensor(.u8, dims: [16])),
                Column(name: "augmentation", role: .augmentation, type: .operations, axis: 0),
                Column(name: "image_emb", role: .imageEmbedding, type: embedding, axis: 0),
                Column(name: "tokens", role: .tokens, type: .ragged(.u16), axis: 1, tokenizer: 0),
                Column(name: "text_emb", role: .textEmbedding, type: embedding, axis: 1),
                Column(name: "syn_tokens", role: .tokens, type: .ragged(.u16), axis: 2, tokenizer: 0),
                Column(name: "syn_text_emb", role: .textEmbedding, type: embedding, axis: 2),
            ], metadata: metadata)
    }

    /// Writes `plain/0.drs`, `balanced/0.drs` and `arrays/*.npy`.
    static func make(folder: String, count: Int) throws {
        for name in ["plain", "balanced", "arrays"] {
            try FileManager.default.createDirectory(atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
        }
        let schema = try schema()
        let writers = try ["plain", "balanced"].map { name in
            try? FileManager.default.removeItem(atPath: "\(folder)/\(name)/0.drs")
            var options = WriterOptions(shardTag: 1)
            options.storage = try WriterOptions.storage(
                named: [:], bf16: name == "plain" ? .plain : .balanced, of: schema)
            return try ShardWriter(path: "\(folder)/\(name)/0.drs", schema: schema, options: options)
        }
        let arrays = "\(folder)/arrays"
        let image = try ArrayFile("\(arrays)/image.npy", "<u2", [count, viewCount, dims])
        let text = try ArrayFile("\(arrays)/text.npy", "<u2", [count, 1 + captionCount, dims])
        let tokens = try ArrayFile("\(arrays)/tokens.npy", "<u2", [count, 1 + captionCount, context])
        let augmentation = try ArrayFile("\(arrays)/augmentation.npy", "|u1", [count, viewCount, 32])
        let uid = try ArrayFile("\(arrays)/uid.npy", "|u1", [count, 16])
        var images = GeneratedEmbeddings(dims: dims, variantCount: viewCount, shape: .views, seed: 1)
        var texts = GeneratedEmbeddings(dims: dims, variantCount: 1 + captionCount, shape: .captions, seed: 2)
        var captions = GeneratedCaptions(seed: 3)
        var augmentations = GeneratedAugmentations(seed: 4)
        for row in 0..<count {
            let id = Array(SHA256.digest(Array("row \(row)".utf8)).prefix(16))
            let views = bytes(images.nextRow())
            let embeddings = bytes(texts.nextRow())
            let ids = (0...captionCount).map { _ in captions.next() }
            let records = augmentations.next(viewCount: viewCount)
            for writer in writers {
                try append(writer, id, views, embeddings, ids, records)
            }
            try uid.write(id)
            try image.write(views)
            try text.write(embeddings)
            for ids in ids { try tokens.write(padded(ids)) }
            for record in records { try augmentation.write(fixed(record)) }
        }
        for writer in writers { try writer.finish() }
    }

    private static func append(
        _ writer: ShardWriter, _ id: [UInt8], _ views: [UInt8], _ texts: [UInt8], _ ids: [[UInt16]],
        _ records: [Augmentation]
    ) throws {
        let cell = dims * 2
        try writer.set(id, column: 0)
        for view in 0..<viewCount {
            try writer.set(records[view].serialized(), column: 1, variant: view)
            try writer.set(views.span.extracting(view * cell..<(view + 1) * cell), column: 2, variant: view)
        }
        try writer.set(bytes(ids[0]), column: 3)
        try writer.set(texts.span.extracting(0..<cell), column: 4)
        for caption in 0..<captionCount {
            try writer.set(bytes(ids[1 + caption]), column: 5, variant: caption)
            try writer.set(
                texts.span.extracting((1 + caption) * cell..<(2 + caption) * cell), column: 6, variant: caption)
        }
        try writer.endRow()
    }

    static func bytes(_ values: [UInt16]) -> [UInt8] {
        values.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
    }

    /// As models take them: start, tokens, end, zeros.
    private static func padded(_ ids: [UInt16]) -> [UInt8] {
        var row = [UInt16(GeneratedCaptions.start)] + ids.prefix(context - 2) + [UInt16(GeneratedCaptions.end)]
        row += Array(repeating: 0, count: context - row.count)
        return bytes(row)
    }

    /// 4 × i32 crop, 2 × i32 operation, 2 × f32 magnitude.
    private static func fixed(_ record: Augmentation) -> [UInt8] {
        let crop = record.crop ?? Augmentation.Box(top: 0, left: 0, height: 0, width: 0)
        var words = [crop.top, crop.left, crop.height, crop.width].map { UInt32(bitPattern: $0) }
        words += record.operations.map { UInt32($0.operation) }
        let magnitudes = record.operations.map { Float($0.magnitude).bitPattern }
        words = Array((words + magnitudes + Array(repeating: 0, count: 8)).prefix(8))
        return words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32(8 * $0)) } }
    }
}

/// An array in NumPy's format, written from front to back.
final class ArrayFile {
    private let file: FileHandle
    private var pending = Data()

    init(_ path: String, _ type: String, _ shape: [Int]) throws {
        try Data().write(to: URL(fileURLWithPath: path))
        file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        let sizes = shape.map { "\($0)" }.joined(separator: ", ")
        var head = "{'descr': '\(type)', 'fortran_order': False, 'shape': (\(sizes)), }"
        head += String(repeating: " ", count: 63 - (10 + head.utf8.count) % 64) + "\n"
        pending.append(contentsOf: [0x93] + Array("NUMPY".utf8) + [1, 0])
        pending.append(contentsOf: [UInt8(head.utf8.count & 255), UInt8(head.utf8.count >> 8)])
        pending.append(contentsOf: Array(head.utf8))
    }

    func write(_ bytes: [UInt8]) throws {
        pending.append(contentsOf: bytes)
        if pending.count >= 1 << 20 { try flush() }
    }

    private func flush() throws {
        try file.write(contentsOf: pending)
        pending.removeAll(keepingCapacity: true)
    }

    deinit { try? flush() }
}
