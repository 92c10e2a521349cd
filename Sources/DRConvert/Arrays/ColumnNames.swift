internal import DRShardFormat
internal import DRText

/// What people call the arrays and fields that have names here.
package struct ColumnNames: Sendable, Equatable {
    /// Their names by ours; what is not in it is called as it is here.
    package var arrays: [String: String] = [:]
    package var fields: [String: String] = [:]
    /// Their arrays that are left out, and what says of them which cells are there, and how long.
    package var ignored: Set<String> = []

    package init() {}

    func array(_ name: String) -> String { arrays[name] ?? name }
    func field(_ name: String) -> String { fields[name] ?? name }

    static let arrayList =
        "image_emb, text_emb, syn_text_emb, syn_text_NAME_emb, uids, uid, sha256, original_size, tokens, syn_tokens, "
        + "syn_tokens_NAME"
    static let fieldList =
        "uid, sha256, url, text, syn_text, syn_text_NAME, param_aug, original_width, original_height"

    /// Whether an array may have this name of ours.
    static func isArray(_ name: String) -> Bool {
        if ["image_emb", "text_emb", "uids", "uid", "sha256", "original_size"].contains(name) { return true }
        return captionKey(ofArray: name) != nil || textKey(ofTokens: name) != nil
    }

    static func isField(_ name: String) -> Bool {
        ["uid", "sha256", "url", "text", "param_aug", "original_width", "original_height"].contains(name)
            || isCaptionKey(name)
    }

    /// Whether this is `syn_text`, or `syn_text_` and a captioner's name.
    static func isCaptionKey(_ name: String) -> Bool {
        name == "syn_text" || (name.hasPrefix("syn_text_") && name != "syn_text_")
    }

    /// The captions whose embeddings an array has; nil if it has none of synthetic ones.
    static func captionKey(ofArray name: String) -> String? {
        guard name.hasSuffix("_emb"), case let key = String(name.dropLast(4)), isCaptionKey(key) else { return nil }
        return key
    }

    /// The texts whose tokens an array has; nil if it has none.
    static func textKey(ofTokens name: String) -> String? {
        if name == "tokens" { return "text" }
        guard name.hasPrefix("syn_tokens"), case let key = "syn_text" + name.dropFirst("syn_tokens".count),
            isCaptionKey(key)
        else { return nil }
        return key
    }

    // MARK: From theirs to ours

    /// What an array of a unit is.
    enum Meaning: Equatable {
        case array(String)
        /// Whether the cells of an array are there: 0 present, 1 absent, 2 lost.
        case states(of: String)
        /// The bits of bfloat16.
        case bits(of: String)
        case lengths(ofTokens: String)
        case ignored
    }

    /// What an array is, by its name.
    /// - Throws: `.schemaMismatch` for a name that says nothing: an array is left out only by those who say so.
    func meaning(ofArray theirs: String) throws(ShardError) -> Meaning {
        if ignored.contains(theirs) { return .ignored }
        if let ours = arrays.first(where: { $0.value == theirs })?.key { return .array(ours) }
        let suffixes = ["_bf16", "_state", "_length"]
        if suffixes.contains(where: { theirs.hasSuffix($0) && ignored.contains(String(theirs.dropLast($0.count))) }) {
            return .ignored
        }
        // Before the name itself: `syn_tokens_length` is no captioner's.
        func base(_ suffix: String) -> String? {
            theirs.hasSuffix(suffix) ? ours(String(theirs.dropLast(suffix.count))) : nil
        }
        if let ours = base("_bf16"), ours == "image_emb" || ours == "text_emb" || Self.captionKey(ofArray: ours) != nil
        {
            return .bits(of: ours)
        }
        if let ours = base("_state"), ours != "uids", ours != "uid" { return .states(of: ours) }
        if let ours = base("_length"), Self.textKey(ofTokens: ours) != nil { return .lengths(ofTokens: ours) }
        if let ours = ours(theirs) { return .array(ours) }
        throw .schemaMismatch(
            "the array \"\(theirs)\" is none of \(Self.arrayList); give --columns a file that says what it is, "
                + "or leave it out with --ignore-array \(theirs)")
    }

    private func ours(_ theirs: String) -> String? {
        if let (ours, _) = arrays.first(where: { $0.value == theirs }) { return ours }
        return Self.isArray(theirs) && arrays[theirs] == nil ? theirs : nil
    }

    /// What a field of a line is; nil: nothing that is kept.
    func meaning(ofField theirs: String) -> String? {
        if let (ours, _) = fields.first(where: { $0.value == theirs }) { return ours }
        return Self.isField(theirs) && fields[theirs] == nil ? theirs : nil
    }

    /// The same in one text, for equal names and for no others.
    var identity: String {
        func list(_ names: [String: String]) -> String {
            JSONText.object(names.sorted { $0.key < $1.key }.map { ($0.key, JSONText.string($0.value)) })
        }
        return JSONText.array([list(arrays), list(fields), JSONText.array(ignored.sorted().map(JSONText.string))])
    }
}
