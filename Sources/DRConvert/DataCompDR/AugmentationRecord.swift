package import DRShardFormat

/// How one view of an image was made: a crop, then RandAugment. Source: `param_aug` of DataCompDR.
package struct AugmentationRecord: Equatable, Sendable {
    /// A rectangle in pixels of the original image.
    package struct Crop: Equatable, Sendable {
        package var top: Int32
        package var left: Int32
        package var height: Int32
        package var width: Int32

        package init(top: Int32, left: Int32, height: Int32, width: Int32) {
            self.top = top
            self.left = left
            self.height = height
            self.width = width
        }
    }

    /// One RandAugment operation, by its index among the 14, and its signed magnitude.
    package struct Operation: Equatable, Sendable {
        package var op: UInt8
        package var magnitude: Double

        package init(op: UInt8, magnitude: Double) {
            self.op = op
            self.magnitude = magnitude
        }
    }

    package static let operationCount = 14

    package var crop: Crop
    /// In the order in which they are applied; nil where RandAugment was skipped.
    package var randAugment: [Operation]?

    package init(crop: Crop, randAugment: [Operation]?) {
        self.crop = crop
        self.randAugment = randAugment
    }

    /// Reads the value of `param_aug`: a list with one entry per view, or a string that holds that list as JSON.
    ///
    /// - Throws: `.corrupt` naming the place, such as `param_aug[3][1][0]`, for any other shape, for a crop that is
    ///   empty or begins below 0, and for an operation index above 13; `.limitExceeded` beyond 32 bits.
    package static func list(_ value: JSONValue) throws(ShardError) -> [AugmentationRecord] {
        var value = value
        if case .string(let text) = value { value = try JSON.parse(Array(text.utf8)).value }
        let place = "param_aug"
        var records: [AugmentationRecord] = []
        for (index, item) in try elements(value, place, count: nil).enumerated() {
            records.append(try record(item, "\(place)[\(index)]"))
        }
        return records
    }

    private static func record(_ value: JSONValue, _ place: @autoclosure () -> String) throws(ShardError) -> Self {
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
        let crop = Crop(top: sides[0], left: sides[1], height: sides[2], width: sides[3])
        if case .null = parts[1] { return Self(crop: crop, randAugment: nil) }
        var operations: [Operation] = []
        for (index, item) in try elements(parts[1], "\(place())[1]", count: nil).enumerated() {
            operations.append(try operation(item, "\(place())[1][\(index)]"))
        }
        return Self(crop: crop, randAugment: operations)
    }

    private static func operation(_ value: JSONValue, _ place: @autoclosure () -> String) throws(ShardError)
        -> Operation
    {
        let pair = try elements(value, place(), count: 2)
        guard case .int(let index) = pair[0] else { throw wrong("\(place())[0]", "a whole number", pair[0]) }
        guard let op = UInt8(exactly: index), op < operationCount else {
            throw .corrupt("\(place())[0]: operation \(index), there are 0...\(operationCount - 1)")
        }
        switch pair[1] {
        case .double(let magnitude): return Operation(op: op, magnitude: magnitude)
        case .int(let magnitude): return Operation(op: op, magnitude: Double(magnitude))
        default: throw wrong("\(place())[1]", "a number", pair[1])
        }
    }

    private static func elements(
        _ value: JSONValue, _ place: @autoclosure () -> String, count: Int?
    ) throws(ShardError) -> [JSONValue] {
        guard case .array(let elements) = value else { throw wrong(place(), "an array", value) }
        guard count == nil || elements.count == count else {
            throw .corrupt("\(place()): \(elements.count) elements, expected \(count ?? 0)")
        }
        return elements
    }

    private static func wrong(_ place: String, _ expected: String, _ found: JSONValue) -> ShardError {
        .corrupt("\(place): expected \(expected), found \(found.kind)")
    }
}
