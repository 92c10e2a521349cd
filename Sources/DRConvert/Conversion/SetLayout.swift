internal import DRShardFormat

/// The shape of a reinforced set, taken from its first samples, and the schema that follows from it.
///
/// Every later sample must have this shape: a set is one schema.
struct SetLayout {
    let viewCount: Int
    let captionCount: Int
    let dims: Int
    /// As the input has it, and as it is stored.
    let inputElement: ElementType
    let storedElement: ElementType
    let schema: Schema
    let columns: Columns
    /// What the caller or the shard whose schema is taken says; nil: the writer chooses.
    let rowsPerGroup: Int?

    /// Numbers of the columns.
    struct Columns {
        var uid = 0, sha256 = 0, url = 0, augmentation = 0, imageEmbedding = 0
        var realText: Int?, realTokens: Int?, realEmbedding = 0
        var syntheticText = 0, syntheticTokens: Int?, syntheticEmbedding = 0
        var originalSize: Int?, image: Int?
    }

    /// Samples that are looked at for the shape, for magnitudes that are not the recipe's, and for whether embeddings are
    /// normalised: these two may make the schemas of separate runs differ, unless one takes the other's.
    static let probeCount = 256

    init(options: ConvertOptions, tokenizer: Tokenizer?) throws(ShardError) {
        guard let first = options.inputs.first else { throw .invalidArgument("there is nothing to convert") }
        var samples: [DRSample] = []
        var trouble: ShardError?
        for input in options.inputs where samples.isEmpty {
            samples = try SetLayout.probe(input, onError: options.onError, &trouble)
        }
        guard let sample = samples.first else {
            throw trouble
                ?? ShardError.schemaMismatch("there is no sample in it; is it a tar of reinforced samples?").with(
                    .init(path: first))
        }
        viewCount = sample.imageEmbeddings.shape[0]
        captionCount = sample.syntheticCaptions.count
        dims = sample.imageEmbeddings.shape[1]
        inputElement = sample.imageEmbeddings.element
        storedElement = inputElement == .f32 && !options.keepsFloat32 ? .bf16 : inputElement
        let made: Schema
        (made, columns) = try SetLayout.makeSchema(
            options: options, samples: samples, element: storedElement, tokenizer: tokenizer)
        if let path = options.schemaShard {
            (schema, rowsPerGroup) = try SetLayout.schema(of: path, fitting: made, options: options)
        } else {
            (schema, rowsPerGroup) = (made, options.rowsPerGroup)
        }
    }

    /// The first samples of a tar that can be read; `trouble` is the first error among all.
    private static func probe(
        _ path: String, onError: ConvertOptions.OnError, _ trouble: inout ShardError?
    ) throws(ShardError) -> [DRSample] {
        let decoder = try DRSampleDecoder()
        var samples: [DRSample] = []
        var reader: SampleGroupReader?
        while samples.count < probeCount {
            do throws(ShardError) {
                let groups = if let reader { reader } else { SampleGroupReader(try TarReader(path: path)) }
                reader = groups
                guard let group = try groups.next() else { break }
                do throws(ShardError) { samples.append(try decoder.decode(group)) } catch {
                    if onError == .stop { throw error }
                    trouble = trouble ?? error
                }
            } catch {
                if onError == .stop { throw onError.advised(error) }
                trouble = trouble ?? error
                guard let reader, reader.canGoOn else { break }
            }
        }
        return samples
    }

