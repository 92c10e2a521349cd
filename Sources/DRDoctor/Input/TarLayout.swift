internal import DRConvert
internal import DRShardFormat

/// What samples of tars are like, and the schema that their rows are looked at with: taken from the first of them that
/// can be decoded.
struct TarLayout: Sendable {
    /// Tars come as two kinds: with embeddings, and with the captions and images that belong to them.
    enum Kind: Sendable {
        case reinforced, captions
    }

    let kind: Kind
    let schema: Schema
    /// By columns of the schema; nil: there is none.
    struct Columns {
        var augmentation: Int?, image: Int?, realText: Int?, realEmbedding: Int?
        var syntheticText: Int?, syntheticEmbedding: Int?, originalSize: Int?, imageBytes: Int?
    }
    let columns: Columns
    let viewCount: Int
    let captionCount: Int
    let dims: Int
    let element: ElementType
    /// Rows of text embeddings, of which 1 + `captionCount` can be told apart.
    let textRowCount: Int

    static let embeddingSuffixes = ["npz", "pth.gz", "pth"]

    static func kind(of group: SampleGroup) -> Kind {
        let reinforced = embeddingSuffixes + ["syn.json", "paug.json"]
        return group.members.contains { reinforced.contains($0.suffix) } ? .reinforced : .captions
    }

    /// The layout of caption tars.
    init(_ sample: CaptionSample) throws(ShardError) {
        kind = .captions
        var columns = Columns()
        let list = TarLayout.joinedColumns(&columns, startingAt: 1, sample, hasText: true, axis: nil)
        self.columns = columns
        schema = try Schema(axes: [], columns: [TarLayout.uid] + list)
        (viewCount, captionCount, dims, element, textRowCount) = (0, 0, 0, .f32, 0)
    }

    /// The layout of a sample's tars.
    /// - Parameter group: the sample's members: captions and images may be joined to it already.
    init(_ sample: DRSample, _ group: SampleGroup, teachers: [ConvertOptions.TeacherSlice]) throws(ShardError) {
        kind = .reinforced
        viewCount = sample.imageEmbeddings.shape[0]
        dims = sample.imageEmbeddings.shape[1]
        element = sample.imageEmbeddings.element
        textRowCount = sample.textEmbeddings.shape[0]
        captionCount = sample.combinedCaptions.count
        var columns = Columns()
        var list = [TarLayout.uid]
        func add(_ name: String, _ role: Role, _ type: ColumnType, _ axis: Int) -> Int {
            list.append(Column(name: name, role: role, type: type, axis: axis))
            return list.count - 1
        }
        let embedding = ColumnType.tensor(element, dims: [dims])
        if !sample.augmentations.isEmpty { columns.augmentation = add("param_aug", .augmentation, .operations, 0) }
        columns.image = add("image_emb", .imageEmbedding, embedding, 0)
        columns.realEmbedding = add("text_emb, real", .textEmbedding, embedding, 1)
        if captionCount > 0 {
            columns.syntheticText = add("syn_text", .text, .utf8, 2)
            if textRowCount > captionCount {
                columns.syntheticEmbedding = add("text_emb, synthetic", .textEmbedding, embedding, 2)
            }
        }
        list += TarLayout.joinedColumns(
            &columns, startingAt: list.count, try? CaptionSample(group), hasText: group["txt"] != nil, axis: 1)
        self.columns = columns
        var metadata = SchemaMetadata()
        metadata.operations = RandAugment.table(of: [])
        let slices = [columns.image, columns.realEmbedding, columns.syntheticEmbedding].compactMap { $0 }
        metadata.teachers = teachers.map { teacher in
            Teacher(
                name: teacher.name, normalised: .unknown,
                slices: slices.map { .init(column: $0, first: teacher.first, count: teacher.count) })
        }
        schema = try Schema(
            axes: [
                Axis(name: "view", kind: .view, count: viewCount, exchangeable: .unknown),
                Axis(name: "real", kind: .realCaption, count: 1, exchangeable: .no),
                Axis(name: "synthetic", kind: .syntheticCaption, count: max(1, captionCount), exchangeable: .unknown),
            ], columns: list, metadata: metadata)
    }

    private static let uid = Column(name: "uid", role: .rowID, type: .tensor(.u8, dims: [16]))

    /// The real caption, the image and its size, as far as a sample has them.
    private static func joinedColumns(
        _ columns: inout Columns, startingAt first: Int, _ sample: CaptionSample?, hasText: Bool, axis: Int?
    ) -> [Column] {
        var list: [Column] = []
        if hasText {
            columns.realText = first
            list.append(Column(name: "txt", role: .text, type: .utf8, axis: axis))
        }
        if sample?.originalSize != nil {
            columns.originalSize = first + list.count
            list.append(Column(name: "original size", role: .imageSize, type: .tensor(.u32, dims: [2])))
        }
        if sample?.image != nil {
            columns.imageBytes = first + list.count
            list.append(Column(name: "image", role: .image, type: .binary))
        }
        return list
    }
}
