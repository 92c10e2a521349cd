import DRShard
import DRShardFormat
import Foundation
import Testing

/// `Spec/vectors`: shards that another program wrote from the specification alone.
struct VectorIndex {
    struct Entry: Decodable, CustomTestStringConvertible {
        let file: String
        let about: String
        let rows: Int?
        let columns: Int?
        let dump_sha256: String?
        let code: String?
        let stage: String?
        var testDescription: String { file }
    }

    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Spec/vectors")

    static let entries: [Entry] = {
        guard let data = try? Data(contentsOf: folder.appendingPathComponent("index.json")) else { return [] }
        return (try? JSONDecoder().decode([Entry].self, from: data)) ?? []
    }()
    static let valid = entries.filter { $0.code == nil }
    static let invalid = entries.filter { $0.code != nil }

    static func path(_ entry: Entry) -> String { path(entry.file) }
    static func path(_ file: String) -> String { folder.appendingPathComponent(file).path }
}

/// The class that the index names for an error.
func vectorCode(_ error: ShardError) -> String {
    switch error.code {
    case .truncated: "truncated"
    case .checksumMismatch: "checksum"
    case .unsupportedVersion, .unsupportedFeature: "unsupported"
    case .limitExceeded: "limit"
    case .corrupt: "corrupt"
    default: error.code.description
    }
}

func dump(_ reader: ShardReader) throws -> String {
    var text = ""
    try CanonicalDump(reader).write { text += $0 + "\n" }
    return text
}

@Suite struct VectorTests {
    @Test func indexAndFoldersNameTheSameFiles() throws {
        let listed = Set(VectorIndex.entries.map(\.file))
        var found: Set<String> = []
        for kind in ["valid", "invalid"] {
            for name in try FileManager.default.contentsOfDirectory(
                atPath: VectorIndex.folder.appendingPathComponent(kind).path)
            {
                found.insert("\(kind)/\(name)")
            }
        }
        #expect(listed == found)
        #expect(VectorIndex.valid.count >= 40 && VectorIndex.invalid.count >= 120)
    }

    @Test(arguments: VectorIndex.valid) func validVectorHasItsDump(entry: VectorIndex.Entry) throws {
        for access in [Access.read, .mapped] {
            let reader = try ShardReader(path: VectorIndex.path(entry), access: access)
            #expect(reader.rowCount == entry.rows)
            #expect(reader.schema.columns.count == entry.columns)
            #expect(hex(SHA256.digest(Array(try dump(reader).utf8))) == entry.dump_sha256)
        }
        #expect(ShardVerifier.verify(path: VectorIndex.path(entry), depth: .decode) == [])
    }

    /// A reader may reject a vector earlier than its stage, and must not later.
    @Test(arguments: VectorIndex.invalid) func invalidVectorIsRejectedWithItsCode(entry: VectorIndex.Entry) throws {
        let path = VectorIndex.path(entry)
        let findings = ShardVerifier.verify(path: path, depth: .decode)
        #expect(!findings.isEmpty, "the verifier finds nothing")
        guard entry.stage != "verify" else {
            #expect(findings.contains { vectorCode($0) == entry.code }, "\(findings)")
            return
        }
        do {
            let reader = try ShardReader(path: path)
            #expect(entry.stage == "read", "it opens")
            _ = try dump(reader)
            Issue.record("it is read")
        } catch let error as ShardError {
            #expect(vectorCode(error) == entry.code, "\(error)")
        }
    }
}
