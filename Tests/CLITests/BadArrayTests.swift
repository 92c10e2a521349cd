import DRConvert
import DRShardFormat
import Foundation
import Testing

/// Arrays and lines that contradict each other, or themselves.
@Suite struct BadArrayTests {
    /// A change of a unit, and what is said of it, with its kind.
    struct Case: CustomTestStringConvertible, Sendable {
        var name: String
        var kind: String
        var message: String
        var change: @Sendable (inout ArraySample) throws -> Void
        var testDescription: String { name }

        init(
            _ name: String, _ kind: String, _ message: String,
            _ change: @escaping @Sendable (inout ArraySample) throws -> Void
        ) {
            (self.name, self.kind, self.message, self.change) = (name, kind, message, change)
        }
    }

    /// What is wrong with a whole unit: no shard is made of it, whatever is skipped.
    static let units = [
        Case("a line too few", "schema mismatch", "it ends behind line 4") { $0.lines.removeLast() },
        Case("a line too many", "schema mismatch", "line 6 belongs to no row") { $0.lines.append("{}") },
        Case("another row count", "schema mismatch", "\"text_emb\": 4 rows") {
            $0.arrays["text_emb"] = try ArraySample(rows: 4).arrays["text_emb"]
        },
        Case("no ids", "schema mismatch", "there are no ids") {
            $0.arrays["uids"] = nil
            $0.lines = []
        },
        Case("uids of another shape", "schema mismatch", "expected u64 [5, 2]") {
            $0.arrays["uids"] = try ArraySample.array(.u64, [5, 1], [UInt8](repeating: 0, count: 40))
        },
        Case("structures that are no uids", "unsupported feature", "structures") {
            let header = "{'descr': [('f0', '<f4'), ('f1', '<u8')], 'fortran_order': False, 'shape': (0,), }\n"
            $0.arrays["uids"] =
                [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count), 0] + Array(header.utf8)
        },
        Case("embeddings of doubles", "schema mismatch", "expected bf16, f16 or f32") {
            $0.arrays["image_emb"] = try ArraySample.array(.f64, [5, 1, 1], [UInt8](repeating: 0, count: 40))
        },
        Case("embeddings of one axis", "schema mismatch", "expected [rows, variants, dims]") {
            $0.arrays["image_emb"] = try ArraySample.array(.f32, [5], [UInt8](repeating: 0, count: 20))
        },
        Case("views without numbers", "schema mismatch", "of at least 1") {
            $0.arrays["image_emb"] = try ArraySample.array(.f32, [5, 0, 4], [])
        },
        Case("texts of other dims", "schema mismatch", "f32 of 2 dims") {
            $0.arrays["text_emb"] = try ArraySample.array(.f32, [5, 1, 2], [UInt8](repeating: 0, count: 40))
        },
        Case("states of another shape", "schema mismatch", "expected u8 [rows] + [2]") {
            $0.arrays["image_emb_state"] = try ArraySample.array(.u8, [5, 3], [UInt8](repeating: 0, count: 15))
        },
        Case("states of nothing", "schema mismatch", "that it could belong to") {
            $0.arrays["sha256_state"] = try ArraySample.array(.u8, [5], [UInt8](repeating: 0, count: 5))
        },
        Case("numbers and their bits", "schema mismatch", "\"image_emb\" and \"image_emb_bf16\"") {
            $0.arrays["image_emb_bf16"] = try ArraySample.array(.u16, [5, 2, 4], [UInt8](repeating: 0, count: 80))
        },
        Case("a cut array", "truncated", "needs 160 bytes") { $0.arrays["image_emb"]?.removeLast() },
        Case("bytes behind an array", "corrupt", "1 bytes after the data") { $0.arrays["image_emb"]?.append(0) },
        Case("a header that is none", "corrupt", "not npy") { $0.arrays["image_emb"]?[1] = 0 },
        Case("a row of 300 MiB that is not there", "truncated", "needs") {
            let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (5, 1, 78643200), }\n"
            $0.arrays["image_emb"] =
                [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count), 0] + Array(header.utf8)
        },
    ]

    @Test(arguments: units) func aUnitThatContradictsItselfIsRefusedWhole(_ bad: Case) throws {
        try withFolder { folder in
            var sample = try ArraySample()
            try bad.change(&sample)
            try sample.write(folder + "/in/a")
            let outcome = try convertArrays(folder)
            #expect(outcome.status == 1, "\(outcome.error)")
            #expect(outcome.error.contains("\(bad.kind): ") && outcome.error.contains(bad.message), "\(outcome.error)")
            #expect(outcome.error.contains(folder + "/in/a"))
            #expect(names(folder + "/out").isEmpty)
            // Beside a good one it is left out, and counted.
            try ArraySample(first: 8).write(folder + "/in/b")
            let skipped = try convertArrays(folder, "--on-error", "skip", "--json", output: "skipped")
            #expect(skipped.status == 0, "\(skipped.error)")
            #expect(try skipped.json["rows"] as? Int == 5)
            #expect((try skipped.json["skipped"] as? [Any])?.count == 1)
            #expect(names(folder + "/skipped") == ["b.drs", "report.json"])
        }
    }

    /// What is wrong with the third row alone.
    static let rows = [
        Case("NaN", "corrupt", "image_emb[2]: row 1, dimension 3 is NaN") {
            $0.arrays["image_emb"] = try $0.embeddings([2], changing: 23, to: .nan)
        },
        Case("an infinite text", "corrupt", "text_emb[2]") {
            $0.arrays["text_emb"] = try $0.embeddings([1], changing: 8, to: .infinity)
        },
        Case("another uid", "schema mismatch", "line 3: uid") {
            $0.lines[2] = ArraySample.line(2, uid: ArraySample.uid(14))
        },
        Case("a uid that is none", "schema mismatch", "--hash-ids") { $0.lines[2] = ArraySample.line(2, uid: "two") },
        Case("a uid that was there", "schema mismatch", "was there before") {
            $0.arrays["uids"] = nil
            $0.lines[2] = ArraySample.line(1)
        },
        Case("no uid", "schema mismatch", "line 3: there is no uid") {
            $0.arrays["uids"] = nil
            $0.lines[2] = #"{"text": "a"}"#
        },
        Case("no JSON", "corrupt", "line 3: JSON, byte 0") { $0.lines[2] = "cat" },
        Case("an empty line", "corrupt", "line 3: JSON ends") { $0.lines[2] = "" },
        Case("half a line", "corrupt", "line 3: JSON ends") { $0.lines[2] = #"{"text": "a"# },
        Case("no object", "corrupt", "line 3: expected an object") { $0.lines[2] = "[]" },
        Case("a number for a text", "corrupt", "line 3: text: expected a string") {
            $0.lines[2] = ArraySample.line(2, more: #", "text": 5"#)
        },
        Case("a string for captions", "corrupt", "line 3: syn_text: expected an array") {
            $0.lines[2] = ArraySample.line(2, more: #", "syn_text": "a""#)
        },
        Case("a caption too few", "schema mismatch", "1 captions") {
            $0.lines[2] = ArraySample.line(2, more: #", "syn_text": ["a"]"#)
        },
        Case("no captions", "schema mismatch", "lists of texts") {
            $0.lines[2] = ArraySample.line(2, more: #", "syn_text": null"#)
        },
        Case("a view too few", "schema mismatch", "param_aug has 1 entries") {
            $0.lines[2] = ArraySample.line(2, more: #", "param_aug": [[[0,0,8,8],[]]]"#)
        },
        Case("an operation that there is not", "corrupt", "operation 14") {
            $0.lines[2] = ArraySample.line(2, more: #", "param_aug": "[[[0,0,8,8],[[14,0.5]]],[[1,1,4,4],[]]]""#)
        },
        Case("a side of nothing", "corrupt", "original_width: 0") {
            $0.lines[2] = ArraySample.line(2, more: #", "original_width": 0"#)
        },
        Case("one side alone", "schema mismatch", "line 3: only one") {
            $0.lines[2] = ArraySample.line(2, more: #", "original_width": null"#)
        },
        Case("text that is not UTF-8", "corrupt", "line 3") {
            $0.lines[2] = ArraySample.line(2, more: #", "text": "\ud800\udc"#)
        },
        Case("a state that there is not", "corrupt", "state 3") {
            $0.arrays["image_emb_state"] = try ArraySample.array(.u8, [5, 2], [0, 0, 0, 0, 0, 3, 0, 0, 0, 0])
        },
        Case("a sha256 that is none", "schema mismatch", "sha256") {
            let digest = String(repeating: "ab", count: 32)
            for i in 0..<5 { $0.lines[i] = ArraySample.line(i, more: #", "sha256": "\#(i == 2 ? "ab" : digest)""#) }
        },
    ]

    @Test(arguments: rows) func aBadRowStopsOrIsLeftOutAlone(_ bad: Case) throws {
        try withFolder { folder in
            var sample = try ArraySample()
            try bad.change(&sample)
            try sample.write(folder + "/in/a")
            let outcome = try convertArrays(folder)
            #expect(outcome.status == 1, "\(outcome.error)")
            #expect(outcome.error.contains("\(bad.kind): ") && outcome.error.contains(bad.message), "\(outcome.error)")
            #expect(outcome.error.contains("--on-error skip") && names(folder + "/out").isEmpty)
            let skipped = try convertArrays(folder, "--on-error", "skip", "--json", "--verify", output: "skipped")
            #expect(skipped.status == 0, "\(skipped.error)")
            #expect(try skipped.json["rows"] as? Int == 4)
            let left = try #require(try skipped.json["skipped"] as? [[String: String]])
            #expect(left.count == 1 && left[0]["what"]?.contains("row 2") == true, "\(left)")
        }
    }

    @Test func aLastLineThatIsCutIsTruncated() throws {
        try withFolder { folder in
            let sample = try ArraySample()
            try sample.write(folder + "/in/a")
            try writeFile(folder + "/in/a/rows.jsonl", sample.text.utf8.dropLast(10))
            let outcome = try convertArrays(folder)
            #expect(outcome.status == 1 && outcome.error.contains("truncated: "), "\(outcome.error)")
            #expect(outcome.error.contains("line 5"))
            // A line break at the end is not needed.
            try writeFile(folder + "/in/a/rows.jsonl", sample.text.utf8.dropLast(1))
            #expect(try convertArrays(folder).status == 0)
        }
    }

    @Test func aStoredNpzWithAFlippedByteHasAnotherChecksum() throws {
        try withFolder { folder in
            try ArraySample().write(folder + "/in/a")
            try #require(try convertArrays(folder, "--keep-f32").status == 0)
            let npz = folder + "/npz"
            try #require(try drshard("export", folder + "/out", "--to", "npz", "--output", npz).status == 0)
            var bytes = try readFile(npz + "/a.npz")
            // A mantissa of the embeddings: a number like any other.
            let name = Array("image_emb.npy".utf8)
            let start = try #require((0..<bytes.count).first { bytes[$0...].starts(with: name) })
            bytes[start + name.count + 250] ^= 1
            try writeFile(npz + "/a.npz", bytes)
            let outcome = try drshard("convert", npz, "--output", folder + "/again")
            #expect(outcome.status == 1 && outcome.error.contains("checksum mismatch: "), "\(outcome.error)")
            #expect(outcome.error.contains("image_emb.npy") && names(folder + "/again").isEmpty, "\(outcome.error)")
        }
    }

    @Test(arguments: ["npz", "safetensors"]) func aFileThatIsCutIsTruncatedWhereverItEnds(format: String) throws {
        try withFolder { folder in
            try ArraySample().write(folder + "/in/a")
            try #require(try convertArrays(folder).status == 0)
            let export = folder + "/export"
            try #require(try drshard("export", folder + "/out", "--to", format, "--output", export).status == 0)
            let bytes = try readFile("\(export)/a.\(format)")
            for count in [4, bytes.count / 3, bytes.count / 2, bytes.count - 1] {
                try writeFile("\(export)/a.\(format)", bytes[..<count])
                let outcome = try drshard("convert", export, "--output", folder + "/again")
                #expect(outcome.status == 1 && outcome.error.contains("truncated: "), "\(count): \(outcome.error)")
            }
        }
    }

    @Test func linesAreReadHoweverTheyLieInTheBlocksAndAreLimited() throws {
        try withFolder { folder in
            var sample = try ArraySample()
            // Some longer than a block.
            let counts = [1_500_000, 10, 1 << 20, 3, 2_000_000]
            sample.lines = counts.enumerated().map { row, count in
                let line = ArraySample.line(row, more: #", "text": ""#)
                return line + String(repeating: "x", count: max(0, count - line.utf8.count - 3)) + "\"}"
            }
            // The member that is repeated counts; the brace of `line` is its end.
            sample.lines = sample.lines.map { $0.replacingOccurrences(of: #""text": "}"#, with: #""text": ""#) }
            try sample.write(folder + "/in/a")
            let outcome = try convertArrays(folder, "--verify")
            #expect(outcome.status == 0, "\(outcome.error)")
            sample.lines[3] = #"{"text": ""# + String(repeating: "x", count: 18 << 20) + "\"}"
            try sample.write(folder + "/in/a")
            let long = try convertArrays(folder, output: "long")
            #expect(long.status == 1 && long.error.contains("limit exceeded: line 4"), "\(long.error.prefix(300))")
        }
    }

    @Test func twoMembersOfOneNameAreNotChosenFrom() throws {
        try withFolder { folder in
            let sample = try ArraySample()
            var zip = ZipWriter(style: .numpy)
            for (name, bytes) in sample.arrays { try zip.add(name + ".npy", bytes) }
            try zip.add("image_emb", try sample.embeddings([2], changing: 0, to: 5))
            try writeFile(folder + "/a.npz", zip.finish())
            let outcome = try drshard("convert", folder + "/a.npz", "--output", folder + "/out")
            #expect(outcome.status == 1 && outcome.error.contains("two arrays \"image_emb\""), "\(outcome.error)")
        }
    }

    @Test func severalRealCaptionsAreNotTakenForOne() throws {
        try withFolder { folder in
            var sample = try ArraySample()
            sample.arrays["text_emb"] = try sample.embeddings([2])
            try sample.write(folder + "/in/a")
            let outcome = try convertArrays(folder)
            #expect(outcome.status == 1 && outcome.error.contains("such as real=0: of one"), "\(outcome.error)")
            #expect(try convertArrays(folder, "--text-rows", "real=1").status == 0)
            sample.lines[0] = ArraySample.line(0, more: #", "text": ["a", "b"]"#)
            try sample.write(folder + "/in/a")
            let list = try convertArrays(folder, "--text-rows", "real=1", output: "list")
            #expect(list.status == 1 && list.error.contains("found an array"), "\(list.error)")
        }
    }

    @Test func linesInTwoPlacesAreNotChosenFrom() throws {
        try withFolder { folder in
            let sample = try ArraySample()
            try sample.write(folder + "/in/a")
            try writeFile(folder + "/in/a.jsonl", sample.text.utf8)
            let outcome = try convertArrays(folder)
            #expect(outcome.status == 1 && outcome.error.contains("lines are in"), "\(outcome.error)")
        }
    }

    @Test func aFileThatIsNotThereIsNoDamage() throws {
        try withFolder { folder in
            for name in ["a.npz", "a.safetensors"] {
                let outcome = try drshard("convert", folder + "/" + name, "--output", folder + "/out")
                #expect(outcome.status == 3 && outcome.error.contains("input/output"), "\(outcome.error)")
            }
        }
    }
}
