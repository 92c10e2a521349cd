import DRConvert
import DRShardFormat
import Foundation
import Testing

/// Numbers and names that are rare, and output that ends in an error.
@Suite struct OutputTests {
    @Test func everyValidVectorIsShown() throws {
        let folder = repositoryFile("Spec/vectors/valid")
        for name in names(folder) where name.hasSuffix(".drs") {
            for command in ["head", "inspect", "schema", "stats"] {
                let outcome = try drshard(command, "\(folder)/\(name)")
                #expect(outcome.status == 0, "\(command) \(name): \(outcome.error)")
            }
        }
    }

    @Test func numbersThatAreNotFiniteAreShown() throws {
        let head = try drshard("head", repositoryFile("Spec/vectors/valid/float-patterns.drs"))
        #expect(head.status == 0, "\(head.error)")
        #expect(head.output.contains("inf, -inf, nan, ..."), "\(head.output)")
    }

    @Test func infinityIsJSONToo() throws {
        try withFolder { folder in
            let shards = try convertedSample(in: folder, converting: ["--teacher", "wild:0:16:inf"])
            let outcome = try drshard("schema", shards, "--json")
            #expect(outcome.status == 0, "\(outcome.error)")
            let teachers = try #require(try outcome.json["teachers"] as? [[String: Any]])
            #expect(teachers[0]["logitScale"] as? String == "inf")
        }
    }

    @Test func captionersHaveTheirOwnKeysInJSON() throws {
        try withFolder { folder in
            let shards = try convertedSample(in: folder, converting: ["--captioner", "nobody"])
            let captioners = try #require(
                try drshard("schema", shards, "--json").json["captioners"] as? [[String: Any]])
            #expect(captioners[0]["axis"] as? String == "synthetic" && captioners[0]["name"] as? String == "nobody")
        }
    }

    @Test func numbersThatOverflowAreNoCrash() throws {
        try withFolder { folder in
            let shards = try convertedSample(in: folder)
            let most = String(Int.max)
            let head = try drshard("head", shards, "--skip", "11", "--rows", most, "--column", "uid")
            #expect(head.status == 0 && head.lines.count == 2, "\(head.error)")
            let none = try drshard("head", shards, "--skip", most, "--rows", most)
            #expect(none.status == 0 && none.output.isEmpty, "\(none.error)")
            let load = try drshard(
                "load", shards, "--batch-size", "4", "--content", "embeddings", "--epoch", most, "--epochs", "2")
            #expect(load.status == 2 && load.error.contains("--epochs"), "\(load.error)")
        }
    }

    @Test func whatWasPrintedBeforeAnErrorIsNotLost() throws {
        try withFolder { folder in
            let path = try convertedSample(in: folder, converting: ["--encoding", "plain"]) + "/00000000.drs"
            let whole = try drshard("dump", path)
            try damageUnit(path, column: "image_emb")
            let outcome = try drshard("dump", path)
            #expect(outcome.status == 1)
            #expect(!outcome.output.isEmpty && whole.output.hasPrefix(outcome.lines[0]))
        }
    }

    @Test func namesAreComparedByTheirBytes() throws {
        let composed = "caf\u{E9}"
        let decomposed = "cafe\u{301}"
        let id = Column(name: "uid", role: .rowID, type: .tensor(.u8, dims: [16]))
        let schema = try Schema(
            axes: [],
            columns: [id] + [composed, decomposed].map { Column(name: $0, role: .url, type: .utf8) })
        #expect(schema.columnIndex(named: composed) == 1)
        #expect(schema.columnIndex(named: decomposed) == 2)
    }
}
