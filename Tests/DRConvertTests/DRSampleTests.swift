import DRConvert
import DRShardFormat
import Testing

private let uid = "9e3930e6bb2783e8dfb66ff465e56ec4"

private func matrix(_ rows: Int, _ element: ElementType = .f32, dims: Int = 2) -> ForeignArray {
    ForeignArray(
        element: element, shape: [rows, dims], bytes: randomBytes(rows * dims * element.byteCount, seed: 1)[...])
}

private func npz(_ arrays: (name: String, array: ForeignArray)...) throws -> [UInt8] { try NpzWriter.write(arrays) }

/// A valid sample of two views and one synthetic caption, with some members replaced or (by nil) taken away.
private func group(_ changes: [String: [UInt8]?] = [:]) throws -> SampleGroup {
    var members: [String: [UInt8]] = [
        "json": Array(#"{"uid": "\#(uid)", "sha256": "00"}"#.utf8), "url.txt": Array("http://x/y".utf8),
        "syn.json": Array(#"{"syn_text": ["a \ud83d\ude00"]}"#.utf8),
        "paug.json": Array(#"{"param_aug": [[[1,2,3,4],[[0,0.0],[6,-0.26999998092651367]]], [[0,0,1,1],null]]}"#.utf8),
        "npz": try npz(("image_emb", matrix(2)), ("text_emb", matrix(2))),
    ]
    for (suffix, bytes) in changes { members[suffix] = bytes }
    let list = members.sorted { $0.key < $1.key }.map {
        SampleGroup.Member(suffix: $0.key, name: "\(uid).\($0.key)", bytes: $0.value, dataPosition: 512)
    }
    return SampleGroup(key: uid, members: list, path: "a.tar")
}

private func decode(_ group: SampleGroup) throws -> DRSample { try DRSampleDecoder().decode(group) }

private func fails(_ suffix: String, _ text: String) throws -> ShardError {
    let group = try group([suffix: Array(text.utf8)])
    return failure(text) { try decode(group) }
}

@Test func sampleIsDecoded() throws {
    let sample = try decode(try group())
    #expect(sample.uid == uid && sample.sha256 == "00" && sample.url == "http://x/y")
    #expect(sample.captionSets.map(\.texts) == [["a \u{1F600}"]])
    #expect(
        sample.augmentations.map(\.crop) == [
            .init(top: 1, left: 2, height: 3, width: 4), .init(top: 0, left: 0, height: 1, width: 1),
        ])
    #expect(
        sample.augmentations[0].operations == [
            .init(operation: 0, magnitude: 0), .init(operation: 6, magnitude: -0.26999998092651367),
        ])
    #expect(sample.augmentations[1].items.last == .null(kind: 2))
    #expect(sample.imageEmbeddings == matrix(2) && sample.textEmbeddings == matrix(2))
}

@Test func parametersMayBeAStringThatHoldsJSON() throws {
    let changed = try group(["paug.json": Array(#"{"param_aug": "[[[1,2,3,4],[[3,-30.5]]],[[1,2,3,4],[]]]"}"#.utf8)])
    #expect(try decode(changed).augmentations[0].operations == [.init(operation: 3, magnitude: -30.5)])
    #expect(try fails("paug.json", #"{"param_aug": "[[["}"#).code == .truncated)
}

@Test func embeddingsAreReadFromEveryContainer() throws {
    let arrays = [
        (name: "image_emb", array: matrix(2, .bf16)), (name: "text_emb", array: matrix(6, .bf16)),
        (name: "x", array: matrix(1, .i64)),
    ]
    let torch = try TorchWriter.write(arrays)
    for changes in [["npz": nil, "pth": torch], ["npz": nil, "pth.gz": try Deflate.compress(torch, as: .gzip)]] {
        let sample = try decode(try group(changes))
        #expect(sample.imageEmbeddings == arrays[0].array && sample.textEmbeddings == arrays[1].array)
        #expect(sample.otherArrays.map(\.name) == ["x"])
    }
    // float32 is preferred where both are there.
    #expect(try decode(try group(["pth": torch])).imageEmbeddings.element == .f32)
    #expect(failure { try decode(try group(["npz": nil, "pth": Array(torch.dropLast())])) }.code == .truncated)
}

@Test(arguments: ["json", "url.txt", "syn.json", "paug.json", "npz"]) func missingMemberIsNamed(_ suffix: String) throws
{
    let incomplete = try group([suffix: nil])
    let error = failure { try decode(incomplete) }
    #expect(error.code == .schemaMismatch)
    #expect(error.reason.contains(suffix) && error.reason.contains(uid))
    #expect(error.context.path == "a.tar")
    var options = DRSampleDecoder.Options()
    options.optionalMembers = ["json", "url.txt", "syn.json", "paug.json"]
    if suffix != "npz" { #expect(try DRSampleDecoder(options: options).decode(incomplete).uid == uid) }
}

@Test func uidMustBeThereAndBeTheKey() throws {
    #expect(try fails("json", "{}").reason == "member \"\(uid).json\": there is no \"uid\"")
    #expect(try fails("json", #"{"uid": "other"}"#).code == .schemaMismatch)
    #expect(try fails("json", #"{"uid": 5}"#).code == .corrupt)
    #expect(try fails("json", "[]").code == .corrupt)
    #expect(try fails("json", "").code == .truncated)
}

@Test(arguments: [
    ("[[[1,2,3,4],[[0,0.0]]],[[1,2,3],[]]]", "param_aug[1][0]: 3 elements, expected 4"),
    (
        "[[[1,2,3,4],[]],[[1,2,3,4],[[2,0.1],[\"x\",0.1]]]]",
        "param_aug[1][1][1][0]: expected a whole number, found a string"
    ),
    ("[[[1,2,3,4],[]],[[1,2,3,4],[[14,0.1]]]]", "param_aug[1][1][0][0]: operation 14, there are 0...13"),
    ("[[[1,2,3,4],[]],[[1,2,3,4],[[-1,0.1]]]]", "param_aug[1][1][0][0]: operation -1, there are 0...13"),
    ("[[[1,2,3,4],[]],[[1,2,3,4],[[1,null]]]]", "param_aug[1][1][0][1]: expected a number, found null"),
    ("[[[1.5,2,3,4],[]]]", "param_aug[0][0][0]: expected a whole number, found a number"),
    ("[[[-1,2,3,4],[]]]", "param_aug[0][0][0]: -1, a crop is [top, left, height, width]"),
    ("[[[1,2,0,4],[]]]", "param_aug[0][0][2]: 0, a crop is [top, left, height, width]"),
    ("[[[1,2,3,4]]]", "param_aug[0]: 1 elements, expected 2"),
    ("[7]", "param_aug[0]: expected an array, found a number"), ("{}", "param_aug: expected an array, found an object"),
])
func parametersOfAnotherShapeAreCorruptAndTheirPlaceIsNamed(_ list: String, _ reason: String) throws {
    let error = try fails("paug.json", #"{"param_aug": \#(list)}"#)
    #expect(error.code == .corrupt)
    #expect(error.reason == "member \"\(uid).paug.json\": \(reason)")
    #expect(error.context.position == 512)
}

@Test func oneAugmentationIsNeededForEachView() throws {
    let error = try fails("paug.json", #"{"param_aug": [[[1,2,3,4],[]]]}"#)
    #expect(error.code == .schemaMismatch)
    #expect(error.reason.hasSuffix("param_aug has 1 entries, image_emb has 2 rows"))
    #expect(try fails("paug.json", "{}").code == .schemaMismatch)
    #expect(try fails("paug.json", #"{"param_aug": [[[99999999999,2,3,4],[]]]}"#).code == .limitExceeded)
}

@Test func embeddingsOfAnotherTypeRankOrWidthDoNotMatch() throws {
    let vector = ForeignArray(element: .f32, shape: [2], bytes: matrix(1).bytes)
    let wrong: [[UInt8]] = [
        try npz(("image_emb", matrix(2))), try npz(("image_emb", matrix(2)), ("text_emb", matrix(2, dims: 3))),
        try npz(("image_emb", matrix(2)), ("text_emb", vector)),
        try npz(("image_emb", matrix(2)), ("text_emb", matrix(2, .f16))),
        try npz(("image_emb", matrix(2, .f64)), ("text_emb", matrix(2, .f64))),
        try npz(("image_emb", matrix(0)), ("text_emb", matrix(2))),
    ]
    for bytes in wrong {
        let changed = try group(["npz": bytes])
        #expect(failure { try decode(changed) }.code == .schemaMismatch)
    }
}

@Test func captionsMustBeAListOfStrings() throws {
    #expect(try fails("syn.json", "{}").code == .schemaMismatch)
    #expect(try fails("syn.json", #"{"syn_text": "a"}"#).code == .corrupt)
    #expect(
        try fails("syn.json", #"{"syn_text": ["a", null]}"#).reason.hasSuffix(
            "syn_text[1]: expected a string, found null"))
    let odd = try group(["syn.json": Array(#"{"syn_text": ["\ud83d"]}"#.utf8)])
    #expect(try decode(odd).loneSurrogateCount == 1)
}

@Test func damagedEmbeddingFileFailsCleanly() throws {
    let bytes = try npz(("image_emb", matrix(2)), ("text_emb", matrix(2)))
    expectTruncated(bytes) { cut in try decode(try group(["npz": Array(cut)])) }
    flipBits(bytes, step: 5, expecting: nil) { try decode(try group(["npz": Array($0)])).textEmbeddings.shape }
}

@Test func namesAreSplitAsWebdatasetDoes() {
    #expect(SampleGroup.split("a/b.c/d.Syn.JSON")?.key == "a/b.c/d")
    #expect(SampleGroup.split("a/b.c/d.Syn.JSON")?.suffix == "syn.json")
    #expect(
        SampleGroup.split("nodot") == nil && SampleGroup.split(".hidden") == nil && SampleGroup.split("a.b/c") == nil)
    #expect(SampleGroup.split("a.")?.suffix == "" && SampleGroup.split("") == nil)
}

private func keys(_ names: [String]) throws -> [String] {
    try withFolder { folder in
        let tar = try TarWriter(path: folder + "/a.tar")
        for name in names { try tar.add(name, Array(name.utf8)) }
        try tar.finish()
        let reader = SampleGroupReader(try TarReader(path: folder + "/a.tar"))
        var keys: [String] = []
        while let group = try reader.next() {
            keys.append("\(group.key) \(group.members.map(\.suffix))")
            for member in group.members { #expect(member.bytes == Array(member.name.utf8)) }
        }
        return keys + ["\(reader.ignoredMemberCount)"]
    }
}

@Test func membersAreGroupedByKey() throws {
    #expect(
        try keys(["a.json", "a.txt", "README", "b.json", "x/b.json"]) == [
            "a [\"json\", \"txt\"]", "b [\"json\"]", "x/b [\"json\"]", "1",
        ])
    #expect(try keys([]) == ["0"])
}

@Test func keyThatComesBackAndRepeatedSuffixAreCorrupt() {
    let back = failure { try keys(["a.json", "b.json", "a.txt"]) }
    #expect(back.code == .corrupt && back.reason.contains("\"a\" comes a second time"))
    let twice = failure { try keys(["a.json", "a.JSON"]) }
    #expect(twice.code == .corrupt && twice.reason == "sample \"a\" has two members \"json\"")
    #expect(twice.context.position == 1536)
}
