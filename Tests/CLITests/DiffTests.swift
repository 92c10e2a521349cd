import Foundation
import Testing

@Suite struct DiffTests {
    @Test func equalSetsAreEqualByDigestsAndByCells() throws {
        try withFolder { folder in
            let shards = try convertedSample(in: folder)
            try #require(
                try drshard("repack", shards, folder + "/again", "--encoding", "archive", "--rows-per-group", "4")
                    .status
                    == 0)
            let fast = try drshard("diff", shards, folder + "/again")
            #expect(fast.status == 0 && fast.output == "equal: 12 rows, by their digests\n", "\(fast)")
            let full = try drshard("diff", shards, folder + "/again", "--full")
            #expect(full.status == 0 && full.output.hasPrefix("equal: 12 rows, ") && full.error.isEmpty, "\(full)")
            #expect(!full.output.contains("digests"))
            let json = try drshard("diff", shards, folder + "/again", "--by-id", "--json")
            #expect(try json.status == 0 && json.json["equal"] as? Bool == true, "\(json)")
        }
    }

    @Test func otherDataAreNamedAndExitWithOne() throws {
        try withFolder { folder in
            let shards = try convertedSample(in: folder)
            let (one, two) = (shards + "/00000000.drs", shards + "/00000001.drs")
            for (name, sources) in [("a", [one, two]), ("b", [two, one])] {
                try #require(try drshard(["concat"] + sources + ["-o", "\(folder)/\(name).drs"]).status == 0)
            }
            let inOrder = try drshard("diff", folder + "/a.drs", folder + "/b.drs", "--limit", "1")
            #expect(inOrder.status == 1 && inOrder.error.isEmpty, "\(inOrder)")
            #expect(inOrder.output.contains("rows: 12 have other ids in B; --by-id matches rows by their ids"))
            #expect(inOrder.lines.filter { $0.hasPrefix("  row ") }.count == 1)
            #expect(try drshard("diff", folder + "/a.drs", folder + "/b.drs", "--by-id").status == 0)
            let fewer = try drshard("diff", shards, one, "--by-id", "--columns", "text", "url", "--json")
            let rows = try #require(try fewer.json["rows"] as? [String: Any])
            #expect(fewer.status == 1 && rows["onlyInA"] as? Int == 6 && rows["onlyInB"] as? Int == 0)
            let columns = try #require(try fewer.json["columns"] as? [[String: Any]])
            #expect(columns.map { $0["name"] as? String } == ["url", "text"])
            #expect(columns.allSatisfy { $0["differing"] as? Int == 0 && $0["compared"] as? Int == 6 })
        }
    }

    @Test func cellsThatDifferAreShownWithTheirPlace() throws {
        try withFolder { folder in
            // The same rows with other numbers: another seed, and the first one's ids.
            let members = try (1...2).map { try SampleMembers($0) }
            try writeTar(folder + "/a.tar", members)
            var changed = members
            changed[1].members["syn.json"] = Array(#"{"syn_text": ["a cat", "another text"]}"#.utf8)
            try writeTar(folder + "/b.tar", changed)
            for name in ["a", "b"] {
                let outcome = try drshard("convert", "\(folder)/\(name).tar", "--output", "\(folder)/\(name)")
                try #require(outcome.status == 0, "\(outcome.error)")
            }
            let diff = try drshard("diff", folder + "/a", folder + "/b")
            #expect(diff.status == 1, "\(diff)")
            let line = try #require(diff.lines.first { $0.hasPrefix("  row 1, id ") }, "\(diff.output)")
            #expect(line.contains("variant 1, byte 0: ") && line.hasSuffix("\"another text\" in B"), "\(line)")
            #expect(diff.lines.filter { $0.hasPrefix("column ") }.count == 1)
        }
    }

    @Test func damageIsNotADifference() throws {
        try withFolder { folder in
            let shards = try convertedSample(in: folder, converting: ["--encoding", "plain"])
            try FileManager.default.copyItem(atPath: shards, toPath: folder + "/copy")
            let shard = folder + "/copy/00000000.drs"
            try damageUnit(shard, column: "image_emb")
            let bytes = try readFile(shard)
            // The digests of the footer are not the cells.
            #expect(try drshard("diff", shards, folder + "/copy").status == 0)
            let full = try drshard("diff", shards, folder + "/copy", "--full")
            #expect(full.status == 1 && full.error.contains(shard) && full.output.isEmpty, "\(full)")
            try writeFile(shard, bytes.dropLast(100))
            let cut = try drshard("diff", shards, folder + "/copy")
            #expect(cut.status == 1 && cut.error.contains("truncated"), "\(cut)")
            #expect(try drshard("diff", shards, folder + "/nowhere").status == 3)
            #expect(try drshard("diff", shards, shards, "--columns", "nobody").status == 2)
            #expect(try drshard("diff", shards, shards, "--limit", "-1").status == 2)
        }
    }
}
