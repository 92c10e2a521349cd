internal import DRShard
internal import DRShardFormat

/// A data set of a loader, with what was made of its schema and its options.
struct LoadedSet: Sendable {
    let dataSet: DataSet
    let columns: PairedColumns
    let selection: RowSelection?
    let quarantine: Quarantine?
    let planned: PlannedSet
    /// Rows of the data set before each of its shards, and behind the last.
    var firstRows: [Int] { dataSet.firstRows }

    /// The row of the data set of a logical row.
    func row(_ logical: Int) -> Int { selection?.row(logical) ?? logical }
}

/// What all batches of a loader share.
final class LoadContext: Sendable {
    let sets: [LoadedSet]
    let options: LoaderOptions
    let layout: BatchLayout

    init(sets: [LoadedSet], options: LoaderOptions, capacity: Int) {
        self.sets = sets
        self.options = options
        layout = BatchLayout(
            columns: sets[0].columns, schema: sets[0].dataSet.schema, options: options, capacity: capacity,
            setCount: sets.count)
    }

    /// Which of a part's embedding columns holds a teacher's elements, and which elements.
    func teacherSlice(_ name: String, part: Int) -> (matrix: Int, range: Range<Int>)? {
        let schema = sets[0].dataSet.schema
        let columns = sets[0].columns.parts[part][0].embeddings
        for teacher in schema.metadata.teachers where teacher.name == name {
            for slice in teacher.slices {
                guard let matrix = columns.firstIndex(of: slice.column) else { continue }
                return (matrix, Int(slice.first)..<Int(slice.first) + Int(slice.count))
            }
        }
        return nil
    }
}
