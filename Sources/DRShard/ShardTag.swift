internal import DRShardFormat

/// The tags of shards that get their own.
package enum ShardTag {
    /// The same name gives the same tag; names of a set give different ones. Spec: [R-HEAD-6].
    /// - Parameter name: of the file, without its folder.
    package static func of(name: String) -> UInt64 {
        SHA256.digest(Array(name.utf8)).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
}
