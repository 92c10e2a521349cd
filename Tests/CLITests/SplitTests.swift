import Foundation
import Testing

/// Shards that are divided, joined, and cleaned.
@Suite struct SplitTests {
    /// Cells of shards, without the numbers of their rows.
    private func cells(_ paths: [String]) throws -> [String] {
        try paths.flatMap { path in
            try drshard("dump", path).lines.filter { $0.hasPrefix("cell ") }.map { line in
                line.split(separator: " ", maxSplits: 2)[2] + ""
            }
        }
    }

    private func ids(_ path: String) throws -> [String] {
        try drshard("dump", path).lines.compactMap { line in
            line.hasPrefix("cell ") && line.contains(" 0 0 id ")
                ? line.split(separator: " ").last.map(String.init) : nil
        }
    }

    private func notes(_ path: String) throws -> [String] {
        let shards = try #require(try drshard("inspect", path, "--json").json["shards"] as? [[String: Any]])
        let notes = try #require(shards[0]["notes"] as? [[String: String]])
        return notes.map { "\($0["key"] ?? "") \($0["value"] ?? "")" }
    }

    @Test(arguments: [["--rows", "5"], ["--shards", "5"]]) func whatIsDividedAndJoinedAgainIsTheSource(way: [String])
        throws
    {
        try withFolder { folder in
            let shards = try convertedSample(in: folder, "--dims", "64", converting: ["--rows-per-group", "4"])
            let parts = folder + "/parts"
            let split = try drshard(["split", shards, parts] + way + ["--jobs", "2", "--json"])
            #expect(split.status == 0 && split.error.isEmpty, "\(split)")
            let made = try #require(try split.json["shards"] as? [[String: Any]])
            let rows = way[0] == "--rows" ? [5, 5, 2] : [3, 3, 2, 2, 2]
            #expect(made.map { $0["rows"] as? Int } == rows)
            #expect(names(parts) == rows.indices.map { "0000000\($0).drs" })
            let joined = folder + "/joined.drs"
            let concat = try drshard("concat", parts, "--output", joined)
            #expect(concat.status == 0 && concat.output.hasPrefix("12 rows in 1 shards"), "\(concat)")
            for path in [parts, joined] {
                #expect(try drshard("diff", shards, path).status == 0)
                #expect(try drshard("diff", shards, path, "--full").status == 0)
                #expect(try drshard("verify", "--decode", path).status == 0)
            }
            let sources = names(shards).filter { $0.hasSuffix(".drs") }.map { "\(shards)/\($0)" }
            let before = try cells(sources)
            #expect(try before == cells([joined]) && before == cells(names(parts).map { "\(parts)/\($0)" }))
            #expect(try notes(parts + "/00000001.drs").allSatisfy { !$0.contains(folder) })
            let tags = try (names(parts).map { "\(parts)/\($0)" } + [joined]).map {
                try drshard("dump", $0).lines.first { $0.hasPrefix("tag ") }
            }
            #expect(Set(tags).count == tags.count && !tags.contains(nil))
            if way[0] == "--rows" {
                #expect(
                    try notes(parts + "/00000001.drs").filter { $0.hasPrefix("from ") || $0.hasPrefix("source ") } == [
                        "from 00000000.drs, row 5 of 6", "source 00000000.tar", "from 00000001.drs, rows 0 to 3 of 6",
                        "source 00000001.tar",
                    ])
            }
        }
    }

    @Test func jobsAndBoundariesOfTheSourceChangeNoByteButNotes() throws {
        try withFolder { folder in
            let shards = try convertedSample(in: folder, "--shards", "4")
            for jobs in ["1", "2", "3"] {
                #expect(try drshard("split", shards, folder + "/" + jobs, "--rows", "2", "--jobs", jobs).status == 0)
            }
            for name in names(folder + "/1") {
                let bytes = try readFile("\(folder)/1/\(name)")
                #expect(try bytes == readFile("\(folder)/2/\(name)") && bytes == readFile("\(folder)/3/\(name)"))
            }
            #expect(names(folder + "/1").count == 6)
        }
    }

    @Test func rowsOfAListAreTakenOutOfAllShards() throws {
        try withFolder { folder in
            let shards = try convertedSample(in: folder, "--shards", "3", converting: ["--rows-per-group", "2"])
            let all = try (0..<3).map { try ids("\(shards)/0000000\($0).drs") }
            #expect(all.map(\.count) == [4, 4, 4])
            // One of the first shard, all of the second, two of the last; one that is nowhere, and one twice.
            let gone = [all[0][2]] + all[1] + [all[2][0], all[2][3]]
            let nowhere = String(repeating: "ef", count: 16)
            let text = gone.map { $0.uppercased() + "\r" } + ["", "# remark", nowhere + " # not here", gone[0]]
            try writeFile(folder + "/list", text.joined(separator: "\n").utf8)
            let drop = try drshard(
                "split", shards, folder + "/kept", "--drop", folder + "/list", "--unmatched", folder + "/nowhere")
            #expect(drop.status == 0 && drop.error.isEmpty, "\(drop)")
            #expect(drop.output.contains("7 of 12 rows are left out"), "\(drop.output)")
            #expect(drop.output.contains("\(shards)/00000001.drs: nothing remains, so it has no new shard"))
            #expect(drop.output.contains("1 of 8 ids of the list are in no row; they stand in \(folder)/nowhere"))
            #expect(try readFile(folder + "/nowhere") == Array((nowhere + "\n").utf8))
            #expect(names(folder + "/kept") == ["00000000.drs", "00000002.drs"])
            #expect(try ids(folder + "/kept/00000000.drs") == [all[0][0], all[0][1], all[0][3]])
            #expect(try ids(folder + "/kept/00000002.drs") == [all[2][1], all[2][2]])
            #expect(try drshard("verify", "--decode", folder + "/kept").status == 0)
            #expect(
                try notes(folder + "/kept/00000000.drs")[0]
                    == "from 00000000.drs, 3 of 4 rows, without those of a list of ids")
            let byID = try drshard("diff", shards, folder + "/kept", "--by-id", "--full", "--json").json
            let rows = try #require(byID["rows"] as? [String: Any])
            #expect(rows["onlyInA"] as? Int == 7 && rows["onlyInB"] as? Int == 0)
            let columns = try #require(byID["columns"] as? [[String: Any]])
            #expect(columns.allSatisfy { $0["differing"] as? Int == 0 && $0["compared"] as? Int ?? 0 >= 5 })

            let keep = try drshard("split", shards, folder + "/gone", "--keep", folder + "/list", "--json")
            #expect(try keep.json["leftOutRows"] as? Int == 5 && keep.json["unmatchedIDs"] as? Int == 1)
            #expect(try (names(folder + "/gone").flatMap { try ids("\(folder)/gone/\($0)") }) == gone)
        }
    }

    @Test func aListThatIsNoneIsRefusedWithItsLine() throws {
        try withFolder { folder in
            let shards = try convertedSample(in: folder)
            let id = String(repeating: "0", count: 32)
            for (number, line) in ["abc", id + "00", id + " " + id, "g" + id.dropFirst(), "\u{0}", "é"].enumerated() {
                try writeFile(folder + "/list", "\(id)\n\n\(line)\n".utf8)
                let outcome = try drshard("split", shards, "\(folder)/out\(number)", "--drop", folder + "/list")
                #expect(
                    outcome.status == 1 && outcome.error.contains("\(folder)/list: corrupt: line 3 is "), "\(outcome)")
                #expect(names("\(folder)/out\(number)").isEmpty)
            }
            #expect(try drshard("split", shards, folder + "/out", "--drop", folder + "/none").status == 3)
        }
    }

    @Test func whatCannotBeIsRefused() throws {
        try withFolder { folder in
            let shards = try convertedSample(in: folder)
            let out = folder + "/out"
            for wrong in [
                [], ["--rows", "0"], ["--shards", "0"], ["--shards", "13"], ["--rows", "1", "--shards", "2"],
                ["--rows", "-1"], ["--rows", "2", "--unmatched", "x"], ["--rows", "2", "--jobs", "0"],
                ["--rows", "2", "--rows-per-group", "0"],
            ] {
                #expect(try drshard(["split", shards, out] + wrong).status == 2, "\(wrong)")
            }
            #expect(try drshard("split", shards, shards, "--rows", "2").status == 2)
            #expect(try drshard("concat", shards, "-o", shards + "/all.drs").status == 2)
            // A row is in a shard once.
            let twice = try drshard("concat", shards, shards, "-o", folder + "/twice.drs")
            #expect(twice.status == 2 && twice.error.contains("has a row with this id already"), "\(twice)")
            // Another schema.
            let other = try drshard(
                "repack", shards + "/00000000.drs", folder + "/other.drs", "--drop", "url")
            try #require(other.status == 0, "\(other)")
            let mixed = try drshard("concat", shards, folder + "/other.drs", "-o", folder + "/mixed.drs")
            #expect(mixed.status == 1 && mixed.error.contains("schema mismatch"), "\(mixed)")
            #expect(
                names(out).isEmpty
                    && names(folder).filter { $0.hasSuffix(".drs") || $0.hasSuffix(".part") } == ["other.drs"])
        }
    }

    // R-SIDE-2: what a side shard says of its base would not be so of a part of it.
    @Test func sideShardsAreNotDividedOrJoined() throws {
        try withFolder { folder in
            let side = repositoryFile("Spec/vectors/valid/side-shard.drs")
            for command in [
                ["split", side, folder + "/out", "--rows", "1"], ["concat", side, "-o", folder + "/a.drs"],
            ] {
                let outcome = try drshard(command)
                #expect(outcome.status == 2 && outcome.error.contains("side shard"), "\(outcome)")
            }
            #expect(names(folder).isEmpty)
            // The same rows: it stays true.
            #expect(try drshard("repack", side, folder + "/a.drs").status == 0)
            #expect(try drshard("verify", "--decode", folder + "/a.drs").status == 0)
            let shards = try convertedSample(in: folder)
            try FileManager.default.createDirectory(atPath: shards + "/side", withIntermediateDirectories: false)
            let split = try drshard("split", shards, folder + "/parts", "--shards", "2")
            #expect(split.status == 0 && split.error.contains("\(shards)/side has side shards"), "\(split)")
        }
    }

    @Test func aDamagedSourceNamesItsPlaceAndLeavesNothing() throws {
        try withFolder { folder in
            let shards = try convertedSample(in: folder, converting: ["--encoding", "plain"])
            let shard = shards + "/00000001.drs"
            try damageUnit(shard, column: "image_emb")
            let bytes = try readFile(shard)
            let split = try drshard("split", shards, folder + "/out", "--shards", "1")
            #expect(split.status == 1 && split.error.contains(shard) && split.error.contains("column "), "\(split)")
            let concat = try drshard("concat", shards, "-o", folder + "/a.drs")
            #expect(concat.status == 1 && concat.error.contains(shard) && concat.error.contains("page "), "\(concat)")
            try writeFile(shard, bytes.dropLast(1))
            let cut = try drshard("concat", shards, "-o", folder + "/a.drs")
            #expect(cut.status == 1 && cut.error.contains(shard) && cut.error.contains("truncated"), "\(cut)")
            #expect(names(folder + "/out").isEmpty && names(folder).allSatisfy { !$0.hasPrefix("a.drs") })
        }
    }
}
