import DRShard
import DRText
import Foundation
import Testing

/// `inspect --json` and the C library call everything the same.
@Test func theSchemaThatInspectPrintsIsTheOneThatTheLibraryReads() throws {
    try withFolder { folder in
        #expect(try drshard("sample", folder + "/sample", "--samples", "8", "--dims", "16").status == 0)
        let converted = try drshard(
            "convert", folder + "/sample/reinforced", "--captions", folder + "/sample/captions", "--output",
            folder + "/shards", "--teacher", "a:0:8:100", "--captioner", "c", "--licence", "x=CC BY")
        #expect(converted.status == 0)
        let printed = try #require(try drshard("inspect", folder + "/shards", "--json").json["schema"])
        let text = String(decoding: try JSONSerialization.data(withJSONObject: printed), as: UTF8.self)
        #expect(try SchemaJSON.schema(text) == DataSet(path: folder + "/shards").schema)
    }
}
