internal import DRConvert
internal import DRShardFormat

/// Samples as rows.
extension TarSamples {
    /// Adds a sample to a block: every column gets its cells, absent where the sample has none.
    func append(_ sample: DRSample?, _ joined: CaptionSample?, _ place: RowPlace, to block: inout RowBlock) {
        block.places.append(place)
        let columns = layout.columns
        for column in layout.schema.columns.indices {
            let variants = layout.schema.variantCount(of: column)
            let byteCount = layout.schema.columns[column].type.cellByteCount ?? 0
            for variant in 0..<variants {
                let value: ArraySlice<UInt8>? =
                    switch column {
                    case layout.schema.rowIDColumn: bigEndian(TarSamples.id(place.id))[...]
                    case columns.augmentation: record(sample, variant)
                    case columns.image: sample.flatMap { Self.row($0.imageEmbeddings, variant) }
                    case columns.realEmbedding: sample.flatMap { Self.row($0.textEmbeddings, 0) }
                    case columns.syntheticEmbedding: sample.flatMap { Self.row($0.textEmbeddings, 1 + variant) }
                    case columns.syntheticText: text(sample, variant)
                    case columns.realText: joined?.caption.map { Array($0.utf8)[...] }
                    case columns.originalSize: joined?.originalSize.map { Self.size($0)[...] }
                    case columns.imageBytes: joined?.image.map { $0.bytes[...] }
                    default: nil
                    }
                if let value {
                    block.cells[column].append(value)
                } else {
                    block.cells[column].append(missing: .absent, byteCount: byteCount)
                }
            }
        }
    }

    private func record(_ sample: DRSample?, _ view: Int) -> ArraySlice<UInt8>? {
        guard let sample, sample.augmentations.indices.contains(view) else { return nil }
        return (try? sample.augmentations[view].serialized())?[...]
    }

    private func text(_ sample: DRSample?, _ caption: Int) -> ArraySlice<UInt8>? {
        guard let sample, sample.combinedCaptions.indices.contains(caption) else { return nil }
        return Array(sample.combinedCaptions[caption].utf8)[...]
    }

    private static func row(_ array: ForeignArray, _ row: Int) -> ArraySlice<UInt8>? {
        guard row < array.shape[0] else { return nil }
        let width = array.bytes.count / array.shape[0]
        return array.bytes[array.bytes.startIndex + row * width..<array.bytes.startIndex + (row + 1) * width]
    }

    private static func size(_ size: ImageSize) -> [UInt8] {
        [size.width, size.height].flatMap { side in (0..<4).map { UInt8(truncatingIfNeeded: side >> (8 * $0)) } }
    }

    private func bigEndian(_ id: UInt128) -> [UInt8] {
        (0..<16).map { UInt8(truncatingIfNeeded: id >> UInt128(8 * (15 - $0))) }
    }
}
