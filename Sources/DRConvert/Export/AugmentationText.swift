internal import DRShard
internal import DRShardFormat
internal import DRText

/// Augmentation records as JSON.
enum AugmentationText {
    /// The record as DataCompDR has it, `[[top, left, height, width], [[operation, magnitude], ...]]`, or `null` for
    /// operations that were skipped. Every number is the shortest decimal that reads back as the same bits.
    /// - Returns: nil for a record that has other items, or a magnitude that JSON has no number for.
    static func pair(_ record: Augmentation) -> String? {
        guard record.items.count == 2, case .crop(let box) = record.items[0] else { return nil }
        switch record.items[1] {
        case .null(kind: 2):
            return JSONText.array([sides([box.top, box.left, box.height, box.width]), "null"])
        case .randAugment(let operations):
            guard operations.allSatisfy(\.magnitude.isFinite) else { return nil }
            return JSONText.augmentation(box, operations)
        default: return nil
        }
    }

    /// Any record, as a list of objects of one key each, which is an item's kind; null: it was drawn and skipped.
    /// - Returns: nil if a number is not finite.
    static func items(_ record: Augmentation) -> String? {
        var texts: [String] = []
        for item in record.items {
            guard let (kind, value) = self.item(item) else { return nil }
            texts.append(JSONText.object([(Augmentation.kindNames[kind] ?? "kind \(kind)", value)]))
        }
        return JSONText.array(texts)
    }

    private static func sides(_ numbers: [Int32]) -> String { JSONText.array(numbers.map { String($0) }) }

    private static func item(_ item: Augmentation.Item) -> (kind: Int, value: String)? {
        func number(_ value: Double) -> String? { value.isFinite ? String(value) : nil }
        func id(_ bytes: [UInt8]) -> String { JSONText.string(hex(bytes)) }
        switch item {
        case .crop(let box): return (1, sides([box.top, box.left, box.height, box.width]))
        case .randAugment(let operations):
            guard operations.allSatisfy(\.magnitude.isFinite) else { return nil }
            return (2, JSONText.array(operations.map { JSONText.array([String($0.operation), String($0.magnitude)]) }))
        case .flip(let applied): return (3, applied ? "true" : "false")
        case .erase(let x, let y, let height, let width): return (4, sides([x, y, height, width]))
        case .colorJitter(let order, let factors):
            let numbers = factors.compactMap(number)
            guard numbers.count == factors.count else { return nil }
            return (
                5,
                JSONText.object([
                    ("order", JSONText.array(order.map { String($0) })), ("factors", JSONText.array(numbers)),
                ])
            )
        case .mixup(let lambda, let partner):
            guard let lambda = number(lambda) else { return nil }
            return (6, JSONText.object([("lambda", lambda), ("partner", id(partner))]))
        case .cutmix(let lambda, let x1, let y1, let x2, let y2, let partner):
            guard let lambda = number(lambda) else { return nil }
            return (
                7, JSONText.object([("lambda", lambda), ("box", sides([x1, y1, x2, y2])), ("partner", id(partner))])
            )
        case .randomCrop(let top, let left): return (8, sides([top, left]))
        case .resize(let size): return (9, String(size))
        case .null(let kind): return (Int(kind), "null")
        }
    }
}
