import DRShardFormat
import DRText
import Testing

/// Schemas as JSON, as the C library takes and gives them.
@Suite struct SchemaJSONTests {
    private func whole() throws -> Schema {
        var metadata = SchemaMetadata()
        metadata.teachers = [
            Teacher(
                name: "a \"teacher\" é", normalised: .yes, logitScale: 14.285_714_285_714_286,
                slices: [.init(column: 1, first: 2, count: 3)], weightsSHA256: Array(0..<32)),
            Teacher(name: "b", normalised: .unknown, slices: []),
        ]
        metadata.captioners = [Captioner(name: "c", axis: 1, settings: "top-p 0.9")]
        metadata.tokenizers = [
            Tokenizer(
                name: "t", vocabularySHA256: Array(repeating: 255, count: 32), vocabularySize: 49408, contextLength: 77,
                start: 49406, end: 49407)
        ]
        metadata.operations = [
            OperationEntry(operation: 0, name: "Identity", magnitudes: [0]),
            OperationEntry(
                operation: 3, name: "TranslateX", magnitudes: [-30.453_172_683_715_82, 30.453_172_683_715_82]),
        ]
        metadata.sources = [Source(name: "s", licence: "CC BY", reference: "https://example.com")]
        metadata.provenance = [Note(key: "k", value: "v"), Note(key: "k", value: "w\n")]
        return try Schema(
            axes: [
                Axis(name: "view", kind: .view, count: 3, exchangeable: .yes, definingColumn: 2),
                Axis(name: "syn", kind: .syntheticCaption, count: 2, exchangeable: .unknown, source: "x"),
                Axis(name: "odd", kind: .init(rawValue: 200), count: 1, exchangeable: .no),
            ],
            columns: [
                Column(name: "id", role: .rowID, type: .tensor(.u8, dims: [16])),
                Column(name: "emb", role: .imageEmbedding, type: .tensor(.bf16, dims: [4, 2]), axis: 0),
                Column(name: "aug", role: .augmentation, type: .operations, axis: 0),
                Column(name: "one", role: .init(rawValue: 77), type: .tensor(.f64, dims: [])),
                Column(name: "tok", role: .tokens, type: .ragged(.u16), axis: 1, tokenizer: 0),
                Column(name: "text", role: .text, type: .utf8, axis: 1),
                Column(name: "img", role: .image, type: .binary), Column(name: "loc", role: .other, type: .locator),
            ], metadata: metadata)
    }

    @Test func aSchemaReadsBackAsItself() throws {
        let schema = try whole()
        #expect(try SchemaJSON.schema(SchemaJSON.text(schema)) == schema)
    }

    @Test func aSideReferenceReadsBackAsItself() throws {
        var metadata = SchemaMetadata()
        metadata.side = SideReference(
            rowSetDigest: try SequenceDigest(validating: 77), rowCount: 5,
            axes: [.init(axis: 0, digest: try SequenceDigest(validating: 78))])
        let schema = try Schema(
            axes: [Axis(name: "view", kind: .view, count: 3, exchangeable: .yes)],
            columns: [Column(name: "id", role: .rowID, type: .tensor(.u8, dims: [4]))], metadata: metadata)
        #expect(try SchemaJSON.schema(SchemaJSON.text(schema)) == schema)
    }

    @Test(arguments: [
        ("", "JSON"), ("[]", "object"), ("{}", "row_id"), (#"{"columns": 3}"#, "\"columns\" has to be an array"),
        (#"{"columns": [3]}"#, "columns 0"), (#"{"columns": [{"name": "a"}]}"#, "\"role\" has to be a string"),
        (#"{"columns": [{"name": "a", "role": "x", "type": "utf8"}]}"#, "no role \"x\""),
        (#"{"columns": [{"name": "a", "role": "text", "type": "x"}]}"#, "locator"),
        (#"{"columns": [{"name": "a", "role": "text", "type": "tensor", "element": "u7"}]}"#, "u7"),
        (#"{"columns": [{"name": "a", "role": "text", "type": "tensor", "element": "u8", "dims": [1.5]}]}"#, "whole"),
        (#"{"columns": [{"name": "a", "role": "text", "type": "utf8", "axis": "v"}]}"#, "no axis \"v\""),
        (#"{"axes": [{"name": "v", "kind": "views", "count": -1, "exchangeable": "yes"}]}"#, "no variants"),
        (#"{"axes": [{"name": "v", "kind": "views", "count": 1e30, "exchangeable": "yes"}]}"#, "whole number"),
        (#"{"axes": [{"name": "v", "kind": "z", "count": 1, "exchangeable": "yes"}]}"#, "kind of axes"),
        (#"{"teachers": [{"name": "t", "normalised": "no", "slices": [{"column": "q"}]}]}"#, "no column \"q\""),
        (#"{"tokenizers": [{"name": "t", "vocabularySHA256": "xy"}]}"#, "hexadecimal"),
    ]) func whatIsNoSchemaSaysWhere(text: String, part: String) throws {
        let error = #expect(throws: ShardError.self) { try SchemaJSON.schema(text) }
        #expect(error?.code == .invalidArgument && error?.reason.contains(part) == true, "\(String(describing: error))")
    }
}
