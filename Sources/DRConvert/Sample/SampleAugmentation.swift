internal import DRShardFormat

/// Augmentations as DataCompDR has them: one crop, then two of RandAugment's 14 operations at its fixed magnitude.
package enum SampleAugmentation {
    /// Magnitude of each operation, by index, in the very digits of the real files; and whether it is negated half of
    /// the time.
    package static let magnitudes: [(value: Double, isSigned: Bool)] = [
        (0, false), (0.09000000357627869, true), (0.09000000357627869, true), (30.45317268371582, true),
        (30.45317268371582, true), (9, true), (0.26999998092651367, true), (0.26999998092651367, true),
        (0.26999998092651367, true), (0.26999998092651367, true), (7, false), (178.5, false), (0, false), (0, false),
    ]

    static func draw(
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
            let op = generator.integer(0...magnitudes.count - 1)
            let isNegative = generator.next() & 1 == 1 && magnitudes[op].isSigned
            operations.append(
                .init(operation: UInt8(op), magnitude: isNegative ? -magnitudes[op].value : magnitudes[op].value))
        }
        return (box, operations)
    }
}