    private static func makeSchema(
        options: ConvertOptions, samples: [DRSample], element: ElementType, tokenizer: Tokenizer?
    ) throws(ShardError) -> (Schema, Columns) {
        var list = ColumnList()
        var columns = Columns()
        let sample = samples[0]
        let embedding = ColumnType.tensor(element, dims: [sample.imageEmbeddings.shape[1]])
        let tokenizerNumber = tokenizer == nil ? nil : 0
        let hasCaptions = options.captions != nil
        columns.uid = list.add("uid", .rowID, .tensor(.u8, dims: [16]))
        columns.sha256 = list.add("sha256", .imageHash, .tensor(.u8, dims: [32]))
        columns.url = list.add("url", .url, .utf8)
        if hasCaptions {
            columns.originalSize = list.add("original_size", .imageSize, .tensor(.u32, dims: [2]))
            switch options.images {
            case .store: columns.image = list.add("image", .image, .binary)
            case .locate: columns.image = list.add("image", .image, .locator)
            case .none: break
            }
        }
        columns.augmentation = list.add("augmentation", .augmentation, .operations, axis: 0)
        columns.imageEmbedding = list.add("image_emb", .imageEmbedding, embedding, axis: 0)
        if hasCaptions {
            columns.realText = list.add("text", .text, .utf8, axis: 1)
            if let tokenizerNumber {
                columns.realTokens = list.add("tokens", .tokens, .ragged(.u16), axis: 1, tokenizer: tokenizerNumber)
            }
        }
        columns.realEmbedding = list.add("text_emb", .textEmbedding, embedding, axis: 1)
        columns.syntheticText = list.add("syn_text", .text, .utf8, axis: 2)
        if let tokenizerNumber {
            columns.syntheticTokens = list.add(
                "syn_tokens", .tokens, .ragged(.u16), axis: 2, tokenizer: tokenizerNumber)
        }
        columns.syntheticEmbedding = list.add("syn_text_emb", .textEmbedding, embedding, axis: 2)
        let axes = [
            Axis(
                name: "view", kind: .view, count: sample.imageEmbeddings.shape[0],
                exchangeable: options.exchangeableViews, definingColumn: columns.augmentation),
            Axis(name: "real", kind: .realCaption, count: 1, exchangeable: .no, definingColumn: columns.realText),
            Axis(
                name: "synthetic", kind: .syntheticCaption, count: sample.syntheticCaptions.count,
                exchangeable: options.exchangeableCaptions, source: options.captioner,
                definingColumn: columns.syntheticText),
        ]
        var metadata = SchemaMetadata()
        let slices = [columns.imageEmbedding, columns.realEmbedding, columns.syntheticEmbedding]
        metadata.teachers = options.teachers.map { teacher in
            Teacher(
                name: teacher.name, normalised: isNormalised(samples, teacher), logitScale: teacher.logitScale,
                slices: slices.map { .init(column: $0, first: teacher.first, count: teacher.count) })
        }
        if let captioner = options.captioner { metadata.captioners = [Captioner(name: captioner, axis: 2)] }
        if let tokenizer { metadata.tokenizers = [tokenizer] }
        metadata.operations = RandAugment.table(of: samples)
        metadata.sources = options.sources
        return (try Schema(axes: axes, columns: list.columns, metadata: metadata), columns)
    }

    private struct ColumnList {
        var columns: [Column] = []
        mutating func add(_ name: String, _ role: Role, _ type: ColumnType, axis: Int? = nil, tokenizer: Int? = nil)
            -> Int
        {
            columns.append(Column(name: name, role: role, type: type, axis: axis, tokenizer: tokenizer))
            return columns.count - 1
        }
    }

    /// Whether a teacher's part of the first samples' image embeddings has norm 1, up to rounding.
    private static func isNormalised(_ samples: [DRSample], _ teacher: ConvertOptions.TeacherSlice)
        -> Teacher.Normalised
    {
        for sample in samples {
            let array = sample.imageEmbeddings
            let dims = array.shape[1]
            guard teacher.first >= 0, teacher.count > 0, teacher.first <= dims, teacher.count <= dims - teacher.first
            else { return .unknown }
            for row in 0..<array.shape[0] {
                var sum = 0.0
                for i in teacher.first..<teacher.first + teacher.count {
                    guard let value = EmbeddingRows.value(array, row * dims + i) else { return .unknown }
                    sum += Double(value) * Double(value)
                }
                guard abs(sum - 1) < 0.02 else { return .no }
            }
        }
        return .yes
    }
}
