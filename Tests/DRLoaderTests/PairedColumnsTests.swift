import DRLoader
import DRShardFormat
import Testing

@Suite struct PairedColumnsTests {
    private static let vector = ColumnType.tensor(.bf16, dims: [8])
    private let columns = [
        Column(name: "uid", role: .rowID, type: .tensor(.u8, dims: [4])),
        Column(name: "image_emb", role: .imageEmbedding, type: vector, axis: 0),
        Column(name: "text_emb", role: .textEmbedding, type: vector, axis: 1),
        Column(name: "syn_emb", role: .textEmbedding, type: vector, axis: 2),
    ]

    private func resolve(
        axes: [Axis] = PairedFixture.axes, _ columns: [Column], tokenizers: [Tokenizer] = [PairedFixture.tokenizer()],
        _ change: (inout LoaderOptions) -> Void = { _ in }
    ) throws -> PairedColumns {
        var metadata = SchemaMetadata()
        metadata.tokenizers = tokenizers
        var options = LoaderOptions()
        change(&options)
        return try PairedColumns(schema: Schema(axes: axes, columns: columns, metadata: metadata), options: options)
    }

    private func expect(_ code: ShardError.Code, _ text: String, _ work: () throws -> PairedColumns) {
        let error = #expect(throws: ShardError.self) { try work() }
        #expect(error?.code == code && error?.description.contains(text) == true, "\(error?.description ?? "no error")")
    }

    private func tokens(_ name: String, _ type: ColumnType = .ragged(.u16), tokenizer: Int? = 0) -> Column {
        Column(name: name, role: .tokens, type: type, axis: 2, tokenizer: tokenizer)
    }

    @Test func embeddingsAloneAreEnough() throws {
        let found = try resolve(columns)
        #expect(
            found.rowID == 0 && found.views[0].embeddings == [1] && found.real[0].embeddings == [2]
                && found.synthetic[0].embeddings == [3])
        #expect(found.views[0].augmentation == nil && found.real[0].tokens == nil && found.synthetic[0].text == nil)
        #expect(found.synthetic[0].name == "synthetic" && found.synthetic[0].variantCount == 3)
    }

    @Test func severalTensorsOfAnAxisAreAllTaken() throws {
        let found = try resolve(columns + [Column(name: "second", role: .imageEmbedding, type: Self.vector, axis: 0)])
        #expect(found.views[0].embeddings == [1, 4])
    }

    @Test func missingAxisOrEmbeddingIsNamedWithWhatThereIs() {
        expect(
            .schemaMismatch, "there is no axis of synthetic captions; the data set has \"view\" (views, 4), \"real\""
        ) {
            try resolve(axes: Array(PairedFixture.axes.prefix(2)), Array(columns.prefix(3)))
        }
        expect(.schemaMismatch, "axis \"view\" has no tensor of role image_embedding; it has no columns") {
            try resolve(columns.filter { $0.role != .imageEmbedding })
        }
        expect(.schemaMismatch, "it has \"image_emb\" (other, tensor)") {
            var columns = columns
            columns[1].role = .other
            return try resolve(columns)
        }
    }

    @Test func oneOfSeveralCaptionersIsChosenByName() throws {
        let axes = PairedFixture.axes + [Axis(name: "llava", kind: .syntheticCaption, count: 2, exchangeable: .no)]
        let columns = columns + [Column(name: "llava_emb", role: .textEmbedding, type: Self.vector, axis: 3)]
        expect(.invalidArgument, "there are 2 axes of synthetic captions: \"synthetic\", \"llava\"") {
            try resolve(axes: axes, columns)
        }
        #expect(
            try resolve(axes: axes, columns) { $0.synthetic = [AxisChoice("llava")] }.synthetic[0].embeddings == [4])
        expect(.invalidArgument, "there is no axis \"blip\"") {
            try resolve(axes: axes, columns) { $0.synthetic = [AxisChoice("blip")] }
        }
    }

    @Test func tokensNeedAUsableTokenizer() throws {
        #expect(try resolve(columns + [tokens("t")]).synthetic[0].tokens?.contextLength == 12)
        expect(.schemaMismatch, "column \"t\"") { try resolve(columns + [tokens("t", tokenizer: nil)]) }
        expect(.schemaMismatch, "u64") { try resolve(columns + [tokens("t", .ragged(.u64))]) }
        for contextLength: UInt32 in [0, 1, .max] {
            expect(.schemaMismatch, "context length \(contextLength)") {
                try resolve(
                    columns + [tokens("t")], tokenizers: [PairedFixture.tokenizer(contextLength: contextLength)])
            }
        }
    }

    @Test func oneOfSeveralTokenizersIsChosenByName() throws {
        let columns = columns + [tokens("a"), tokens("b", tokenizer: 1)]
        let tokenizers = [PairedFixture.tokenizer(), PairedFixture.tokenizer(name: "siglip")]
        expect(.invalidArgument, "2 columns of tokens") { try resolve(columns, tokenizers: tokenizers) }
        expect(.invalidArgument, "\"real\" has no tokens of a tokenizer \"siglip\"") {
            try resolve(columns, tokenizers: tokenizers) { $0.tokenizer = "siglip" }
        }
        var both = columns
        both.append(Column(name: "c", role: .tokens, type: .ragged(.u16), axis: 1, tokenizer: 1))
        #expect(try resolve(both, tokenizers: tokenizers) { $0.tokenizer = "siglip" }.synthetic[0].tokens?.column == 5)
    }
}
