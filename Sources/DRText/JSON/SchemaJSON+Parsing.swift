package import DRShardFormat

extension SchemaJSON {
    /// Reads what `text` writes.
    /// - Throws: `.invalidArgument` for a text that is no schema: says what is wrong where; `.limitExceeded` as `Schema` does.
    package static func schema(_ text: String) throws(ShardError) -> Schema {
        let document: JSONDocument
        do throws(ShardError) { document = try JSON.parse(Array(text.utf8)) } catch {
            throw .invalidArgument("schema: \(error.reason)")
        }
        let fields = try SchemaFields(document.value, "schema")
        // Axes name columns, and columns axes: names first.
        let columnFields = try fields.objects("columns")
        let axisFields = try fields.objects("axes")
        var names = SchemaNames()
        for column in columnFields { names.columns.append(try column.text("name")) }
        for axis in axisFields { names.axes.append(try axis.text("name")) }
        let tokenizerFields = try fields.objects("tokenizers")
        for tokenizer in tokenizerFields { names.tokenizers.append(try tokenizer.text("name")) }

        var metadata = SchemaMetadata()
        for teacher in try fields.objects("teachers") { metadata.teachers.append(try self.teacher(teacher, names)) }
        for captioner in try fields.objects("captioners") {
            metadata.captioners.append(
                Captioner(
                    name: try captioner.text("name"), axis: try names.axis(try captioner.text("axis"), captioner),
                    settings: try captioner.optionalText("settings")))
        }
        for tokenizer in tokenizerFields { metadata.tokenizers.append(try self.tokenizer(tokenizer)) }
        for operation in try fields.objects("operations") {
            metadata.operations.append(
                OperationEntry(
                    operation: try operation.number("operation"), name: try operation.text("name"),
                    magnitudes: try operation.doubles("magnitudes")))
        }
        for source in try fields.objects("sources") {
            metadata.sources.append(
                Source(
                    name: try source.text("name"), licence: try source.text("licence"),
                    reference: try source.optionalText("reference")))
        }
        for fact in try fields.objects("provenance") {
            metadata.provenance.append(Note(key: try fact.text("key"), value: try fact.text("value")))
        }
        metadata.side = try fields.optionalObject("side").map { side throws(ShardError) in try self.side(side, names) }
        var axes: [Axis] = []
        for axis in axisFields { axes.append(try self.axis(axis, names)) }
        var columns: [Column] = []
        for column in columnFields { columns.append(try self.column(column, names)) }
        return try Schema(axes: axes, columns: columns, metadata: metadata)
    }

    private static func axis(_ fields: SchemaFields, _ names: SchemaNames) throws(ShardError) -> Axis {
        let kindName = try fields.text("kind")
        guard let kind = (0...UInt8.max).lazy.map(Axis.Kind.init).first(where: { $0.name == kindName }) else {
            throw fields.failure("there is no kind of axes \"\(kindName)\"")
        }
        return Axis(
            name: try fields.text("name"), kind: kind, count: try fields.number("count"),
            exchangeable: try fields.choice("exchangeable", [("no", .no), ("yes", .yes), ("unknown", .unknown)]),
            source: try fields.optionalText("source"),
            definingColumn: try fields.optionalText("definingColumn").map { name throws(ShardError) in
                try names.column(name, fields)
            })
    }

    private static func column(_ fields: SchemaFields, _ names: SchemaNames) throws(ShardError) -> Column {
        let roleName = try fields.text("role")
        guard let role = (0...UInt8.max).lazy.map(Role.init).first(where: { $0.name == roleName }) else {
            throw fields.failure("there is no role \"\(roleName)\"")
        }
        return Column(
            name: try fields.text("name"), role: role, type: try type(fields),
            axis: try fields.optionalText("axis").map { name throws(ShardError) in try names.axis(name, fields) },
            tokenizer: try fields.optionalText("tokenizer").map { name throws(ShardError) in
                try names.tokenizer(name, fields)
            })
    }

    private static func type(_ fields: SchemaFields) throws(ShardError) -> ColumnType {
        func element() throws(ShardError) -> ElementType {
            try fields.choice("element", ElementType.allCases.map { ("\($0)", $0) })
        }
        switch try fields.text("type") {
        case "tensor": return .tensor(try element(), dims: try fields.numbers("dims"))
        case "ragged": return .ragged(try element())
        case "utf8": return .utf8
        case "binary": return .binary
        case "operations": return .operations
        case "locator": return .locator
        case let name:
            throw fields.failure(
                "there is no type \"\(name)\"; there are tensor, ragged, utf8, binary, operations, locator")
        }
    }

    private static func teacher(_ fields: SchemaFields, _ names: SchemaNames) throws(ShardError) -> Teacher {
        var slices: [Teacher.Slice] = []
        for slice in try fields.objects("slices") {
            slices.append(
                Teacher.Slice(
                    column: try names.column(try slice.text("column"), slice), first: try slice.number("first"),
                    count: try slice.number("count")))
        }
        return Teacher(
            name: try fields.text("name"),
            normalised: try fields.choice("normalised", [("no", .no), ("yes", .yes), ("unknown", .unknown)]),
            logitScale: try fields.optionalDouble("logitScale"), slices: slices,
            weightsSHA256: try fields.optionalHex("weightsSHA256"))
    }

    private static func tokenizer(_ fields: SchemaFields) throws(ShardError) -> Tokenizer {
        Tokenizer(
            name: try fields.text("name"), vocabularySHA256: try fields.optionalHex("vocabularySHA256") ?? [],
            vocabularySize: try fields.number("vocabularySize"), contextLength: try fields.number("contextLength"),
            start: try fields.number("start"), end: try fields.number("end"))
    }

