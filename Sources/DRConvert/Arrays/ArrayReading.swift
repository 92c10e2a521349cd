internal import DRShard
internal import DRShardFormat
internal import DRText

/// What all sources of arrays of a conversion need.
struct ArrayReading: Sendable {
    var names: ColumnNames
    /// Whether uids are made of ids that are none.
    var hashesIDs: Bool
    /// Whether the conversion makes tokens; and what makes them, once that is known.
    var makesTokens: Bool
    var tokenizer: CLIPTokenizer?

    init(_ options: ConvertOptions) {
        names = options.columnNames
        hashesIDs = options.hashesIDs
        makesTokens = options.tokenizer != nil
    }

    /// How uids are made of ids: what a set's provenance says of it.
    static let hashNote = "the first 16 bytes of the SHA-256 of each id's text, in UTF-8"

    /// - Throws: `.schemaMismatch` for an empty id.
    static func hashed(_ id: String) throws(ShardError) -> String {
        guard !id.isEmpty else { throw .schemaMismatch("the id is empty") }
        return hex(Array(SHA256.digest(Array(id.utf8)).prefix(16)))
    }
}
