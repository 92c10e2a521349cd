internal import DRShard
internal import DRShardFormat
internal import DRText

/// Puts one row of a source into the cells of a sink. One for each thread.
struct RowConverter {
    private let layout: SetLayout
    private let options: ConvertOptions
    private var encoder: CLIPTokenizer.Encoder?
    /// What is measured of the precision that float32 lost: the teachers' parts, or all dimensions.
    private let slices: [Range<Int>]

    init(layout: SetLayout, options: ConvertOptions, encoder: CLIPTokenizer.Encoder?) {
        self.layout = layout
        self.options = options
        self.encoder = encoder
        let teachers = options.teachers.map { $0.first..<$0.first + $0.count }
        slices = teachers.isEmpty ? [0..<layout.dims] : teachers
    }

    /// Sets all cells of a row; the caller ends it. Counts what people should know in `counts`.
    /// - Throws: `.schemaMismatch` if the row has not the set's shape, `.corrupt` for NaN and infinity.
    mutating func set<Sink: RowSink>(_ row: SourceRow, in sink: Sink, counts: inout RowCounts) throws(ShardError) {
        try checkShape(row)
        var matrices: [EmbeddingRows] = []
        for matrix in row.matrices {
            matrices.append(try EmbeddingRows(matrix.array, name: matrix.name, storedAs: layout.storedElement))
        }
        if layout.inputElement == .f32 && layout.storedElement == .bf16 { measure(row, matrices, &counts) }
        let columns = layout.columns
        try sink.set(try RowConverter.bytes(hex: row.uid, count: 16, what: "uid"), column: columns.uid)
        let sha256 = try row.sha256.map { text throws(ShardError) in
            try RowConverter.bytes(hex: text, count: 32, what: "sha256")
        }
        try setOptional(sha256, columns.sha256, "sha256", sink)
        try setOptional(row.url.map { Array($0.utf8) }, columns.url, "url", sink)
        let crops = try crops(of: row, &counts)
        for view in 0..<layout.viewCount {
            if let column = columns.augmentation {
                if !crops.isEmpty, let crop = crops[view] {
                    try sink.set(try crop.serialized(), column: column, variant: view)
                } else {
                    try sink.setAbsent(column: column, variant: view)
                }
            }
            try set(row.views[view], of: matrices, column: columns.imageEmbedding, variant: view, sink)
        }
        if let column = columns.realEmbedding, let cell = row.realEmbedding {
            try set(cell, of: matrices, column: column, variant: 0, sink)
        }
        for (set, own) in zip(columns.sets, row.captionSets.filter({ !$0.embeddings.isEmpty })) {
            for i in 0..<set.count {
                try self.set(own.embeddings[i], of: matrices, column: set.embedding, variant: i, sink)
                guard let column = set.text, let texts = own.texts else { continue }
                if let text = texts[i] {
                    try setText(text, text: column, tokens: set.tokens, variant: i, sink, &counts)
                } else {
                    try sink.setAbsent(column: column, variant: i)
                    if let tokens = set.tokens { try sink.setAbsent(column: tokens, variant: i) }
                }
            }
        }
        counts.loneSurrogates += row.loneSurrogateCount
        try setJoined(row, sink, &counts)
    }

    private func set<Sink: RowSink>(
        _ cell: SourceRow.Cell, of matrices: [EmbeddingRows], column: Int, variant: Int, _ sink: Sink
    ) throws(ShardError) {
        switch cell {
        case .row(let matrix, let row): try sink.set(matrices[matrix][row].span, column: column, variant: variant)
        case .missing(let state): try sink.setMissing(state, column: column, variant: variant)
        }
    }

    private func checkShape(_ row: SourceRow) throws(ShardError) {
        func expect(_ what: String, _ found: Int, _ expected: Int) throws(ShardError) {
            guard found == expected else {
                throw .schemaMismatch("\(what): \(found), where the set's first sample has \(expected)")
            }
        }
        try expect("views", row.views.count, layout.viewCount)
        try expect("dims of \(row.matrices[0].name)", row.dims, layout.dims)
        guard row.element == layout.inputElement else {
            throw .schemaMismatch(
                "embeddings of \(row.element), where the set's first sample has \(layout.inputElement)")
        }
        try expect(
            "embeddings of the real caption", row.realEmbedding == nil ? 0 : 1,
            layout.columns.realEmbedding == nil ? 0 : 1)
        let (sets, own) = (layout.columns.sets, row.captionSets.filter { !$0.embeddings.isEmpty })
        guard sets.map(\.key) == own.map(\.key) else {
            throw .schemaMismatch(
                "synthetic captions \(own.map(\.key)), where the set's first sample has \(sets.map(\.key))")
        }
        for (set, own) in zip(sets, own) {
            try expect("synthetic captions", own.embeddings.count, set.count)
            try expect("lists of texts \"\(set.key)\"", own.texts == nil ? 0 : 1, set.text == nil ? 0 : 1)
        }
    }

    private func setOptional<Sink: RowSink>(
        _ value: [UInt8]?, _ column: Int?, _ name: String, _ sink: Sink
    ) throws(ShardError) {
        guard let column else {
            guard value == nil else {
                throw .schemaMismatch("it has a \(name), which the set's first samples have not")
            }
            return
        }
        if let value { try sink.set(value, column: column) } else { try sink.setAbsent(column: column, variant: 0) }
    }

