internal import DRShardFormat

/// What is different in two schemas, in words. References are compared by name, not by number.
struct SchemaComparison {
    private(set) var differences: [String] = []

    init(_ a: Schema, _ b: Schema) {
        let (of, to) = (SchemaFacts(a), SchemaFacts(b))
        for (mine, theirs) in zip(of.lists, to.lists) { compare(mine, theirs) }
    }

    private mutating func compare(_ a: SchemaFacts.List, _ b: SchemaFacts.List) {
        let (named, others) = (Dictionary(uniqueKeysWithValues: a.keys()), Dictionary(uniqueKeysWithValues: b.keys()))
        for (key, subject) in a.keys() {
            guard let other = others[key] else {
                differences.append("\(subject.name) is only in A")
                continue
            }
            for (fact, otherFact) in zip(subject.facts, other.facts)
            where !Schema.isSameName(fact.value, otherFact.value) {
                differences.append("\(subject.name): \(fact.what) is \(fact.value) in A, \(otherFact.value) in B")
            }
        }
        for (key, subject) in b.keys() where named[key] == nil { differences.append("\(subject.name) is only in B") }
        let common = a.keys().map(\.0).filter { others[$0] != nil }
        if common != b.keys().map(\.0).filter({ named[$0] != nil }) {
            differences.append("\(a.what) stand in another order")
        }
    }
}

/// A schema as lists of things with names, each with what is said of it.
private struct SchemaFacts {
    struct Subject {
        var name: String
        var facts: [(what: String, value: String)]
    }

    struct List {
        var what: String
        var subjects: [Subject]

        /// Subjects by the bytes of their names; of several with one name, also by their number.
        func keys() -> [(SubjectKey, Subject)] {
            var counts: [[UInt8]: Int] = [:]
            return subjects.map { subject in
                let name = Array(subject.name.utf8)
                counts[name, default: 0] += 1
                return (SubjectKey(name: name, number: counts[name] ?? 0), subject)
            }
        }
    }

    struct SubjectKey: Hashable {
        let name: [UInt8]
        let number: Int
    }

    private(set) var lists: [List] = []

    init(_ schema: Schema) {
        let metadata = schema.metadata
        func axis(_ number: Int?) -> String { number.map { quoted(schema.axes[$0].name) } ?? "none" }
        func column(_ number: Int?) -> String { number.map { quoted(schema.columns[$0].name) } ?? "none" }
        func text(_ text: String?) -> String { text.map { quoted($0) } ?? "none" }
        add("axes", schema.axes) { value in
            Subject(
                name: "axis \(quoted(value.name))",
                facts: [
                    ("kind", value.kind.name), ("number of variants", "\(value.count)"),
                    ("exchangeable", "\(value.exchangeable)"), ("source", text(value.source)),
                    ("defining column", column(value.definingColumn)),
                ])
        }
        add("columns", schema.columns) { value in
            Subject(
                name: "column \(quoted(value.name))",
                facts: [
                    ("role", value.role.name), ("type", SchemaFacts.type(value.type)), ("axis", axis(value.axis)),
                    ("tokenizer", text(value.tokenizer.map { metadata.tokenizers[$0].name })),
                ])
        }
        add("teachers", metadata.teachers) { value in
            let slices = value.slices.map { "\(column($0.column))[\($0.first)..<\($0.first + $0.count)]" }
            return Subject(
                name: "teacher \(quoted(value.name))",
                facts: [
                    ("normalised", "\(value.normalised)"),
                    ("logit scale", value.logitScale.map { "\($0) (\(hex($0.bitPattern)))" } ?? "none"),
                    ("slices", slices.joined(separator: ", ")), ("weights", value.weightsSHA256.map(hex) ?? "none"),
                ])
        }
        add("captioners", metadata.captioners) { value in
            Subject(
                name: "captioner \(quoted(value.name)) of axis \(axis(value.axis))",
                facts: [("settings", text(value.settings))])
        }
        add("tokenizers", metadata.tokenizers) { value in
            Subject(
                name: "tokenizer \(quoted(value.name))",
                facts: [
                    ("vocabulary", hex(value.vocabularySHA256)), ("size", "\(value.vocabularySize)"),
                    ("context length", "\(value.contextLength)"), ("start", "\(value.start)"), ("end", "\(value.end)"),
                ])
        }
        addMeaning(metadata)
        let side = metadata.side.map { side in
            let axes = side.axes.map { "\(axis($0.axis)) \($0.digest)" }.joined(separator: ", ")
            return Subject(
                name: "reference to a base shard",
                facts: [
                    ("row set", "\(side.rowSetDigest)"), ("number of rows", "\(side.rowCount)"), ("shared axes", axes),
                ])
        }
        lists.append(List(what: "references", subjects: side.map { [$0] } ?? []))
    }

    private mutating func addMeaning(_ metadata: SchemaMetadata) {
        add("operations", metadata.operations) { value in
            let magnitudes = value.magnitudes.map { "\($0) (\(hex($0.bitPattern)))" }.joined(separator: ", ")
            return Subject(
                name: "operation \(value.operation)", facts: [("name", quoted(value.name)), ("magnitudes", magnitudes)])
        }
        add("sources", metadata.sources) { value in
            Subject(
                name: "source \(quoted(value.name))",
                facts: [
                    ("licence", quoted(value.licence)), ("reference", value.reference.map { quoted($0) } ?? "none"),
                ])
        }
        add("provenance", metadata.provenance) { value in
            Subject(name: "provenance \(quoted(value.key))", facts: [("value", quoted(value.value))])
        }
    }

    private mutating func add<Value>(_ what: String, _ values: [Value], _ subject: (Value) -> Subject) {
        lists.append(List(what: what, subjects: values.map(subject)))
    }

    private static func type(_ type: ColumnType) -> String {
        var text = type.name + (type.element.map { " \($0)" } ?? "")
        if case .tensor(_, let dims) = type { text += "[" + dims.map(String.init).joined(separator: ", ") + "]" }
        return text
    }
}
