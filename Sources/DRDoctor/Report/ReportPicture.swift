internal import DRConvert
internal import DRShard
internal import DRShardFormat

/// A row that a report shows: its picture, its boxes, its captions.
struct ReportPicture {
    var id: String
    /// A picture as a `data:` address.
    var address: String
    /// The size in whose pixels boxes are.
    var size: ImageSize
    var boxes: [(view: Int, box: Augmentation.Box)]
    var viewCount: Int
    var realCaptions: [String]
    var syntheticCaptions: [String]

    private static let maximumCount = 6
    private static let maximumByteCount = 200 << 10
    private static let maximumBoxCount = 6
    /// Rows that are tried.
    private static let tries = 48

    /// Some rows of a set, spread evenly, whose pictures a browser can show and that are small enough.
    static func choose(_ set: DataSet, _ layout: ProfileLayout) -> [ReportPicture] {
        guard let image = layout.imageBytes, set.rowCount > 0 else { return [] }
        var pictures: [ReportPicture] = []
        var seen: Set<Int> = []
        // First six places, then those between them, so that rows without a picture do not leave gaps at the end.
        for i in 0..<min(tries, set.rowCount) {
            let row = (i % maximumCount) * set.rowCount / maximumCount + i / maximumCount
            guard row < set.rowCount, seen.insert(row).inserted, pictures.count < maximumCount else { continue }
            if let picture = try? ReportPicture(set, layout, image: image, row: row) { pictures.append(picture) }
        }
        return pictures
    }

    private init?(_ set: DataSet, _ layout: ProfileLayout, image: Int, row: Int) throws(ShardError) {
        let (shard, row) = { (set.shards[$0.shard], $0.row) }(set.locate(row: row))
        guard let bytes = try shard.value(column: image, row: row), bytes.count <= Self.maximumByteCount,
            let type = Self.mediaType(bytes), let own = ImageSize(header: bytes[...])
        else { return nil }
        address = "data:\(type);base64,\(Base64.encode(bytes))"
        size = own
        if let column = layout.originalSize, let cell = try shard.value(column: column, row: row), cell.count == 8 {
            func side(_ offset: Int) -> Int { (0..<4).reduce(0) { $0 | Int(cell[offset + $1]) << (8 * $1) } }
            if side(0) > 0 && side(4) > 0 { size = ImageSize(width: side(0), height: side(4)) }
        }
        id = try shard.value(column: shard.schema.rowIDColumn, row: row).map { hexadecimal($0) } ?? "?"
        boxes = []
        viewCount = 0
        if let column = layout.augmentation {
            viewCount = shard.schema.variantCount(of: column)
            let shown = min(Self.maximumBoxCount, viewCount)
            for i in 0..<shown {
                let view = i * viewCount / shown
                guard let record = try shard.value(column: column, row: row, variant: view),
                    let box = try Augmentation(parsing: record).crop
                else { continue }
                boxes.append((view, box))
            }
        }
        realCaptions = []
        syntheticCaptions = []
        for column in layout.texts {
            let isSynthetic = shard.schema.columns[column].axis.map { shard.schema.axes[$0].kind == .syntheticCaption }
            for variant in 0..<min(5, shard.schema.variantCount(of: column)) {
                guard let text = try shard.value(column: column, row: row, variant: variant) else { continue }
                let caption = HTMLText.shortened(String(decoding: text, as: UTF8.self), 300)
                if isSynthetic ?? false { syntheticCaptions.append(caption) } else { realCaptions.append(caption) }
            }
        }
    }

    /// Of what every browser shows and nothing else: a type that a page may trust.
    private static func mediaType(_ bytes: [UInt8]) -> String? {
        if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) { return "image/png" }
        if bytes.starts(with: [0xFF, 0xD8, 0xFF]) { return "image/jpeg" }
        return nil
    }

    var html: String {
        let (width, height) = (size.width, size.height)
        var svg = "<svg viewBox=\"0 0 \(width) \(height)\" role=\"img\">"
        svg += "<title>Image \(HTMLText.escape(id)), \(width) x \(height), with \(boxes.count) crop boxes</title>"
        svg += "<image href=\"\(address)\" width=\"\(width)\" height=\"\(height)\" preserveAspectRatio=\"none\"/>"
        for (i, item) in boxes.enumerated() {
            let place =
                "x=\"\(item.box.left)\" y=\"\(item.box.top)\" width=\"\(max(0, item.box.width))\" "
                + "height=\"\(max(0, item.box.height))\""
            svg += "<rect class=\"under\" \(place)/><rect class=\"box s\(i % 6)\" \(place)/>"
        }
        var words = realCaptions.map { "<p>\(HTMLText.escape($0))</p>" }.joined()
        let items = syntheticCaptions.map { "<li>\($0.isEmpty ? "<em>empty</em>" : HTMLText.escape($0))</li>" }
        if !items.isEmpty { words += "<ol class=\"soft\">\(items.joined())</ol>" }
        let views = boxes.map { String($0.view) }.joined(separator: ", ")
        words += "<p class=\"id\"><code>\(HTMLText.escape(id))</code><br>\(width) × \(height)"
        words += boxes.isEmpty ? "</p>" : ", boxes of views \(views) of \(viewCount)</p>"
        return
            "<article class=\"sample\"><div class=\"picture\">\(svg)</svg></div><div class=\"words\">\(words)</div></article>"
    }
}
