package import DRShardFormat
internal import DRText

/// One sample of a DataCompDR tar, decoded.
///
/// Published tars have no image and no real caption, which are in a `CaptionSample`; tars that were joined have them.
package struct DRSample: Sendable {
    /// The name of its members up to the first dot.
    package var key: String
    package var uid: String
    package var sha256: String?
    package var url: String?
    package var caption: String?
    package var image: SourceRow.Image?
    package var originalSize: ImageSize?
    /// By the keys of `syn.json`, in file order; none if it may be missing and is.
    package var captionSets: [CaptionSet]
    /// One per row of `imageEmbeddings`; empty if `paug.json` may be missing and is.
    package var augmentations: [Augmentation]
    /// `[views, dims]`, in the file's own element type.
    package var imageEmbeddings: ForeignArray
    /// `[captions, dims]`: the real caption first, then the synthetic ones of the set that has no array of its own.
    package var textEmbeddings: ForeignArray
    /// Arrays of the embedding file under any other name, in file order.
    package var otherArrays: [(name: String, array: ForeignArray)]
    /// See `JSONDocument`; summed over the sample's JSON members.
    package var loneSurrogateCount: Int

    /// The synthetic captions whose embeddings are rows of `text_emb`.
    package var combinedCaptions: [String] { captionSets.first { $0.embeddings == nil }?.texts ?? [] }

    /// Synthetic captions of one captioner.
    package struct CaptionSet: Sendable, Equatable {
        /// `syn_text`, or `syn_text_` and the captioner's name.
        package var key: String
        package var texts: [String]
        /// `[captions, dims]` of the array `<key>_emb`; nil: they are rows of `text_emb`.
        package var embeddings: ForeignArray?
    }
}

