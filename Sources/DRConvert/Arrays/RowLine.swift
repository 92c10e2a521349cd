package import DRShardFormat
internal import DRText

/// What one line says of a row: an object of JSON with ids, texts and parameters.
package struct RowLine: Sendable, Equatable {
    /// As it is there: 32 hexadecimal digits, or what people have.
    package var id: String?
    package var sha256: String?
    package var url: String?
    package var caption: String?
    /// By their keys, `syn_text` or `syn_text_` and a captioner's name, ascending; nil for a text that is missing.
    package var captionSets: [String: [String?]] = [:]
    /// One for each view, nil for one that is missing; empty if there are none.
    package var augmentations: [Augmentation?] = []
    package var originalSize: ImageSize?
    package var loneSurrogateCount = 0

    /// Reads a line.
    ///
    /// Fields that `names` gives no meaning are ignored, as is any that is null; of a repeated one the last counts.
    /// - Parameter seen: gets the names of all fields.
    /// - Throws: what `JSON.parse` throws; `.corrupt` naming the field that has another type; what `AugmentationList`
    ///   throws; `.schemaMismatch` for one side of the original alone.
    package init(parsing bytes: [UInt8], _ names: ColumnNames, seen: inout Set<String>) throws(ShardError) {
        let document = try JSON.parse(bytes)
        guard case .object(let members) = document.value else {
            throw .corrupt("expected an object, found \(document.value.kind)")
        }
        loneSurrogateCount = document.loneSurrogateCount
        var values: [String: JSONValue] = [:]
        for member in members {
            seen.insert(member.key)
            guard let ours = names.meaning(ofField: member.key) else { continue }
            values[ours] = member.value == .null ? nil : member.value
        }
        id = try values["uid"].map { value throws(ShardError) in
            if case .int(let number) = value { return String(number) }
            return try RowLine.string(value, names.field("uid"))
        }
        sha256 = try RowLine.string("sha256", values, names)
        url = try RowLine.string("url", values, names)
        caption = try RowLine.string("text", values, names)
        for (key, value) in values.sorted(by: { $0.key < $1.key }) where ColumnNames.isCaptionKey(key) {
            captionSets[key] = try RowLine.strings(value, names.field(key))
        }
        if let value = values["param_aug"] { augmentations = try AugmentationList.parseAny(value) }
        let width = try RowLine.side("original_width", values, names)
        let height = try RowLine.side("original_height", values, names)
        guard (width == nil) == (height == nil) else {
            throw .schemaMismatch("only one of original_width and original_height is there")
        }
        originalSize = width.flatMap { width in height.map { ImageSize(width: width, height: $0) } }
    }

    private static func string(
        _ key: String, _ values: [String: JSONValue], _ names: ColumnNames
    ) throws(ShardError) -> String? {
        try values[key].map { value throws(ShardError) in try string(value, names.field(key)) }
    }

    private static func string(_ value: JSONValue, _ place: String) throws(ShardError) -> String {
        guard case .string(let text) = value else {
            throw .corrupt("\(place): expected a string or null, found \(value.kind)")
        }
        return text
    }

    private static func strings(_ value: JSONValue, _ place: String) throws(ShardError) -> [String?] {
        guard case .array(let elements) = value else {
            throw .corrupt("\(place): expected an array of strings, found \(value.kind)")
        }
        var texts: [String?] = []
        for (i, element) in elements.enumerated() {
            texts.append(element == .null ? nil : try string(element, "\(place)[\(i)]"))
        }
        return texts
    }

    private static func side(
        _ key: String, _ values: [String: JSONValue], _ names: ColumnNames
    ) throws(ShardError) -> Int? {
        switch values[key] {
        case nil: return nil
        case .int(let side) where side > 0 && side <= Int64(Int32.max): return Int(side)
        case .int(let side): throw .corrupt("\(names.field(key)): \(side), a side has 1...\(Int32.max) pixels")
        case let other?: throw .corrupt("\(names.field(key)): expected a whole number, found \(other.kind)")
        }
    }
}
