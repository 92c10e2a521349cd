import DRShardFormat
import Testing

@Test func errorsNamePlaceBeforeReason() {
    let error = ShardError.corrupt("code 412, dictionary has 256 entries")
        .with(.init(path: "a.drs", rowGroup: 1, column: "emb", page: 7, position: 4096))
    #expect(
        error.description
            == "a.drs, row group 1, column \"emb\", page 7, byte 4096: corrupt: code 412, dictionary has 256 entries")
}
