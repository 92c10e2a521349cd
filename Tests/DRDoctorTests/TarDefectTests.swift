import DRConvert
import DRShardFormat
import Foundation
import Testing

import DRDoctor

/// Every defect of tars, planted one at a time.
@Suite struct TarDefectTests {
    /// Samples as lists of members by suffix.
    private struct Sample {
        var uid: String
        var members: [String: [UInt8]]
    }

    /// Rows of `dims` values that depend on a number.
    private func matrix(_ rows: Int, dims: Int = 8, seed: Int) -> [[Float]] {
        var generator = SampleGenerator(seed: UInt64(seed))
        return (0..<rows).map { _ in (0..<dims).map { _ in Float(generator.normal()) } }
    }

    private func array(_ rows: [[Float]]) -> ForeignArray {
        let bytes = rows.joined().flatMap { value in
            (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) }
        }
        return ForeignArray(element: .f32, shape: [rows.count, rows[0].count], bytes: bytes[...])
    }

    private func embeddings(_ image: [[Float]], _ text: [[Float]]) throws -> [UInt8] {
        try NpzWriter.write([("image_emb", array(image)), ("text_emb", array(text))])
    }

    private func sample(_ number: Int) throws -> Sample {
        let digits = String(number, radix: 16)
        let uid = String(repeating: "0", count: 32 - digits.count) + digits
        return Sample(
            uid: uid,
            members: [
                "json": Array(#"{"uid": "\#(uid)"}"#.utf8), "url.txt": Array("https://example.com/\(number)".utf8),
                "syn.json": Array(#"{"syn_text": ["a cat \#(number)", "two cats \#(number)"]}"#.utf8),
                "paug.json": Array(
                    #"{"param_aug": [[[0,0,8,\#(number + 1)],[[12,0.0],[13,0.0]]],[[1,1,4,4],[[0,0.0]]]]}"#.utf8),
                "npz": try embeddings(matrix(2, seed: number), matrix(3, seed: number + 1000)),
            ])
    }

    private func write(_ path: String, _ samples: [Sample]) throws {
        let tar = try TarWriter(path: path)
        for sample in samples {
            for (suffix, bytes) in sample.members.sorted(by: { $0.key < $1.key }) {
                try tar.add("\(sample.uid).\(suffix)", bytes)
            }
        }
        try tar.finish()
    }

    private func findings(
        _ plant: (inout [Sample]) throws -> Void, damage: (inout [UInt8]) -> Void = { _ in }
    ) throws -> [Finding] {
        try withFolder { folder in
            var samples = try (0..<6).map { try sample($0) }
            try plant(&samples)
            let path = folder + "/a.tar"
            try write(path, samples)
            var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
            damage(&bytes)
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            return try examined([folder])
        }
    }

    @Test func healthyTarsHaveNone() throws { #expect(try findings { _ in }.isEmpty) }

    @Test(arguments: ["json", "syn.json", "paug.json", "npz", "url.txt"])
    func membersThatAreMissing(suffix: String) throws {
        let found = try findings { $0[3].members[suffix] = nil }
        let finding = try #require(found.first { $0.kind == .missingMember })
        #expect(finding.count == 1 && finding.places.first?.row == 3)
        #expect(finding.subject == (suffix == "npz" ? "npz or pth.gz" : suffix))
        #expect(finding.severity == (suffix == "url.txt" ? .warning : .error))
        // What lay in the member is absent then, and nothing else is said.
        #expect(found.allSatisfy { [.missingMember, .absentCells].contains($0.kind) })
    }

    @Test func severalFormats() throws {
        let found = try findings { samples in
            let text = array(matrix(3, seed: 77))
            samples[2].members["npz"] = nil
            samples[2].members["pth.gz"] = try Deflate.compress(
                TorchWriter.write([("image_emb", array(matrix(2, seed: 78))), ("text_emb", text)]), as: .gzip, level: 1)
        }
        #expect(found.map(\.kind) == [.mixedFormats] && found[0].count == 2)
    }

    @Test func aUidThatIsNotTheName() throws {
        let other = String(repeating: "f", count: 32)
        let found = try findings { $0[1].members["json"] = Array(#"{"uid": "\#(other)"}"#.utf8) }
        #expect(found.map(\.kind) == [.uidDiffers] && found[0].places.first?.row == 1)
    }

    @Test func anotherShape() throws {
        let views = try findings { samples in
            samples[4].members["npz"] = try embeddings(matrix(3, seed: 5), matrix(3, seed: 6))
            samples[4].members["paug.json"] = Array(
                #"{"param_aug": [[[0,0,8,8],null],[[1,1,4,4],null],[[1,1,4,5],null]]}"#.utf8)
        }
        #expect(views.map(\.kind) == [.shapeDiffers] && views[0].subject == "views")
        let dims = try findings { samples in
            samples[4].members["npz"] = try embeddings(matrix(2, dims: 6, seed: 5), matrix(3, dims: 6, seed: 6))
        }
        #expect(dims.map(\.kind) == [.shapeDiffers] && dims[0].subject == "dims")
    }

    @Test func aSampleThatCannotBeDecoded() throws {
        let found = try findings { $0[2].members["npz"] = [1, 2, 3] }
        #expect(found.map(\.kind) == [.unreadableSample] && found[0].places.first?.row == 2)
        let broken = try findings { $0[2].members["syn.json"] = Array("{".utf8) }
        #expect(broken.map(\.kind) == [.unreadableSample])
    }

    @Test func aTarThatJustStops() throws {
        let found = try findings({ _ in }) { bytes in
            while bytes.last == 0 { bytes.removeLast() }
            bytes += [UInt8](repeating: 0, count: (512 - bytes.count % 512) % 512)
        }
        #expect(found.map(\.kind) == [.tarWithoutEnd])
        let cut = try findings({ _ in }) { $0.removeLast($0.count / 2) }
        #expect(cut.map(\.kind) == [.unreadableFile])
    }

    @Test func idsThatStandTwice() throws {
        try withFolder { folder in
            try write(folder + "/a.tar", [sample(1), sample(2), sample(3)])
            try write(folder + "/b.tar", [sample(4), sample(2)])
            let across = try examined([folder])
            #expect(across.map(\.kind) == [.duplicateID] && across[0].count == 1)
            #expect(across[0].places.first?.path == folder + "/b.tar" && across[0].places.first?.row == 1)
        }
        try withFolder { folder in
            try write(folder + "/a.tar", [sample(1), sample(2), sample(1)])
            let within = try examined([folder])
            #expect(within.map(\.kind) == [.duplicateID] && within[0].places.first?.row == 2)
        }
    }

    @Test func sevenRowsWhereSixAreExpected() throws {
        try withFolder { folder in
            var samples = try (0..<6).map { try sample($0) }
            for i in samples.indices {
                // The real caption stands twice, as a generator with two keys for it would write.
                let rows = matrix(3, seed: i + 1000)
                samples[i].members["npz"] = try embeddings(matrix(2, seed: i), [rows[0]] + rows)
            }
            try write(folder + "/a.tar", samples)
            let subject = try Doctor.examine([folder], options: DoctorOptions())[0]
            let extra = try #require(subject.findings.first { $0.kind == .extraTextRows })
            #expect(extra.count == 6 && extra.severity == .error)
            let pair = try #require(subject.equalTextRows.first)
            #expect(subject.equalTextRows.count == 1 && pair.first == 0 && pair.second == 1 && pair.share == 1)
        }
    }

    @Test func aFolderWithNeitherIsAnError() throws {
        try withFolder { folder in
            #expect(throws: ShardError.io("")) { try examined([folder]) }
            #expect(throws: ShardError.io("")) { try examined([folder + "/nothing"]) }
            try Data("not a tar".utf8).write(to: URL(fileURLWithPath: folder + "/a.tar"))
            let findings = try examined([folder])
            #expect(findings.map(\.kind) == [.unreadableFile])
        }
    }
}