    private static func side(_ fields: SchemaFields, _ names: SchemaNames) throws(ShardError) -> SideReference {
        var axes: [SideReference.SharedAxis] = []
        for axis in try fields.objects("axes") {
            axes.append(
                .init(axis: try names.axis(try axis.text("axis"), axis), digest: try axis.digest("digest")))
        }
        return SideReference(
            rowSetDigest: try fields.digest("rowSetDigest"), rowCount: try fields.number("rows"), axes: axes)
    }
}

/// What a schema's parts call each other.
private struct SchemaNames {
    var columns: [String] = []
    var axes: [String] = []
    var tokenizers: [String] = []

    func column(_ name: String, _ by: SchemaFields) throws(ShardError) -> Int {
        try number(of: name, in: columns, "column", by)
    }
    func axis(_ name: String, _ by: SchemaFields) throws(ShardError) -> Int {
        try number(of: name, in: axes, "axis", by)
    }
    func tokenizer(_ name: String, _ by: SchemaFields) throws(ShardError) -> Int {
        try number(of: name, in: tokenizers, "tokenizer", by)
    }

    private func number(of name: String, in list: [String], _ what: String, _ by: SchemaFields) throws(ShardError)
        -> Int
    {
        guard let number = list.firstIndex(where: { $0.utf8.elementsEqual(name.utf8) }) else {
            throw by.failure("there is no \(what) \"\(name)\"")
        }
        return number
    }
}

/// The members of one object, by their types.
private struct SchemaFields {
    private let members: JSONValue
    private let place: String

    init(_ value: JSONValue, _ place: String) throws(ShardError) {
        guard case .object = value else {
            throw .invalidArgument("\(place): an object was expected, not \(value.kind)")
        }
        members = value
        self.place = place
    }

    func failure(_ reason: String) -> ShardError { .invalidArgument("\(place): \(reason)") }

    private func failure(_ key: String, _ expected: String) -> ShardError {
        let found = members[key].map { "\($0.kind)" } ?? "nothing"
        return failure("\"\(key)\" has to be \(expected), and is \(found)")
    }

    private func value(_ key: String) -> JSONValue? { members[key] == .null ? nil : members[key] }

    func text(_ key: String) throws(ShardError) -> String {
        guard let text = try optionalText(key) else { throw failure(key, "a string") }
        return text
    }

    func optionalText(_ key: String) throws(ShardError) -> String? {
        guard let value = value(key) else { return nil }
        guard case .string(let text) = value else { throw failure(key, "a string") }
        return text
    }

    func number<Number: FixedWidthInteger>(_ key: String) throws(ShardError) -> Number {
        guard case .int(let number) = value(key), let result = Number(exactly: number) else {
            throw failure(key, "a whole number from \(Number.min) to \(Number.max)")
        }
        return result
    }

    func optionalDouble(_ key: String) throws(ShardError) -> Double? {
        switch value(key) {
        case nil: return nil
        case .int(let number): return Double(number)
        case .double(let number): return number
        default: throw failure(key, "a number")
        }
    }

    private func list(_ key: String) throws(ShardError) -> [JSONValue] {
        guard let value = value(key) else { return [] }
        guard case .array(let list) = value else { throw failure(key, "an array") }
        return list
    }

    func numbers(_ key: String) throws(ShardError) -> [Int] {
        var numbers: [Int] = []
        for value in try list(key) {
            guard case .int(let number) = value else { throw failure(key, "an array of whole numbers") }
            numbers.append(Int(number))
        }
        return numbers
    }

    func doubles(_ key: String) throws(ShardError) -> [Double] {
        var numbers: [Double] = []
        for value in try list(key) {
            switch value {
            case .int(let number): numbers.append(Double(number))
            case .double(let number): numbers.append(number)
            default: throw failure(key, "an array of numbers")
            }
        }
        return numbers
    }

    func objects(_ key: String) throws(ShardError) -> [SchemaFields] {
        var objects: [SchemaFields] = []
        for (number, value) in try list(key).enumerated() {
            objects.append(try SchemaFields(value, "\(place), \(key) \(number)"))
        }
        return objects
    }

    func optionalObject(_ key: String) throws(ShardError) -> SchemaFields? {
        guard let value = value(key) else { return nil }
        return try SchemaFields(value, "\(place), \(key)")
    }

    func choice<Choice>(_ key: String, _ choices: [(String, Choice)]) throws(ShardError) -> Choice {
        let name = try text(key)
        guard let choice = choices.first(where: { $0.0 == name }) else {
            throw failure("\"\(key)\" is \"\(name)\", none of \(choices.map(\.0).joined(separator: ", "))")
        }
        return choice.1
    }

    func optionalHex(_ key: String) throws(ShardError) -> [UInt8]? {
        guard let text = try optionalText(key) else { return nil }
        let digits = text.utf8.compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
        guard digits.count == text.utf8.count, digits.count % 2 == 0 else {
            throw failure(key, "a string of hexadecimal digits")
        }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }

    func digest(_ key: String) throws(ShardError) -> SequenceDigest {
        guard let bytes = try optionalHex(key), bytes.count == 16 else { throw failure(key, "32 hexadecimal digits") }
        return try SequenceDigest(validating: bytes.reduce(UInt128(0)) { $0 << 8 | UInt128($1) })
    }
}
