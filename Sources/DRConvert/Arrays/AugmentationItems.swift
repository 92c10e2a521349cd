package import DRShardFormat
package import DRText

extension AugmentationList {
    /// Reads what `export` writes as `param_aug`: entries of DataCompDR, or lists of objects of one key each, which is an
    /// item's kind; or a string that holds that list as JSON. An entry that is null is a view without a record.
    ///
    /// - Throws: as `parse` does; `.corrupt` for an item of another form.
    package static func parseAny(_ value: JSONValue) throws(ShardError) -> [Augmentation?] {
        var value = value
        if case .string(let text) = value { value = try JSON.parse(Array(text.utf8)).value }
        var records: [Augmentation?] = []
        for (index, entry) in try elements(value, "param_aug", count: nil).enumerated() {
            records.append(try self.entry(entry, "param_aug[\(index)]"))
        }
        return records
    }

    private static func entry(_ value: JSONValue, _ place: String) throws(ShardError) -> Augmentation? {
        switch value {
        case .null: return nil
        case .array(let parts) where parts.allSatisfy({ if case .object = $0 { true } else { false } }):
            var items: [Augmentation.Item] = []
            for (index, part) in parts.enumerated() { items.append(try item(part, "\(place)[\(index)]")) }
            return Augmentation(items: items)
        default: return try record(value, place)
        }
    }

    private static func item(_ value: JSONValue, _ place: String) throws(ShardError) -> Augmentation.Item {
        guard case .object(let members) = value, members.count == 1,
            let kind = Augmentation.kindNames.first(where: { $0.value == members[0].key })?.key
        else {
            let kinds = Augmentation.kindNames.sorted { $0.key < $1.key }.map(\.value)
            throw .corrupt("\(place): expected an object of one key, one of \(kinds.joined(separator: ", "))")
        }
        let (name, value) = ("\(place).\(members[0].key)", members[0].value)
        if value == .null, let kind = UInt8(exactly: kind) { return .null(kind: kind) }
        switch kind {
        case 1:
            let box = try sides(value, name, 4)
            return .crop(.init(top: box[0], left: box[1], height: box[2], width: box[3]))
        case 2: return .randAugment(try operations(value, name))
        case 3:
            guard case .bool(let applied) = value else { throw wrong(name, "a boolean", value) }
            return .flip(applied)
        case 4:
            let box = try sides(value, name, 4)
            return .erase(x: box[0], y: box[1], height: box[2], width: box[3])
        case 5: return try colorJitter(value, name)
        case 6: return .mixup(lambda: try number(value["lambda"], name + ".lambda"), partner: try partner(value, name))
        case 7:
            let box = try sides(value["box"] ?? .null, name + ".box", 4)
            return .cutmix(
                lambda: try number(value["lambda"], name + ".lambda"), x1: box[0], y1: box[1], x2: box[2], y2: box[3],
                partner: try partner(value, name))
        case 8:
            let corner = try sides(value, name, 2)
            return .randomCrop(top: corner[0], left: corner[1])
        default: return .resize(try side(value, name))
        }
    }

    private static func colorJitter(_ value: JSONValue, _ place: String) throws(ShardError) -> Augmentation.Item {
        var order: [UInt8] = []
        for element in try elements(value["order"] ?? .null, place + ".order", count: 4) {
            guard case .int(let number) = element, let place = UInt8(exactly: number) else {
                throw wrong(place + ".order", "whole numbers of a byte", element)
            }
            order.append(place)
        }
        var factors: [Double] = []
        for element in try elements(value["factors"] ?? .null, place + ".factors", count: 4) {
            factors.append(try number(element, place + ".factors"))
        }
        return .colorJitter(order: order, factors: factors)
    }

    private static func side(_ value: JSONValue, _ place: String) throws(ShardError) -> Int32 {
        guard case .int(let number) = value, let side = Int32(exactly: number) else {
            throw wrong(place, "a whole number of 32 bits", value)
        }
        return side
    }

    private static func sides(_ value: JSONValue, _ place: String, _ count: Int) throws(ShardError) -> [Int32] {
        var sides: [Int32] = []
        for element in try elements(value, place, count: count) { sides.append(try side(element, place)) }
        return sides
    }

    private static func number(_ value: JSONValue?, _ place: String) throws(ShardError) -> Double {
        switch value {
        case .double(let number): return number
        case .int(let number): return Double(number)
        default: throw wrong(place, "a number", value ?? .null)
        }
    }

    /// The id of a mixed-in row, in hexadecimal digits.
    private static func partner(_ value: JSONValue, _ place: String) throws(ShardError) -> [UInt8] {
        guard case .string(let digits) = value["partner"], digits.utf8.count <= 510 else {
            throw wrong(place + ".partner", "an id in hexadecimal digits", value["partner"] ?? .null)
        }
        return try RowConverter.bytes(hex: digits, count: digits.utf8.count / 2, what: place + ".partner")
    }
}
