public import DRShardFormat

/// The shards of a folder, as one list of rows. Spec: FORMAT.md section 9.4.
public final class DataSet: Sendable {
    public let path: String
    public let shards: [ShardReader]
    /// Rows before each shard, and behind the last one.
    public let firstRows: [Int]

    public var schema: Schema { shards[0].schema }
    public var rowCount: Int { firstRows[shards.count] }

    /// Opens all shards of a folder, or a single shard.
    /// - Parameter options: of every shard; `keptByteCount` is for all of them together.
    /// - Throws: `.io` if there is none; `.schemaMismatch` if two do not belong together; what opening a shard throws.
    public convenience init(path: String, access: Access = .read, options: ReaderOptions = .init()) throws(ShardError) {
        let budget = PageBudget(limit: options.keptByteCount)
        var shards: [ShardReader] = []
        for file in try DataSet.shardPaths(path) {
            shards.append(try ShardReader(source: try access.open(file), options: options, budget: budget))
        }
        try self.init(path: path, shards: shards)
    }

    /// Shards that are open already: for sources that are no files.
    /// - Throws: `.schemaMismatch` if two do not belong together.
    package init(path: String, shards: [ShardReader]) throws(ShardError) {
        precondition(!shards.isEmpty, "a data set has a shard")
        self.path = path
        var firstRows = [0]
        for shard in shards {
            try DataSet.check(shard, against: shards[0])
            firstRows.append((firstRows.last ?? 0) + shard.rowCount)
        }
        self.shards = shards
        self.firstRows = firstRows
    }

    private static func check(_ shard: ShardReader, against first: ShardReader) throws(ShardError) {
        func fail(_ what: String) -> ShardError {
            ShardError.schemaMismatch("its \(what) differs from that of \(first.path)").with(.init(path: shard.path))
        }
        guard shard.footer.schemaBytes == first.footer.schemaBytes else { throw fail("schema") }
        guard shard.header.rowsPerGroup == first.header.rowsPerGroup else { throw fail("number of rows a row group") }
    }

    /// The shard files of a folder, in the order of the bytes of their names; of a file: itself.
    public static func shardPaths(_ path: String) throws(ShardError) -> [String] {
        try FolderListing.files(path, suffix: ".drs")
    }

    /// The shard that holds a row, and the row's number in it. Cost: O(log shards).
    public func locate(row: Int) -> (shard: Int, row: Int) {
        var low = 0
        var high = shards.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if firstRows[middle] <= row { low = middle } else { high = middle }
        }
        return (low, row - firstRows[low])
    }

    /// The digest of all rows' ids in order: what the order of an epoch hangs on.
    public var rowSetDigest: SequenceDigest {
        var digest = SequenceDigest()
        for shard in shards { digest.append(shard.footer.rowSetDigest, count: UInt64(shard.rowCount)) }
        return digest
    }
}
