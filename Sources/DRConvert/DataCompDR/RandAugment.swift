package import DRShardFormat

/// The operations of RandAugment, by the numbers that the published recipe gives them.
package enum RandAugment {
    /// Names and magnitudes, in the very digits of the real files; a signed one is negated half of the time.
    package static let recipe: [(name: String, magnitude: Double, isSigned: Bool)] = [
        ("Identity", 0, false), ("ShearX", 0.09000000357627869, true), ("ShearY", 0.09000000357627869, true),
        ("TranslateX", 30.45317268371582, true), ("TranslateY", 30.45317268371582, true), ("Rotate", 9, true),
        ("Brightness", 0.26999998092651367, true), ("Color", 0.26999998092651367, true),
        ("Contrast", 0.26999998092651367, true), ("Sharpness", 0.26999998092651367, true), ("Posterize", 7, false),
        ("Solarize", 178.5, false), ("AutoContrast", 0, false), ("Equalize", 0, false),
    ]

    /// All operations, with the recipe's magnitudes and those that occur in these records. For a set that follows the
    /// recipe this is one table, whichever records are looked at.
    package static func table(of records: some Sequence<Augmentation>) -> [OperationEntry] {
        var magnitudes = recipe.map { Set($0.isSigned ? [-$0.magnitude, $0.magnitude] : [$0.magnitude]) }
        for record in records {
            for operation in record.operations
            where Int(operation.operation) < recipe.count && !operation.magnitude.isNaN {
                magnitudes[Int(operation.operation)].insert(operation.magnitude)
            }
        }
        return recipe.indices.map {
            OperationEntry(operation: UInt8($0), name: recipe[$0].name, magnitudes: magnitudes[$0].sorted())
        }
    }
}
