internal import DRConvert
internal import DRShardFormat
internal import Foundation

/// Augmentation records: crop boxes and operations.
extension Profile {
    mutating func examineAugmentations(_ block: RowBlock) {
        guard let column = layout.augmentation else { return }
        findIdenticalViews(column, block)
        for row in 0..<block.rowCount {
            let original = originalSize(row, block)
            let image = layout.imageBytes.flatMap { block.cells[$0][row, 0] }.flatMap { ImageSize(header: $0) }
            var records: [Augmentation] = []
            for variant in 0..<block.cells[column].variantCount {
                guard let bytes = block.cells[column][row, variant] else { continue }
                do throws(ShardError) {
                    let record = try Augmentation(parsing: Array(bytes))
                    records.append(record)
                    examine(record, original, image, block.places[row], variant)
                } catch {
                    note(.damagedCells, column, variant, block.places[row], error.reason)
                }
            }
            if records.count == block.cells[column].variantCount { measureViews(records) }
        }
    }

    /// Of the image that boxes were drawn in.
    private func originalSize(_ row: Int, _ block: RowBlock) -> ImageSize? {
        guard let cell = layout.originalSize.flatMap({ block.cells[$0][row, 0] }) else { return nil }
        func side(_ offset: Int) -> Int {
            (0..<4).reduce(0) { $0 | Int(cell[cell.startIndex + offset + $1]) << (8 * $1) }
        }
        let (width, height) = (side(0), side(4))
        return width > 0 && height > 0 ? ImageSize(width: width, height: height) : nil
    }

    private mutating func examine(
        _ record: Augmentation, _ original: ImageSize?, _ image: ImageSize?, _ place: RowPlace, _ variant: Int
    ) {
        guard let column = layout.augmentation else { return }
        for operation in record.operations {
            let use = OperationUse(operation: operation.operation, bits: operation.magnitude.bitPattern)
            operations[use, default: 0] += 1
            guard let table = layout.magnitudes else { continue }
            guard let known = table[operation.operation] else {
                note(.unknownOperation, column, variant, place, "operation \(operation.operation)")
                continue
            }
            if !known.contains(use.bits) {
                note(
                    .unknownMagnitude, column, variant, place,
                    "operation \(operation.operation), \(operation.magnitude)")
            }
        }
        guard let box = record.crop else { return }
        crops.count += 1
        let what = "[top \(box.top), left \(box.left), height \(box.height), width \(box.width)]"
        guard box.height > 0, box.width > 0 else { return note(.cropWithoutArea, column, variant, place, what) }
        func within(_ size: ImageSize) -> String { what + ", the image is \(size.width) x \(size.height)" }
        func isInside(_ size: ImageSize) -> Bool {
            box.top >= 0 && box.left >= 0 && Int(box.top) + Int(box.height) <= size.height
                && Int(box.left) + Int(box.width) <= size.width
        }
        if let original, !isInside(original) {
            note(.cropOutsideOriginal, column, variant, place, within(original))
        }
        if let image, !isInside(image) { note(.cropOutsideImage, column, variant, place, within(image)) }
        if original == nil && image == nil && (box.top < 0 || box.left < 0) {
            note(.cropOutsideOriginal, column, variant, place, what)
        }
        guard let size = original ?? image else { return }
        crops.sizedCount += 1
        let (width, height) = (Double(size.width), Double(size.height))
        crops.areas.add(Double(box.width) * Double(box.height) / (width * height))
        crops.aspects.add(log2(Double(box.width) / Double(box.height)))
        crops.cover(
            top: Double(box.top) / height, left: Double(box.left) / width,
            bottom: Double(Int(box.top) + Int(box.height)) / height,
            right: Double(Int(box.left) + Int(box.width)) / width)
    }

    /// What may not depend on a view's number, if views are exchangeable.
    private mutating func measureViews(_ records: [Augmentation]) {
        let boxes = records.compactMap(\.crop)
        if boxes.count == records.count {
            measure("crop area", boxes.map { Double($0.height) * Double($0.width) }, asRanks: true)
            measure("crop shape", boxes.map { Double($0.width) / Double($0.height) }, asRanks: true)
            measure("crop centre, down", boxes.map { Double($0.top) * 2 + Double($0.height) }, asRanks: true)
            measure("crop centre, right", boxes.map { Double($0.left) * 2 + Double($0.width) }, asRanks: true)
        }
        var kinds: Set<UInt8> = []
        for record in records { for operation in record.operations { kinds.insert(operation.operation) } }
        for kind in kinds {
            let uses = records.map { $0.operations.contains { $0.operation == kind } ? 1.0 : 0 }
            measure("operation \(operationName(kind))", uses, asRanks: false)
        }
        measure("count of operations", records.map { Double($0.operations.count) }, asRanks: false)
    }

    func operationName(_ operation: UInt8) -> String {
        let entry = layout.schema.metadata.operations.first { $0.operation == operation }
        return entry.map { "\($0.operation) \($0.name)" } ?? "\(operation)"
    }
}
