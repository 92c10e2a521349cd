import DRConvert
import DRShard
import DRShardFormat
import Foundation
import Testing

private func names(_ folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
}

private func npy(_ path: String) throws -> ForeignArray { try NpyReader.read(try readFile(path)[...]) }

private func numbers(_ array: ForeignArray) -> [Int32] {
    stride(from: array.bytes.startIndex, to: array.bytes.endIndex, by: 4).map { start in
        array.bytes[start..<start + 4].reversed().reduce(Int32(0)) { $0 << 8 | Int32($1) }
    }
}

@Suite struct ArrayExportTests {
    @Test func columnsOfNumbersBecomeArraysAndOthersAreNamed() throws {
        try withFolder { folder in
            let fixture = ExportFixture()
            let report = try fixture.export(.npy, in: folder) { $0.bf16As = .u16 }
            #expect(
                names(folder + "/out/a") == [
                    "image_emb_bf16.npy", "syn_text_emb_bf16.npy", "text_emb_bf16.npy", "uids.npy",
                ])
            let image = try npy(folder + "/out/a/image_emb_bf16.npy")
            #expect(image.element == .u16 && image.shape == [5, 2, 4])
            #expect(
                Array(image.bytes)
                    == (0..<5).flatMap { row in (0..<2).flatMap { fixture.embedding(4, row, $0) } })
            #expect(try npy(folder + "/out/a/text_emb_bf16.npy").shape == [5, 1, 4])
            let rest = report.losses.notCarried.map { $0.split(separator: "\"")[1] }
            #expect(rest == ["url", "image", "augmentation", "text", "syn_text"])
        }
    }

    /// The README of mlfoundations/datacomp: `(int(uid[:16], 16), int(uid[16:32], 16))` of type "u8,u8".
    @Test func uidsArePackedAsDataCompPacksThem() throws {
        try withFolder { folder in
            _ = try ExportFixture(rowCount: 2).export(.npy, in: folder)
            let bytes = try readFile(folder + "/out/a/uids.npy")
            let header = String(decoding: bytes[10..<128], as: UTF8.self)
            #expect(
                header.hasPrefix("{'descr': [('f0', '<u8'), ('f1', '<u8')], 'fortran_order': False, 'shape': (2,), }"))
            let pairs: [UInt64] = [
                0x0001_0203_0405_0607, 0x0809_0a0b_0c0d_0e0f, 0x1011_1213_1415_1617, 0x1819_1a1b_1c1d_1e1f,
            ]
            let expected: [UInt8] = pairs.flatMap(\.bytes)
            #expect(Array(bytes.suffix(32)) == expected)
        }
    }

    @Test func bfloat16BecomesFloat32ForNumPy() throws {
        try withFolder { folder in
            let fixture = ExportFixture()
            _ = try fixture.export(.npz, in: folder)
            let zip = try ZipReader(try readFile(folder + "/out/a.npz")[...])
            #expect(zip.entries.map(\.name) == ["uids.npy", "image_emb.npy", "text_emb.npy", "syn_text_emb.npy"])
            #expect(zip.entries.map(\.isStored) == [true, true, true, true])
            let entry = try #require(zip.entry(named: "text_emb.npy"))
            let array = try NpyReader.read(try zip.read(entry, limit: 1 << 20, with: try Inflater()))
            #expect(array.element == .f32 && array.shape == [5, 1, 4])
            var wide: [UInt8] = []
            for row in 0..<5 {
                let cell = fixture.embedding(6, row, 0)
                for i in stride(from: 0, to: 8, by: 2) { wide += [0, 0, cell[i], cell[i + 1]] }
            }
            #expect(Array(array.bytes) == wide)
        }
    }

    @Test func tokensBecomePaddedRowsAndLengths() throws {
        try withFolder { folder in
            var fixture = ExportFixture(hasTokens: true)
            fixture.changed = [("tokens", 3, 0, nil)]
            let report = try fixture.export(.npy, in: folder)
            let rows = try npy(folder + "/out/a/tokens.npy")
            #expect(rows.element == .i32 && rows.shape == [5, 1, 5])
            #expect(
                numbers(rows) == [
                    998, 999, 0, 0, 0, 998, 7, 999, 0, 0, 998, 7, 8, 999, 0, 0, 0, 0, 0, 0, 998, 7, 8, 9, 999,
                ])
            #expect(numbers(try npy(folder + "/out/a/tokens_length.npy")) == [2, 3, 4, 0, 5])
            #expect(Array(try npy(folder + "/out/a/tokens_state.npy").bytes) == [0, 0, 0, 1, 0])
            #expect(report.losses.counts == ["token rows cut to their context": 1])
        }
    }

    @Test func aColumnThatLacksCellsGetsTheirStatesBesideIt() throws {
        try withFolder { folder in
            var fixture = ExportFixture()
            fixture.changed = [("image_emb", 1, 1, nil)]
            fixture.lost = [("text_emb", 3)]
            let report = try fixture.export(.safetensors, in: folder)
            #expect(report.losses.counts.isEmpty)
            let reader = try SafetensorsReader(FileSource(path: folder + "/out/a.safetensors"))
            let found = try Dictionary(
                uniqueKeysWithValues: reader.tensors.map { tensor in
                    (tensor.name, try reader.bytes(of: tensor, rows: 0..<tensor.shape[0]))
                })
            #expect(found["image_emb_state"] == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0])
            #expect(found["text_emb_state"] == [0, 0, 0, 2, 0])
            #expect(found["syn_text_emb_state"] == nil)
            #expect(Array(found["image_emb"]?[24..<32] ?? []) == Array(repeating: 0, count: 8))
            #expect(found["uid"] == (0..<5).flatMap { fixture.uid($0) })
        }
    }

    @Test func safetensorsAreAlignedAndSayWhatTheNumbersAre() throws {
        try withFolder { folder in
            let score = Column(name: "score", role: .other, type: .tensor(.f64, dims: []))
            let flag = Column(name: "aa_flag", role: .other, type: .tensor(.i8, dims: [3]))
            let fixture = ExportFixture(more: [(score, Array(0..<8)), (flag, [1, 2, 3])])
            _ = try fixture.export(.safetensors, in: folder)
            let reader = try SafetensorsReader(FileSource(path: folder + "/out/a.safetensors"))
            #expect(
                reader.tensors.map(\.name)
                    == ["score", "image_emb", "syn_text_emb", "text_emb", "aa_flag", "uid"])
            for tensor in reader.tensors {
                #expect(tensor.position.isMultiple(of: UInt64(tensor.element.byteCount)), "\(tensor)")
            }
            #expect(reader.tensors[0].position.isMultiple(of: 64) && reader.tensors[1].element == .bf16)
            #expect(reader.tensors[0].shape == [5] && reader.tensors[4].shape == [5, 3])
            let digest = try ShardReader(path: folder + "/shards/a.drs").footer.rowSetDigest.description
            #expect(reader.metadata.first { $0.key == "row_set_digest" }?.value == digest)
            #expect(reader.metadata.first { $0.key == "rows" }?.value == "5")
        }
    }

    @Test func twoArraysOfOneNameAreRefused() throws {
        try withFolder { folder in
            let column = Column(name: "uids", role: .other, type: .tensor(.u8, dims: []))
            let error = failure { try ExportFixture(more: [(column, [1])]).export(.npy, in: folder) }
            #expect(error.code == .invalidArgument && error.reason.contains("\"uids\""))
            let path = Column(name: "../a", role: .other, type: .tensor(.u8, dims: []))
            try withFolder { folder in
                let error = failure { try ExportFixture(more: [(path, [1])]).export(.npy, in: folder) }
                #expect(error.code == .invalidArgument && error.reason.contains("cannot be the name"))
            }
        }
    }

    @Test(arguments: ExportOptions.Format.allCases) func aShardWithoutRowsIsExported(format: ExportOptions.Format)
        throws
    {
        try withFolder { folder in
            let report = try ExportFixture(rowCount: 0).export(format, in: folder)
            #expect(report.files.map(\.rowCount) == [0])
            if format == .npy { #expect(try npy(folder + "/out/a/image_emb.npy").shape == [0, 2, 4]) }
            if format == .jsonl { #expect(try readFile(folder + "/out/a.jsonl") == []) }
        }
    }

    @Test func anUnfinishedFolderIsBegunAgainAndACompleteOneIsKept() throws {
        try withFolder { folder in
            let part = folder + "/out/a.part"
            try TarFolder.makeFolder(part)
            try writeFile(part + "/old.npy", [1])
            try writeFile(part + "/image_emb.npy.part", [1])
            let refused = failure { try ExportFixture().export(.npy, in: folder) }
            #expect(refused.code == .io && refused.description.contains("a.part"), "\(refused)")
            // Files that somebody is writing are not taken from under their hands.
            try FileManager.default.removeItem(atPath: part + "/image_emb.npy.part")
            let other = try AtomicFile(path: part + "/image_emb.npy")
            var options = ExportOptions(format: .npy, output: folder + "/out")
            options.resumes = true
            let busy = failure { try Exporter.run(folder + "/shards", options) }
            #expect(busy.code == .io && busy.reason.contains("another writer"), "\(busy)")
            other.discard()
            let report = try Exporter.run(folder + "/shards", options)
            #expect(names(folder + "/out") == ["a"] && report.alreadyThere.isEmpty)
            #expect(!names(folder + "/out/a").contains("old.npy"))
            try FileManager.default.removeItem(atPath: folder + "/out/a/uids.npy")
            let again = try Exporter.run(folder + "/shards", options)
            #expect(again.files.isEmpty && again.alreadyThere == [folder + "/out/a"])
            #expect(!names(folder + "/out/a").contains("uids.npy"))
        }
    }
}
