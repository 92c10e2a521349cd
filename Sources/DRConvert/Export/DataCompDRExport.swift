internal import DRShard
internal import DRShardFormat
internal import DRText

/// Writes rows as samples of a DataCompDR tar, member by member in the order of the released writer.
struct DataCompDRExport {
    /// Bytes of values that are held at once.
    static let blockByteCount = 16 << 20

    let layout: DataCompDRLayout
    let options: ExportOptions
    private(set) var losses = ExportLosses()

    init(layout: DataCompDRLayout, options: ExportOptions) {
        self.layout = layout
        self.options = options
    }

    /// Writes all rows of a shard into a sink, which is committed.
    /// - Returns: the samples that were written: under `isLossy` a row may be left out.
    mutating func write(
        _ reader: ShardReader, to sink: any ByteSink, progress: (Int) -> Void
    ) throws(ShardError) -> Int {
        let tar = try ArchiveWriter(sink: sink, format: .pax)
        let columns = layout.columns
        let step = RowBlock.rowCount(reader, columns: columns, byteCount: DataCompDRExport.blockByteCount)
        var count = 0
        for row in stride(from: 0, to: reader.rowCount, by: step) {
            let block = try RowBlock(reader, rows: row..<min(row + step, reader.rowCount), columns: columns)
            for row in block.rows {
                do throws(ShardError) { if try add(row, of: block, to: tar) { count += 1 } } catch {
                    throw error.with(.init(path: reader.path, row: row))
                }
            }
            progress(block.rows.count)
        }
        try tar.finish()
        return count
    }

    /// - Returns: false for a row that is left out.
    private mutating func add(_ row: Int, of block: RowBlock, to tar: ArchiveWriter) throws(ShardError) -> Bool {
        guard try isComplete(row, block), let augmentations = try augmentations(row, block) else { return false }
        let id = hex(Array(block.value(layout.schema.rowIDColumn, row: row) ?? []))
        if let bytes = optional(layout.url, row, block, "url.txt") { try tar.add(id + ".url.txt", Array(bytes)) }
        if let column = layout.image, let bytes = optional(column, row, block, "image") {
            if let suffix = DataCompDRExport.suffix(of: bytes) {
                try tar.add("\(id).\(suffix)", Array(bytes))
            } else {
                try losses.giveUp(
                    "images of a format that has no suffix here", isAllowed: options.isLossy,
                    why: "the image is no JPEG, PNG, WebP or GIF, and would get no suffix")
            }
        }
        if let bytes = optional(layout.realText, row, block, "txt") { try tar.add(id + ".txt", Array(bytes)) }
        var texts: [(key: String, value: String)] = []
        for item in layout.synthetic {
            var list: [String] = []
            for variant in 0..<item.count {
                list.append(JSONText.string(try block.text(item.text, row: row, variant: variant) ?? ""))
            }
            texts.append((item.key, JSONText.array(list)))
        }
        try tar.add(id + ".syn.json", Array(JSONText.object(texts).utf8))
        let list = JSONText.object([("param_aug", JSONText.array(augmentations))])
        try tar.add(id + ".paug.json", Array(list.utf8))
        let arrays = arrays(row, block)
        if layout.element == .bf16 {
            let file = try TorchWriter.write(arrays)
            try tar.add(id + ".pth.gz", try Deflate.compress(file, as: .gzip, level: options.level))
        } else {
            try tar.add(id + ".npz", try NpzWriter.write(arrays, level: options.level))
        }
        try tar.add(id + ".json", Array(identity(id, row, block).utf8))
        return true
    }

    /// Whether the row has all that a sample cannot be without.
    private mutating func isComplete(_ row: Int, _ block: RowBlock) throws(ShardError) -> Bool {
        let needed =
            [layout.augmentation, layout.imageEmbedding, layout.realEmbedding]
            + layout.synthetic.flatMap { [$0.text, $0.embedding] }
        for column in needed {
            guard let variant = block.firstMissing(column, row: row) else { continue }
            // Of several real captions only the first has a place.
            if column == layout.realEmbedding && variant > 0 { continue }
            let name = layout.schema.columns[column].name
            try losses.giveUp(
                "rows left out: a cell of column \"\(name)\" is missing", isAllowed: options.isLossy,
                why: "column \"\(name)\", variant \(variant): the cell is missing, and a sample must have it")
            return false
        }
        return true
    }

