package import DRShardFormat
package import DRText

/// Reads `param_aug` of DataCompDR: for each view a crop, then RandAugment.
package enum AugmentationList {
    package static let operationCount = 14

    /// Reads the value of `param_aug`: a list with one entry per view, or a string that holds that list as JSON.
    ///
    /// - Throws: `.corrupt` naming the place, such as `param_aug[3][1][0]`, for any other shape, for a crop that is
    ///   empty or begins below 0, and for an operation index above 13; `.limitExceeded` beyond 32 bits.
    package static func parse(_ value: JSONValue) throws(ShardError) -> [Augmentation] {
        var value = value
        if case .string(let text) = value { value = try JSON.parse(Array(text.utf8)).value }
        let place = "param_aug"
        var records: [Augmentation] = []
        for (index, item) in try elements(value, place, count: nil).enumerated() {
            records.append(try record(item, "\(place)[\(index)]"))
        }
        return records
    }

    static func record(_ value: JSONValue, _ place: @autoclosure () -> String) throws(ShardError)
        -> Augmentation
    {
        let parts = try elements(value, place(), count: 2)
        let box = try elements(parts[0], "\(place())[0]", count: 4)
        var sides: [Int32] = []
        for (index, side) in box.enumerated() {
            guard case .int(let pixels) = side else { throw wrong("\(place())[0][\(index)]", "a whole number", side) }
            guard pixels >= (index < 2 ? 0 : 1) else {
                throw .corrupt("\(place())[0][\(index)]: \(pixels), a crop is [top, left, height, width]")
            }
            guard let side = Int32(exactly: pixels) else {
                throw .limitExceeded("\(place())[0][\(index)]: \(pixels) pixels, at most \(Int32.max)")
            }
            sides.append(side)
        }
        let crop = Augmentation.Box(top: sides[0], left: sides[1], height: sides[2], width: sides[3])
        if case .null = parts[1] { return Augmentation(items: [.crop(crop), .null(kind: 2)]) }
        let operations = try operations(parts[1], "\(place())[1]")
        return Augmentation(items: [.crop(crop), .randAugment(operations)])
    }

    static func operations(
        _ value: JSONValue, _ place: @autoclosure () -> String
    ) throws(ShardError) -> [Augmentation.Operation] {
        var operations: [Augmentation.Operation] = []
        for (index, item) in try elements(value, place(), count: nil).enumerated() {
            operations.append(try operation(item, "\(place())[\(index)]"))
        }
        guard operations.count <= UInt8.max else {
            throw .limitExceeded("\(place()): \(operations.count) operations")
        }
        return operations
    }

    private static func operation(_ value: JSONValue, _ place: @autoclosure () -> String) throws(ShardError)
        -> Augmentation.Operation
    {
        let pair = try elements(value, place(), count: 2)
        guard case .int(let index) = pair[0] else { throw wrong("\(place())[0]", "a whole number", pair[0]) }
        guard let op = UInt8(exactly: index), op < operationCount else {
            throw .corrupt("\(place())[0]: operation \(index), there are 0...\(operationCount - 1)")
        }
        switch pair[1] {
        case .double(let magnitude): return Augmentation.Operation(operation: op, magnitude: magnitude)
        case .int(let magnitude): return Augmentation.Operation(operation: op, magnitude: Double(magnitude))
        default: throw wrong("\(place())[1]", "a number", pair[1])
        }
    }

    static func elements(
        _ value: JSONValue, _ place: @autoclosure () -> String, count: Int?
    ) throws(ShardError) -> [JSONValue] {
        guard case .array(let elements) = value else { throw wrong(place(), "an array", value) }
        guard count == nil || elements.count == count else {
            throw .corrupt("\(place()): \(elements.count) elements, expected \(count ?? 0)")
        }
        return elements
    }

    static func wrong(_ place: String, _ expected: String, _ found: JSONValue) -> ShardError {
        .corrupt("\(place): expected \(expected), found \(found.kind)")
    }
}
