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

    private let schema: Schema

    init(_ schema: Schema) {
        self.schema = schema
        addTable()
        addMakers(schema.metadata)
        addMeaning(schema.metadata)
    }

    private func axis(_ number: Int?) -> String { number.map { quoted(schema.axes[$0].name) } ?? "none" }
    private func column(_ number: Int?) -> String { number.map { quoted(schema.columns[$0].name) } ?? "none" }
    private static func text(_ text: String?) -> String { text.map { quoted($0) } ?? "none" }

    private mutating func addTable() {
        let tokenizers = schema.metadata.tokenizers
        add("axes", schema.axes) { facts, value in
            Subject(
                name: "axis \(quoted(value.name))",
                facts: [
                    ("kind", value.kind.name), ("number of variants", "\(value.count)"),
                    ("exchangeable", "\(value.exchangeable)"), ("source", Self.text(value.source)),
                    ("defining column", facts.column(value.definingColumn)),
                ])
        }
        add("columns", schema.columns) { facts, value in
            Subject(
                name: "column \(quoted(value.name))",
                facts: [
                    ("role", value.role.name), ("type", Self.type(value.type)), ("axis", facts.axis(value.axis)),
                    ("tokenizer", Self.text(value.tokenizer.map { tokenizers[$0].name })),
                ])
        }
    }

    private mutating func addMakers(_ metadata: SchemaMetadata) {
        add("teachers", metadata.teachers) { facts, value in
            let slices = value.slices.map { "\(facts.column($0.column))[\($0.first)..<\($0.first + $0.count)]" }
            return Subject(
                name: "teacher \(quoted(value.name))",
                facts: [
                    ("normalised", "\(value.normalised)"),
                    ("logit scale", value.logitScale.map { "\($0) (\(hex($0.bitPattern)))" } ?? "none"),
                    ("slices", slices.joined(separator: ", ")), ("weights", value.weightsSHA256.map(hex) ?? "none"),
                ])
        }
        add("captioners", metadata.captioners) { facts, value in
            Subject(
                name: "captioner \(quoted(value.name)) of axis \(facts.axis(value.axis))",
                facts: [("settings", Self.text(value.settings))])
        }
        add("tokenizers", metadata.tokenizers) { _, value in
            Subject(
                name: "tokenizer \(quoted(value.name))",
                facts: [
                    ("vocabulary", hex(value.vocabularySHA256)), ("size", "\(value.vocabularySize)"),
                    ("context length", "\(value.contextLength)"), ("start", "\(value.start)"), ("end", "\(value.end)"),
                ])
        }
    }

    private mutating func addMeaning(_ metadata: SchemaMetadata) {
        add("operations", metadata.operations) { _, value in
            let magnitudes = value.magnitudes.map { "\($0) (\(hex($0.bitPattern)))" }.joined(separator: ", ")
            return Subject(
                name: "operation \(value.operation)", facts: [("name", quoted(value.name)), ("magnitudes", magnitudes)])
        }
        add("sources", metadata.sources) { _, value in
            Subject(
                name: "source \(quoted(value.name))",
                facts: [
                    ("licence", quoted(value.licence)), ("reference", value.reference.map { quoted($0) } ?? "none"),
                ])
        }
        add("provenance", metadata.provenance) { _, value in
            Subject(name: "provenance \(quoted(value.key))", facts: [("value", quoted(value.value))])
        }
        add("references", metadata.side.map { [$0] } ?? []) { facts, side in
            let axes = side.axes.map { "\(facts.axis($0.axis)) \($0.digest)" }.joined(separator: ", ")
            return Subject(
                name: "reference to a base shard",
                facts: [
                    ("row set", "\(side.rowSetDigest)"), ("number of rows", "\(side.rowCount)"), ("shared axes", axes),
                ])
        }
    }

    private mutating func add<Value>(_ what: String, _ values: [Value], _ subject: (Self, Value) -> Subject) {
        let facts = self
        lists.append(List(what: what, subjects: values.map { subject(facts, $0) }))
    }

    private static func type(_ type: ColumnType) -> String {
        var text = type.name + (type.element.map { " \($0)" } ?? "")
        if case .tensor(_, let dims) = type { text += "[" + dims.map(String.init).joined(separator: ", ") + "]" }
        return text
    }
}
