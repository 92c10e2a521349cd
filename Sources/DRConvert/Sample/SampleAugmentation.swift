package import DRShardFormat

/// Augmentations as DataCompDR has them: one crop, then two of RandAugment's 14 operations at its fixed magnitude.
package enum SampleAugmentation {
    /// Of an image of a size.
    package static func draw(
        _ original: ImageSize, _ generator: inout SampleGenerator
    ) -> (box: Augmentation.Box, operations: [Augmentation.Operation]) {
        // An area of 8% to all of the image and sides of 3:4 to 4:3, by whole numbers only.
        let width = generator.integer(max(1, original.width * 3 / 10)...original.width)
        let height = min(original.height, max(1, width * generator.integer(750...1333) / 1000))
        let box = Augmentation.Box(
            top: Int32(generator.integer(0...original.height - height)),
            left: Int32(generator.integer(0...original.width - width)), height: Int32(height), width: Int32(width))
        var operations: [Augmentation.Operation] = []
        for _ in 0..<2 {
            let op = generator.integer(0...RandAugment.recipe.count - 1)
            let entry = RandAugment.recipe[op]
            let isNegative = generator.next() & 1 == 1 && entry.isSigned
            operations.append(
                .init(operation: UInt8(op), magnitude: isNegative ? -entry.magnitude : entry.magnitude))
        }
        return (box, operations)
    }
}