    private mutating func augmentations(_ row: Int, _ block: RowBlock) throws(ShardError) -> [String]? {
        var texts: [String] = []
        for (view, record) in try block.augmentations(layout.augmentation, row: row).enumerated() {
            guard let text = record.flatMap(AugmentationText.pair) else {
                try losses.giveUp(
                    "rows left out: an augmentation is no crop and RandAugment", isAllowed: options.isLossy,
                    why: "view \(view): the augmentation is no crop and RandAugment of finite magnitudes")
                return nil
            }
            texts.append(text)
        }
        return texts
    }

    /// The value of a column that a sample may be without.
    private mutating func optional(_ column: Int?, _ row: Int, _ block: RowBlock, _ member: String) -> ArraySlice<
        UInt8
    >? {
        guard let column else { return nil }
        if let value = block.value(column, row: row) { return value }
        let isLost = block.state(column, row: row) == .lost
        losses.add("samples without \(member)\(isLost ? ": the cell was lost" : ", as in the shard")")
        return nil
    }

    private func arrays(_ row: Int, _ block: RowBlock) -> [(name: String, array: ForeignArray)] {
        var arrays = [
            (name: "image_emb", array: array([layout.imageEmbedding], row, block)),
            (
                name: "text_emb",
                array: array(
                    [layout.realEmbedding] + (layout.isCombined ? [layout.synthetic[0].embedding] : []), row, block)
            ),
        ]
        guard !layout.isCombined else { return arrays }
        for item in layout.synthetic { arrays.append((item.key + "_emb", array([item.embedding], row, block))) }
        return arrays
    }

    /// The rows of columns, one behind the other; of the real caption the first alone.
    private func array(_ columns: [Int], _ row: Int, _ block: RowBlock) -> ForeignArray {
        var bytes: [UInt8] = []
        var rowCount = 0
        for column in columns {
            let variants = column == layout.realEmbedding ? 1 : layout.schema.variantCount(of: column)
            let plain = block.matrix(column, row: row, variants: variants)
            bytes += layout.conversions[column].map { $0.converted(plain) } ?? plain
            rowCount += variants
        }
        let dims = bytes.count / layout.element.byteCount / rowCount
        return ForeignArray(element: layout.element, shape: [rowCount, dims], bytes: bytes[...])
    }

    private mutating func identity(_ id: String, _ row: Int, _ block: RowBlock) -> String {
        var members = [(key: "uid", value: JSONText.string(id))]
        if let hash = optional(layout.sha256, row, block, "sha256") {
            members.append(("sha256", JSONText.string(hex(Array(hash)))))
        }
        if let column = layout.originalSize {
            if let size = block.size(column, row: row) {
                members += [("original_width", String(size.width)), ("original_height", String(size.height))]
            } else {
                _ = optional(column, row, block, "original_width and original_height")
            }
        }
        return JSONText.object(members)
    }

    /// The suffix by which webdataset knows an image's format.
    private static func suffix(of bytes: ArraySlice<UInt8>) -> String? {
        if bytes.has([0xFF, 0xD8, 0xFF]) { return "jpg" }
        if bytes.has([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) { return "png" }
        if bytes.has(Array("RIFF".utf8)) && bytes.has(Array("WEBP".utf8), at: 8) { return "webp" }
        return bytes.has(Array("GIF8".utf8)) ? "gif" : nil
    }
}

extension FloatConversion {
    /// Values in a new array. Precondition: whole values.
    func converted(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        bytes.withSpan { span in
            var target = [UInt8](repeating: 0, count: span.count / sourceByteCount * targetByteCount)
            var targetSpan = target.mutableSpan
            convert(span, into: &targetSpan)
            return target[...]
        }
    }
}
