import Foundation
import Testing

@Suite struct RepackTests {
    private func dump(_ path: String) throws -> [Substring] {
        try drshard("dump", path).lines.filter { !$0.hasPrefix("features") }
    }

    @Test(arguments: ["plain", "fast", "balanced", "archive"]) func aFolderIsPackedAgain(encoding: String) throws {
        try withFolder { folder in
            // Later options count: cells that are large enough to shrink.
            let shards = try convertedSample(in: folder, "--dims", "512")
            let target = folder + "/again"
            let repack = try drshard(
                "repack", shards, target, "--encoding", encoding, "--storage", "syn_text=lz4", "--rows-per-group", "4",
                "--jobs", "2", "--json")
            #expect(repack.status == 0 && repack.error.isEmpty, "\(repack.error)")
            let report = try #require(try repack.json["shards"] as? [[String: Any]])
            #expect(report.map { $0["rows"] as? Int } == [6, 6])
            #expect(names(target) == ["00000000.drs", "00000001.drs"])
            for name in names(target) {
                let old = try dump("\(shards)/\(name)")
                let new = try dump("\(target)/\(name)")
                #expect(
                    old.filter { !$0.hasPrefix("rows_per_group") } == new.filter { !$0.hasPrefix("rows_per_group") })
            }
            #expect(try drshard("verify", "--decode", target).status == 0)
            let stats = try drshard("stats", target, "--json").json
            let columns = try #require(stats["columns"] as? [[String: Any]])
            let embedding = try #require(columns.first { $0["name"] as? String == "image_emb" })
            let stored = try #require(embedding["storedAs"] as? [String])
            #expect(stored.allSatisfy { $0.hasPrefix(encoding) }, "\(stored)")
            let ratios = try #require(embedding["sampleRatios"] as? [String: Double])
            #expect(Set(ratios.keys) == ["plain", "zstd", "lz4", "fast", "balanced", "archive"])
            #expect(embedding["floorBits"] as? Double ?? 0 > 8)
        }
    }

    @Test func aSingleShardIsPackedAgainAndNothingIsOverwritten() throws {
        try withFolder { folder in
            let shard = try convertedSample(in: folder) + "/00000000.drs"
            let target = folder + "/one.drs"
            let first = try drshard("repack", shard, target, "--encoding", "fast")
            #expect(first.status == 0 && first.output.hasPrefix("6 rows in 1 shards"), "\(first.output)")
            let bytes = try readFile(target)
            let second = try drshard("repack", shard, target)
            #expect(second.status == 3 && second.error.contains(target), "\(second.error)")
            #expect(try readFile(target) == bytes)
        }
    }

    @Test func whatCannotBeIsRefused() throws {
        try withFolder { folder in
            let shards = try convertedSample(in: folder)
            for wrong in [
                ["--encoding", "zstd"], ["--encoding", "dense"], ["--storage", "image_emb"], ["--jobs", "0"],
                ["--storage", "text=balanced"], ["--storage", "nobody=plain"], ["--rows-per-group", "0"],
            ] {
                let outcome = try drshard(["repack", shards, folder + "/again"] + wrong)
                #expect(outcome.status == 2, "\(wrong): \(outcome.status), \(outcome.error)")
            }
            #expect(try drshard("repack", shards, shards).status == 2)
            #expect(try drshard("repack", folder + "/nowhere", folder + "/again").status == 3)
            #expect(names(folder + "/again").isEmpty)
        }
    }

    @Test func aDamagedShardIsNotPackedAgain() throws {
        try withFolder { folder in
            let shard = try convertedSample(in: folder, converting: ["--encoding", "plain"]) + "/00000000.drs"
            var bytes = try readFile(shard)
            bytes[bytes.count / 2] ^= 1
            try writeFile(shard, bytes)
            let outcome = try drshard("repack", shard, folder + "/again.drs")
            #expect(outcome.status == 1 && outcome.error.contains(shard), "\(outcome.error)")
            #expect(names(folder).allSatisfy { !$0.hasPrefix("again") })
        }
    }
}
