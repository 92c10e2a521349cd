/// A schema of which some columns and variants are kept: the new schema, and what each of its columns was.
///
/// What loses its last column goes with it: axes and their captioners, tokenizers, teachers, the table of operations.
/// What no column referred to before stays. Without anything to leave out, the new schema is the old one.
public struct SchemaSelection: Hashable, Sendable {
    /// What remains.
    public let schema: Schema
    /// Of each remaining column: its number in the source.
    public let columns: [Int]
    /// Whether nothing was left out.
    public let isWhole: Bool
    /// What was left out, in words.
    public let summary: String

    /// - Parameters:
    ///   - columns: the numbers of those that are kept, ascending; the row id's is always kept.
    ///   - counts: how many variants of an axis are kept, the first ones, by the axis's number; others keep all.
    /// - Throws: `.invalidArgument` for a number of variants below 1, and for an axis that a side shard shares with its
    ///   base: what it says about the axis would no longer be so. Spec: FORMAT.md section 9.5.
    public init(_ source: Schema, columns wanted: Set<Int>, counts: [Int: Int] = [:]) throws(ShardError) {
        let kept = source.columns.indices.filter { wanted.contains($0) || $0 == source.rowIDColumn }
        let counts = counts.filter { $1 != source.axes[$0].count }
        columns = kept
        isWhole = kept.count == source.columns.count && counts.isEmpty
        for (axis, count) in counts.sorted(by: { $0.key < $1.key }) {
            let name = source.axes[axis].name
            guard count >= 1, count < source.axes[axis].count else {
                throw .invalidArgument("\(count) variants of axis \"\(name)\", which has \(source.axes[axis].count)")
            }
            if source.metadata.side?.axes.contains(where: { $0.axis == axis }) ?? false {
                throw .invalidArgument(
                    "a side shard shares axis \"\(name)\" with its base, with all its variants; it cannot have fewer")
            }
        }
        schema = isWhole ? source : try Renumbering(source, columns: kept, counts: counts).schema()
        let cuts = counts.sorted { $0.key < $1.key }.map {
            "\($1) of \(source.axes[$0].count) variants of axis \(source.axes[$0].name)"
        }
        let dropped = source.columns.indices.filter { !kept.contains($0) }.map { source.columns[$0].name }
        summary = (cuts + (dropped.isEmpty ? [] : ["without " + dropped.joined(separator: ", ")])).joined(
            separator: ", ")
    }

    /// - Parameters:
    ///   - dropped: names of columns that are left out.
    ///   - views: how many variants of every axis of views are kept at most; nil: all.
    ///   - captions: the same of axes of synthetic captions.
    /// - Throws: `.invalidArgument` for a name that no column has, the row id's, or a number without such an axis.
    public init(
        _ source: Schema, dropping dropped: [String], views: Int? = nil, captions: Int? = nil
    ) throws(ShardError) {
        var wanted = Set(source.columns.indices)
        for name in dropped {
            guard let column = source.columnIndex(named: name) else {
                let names = source.columns.map(\.name).joined(separator: ", ")
                throw .invalidArgument("there is no column \"\(name)\" to leave out; there are \(names)")
            }
            guard column != source.rowIDColumn else {
                throw .invalidArgument("column \"\(name)\" holds the row ids, which every shard has")
            }
            wanted.remove(column)
        }
        var counts: [Int: Int] = [:]
        let wishes = [(Axis.Kind.view, views), (.syntheticCaption, captions)]
        for (kind, count) in wishes {
            guard let count else { continue }
            guard count >= 1 else { throw .invalidArgument("\(count) variants of \(kind.name); at least 1 is kept") }
            let axes = source.axes.indices.filter { source.axes[$0].kind == kind }
            guard !axes.isEmpty else { throw .invalidArgument("there is no axis of \(kind.name)") }
            for axis in axes { counts[axis] = min(count, source.axes[axis].count) }
        }
        try self.init(source, columns: wanted, counts: counts)
    }
}

/// Old numbers of columns, axes and tokenizers, and what they become.
private struct Renumbering {
    private let source: Schema
    private let kept: [Int]
    private let counts: [Int: Int]
    private let columns: [Int: Int]
    private let axes: [Int: Int]
    private let tokenizers: [Int: Int]

    init(_ source: Schema, columns kept: [Int], counts: [Int: Int]) {
        self.source = source
        self.kept = kept
        self.counts = counts
        func numbers(_ count: Int, _ use: (Column) -> Int?) -> [Int: Int] {
            let before = Set(source.columns.compactMap(use))
            let now = Set(kept.compactMap { use(source.columns[$0]) })
            let remaining = (0..<count).filter { now.contains($0) || !before.contains($0) }
            return Dictionary(uniqueKeysWithValues: zip(remaining, 0...))
        }
        columns = Dictionary(uniqueKeysWithValues: zip(kept, 0...))
        axes = numbers(source.axes.count, \.axis)
        tokenizers = numbers(source.metadata.tokenizers.count, \.tokenizer)
    }

    func schema() throws(ShardError) -> Schema {
        let newAxes = source.axes.indices.filter { axes[$0] != nil }.map { number in
            var axis = source.axes[number]
            axis.count = counts[number] ?? axis.count
            axis.definingColumn = axis.definingColumn.flatMap { columns[$0] }
            return axis
        }
        let newColumns = kept.map { number in
            var column = source.columns[number]
            column.axis = column.axis.flatMap { axes[$0] }
            column.tokenizer = column.tokenizer.flatMap { tokenizers[$0] }
            return column
        }
        return try Schema(axes: newAxes, columns: newColumns, metadata: metadata(newColumns))
    }

    private func metadata(_ newColumns: [Column]) -> SchemaMetadata {
        var metadata = source.metadata
        metadata.teachers = metadata.teachers.compactMap { teacher in
            var changed = teacher
            changed.slices = teacher.slices.compactMap { slice in
                columns[slice.column].map { .init(column: $0, first: slice.first, count: slice.count) }
            }
            return changed.slices.isEmpty && !teacher.slices.isEmpty ? nil : changed
        }
        metadata.captioners = metadata.captioners.compactMap { captioner in
            axes[captioner.axis].map { .init(name: captioner.name, axis: $0, settings: captioner.settings) }
        }
        metadata.tokenizers = metadata.tokenizers.enumerated().filter { tokenizers[$0.offset] != nil }.map(\.element)
        let hadRecords = source.columns.contains { $0.type == .operations }
        if hadRecords, !newColumns.contains(where: { $0.type == .operations }) { metadata.operations = [] }
        if var side = metadata.side {
            side.axes = side.axes.compactMap { shared in
                axes[shared.axis].map { .init(axis: $0, digest: shared.digest) }
            }
            metadata.side = side
        }
        return metadata
    }
}
