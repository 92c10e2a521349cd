import Foundation
import Testing

@Suite struct ExportTests {
    /// All files below a folder with their bytes.
    private func contents(_ folder: String) throws -> [String: [UInt8]] {
        var found: [String: [UInt8]] = [:]
        for name in FileManager.default.enumerator(atPath: folder)?.compactMap({ $0 as? String }) ?? [] {
            let attributes = try FileManager.default.attributesOfItem(atPath: folder + "/" + name)
            guard attributes[.type] as? FileAttributeType == .typeRegular else { continue }
            found[name] = try readFile(folder + "/" + name)
        }
        return found
    }

    private let outputs = [
        "datacompdr": ["00000000.tar", "00000001.tar"], "npy": ["00000000", "00000001"],
        "npz": ["00000000.npz", "00000001.npz"], "safetensors": ["00000000.safetensors", "00000001.safetensors"],
        "jsonl": ["00000000.jsonl", "00000001.jsonl"],
    ]

    @Test(arguments: ["datacompdr", "npy", "npz", "safetensors", "jsonl"])
    func everyFormatIsTheSameWhateverTheJobsAndIsNotOverwritten(format: String) throws {
        try withFolder { folder in
            let shards = try convertedSample(in: folder)
            let one = try drshard("export", shards, "--to", format, "--output", folder + "/one", "--json")
            #expect(one.status == 0, "\(one.error)")
            let report = try one.json
            #expect(report["rows"] as? Int == 12)
            let files = try #require(report["files"] as? [[String: Any]])
            #expect(files.map { $0["rows"] as? Int } == [6, 6])
            #expect(names(folder + "/one") == outputs[format])
            let first = try contents(folder + "/one")
            #expect(report["bytes"] as? Int == first.values.reduce(0) { $0 + $1.count })
            let two = try drshard("export", shards, "--to", format, "--output", folder + "/two", "--jobs", "2")
            #expect(two.status == 0 && two.output.hasPrefix("12 rows, 2 outputs written, "), "\(two.output)")
            #expect(try contents(folder + "/two") == first)

            let again = try drshard("export", shards, "--to", format, "--output", folder + "/one")
            #expect(again.status == 3 && again.error.contains("exists already"), "\(again.error)")
            // Of one output that is gone, that one is made.
            let gone = try #require(names(folder + "/one").last)
            try FileManager.default.removeItem(atPath: folder + "/one/" + gone)
            let resumed = try drshard("export", shards, "--to", format, "--output", folder + "/one", "--resume")
            #expect(resumed.status == 0 && resumed.output.hasPrefix("12 rows, 1 outputs written, 1 were there"))
            #expect(try contents(folder + "/one") == first)
        }
    }

    @Test func exportedTarsAreConvertedToTheSameShards() throws {
        try withFolder { folder in
            let shards = try convertedSample(in: folder, "--format", "float32", converting: ["--keep-f32"])
            let tars = folder + "/tars"
            #expect(try drshard("export", shards, "--to", "datacompdr", "--output", tars).status == 0)
            let again = try drshard(
                "convert", tars, "--captions", tars, "--keep-f32", "--output", folder + "/again")
            #expect(again.status == 0, "\(again.error)")
            for name in ["00000000.drs", "00000001.drs"] {
                let diff = try drshard("diff", "\(shards)/\(name)", "\(folder)/again/\(name)", "--full")
                #expect(diff.status == 0, "\(diff.output)")
            }
        }
    }

    @Test func whatIsNotCarriedIsSaid() throws {
        try withFolder { folder in
            let shards = try convertedSample(in: folder, converting: ["--images", "locate", "--licence", "a=b"])
            let refused = try drshard("export", shards, "--to", "datacompdr", "--output", folder + "/out")
            #expect(refused.status == 2 && refused.error.contains("column \"image\": says where images lie"))
            #expect(names(folder + "/out").isEmpty)
            let lossy = try drshard(
                "export", shards, "--to", "datacompdr", "--output", folder + "/out", "--lossy", "--json")
            #expect(lossy.status == 0)
            let left = try #require(try lossy.json["notCarried"] as? [String])
            #expect(left.count == 2 && left[0].contains("\"image\"") && left[1].contains("licences"), "\(left)")
            #expect(lossy.error.hasPrefix("warning: not carried: ") && lossy.error.contains("licences"))
            let npz = try drshard("export", shards, "--to", "npz", "--output", folder + "/out", "--with-jsonl")
            #expect(npz.status == 0 && npz.error.isEmpty, "\(npz.error)")
            #expect(
                names(folder + "/out").filter { $0.hasPrefix("00000001") } == [
                    "00000001.jsonl", "00000001.npz", "00000001.tar",
                ])
        }
    }

    @Test func aDamagedShardLeavesNoOutput() throws {
        try withFolder { folder in
            let shards = try convertedSample(in: folder, converting: ["--encoding", "plain"])
            try damageUnit(shards + "/00000000.drs", column: "image_emb")
            for format in outputs.keys {
                let outcome = try drshard(
                    "export", shards + "/00000000.drs", "--to", format, "--output", folder + "/out")
                #expect(names(folder + "/out").allSatisfy { !$0.hasSuffix(".part") }, "\(format)")
                guard outcome.status != 0 else { continue }
                #expect(outcome.status == 1 && outcome.error.contains("00000000.drs"), "\(format): \(outcome.error)")
                #expect(!names(folder + "/out").contains { $0.hasPrefix("00000000.\(format)") })
            }
            // Embeddings are in every tar.
            #expect(!names(folder + "/out").contains("00000000.tar"))
        }
    }

    @Test func wrongOptionsAreRefused() throws {
        try withFolder { folder in
            let shards = try convertedSample(in: folder)
            for wrong in [
                ["--to", "parquet"], ["--to", "npz", "--element", "f32"], ["--to", "jsonl", "--bf16-as", "u16"],
                ["--to", "jsonl", "--with-jsonl"], ["--to", "npy", "--tokens"],
                ["--to", "datacompdr", "--level", "13"],
                ["--to", "npy", "--jobs", "0"], ["--to", "datacompdr", "--element", "f16"], [],
            ] {
                let outcome = try drshard(["export", shards, "--output", folder + "/out"] + wrong)
                #expect(outcome.status == 2, "\(wrong): \(outcome.error)")
            }
            #expect(try drshard("export", folder + "/none", "--to", "npy", "--output", folder + "/out").status == 3)
            #expect(names(folder + "/out").isEmpty)
        }
    }
}