    private mutating func setText<Sink: RowSink>(
        _ text: String, text column: Int, tokens: Int?, variant: Int, _ sink: Sink, _ counts: inout RowCounts
    ) throws(ShardError) {
        try sink.set(text, column: column, variant: variant)
        guard let tokens, var encoder = encoder.take() else { return }
        let ids = encoder.encode(text)
        self.encoder = consume encoder
        if let doubt = CLIPTokenizer.repairDoubt(of: text) { counts.doubtfulTexts[doubt.rawValue, default: 0] += 1 }
        // The context holds a start and an end token too.
        if ids.count > CLIPTokenizer.contextLength - 2 { counts.overlongTexts += 1 }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(ids.count * 2)
        for id in ids {
            bytes.append(UInt8(truncatingIfNeeded: id))
            bytes.append(UInt8(truncatingIfNeeded: id >> 8))
        }
        try sink.set(bytes, column: tokens, variant: variant)
    }

    private mutating func setJoined<Sink: RowSink>(
        _ row: SourceRow, _ sink: Sink, _ counts: inout RowCounts
    ) throws(ShardError) {
        let columns = layout.columns
        if let realText = columns.realText {
            if let text = row.caption {
                try setText(text, text: realText, tokens: columns.realTokens, variant: 0, sink, &counts)
            } else {
                counts.captionsMissing += 1
                counts.rowsWithoutCaption += 1
                try sink.setAbsent(column: realText, variant: 0)
                if let tokens = columns.realTokens { try sink.setAbsent(column: tokens, variant: 0) }
            }
        } else if row.caption != nil {
            throw .schemaMismatch("it has a real caption, which the set's first samples have not")
        }
        var size: [UInt8]?
        if let cropSize = options.rescalesCrops ? row.image?.size ?? row.originalSize : row.originalSize {
            size = []
            size?.append(u32: UInt32(cropSize.width))
            size?.append(u32: UInt32(cropSize.height))
        }
        try setOptional(size, columns.originalSize, "size of the original", sink)
        guard let column = columns.image else { return }
        guard let image = row.image else {
            counts.imagesMissing += 1
            return try sink.setAbsent(column: column, variant: 0)
        }
        if options.images == .locate {
            let locator = Locator(
                container: image.container, position: image.position, byteCount: UInt64(image.bytes.count),
                hash: .crc32c(crc32c(image.bytes)))
            try sink.set(try locator.serialized(), column: column)
        } else {
            try sink.set(image.bytes, column: column)
        }
    }

    // MARK: Crops

    /// The row's augmentation records as they are stored. Crop boxes are in pixels of the original: those that leave it,
    /// or the image that is there, would be replayed wrongly, and are counted.
    private func crops(of row: SourceRow, _ counts: inout RowCounts) throws(ShardError) -> [Augmentation?] {
        if layout.columns.augmentation == nil, !row.augmentations.isEmpty {
            throw .schemaMismatch("it has augmentation parameters, which the set's first samples have not")
        }
        if let image = row.image?.size {
            counts.imageCount += 1
            if let original = row.originalSize, original != image {
                counts.resizedImages += 1
                counts.resizeRatioSum += Double(original.width) / Double(max(1, image.width))
            }
        }
        for record in row.augmentations {
            guard let box = record?.crop else { continue }
            counts.cropCount += 1
            if let size = row.originalSize, !size.contains(box) { counts.cropsOutsideOriginal += 1 }
            if let size = row.image?.size, !size.contains(box) { counts.cropsOutsideImage += 1 }
        }
        guard options.rescalesCrops, let image = row.image?.size else { return row.augmentations }
        guard let original = row.originalSize else {
            throw .schemaMismatch("--rescale-crops needs original_width and original_height, which it has not")
        }
        guard original != image else { return row.augmentations }
        counts.cropsRescaled += row.augmentations.count { $0?.crop != nil }
        return row.augmentations.map { $0?.rescaled(from: original, to: image) }
    }

    // MARK: Precision

    private func measure(_ row: SourceRow, _ matrices: [EmbeddingRows], _ counts: inout RowCounts) {
        if counts.precision.isEmpty {
            let names = options.teachers.isEmpty ? ["all dimensions"] : options.teachers.map(\.name)
            counts.precision = names.map { PrecisionCost(name: $0) }
        }
        for (matrix, stored) in zip(row.matrices, matrices) {
            for i in 0..<stored.rowCount {
                let rowBytes = matrix.array.rowBytes(i)
                let (from, to) = (rowBytes.span, stored[i].span)
                for (slice, range) in slices.enumerated() where range.upperBound <= layout.dims {
                    counts.precision[slice].add(
                        FloatKernels.bf16Error(
                            f32: from.extracting(range.lowerBound * 4..<range.upperBound * 4),
                            bf16: to.extracting(range.lowerBound * 2..<range.upperBound * 2)))
                }
            }
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
        bytes.reserveCapacity(count)
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

extension ImageSize {
    /// Whether a crop box lies in an image of this size.
    func contains(_ box: Augmentation.Box) -> Bool {
        box.top >= 0 && box.left >= 0 && Int(box.top) + Int(box.height) <= height
            && Int(box.left) + Int(box.width) <= width
    }
}

extension Augmentation {
    /// The record for an image that was resized after the crop was drawn: the edges of its box go to the nearest pixels,
    /// at least one pixel apart.
    func rescaled(from old: ImageSize, to new: ImageSize) -> Augmentation {
        func side(_ first: Int32, _ length: Int32, _ from: Int, _ to: Int) -> (first: Int32, length: Int32) {
            let scale = Double(to) / Double(from)
            let start = min(max(0, (Double(first) * scale).rounded()), Double(to - 1))
            let end = min(max(start + 1, ((Double(first) + Double(length)) * scale).rounded()), Double(to))
            return (Int32(start), Int32(end - start))
        }
        return Augmentation(
            items: items.map { item in
                guard case .crop(let box) = item else { return item }
                let (top, height) = side(box.top, box.height, old.height, new.height)
                let (left, width) = side(box.left, box.width, old.width, new.width)
                return .crop(Box(top: top, left: left, height: height, width: width))
            })
    }
}