/// Decodes the samples of DataCompDR tars. Keep one per thread.
package final class DRSampleDecoder {
    /// What a sample must have and how large its parts may be.
    package struct Options: Sendable {
        /// The members that may be missing: any of `json`, `url.txt`, `syn.json`, `paug.json`.
        package var optionalMembers: Set<String> = []
        /// Most bytes that an embedding file may decompress to.
        package var byteLimit = 256 << 20

        package init() {}
    }

    package let options: Options
    private let inflater: Inflater

    package init(options: Options = Options()) throws(ShardError) {
        self.options = options
        inflater = try Inflater()
    }

    /// A sample whose embedding file is decompressed: what takes long, and can be done on another thread than the rest.
    package struct Unpacked: Sendable {
        enum Embeddings: Sendable {
            /// A torch file, not read yet.
            case torch([UInt8])
            case arrays([(name: String, array: ForeignArray)])
        }
        package let group: SampleGroup
        let member: SampleGroup.Member?
        let embeddings: Result<Embeddings, ShardError>

        /// Of what was decompressed.
        var embeddingByteCount: Int {
            switch try? embeddings.get() {
            case .torch(let bytes): bytes.count
            case .arrays(let arrays): arrays.reduce(0) { $0 + $1.array.bytes.count }
            case nil: 0
            }
        }
    }

    /// Decompresses the embedding file of a sample: npz rather than bfloat16 where both are there, as the reference
    /// reader has it. What is wrong with it is said by `decode`.
    package func unpack(_ group: SampleGroup) -> Unpacked {
        let member = group["npz"] ?? group["pth.gz"] ?? group["pth"]
        do throws(ShardError) {
            guard let member else { throw place(.schemaMismatch("sample has none of npz, pth.gz, pth"), group, nil) }
            let embeddings = try inMember(member, group) { () throws(ShardError) -> Unpacked.Embeddings in
                switch member.suffix {
                case "npz": .arrays(try npz(member.bytes[...]))
                case "pth.gz":
                    .torch(try Gzip.decompress(member.bytes[...], limit: options.byteLimit, with: inflater))
                default: .torch(member.bytes)
                }
            }
            return Unpacked(group: group, member: member, embeddings: .success(embeddings))
        } catch { return Unpacked(group: group, member: member, embeddings: .failure(error)) }
    }

    /// Decodes one sample. Its arrays share storage with the decompressed embedding file.
    ///
    /// - Throws: `.schemaMismatch` if a member or field is missing, the uid differs from the key, or arrays do not
    ///   belong together (rank, width, element type, one augmentation for each view); otherwise what the readers of
    ///   the members throw, with the member's name. All errors carry the path and the position of the member.
    package func decode(_ group: SampleGroup) throws(ShardError) -> DRSample { try decode(unpack(group)) }

    /// The same for a sample that was unpacked, maybe by another decoder.
    package func decode(_ unpacked: Unpacked) throws(ShardError) -> DRSample {
        let group = unpacked.group
        var loneSurrogateCount = 0
        let identity = try SampleIdentity(
            group, isOptional: options.optionalMembers.contains("json"), &loneSurrogateCount)
        var url: String?
        if let member = try required("url.txt", group) {
            url = try SampleText.decode(member, group)
        }
        let caption = if let member = group["txt"] { try SampleText.decode(member, group) } else { String?.none }
        var sets: [DRSample.CaptionSet] = []
        if let member = try required("syn.json", group) {
            sets = try inMember(member, group) { () throws(ShardError) in
                try Self.captionSets(try SampleText.json(member, &loneSurrogateCount))
            }
        }
        var (arrays, source) = try embeddings(unpacked)
        let sample: DRSample = try inMember(source, group) { () throws(ShardError) in
            let image = try Self.matrix("image_emb", &arrays)
            let text = try Self.matrix("text_emb", &arrays, like: image)
            for i in sets.indices {
                let name = sets[i].key + "_emb"
                guard arrays.contains(where: { $0.name == name }) else { continue }
                let own = try Self.matrix(name, &arrays, like: image)
                guard own.shape[0] == sets[i].texts.count else {
                    throw .schemaMismatch("\(name) has \(own.shape[0]) rows for \(sets[i].texts.count) captions")
                }
                sets[i].embeddings = own
            }
            return DRSample(
                key: group.key, uid: identity.uid, sha256: identity.sha256, url: url, caption: caption,
                image: CaptionSample.image(of: group), originalSize: identity.originalSize, captionSets: sets,
                augmentations: [], imageEmbeddings: image, textEmbeddings: text, otherArrays: arrays,
                loneSurrogateCount: 0)
        }
        var result = sample
        if let member = try required("paug.json", group) {
            result.augmentations = try inMember(member, group) { () throws(ShardError) in
                try Self.augmentations(member, viewCount: sample.imageEmbeddings.shape[0], &loneSurrogateCount)
            }
        }
        result.loneSurrogateCount = loneSurrogateCount
        return result
    }

    private static func augmentations(
        _ member: SampleGroup.Member, viewCount: Int, _ loneSurrogateCount: inout Int
    ) throws(ShardError) -> [Augmentation] {
        let records: [Augmentation]
        if let scanned = AugmentationScanner.records(member.bytes) {
            records = scanned
        } else {
            let document = try SampleText.json(member, &loneSurrogateCount)
            guard let value = document["param_aug"] else { throw .schemaMismatch("there is no \"param_aug\"") }
            records = try AugmentationList.parse(value)
        }
        guard records.count == viewCount else {
            throw .schemaMismatch("param_aug has \(records.count) entries, image_emb has \(viewCount) rows")
        }
        return records
    }

    private func embeddings(
        _ unpacked: Unpacked
    ) throws(ShardError) -> ([(name: String, array: ForeignArray)], SampleGroup.Member) {
        let found = try unpacked.embeddings.get()
        guard let member = unpacked.member else { return ([], .init(suffix: "", name: "", bytes: [], dataPosition: 0)) }
        switch found {
        case .arrays(let arrays): return (arrays, member)
        case .torch(let bytes):
            let arrays = try inMember(member, unpacked.group) { () throws(ShardError) in
                try TorchFile.read(bytes[...], limit: options.byteLimit, with: inflater)
            }
            return (arrays, member)
        }
    }

    private func npz(_ bytes: ArraySlice<UInt8>) throws(ShardError) -> [(name: String, array: ForeignArray)] {
        let zip = try ZipReader(bytes)
        var arrays: [(name: String, array: ForeignArray)] = []
        var room = options.byteLimit
        for entry in zip.entries {
            let data = try zip.read(entry, limit: room, with: inflater)
            room -= data.count
            let name = entry.name.hasSuffix(".npy") ? String(entry.name.dropLast(4)) : entry.name
            do throws(ShardError) { arrays.append((name, try NpyReader.read(data))) } catch {
                throw error.inside(entry.name)
            }
        }
        return arrays
    }

    /// The lists under `syn_text` and `syn_text_<captioner>`.
    private static func captionSets(_ document: JSONValue) throws(ShardError) -> [DRSample.CaptionSet] {
        guard case .object(let members) = document else { return [] }
        var sets: [DRSample.CaptionSet] = []
        for member in members where member.key == "syn_text" || member.key.hasPrefix("syn_text_") {
            // Of a key that is repeated the last value counts, once.
            guard !sets.contains(where: { $0.key == member.key }) else { continue }
            sets.append(.init(key: member.key, texts: try SampleText.strings(document, member.key), embeddings: nil))
        }
        guard !sets.isEmpty else { throw .schemaMismatch("there is no \"syn_text\"") }
        return sets
    }

    /// Takes a matrix of floating point numbers out of `arrays`.
    /// - Parameter other: one whose element type and width it must have.
    private static func matrix(
        _ name: String, _ arrays: inout [(name: String, array: ForeignArray)], like other: ForeignArray? = nil
    ) throws(ShardError) -> ForeignArray {
        guard let index = arrays.firstIndex(where: { $0.name == name }) else {
            let names = arrays.map { "\"\($0.name)\"" }.joined(separator: ", ")
            throw .schemaMismatch("there is no \"\(name)\" among \(names.isEmpty ? "no arrays" : names)")
        }
        let array = arrays.remove(at: index).array
        guard [.f16, .bf16, .f32].contains(array.element) else {
            throw .schemaMismatch("\(name) is \(array.element), expected float16, bfloat16 or float32")
        }
        guard array.shape.count == 2, array.shape.allSatisfy({ $0 > 0 }) else {
            throw .schemaMismatch("\(name) has shape \(array.shape), expected [rows, dims] of at least 1")
        }
        if let other, array.element != other.element || array.shape[1] != other.shape[1] {
            throw .schemaMismatch(
                "image_emb is \(other.element) \(other.shape), \(name) is \(array.element) \(array.shape)")
        }
        return array
    }

    private func required(_ suffix: String, _ group: SampleGroup) throws(ShardError) -> SampleGroup.Member? {
        if let member = group[suffix] { return member }
        guard options.optionalMembers.contains(suffix) else {
            throw place(.schemaMismatch("sample has no \(suffix)"), group, nil)
        }
        return nil
    }
}
