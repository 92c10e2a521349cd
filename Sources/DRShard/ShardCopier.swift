public import DRShardFormat

/// Writes shards whose rows others hold: the same values and missing cells, of the rows, columns and variants that a plan
/// names. Digests that the sources have are compared before a shard appears; for all others the checksums of the units
/// that were read stand.
public enum ShardCopier {
    /// Called with the rows that are done, and all rows; from several threads, one at a time.
    public typealias Progress = @Sendable (_ done: Int, _ total: Int) -> Void

    /// A shard that a plan has made.
    public struct Written: Sendable {
        public let path: String
        public let rowCount: Int
        public let byteCount: UInt64
        public let footer: Footer
        /// Whether an earlier run had made it.
        public let wasThere: Bool
    }

    /// Writes all shards of the plans. The same plans make the same files, however many are written at once.
    ///
    /// Memory: for each shard that is being written, what the writer holds, and a block of rows of about 16 MiB.
    /// - Parameters:
    ///   - jobs: shards that are written at once.
    ///   - resumes: whether complete shards that are there already stay, if they are what the plan makes, and unfinished
    ///     files of a run that was killed are removed; otherwise both are errors.
    /// - Throws: `.io` for a file that is there; `.schemaMismatch` for one that the plan does not make; errors of the
    ///   files, with their place. What is complete stays, and no other file does.
    public static func run(
        _ plans: [ShardPlan], jobs: Int = 1, resumes: Bool = false, progress: Progress? = nil
    ) throws(ShardError) -> [Written] {
        // Better now than after hours of work.
        if !resumes { for plan in plans { try AtomicFile.checkRoom(for: plan.path) } }
        let total = plans.reduce(0) { $0 + $1.rowCount }
        let done = Guarded(0)
        let written = Guarded([Written?](repeating: nil, count: plans.count))
        try WorkerThreads.run(count: plans.count, threadCount: jobs) { i throws(ShardError) in
            let made = try make(plans[i], resumes: resumes) { rows in
                done.withLock { done in
                    done += rows
                    progress?(done, total)
                }
            }
            written.withLock { $0[i] = made }
        }
        return written.withLock { $0.compactMap(\.self) }
    }

    private static func make(
        _ plan: ShardPlan, resumes: Bool, progress: (Int) -> Void
    ) throws(ShardError) -> Written {
        if resumes {
            if AtomicFile.exists(plan.path) {
                let footer = try plan.checkExisting()
                try AtomicFile.removeUnfinished(plan.path)
                progress(plan.rowCount)
                return try written(plan, footer, wasThere: true)
            }
            // It is made again from the start: what it holds is not looked at.
            try AtomicFile.removeUnfinished(plan.path)
        }
        return try written(plan, try write(plan, progress: progress), wasThere: false)
    }

    private static func written(_ plan: ShardPlan, _ footer: Footer, wasThere: Bool) throws(ShardError) -> Written {
        let byteCount = try FileSource(path: plan.path).byteCount
        return Written(
            path: plan.path, rowCount: footer.rowCount, byteCount: byteCount, footer: footer, wasThere: wasThere)
    }

    /// Writes one shard.
    /// - Parameter progress: called with rows that were added.
    static func write(_ plan: ShardPlan, progress: (Int) -> Void) throws(ShardError) -> Footer {
        let writer = try ShardWriter(path: plan.path, schema: plan.selection.schema, options: plan.options)
        do throws(ShardError) {
            writer.notes = plan.notes
            for source in plan.sources {
                try copy(source, plan.selection, to: writer, progress: progress)
            }
            let digest = try plan.rowSetDigest()
            return try writer.finish { footer throws(ShardError) in
                try plan.check(footer, rowSetDigest: digest)
            }
        } catch {
            writer.discard()
            throw error
        }
    }

    private static func copy(
        _ source: CopiedRows, _ selection: SchemaSelection, to writer: ShardWriter, progress: (Int) -> Void
    ) throws(ShardError) {
        let columns = selection.columns.enumerated().map {
            (number: $1, variants: selection.schema.variantCount(of: $0))
        }
        let step = CellBlock.rowCount(source.set, columns: columns)
        var blocks = columns.map { _ in CellBlock() }
        var rows: [Int] = []
        rows.reserveCapacity(step)
        func flush() throws(ShardError) {
            try copy(rows, of: source.set, columns, &blocks, to: writer)
            progress(rows.count)
            rows.removeAll(keepingCapacity: true)
        }
        for range in source.rows {
            var next = range.lowerBound
            while next < range.upperBound {
                let end = min(range.upperBound, next + step - rows.count)
                rows.append(contentsOf: next..<end)
                next = end
                if rows.count == step { try flush() }
            }
        }
        if !rows.isEmpty { try flush() }
    }

    private static func copy(
        _ rows: [Int], of set: DataSet, _ columns: [(number: Int, variants: Int)], _ blocks: inout [CellBlock],
        to writer: ShardWriter
    ) throws(ShardError) {
        var addresses: [Int: [CellAddress]] = [:]
        for (i, column) in columns.enumerated() {
            let cells = addresses[column.variants] ?? CellBlock.addresses(rows, variants: column.variants)
            addresses[column.variants] = cells
            try blocks[i].read(set, column: column.number, cells)
        }
        var nextMissing = Array(repeating: 0, count: columns.count)
        for row in rows.indices {
            for i in columns.indices {
                let variants = columns[i].variants
                let block = blocks[i]
                for variant in 0..<variants {
                    let cell = row * variants + variant
                    let missing = nextMissing[i]
                    if missing < block.missing.count, block.missing[missing].index == cell {
                        nextMissing[i] += 1
                        try writer.setMissing(block.missing[missing].state, column: i, variant: variant)
                    } else {
                        let value = block.bytes.span.extracting(block.range(cell))
                        try writer.set(value, column: i, variant: variant)
                    }
                }
            }
            try writer.endRow()
        }
    }
}
