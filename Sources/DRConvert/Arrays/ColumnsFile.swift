package import DRShardFormat
internal import DRText

/// A file of JSON that says what people's arrays, fields and numbers are.
package struct ColumnsFile: Sendable, Equatable {
    package var names = ColumnNames()
    package var textRows: TextRows?
    package var teachers: [ConvertOptions.TeacherSlice] = []
    package var captioners: [ConvertOptions.NamedCaptioner] = []
    package var sources: [Source] = []

    /// A file that is valid, and has every key.
    package static let example = """
        {
          "arrays": {"image_emb": "clip_image", "text_emb": "captions", "uids": "ids"},
          "fields": {"uid": "id", "text": "caption", "syn_text": "synthetic_captions"},
          "ignore": ["labels"],
          "text_rows": "real=0,syn=1-5",
          "teachers": [{"name": "ViT-L-14:openai", "first": 0, "count": 768, "logit_scale": 100}],
          "captioners": {"syn_text": "coca_ViT-L-14"},
          "licences": {"my captions": "CC-BY-4.0"}
        }
        """

    static let keys = ["arrays", "fields", "ignore", "text_rows", "teachers", "captioners", "licences"]

    /// Reads a file.
    ///
    /// - Throws: what `JSON.parse` throws; `.corrupt` for a value of another type, for a key that is not known (the
    ///   error lists those that are), for one that is repeated, and for a name that is given twice.
    package init(parsing bytes: [UInt8]) throws(ShardError) {
        for (key, value) in try ColumnsFile.members(try JSON.parse(bytes).value, "the file", among: Self.keys) {
            switch key {
            case "arrays": names.arrays = try ColumnsFile.names(value, key, ColumnNames.isArray, ColumnNames.arrayList)
            case "fields": names.fields = try ColumnsFile.names(value, key, ColumnNames.isField, ColumnNames.fieldList)
            case "ignore":
                for (i, item) in try ColumnsFile.elements(value, key).enumerated() {
                    names.ignored.insert(try ColumnsFile.string(item, "\(key)[\(i)]"))
                }
            case "text_rows":
                let text = try ColumnsFile.string(value, key)
                guard let rows = TextRows(argument: text) else {
                    throw .corrupt("text_rows: \"\(text)\", expected such as real=0,syn=1-5")
                }
                textRows = rows
            case "teachers":
                for (i, item) in try ColumnsFile.elements(value, key).enumerated() {
                    teachers.append(try ColumnsFile.teacher(item, "\(key)[\(i)]"))
                }
            case "captioners":
                for (name, value) in try ColumnsFile.members(value, key) {
                    guard ColumnNames.isCaptionKey(name) else {
                        throw .corrupt("captioners: \"\(name)\" is neither syn_text nor syn_text_NAME")
                    }
                    captioners.append(.init(key: name, name: try ColumnsFile.string(value, "captioners.\(name)")))
                }
            default:
                for (name, value) in try ColumnsFile.members(value, key) {
                    sources.append(Source(name: name, licence: try ColumnsFile.string(value, "licences.\(name)")))
                }
            }
        }
        if let both = names.arrays.values.first(where: names.ignored.contains) {
            throw .corrupt("ignore: \"\(both)\" is among the arrays too")
        }
    }

    /// Reads the file at a path.
    /// - Throws: `.io`; `.limitExceeded` above 1 MiB.
    package init(path: String) throws(ShardError) {
        let bytes = try TarFolder.readFile(path, limit: 1 << 20)
        do throws(ShardError) { try self.init(parsing: bytes) } catch { throw error.with(.init(path: path)) }
    }

    // MARK: Values

    /// The members of an object, each once.
    private static func members(
        _ value: JSONValue, _ place: String, among known: [String]? = nil
    ) throws(ShardError) -> [(String, JSONValue)] {
        guard case .object(let members) = value else {
            throw .corrupt("\(place): expected an object, found \(value.kind)")
        }
        var found: [(String, JSONValue)] = []
        for member in members {
            guard known?.contains(member.key) ?? true else {
                throw .corrupt(
                    "\(place): there is no key \"\(member.key)\"; known are \((known ?? []).joined(separator: ", "))")
            }
            guard !found.contains(where: { $0.0 == member.key }) else {
                throw .corrupt("\(place): \"\(member.key)\" is there twice")
            }
            found.append((member.key, member.value))
        }
        return found
    }

    private static func elements(_ value: JSONValue, _ place: String) throws(ShardError) -> [JSONValue] {
        guard case .array(let elements) = value else {
            throw .corrupt("\(place): expected an array, found \(value.kind)")
        }
        return elements
    }

    private static func string(_ value: JSONValue, _ place: String) throws(ShardError) -> String {
        guard case .string(let text) = value, !text.isEmpty else {
            throw .corrupt("\(place): expected a string that is not empty, found \(value.kind)")
        }
        return text
    }

    /// Their names by ours.
    private static func names(
        _ value: JSONValue, _ place: String, _ isKnown: (String) -> Bool, _ known: String
    ) throws(ShardError) -> [String: String] {
        var names: [String: String] = [:]
        for (ours, theirs) in try members(value, place) {
            guard isKnown(ours) else {
                throw .corrupt(
                    "\(place): there is no key \"\(ours)\"; known are \(known), and the values are your names")
            }
            let name = try string(theirs, "\(place).\(ours)")
            guard !names.values.contains(name) else { throw .corrupt("\(place): \"\(name)\" is there twice") }
            names[ours] = name
        }
        return names
    }

    private static func teacher(_ value: JSONValue, _ place: String) throws(ShardError) -> ConvertOptions.TeacherSlice {
        var (name, first, count, logitScale) = ("", 0, 0, Double?.none)
        for (key, value) in try members(value, place, among: ["name", "first", "count", "logit_scale"]) {
            switch (key, value) {
            case ("name", _): name = try string(value, "\(place).name")
            case ("first", .int(let number)) where (0...Int64(Int32.max)).contains(number): first = Int(number)
            case ("count", .int(let number)) where (1...Int64(Int32.max)).contains(number): count = Int(number)
            case ("logit_scale", .int(let number)): logitScale = Double(number)
            case ("logit_scale", .double(let number)): logitScale = number
            case ("logit_scale", .null): logitScale = nil
            default: throw .corrupt("\(place).\(key): expected a number that it can be, found \(value.kind)")
            }
        }
        guard !name.isEmpty, count > 0 else { throw .corrupt("\(place): it needs a name and a count") }
        return .init(name: name, first: first, count: count, logitScale: logitScale)
    }
}
