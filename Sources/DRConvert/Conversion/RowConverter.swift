internal import DRShard
internal import DRShardFormat

/// Puts one sample, and what is joined to it, into the open row of a writer.
struct RowConverter {
    private let layout: SetLayout
    private let options: ConvertOptions
    private var encoder: CLIPTokenizer.Encoder?

    init(layout: SetLayout, options: ConvertOptions, encoder: CLIPTokenizer.Encoder?) {
        self.layout = layout
        self.options = options
        self.encoder = encoder
    }

    /// Sets all cells of the row; the caller ends it. Counts what people should know in `report`.
    /// - Throws: `.schemaMismatch` if the sample has not the set's shape, `.corrupt` for NaN and infinity.
    mutating func set(
        _ sample: DRSample, caption: CaptionStore.Entry?, in writer: ShardWriter, report: inout ConvertReport
    ) throws(ShardError) {
        try checkShape(sample)
        let views = try EmbeddingRows(sample.imageEmbeddings, name: "image_emb", storedAs: layout.storedElement)
        let texts = try EmbeddingRows(sample.textEmbeddings, name: "text_emb", storedAs: layout.storedElement)
        let columns = layout.columns
        try writer.set(try RowConverter.bytes(hex: sample.uid, count: 16, what: "uid"), column: columns.uid)
        if let sha256 = sample.sha256 ?? caption?.sha256 {
            try writer.set(try RowConverter.bytes(hex: sha256, count: 32, what: "sha256"), column: columns.sha256)
        } else {
            try writer.setMissing(column: columns.sha256)
        }
        if let url = sample.url {
            try writer.set(url, column: columns.url)
        } else {
            try writer.setMissing(column: columns.url)
        }
        for view in 0..<layout.viewCount {
            try writer.set(try sample.augmentations[view].serialized(), column: columns.augmentation, variant: view)
            let row = views[view]
            try writer.set(row.span, column: columns.imageEmbedding, variant: view)
        }
        let realRow = texts[0]
        try writer.set(realRow.span, column: columns.realEmbedding)
        for i in 0..<layout.captionCount {
            let row = texts[1 + i]
            try writer.set(row.span, column: columns.syntheticEmbedding, variant: i)
            try setText(
                sample.syntheticCaptions[i], text: columns.syntheticText, tokens: columns.syntheticTokens, variant: i,
                writer, &report)
        }
        report.loneSurrogates += sample.loneSurrogateCount
        try setJoined(sample, caption, writer, &report)
    }

    private func checkShape(_ sample: DRSample) throws(ShardError) {
        func expect(_ what: String, _ found: Int, _ expected: Int) throws(ShardError) {
            guard found == expected else {
                throw .schemaMismatch("\(what): \(found), where the set's first sample has \(expected)")
            }
        }
        try expect("views", sample.imageEmbeddings.shape[0], layout.viewCount)
        try expect("dims of image_emb", sample.imageEmbeddings.shape[1], layout.dims)
        try expect("synthetic captions", sample.syntheticCaptions.count, layout.captionCount)
        guard sample.imageEmbeddings.element == layout.inputElement else {
            throw .schemaMismatch(
                "embeddings of \(sample.imageEmbeddings.element), where the set's first sample has \(layout.inputElement)"
            )
        }
        let rows = sample.textEmbeddings.shape[0]
        guard rows == 1 + layout.captionCount else {
            throw .schemaMismatch(
                "text_emb has \(rows) rows, where 1 real and \(layout.captionCount) synthetic captions make \(1 + layout.captionCount); "
                    + "which row is which is not known")
        }
    }

