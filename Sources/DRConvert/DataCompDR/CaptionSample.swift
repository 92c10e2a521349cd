package import DRShardFormat
internal import DRText

/// One sample of the tars that DataCompDR is joined with: the real caption, the image, and the size of the original.
package struct CaptionSample: Sendable {
    package var key: String
    package var uid: String
    package var sha256: String?
    package var caption: String?
    package var originalSize: ImageSize?
    /// The image file as it is; nil if the tar has none.
    package var image: SourceRow.Image?
    package var loneSurrogateCount: Int

    package static let imageSuffixes = ["jpg", "jpeg", "png", "webp", "gif"]

    /// Decodes one sample; everything may be missing.
    ///
    /// - Throws: `.schemaMismatch` for json without uid, for a uid that differs from the key, or for one that
    ///   gives only one side of the original; `.corrupt` for damaged JSON or text that is not UTF-8.
    package init(_ group: SampleGroup) throws(ShardError) {
        var loneSurrogateCount = 0
        let identity = try SampleIdentity(group, isOptional: true, &loneSurrogateCount)
        key = group.key
        uid = identity.uid
        sha256 = identity.sha256
        originalSize = identity.originalSize
        caption = nil
        if let member = group["txt"] { caption = try SampleText.decode(member, group) }
        image = Self.image(of: group)
        self.loneSurrogateCount = loneSurrogateCount
    }

    /// The uid of a sample: its name, or what its json says where the name is none, as downloaders number their files.
    static func uid(of group: SampleGroup) throws(ShardError) -> UInt128 {
        if let uid = try? UInt128(uid: group.name) { return uid }
        guard let member = group["json"] else {
            throw .schemaMismatch("sample \"\(group.key)\": its name is no uid, and it has no json that says it")
        }
        return try inMember(member, group) { () throws(ShardError) in
            var count = 0
            guard case .string(let uid) = try SampleText.json(member, &count)["uid"] else {
                throw .schemaMismatch("there is no \"uid\", and the sample's name \"\(group.name)\" is none")
            }
            return try UInt128(uid: uid)
        }
    }

    /// The image of a sample: its first member with one of the known suffixes.
    static func image(of group: SampleGroup) -> SourceRow.Image? {
        for suffix in imageSuffixes {
            guard let member = group[suffix] else { continue }
            return SourceRow.Image(
                container: member.container ?? group.path.split(separator: "/").last.map(String.init) ?? group.path,
                position: member.dataPosition, bytes: member.bytes, size: ImageSize(header: member.bytes[...]))
        }
        return nil
    }
}

/// What `<key>.json` says.
struct SampleIdentity {
    var uid: String
    var sha256: String?
    var originalSize: ImageSize?

    /// Without the member (if it may be missing) the uid is the key's.
    init(_ group: SampleGroup, isOptional: Bool, _ loneSurrogateCount: inout Int) throws(ShardError) {
        guard let member = group["json"] else {
            guard isOptional else { throw place(.schemaMismatch("sample has no json"), group, nil) }
            uid = group.name
            return
        }
        var count = 0
        (uid, sha256, originalSize) = try inMember(member, group) { () throws(ShardError) in
            let document = try SampleText.json(member, &count)
            guard let uid = try Self.string("uid", document) else { throw .schemaMismatch("there is no \"uid\"") }
            guard uid == group.name else {
                throw .schemaMismatch("uid \"\(uid)\" differs from the sample's name \"\(group.name)\"")
            }
            let width = try Self.side("original_width", document)
            let height = try Self.side("original_height", document)
            guard (width == nil) == (height == nil) else {
                throw .schemaMismatch("only one of original_width and original_height is there")
            }
            let size = width.flatMap { width in height.map { ImageSize(width: width, height: $0) } }
            return (uid, try Self.string("sha256", document), size)
        }
        loneSurrogateCount += count
    }

    private static func string(_ key: String, _ document: JSONValue) throws(ShardError) -> String? {
        switch document[key] {
        case .string(let text): return text
        case nil, .null: return nil
        case let other?: throw .corrupt("\(key): expected a string, found \(other.kind)")
        }
    }

    private static func side(_ key: String, _ document: JSONValue) throws(ShardError) -> Int? {
        switch document[key] {
        case nil, .null: return nil
        case .int(let side) where side > 0 && side <= Int64(Int32.max): return Int(side)
        case .int(let side): throw .corrupt("\(key): \(side), a side has 1...\(Int32.max) pixels")
        case let other?: throw .corrupt("\(key): expected a whole number, found \(other.kind)")
        }
    }
}

/// The text members of a sample.
enum SampleText {
    static func decode(_ member: SampleGroup.Member, _ group: SampleGroup) throws(ShardError) -> String {
        guard let text = String(validating: member.bytes, as: UTF8.self) else {
            throw place(ShardError.corrupt("text that is not UTF-8").inside(member.name), group, member)
        }
        return text
    }

    static func json(_ member: SampleGroup.Member, _ loneSurrogateCount: inout Int) throws(ShardError) -> JSONValue {
        let document = try JSON.parse(member.bytes)
        guard case .object = document.value else {
            throw .corrupt("expected an object, found \(document.value.kind)")
        }
        loneSurrogateCount += document.loneSurrogateCount
        return document.value
    }

    /// The list of strings under `key`.
    static func strings(_ document: JSONValue, _ key: String) throws(ShardError) -> [String] {
        guard let value = document[key] else { throw .schemaMismatch("there is no \"\(key)\"") }
        guard case .array(let elements) = value else {
            throw .corrupt("\(key): expected an array, found \(value.kind)")
        }
        var strings: [String] = []
        for (index, element) in elements.enumerated() {
            guard case .string(let text) = element else {
                throw .corrupt("\(key)[\(index)]: expected a string, found \(element.kind)")
            }
            strings.append(text)
        }
        return strings
    }
}

/// Runs `body`; its error gets the member's name, the tar's path and the member's position.
func inMember<Result>(
    _ member: SampleGroup.Member, _ group: SampleGroup, _ body: () throws(ShardError) -> Result
) throws(ShardError) -> Result {
    do throws(ShardError) { return try body() } catch { throw place(error.inside(member.name), group, member) }
}

/// Adds where in which tar; an error about a whole sample gets its key and the position of its first member.
func place(_ error: ShardError, _ group: SampleGroup, _ member: SampleGroup.Member?) -> ShardError {
    let position = (member ?? group.members.first)?.dataPosition
    let named =
        member == nil
        ? ShardError(error.code, "sample \"\(group.key)\": \(error.reason)", context: error.context) : error
    return named.with(.init(path: group.path, position: position))
}
