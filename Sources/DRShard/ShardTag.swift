internal import DRShardFormat

/// Tags of shards: a number that all blocks of one carry, another one for every shard of a data set.
package enum ShardTag {
    /// The same name gives the same tag; the names of a set give different ones.
    package static func of(name: String) -> UInt64 {
        SHA256.digest(Array(name.utf8)).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
}