    private mutating func setText(
        _ text: String, text column: Int, tokens: Int?, variant: Int, _ writer: ShardWriter,
        _ report: inout ConvertReport
    ) throws(ShardError) {
        try writer.set(text, column: column, variant: variant)
        guard let tokens, var encoder = encoder.take() else { return }
        let ids = encoder.encode(text)
        self.encoder = consume encoder
        if let doubt = CLIPTokenizer.repairDoubt(of: text) { report.doubtfulTexts[doubt.rawValue, default: 0] += 1 }
        // The context holds a start and an end token too.
        if ids.count > CLIPTokenizer.contextLength - 2 { report.overlongTexts += 1 }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(ids.count * 2)
        for id in ids {
            bytes.append(UInt8(truncatingIfNeeded: id))
            bytes.append(UInt8(truncatingIfNeeded: id >> 8))
        }
        try writer.set(bytes, column: tokens, variant: variant)
    }

    private mutating func setJoined(
        _ sample: DRSample, _ caption: CaptionStore.Entry?, _ writer: ShardWriter, _ report: inout ConvertReport
    ) throws(ShardError) {
        let columns = layout.columns
        guard let realText = columns.realText else { return }
        report.loneSurrogates += caption?.loneSurrogateCount ?? 0
        if let text = caption?.caption {
            try setText(text, text: realText, tokens: columns.realTokens, variant: 0, writer, &report)
        } else {
            report.captionsMissing += 1
            report.rowsWithoutCaption += 1
            try writer.setMissing(column: realText)
            if let tokens = columns.realTokens { try writer.setMissing(column: tokens) }
        }
        if let column = columns.originalSize {
            if let size = caption?.originalSize {
                var bytes: [UInt8] = []
                bytes.append(u32: UInt32(size.width))
                bytes.append(u32: UInt32(size.height))
                try writer.set(bytes, column: column)
            } else {
                try writer.setMissing(column: column)
            }
        }
        if let column = columns.image { try setImage(column, caption, writer) }
        countCrops(sample, caption, &report)
    }

    private func setImage(_ column: Int, _ caption: CaptionStore.Entry?, _ writer: ShardWriter) throws(ShardError) {
        guard let caption, let place = caption.image else { return try writer.setMissing(column: column) }
        if options.images == .locate {
            let container = caption.tar.split(separator: "/").last.map(String.init) ?? caption.tar
            let hash = Locator.Hash.crc32c(crc32c(place.bytes))
            let locator = Locator(
                container: container, position: place.position, byteCount: UInt64(place.bytes.count), hash: hash)
            try writer.set(try locator.serialized(), column: column)
        } else {
            try writer.set(place.bytes, column: column)
        }
    }

    /// Crop boxes are in pixels of the original: those that leave it, or the image that is there, would be replayed wrongly.
    private func countCrops(_ sample: DRSample, _ caption: CaptionStore.Entry?, _ report: inout ConvertReport) {
        guard let caption else { return }
        if let image = caption.imageSize {
            report.imageCount += 1
            if let original = caption.originalSize, original != image {
                report.resizedImages += 1
                report.resizeRatioSum += Double(original.width) / Double(max(1, image.width))
            }
        }
        for record in sample.augmentations {
            guard let box = record.crop else { continue }
            report.cropCount += 1
            func fits(_ size: ImageSize) -> Bool {
                Int(box.top) + Int(box.height) <= size.height && Int(box.left) + Int(box.width) <= size.width
            }
            if let size = caption.originalSize, !fits(size) { report.cropsOutsideOriginal += 1 }
            if let size = caption.imageSize, !fits(size) { report.cropsOutsideImage += 1 }
        }
    }

    /// Bytes from `2 * count` hexadecimal digits.
    static func bytes(hex text: String, count: Int, what: String) throws(ShardError) -> [UInt8] {
        func nibble(_ digit: UInt8) -> UInt8? {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
            default: nil
            }
        }
        let digits = Array(text.utf8)
        var bytes: [UInt8] = []
        for i in stride(from: 0, to: digits.count - 1, by: 2) {
            guard let high = nibble(digits[i]), let low = nibble(digits[i + 1]) else { break }
            bytes.append(high << 4 | low)
        }
        guard digits.count == 2 * count, bytes.count == count else {
            throw .schemaMismatch("\(what) \"\(text.prefix(80))\" is not \(2 * count) lower-case hexadecimal digits")
        }
        return bytes
    }
}
