import Foundation
import FuzzBodies
import TestSupport
import Testing

/// Inputs that once made a fuzz target fail, and others that it should live through.
@Suite struct FailCaseTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static func files(_ folder: String) throws -> [URL] {
        try FileManager.default.contentsOfDirectory(
            at: root.appendingPathComponent(folder), includingPropertiesForKeys: nil
        ).filter { $0.pathExtension != "md" }.sorted { $0.path < $1.path }
    }

    /// Runs in a test of its own by name, so that a trap tells which body it was.
    @Test(arguments: FuzzBodies.all.map(\.name)) func everyFailCaseIsSurvived(target: String) throws {
        for (name, body) in FuzzBodies.all where name == target {
            for file in try Self.files("Fuzz/FailCases/\(name)") {
                let bytes = [UInt8](try Data(contentsOf: file))
                KernelLevels.exclusively { body(bytes) }
            }
        }
    }

    @Test func everyVectorIsSurvived() throws {
        for file in try Self.files("Spec/vectors/valid") + Self.files("Spec/vectors/invalid") {
            FuzzBodies.shard([UInt8](try Data(contentsOf: file)))
        }
    }

    /// A short walk of the kind that the fuzzer takes, the same every time.
    @Test(arguments: ["two-columns", "missing", "codec-zstd", "dictionary-trained", "spanning"])
    func damageBehindRightChecksumsIsSurvived(vector: String) throws {
        let file = Self.root.appendingPathComponent("Spec/vectors/valid/\(vector).drs")
        let original = [UInt8](try Data(contentsOf: file))
        var state: UInt64 = 1
        func random(_ count: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % count
        }
        for _ in 0..<30 {
            var bytes = original
            for _ in 0...random(3) {
                bytes[random(bytes.count)] = [0, 1, 0x7F, 0x80, 0xFF, UInt8(random(256))][random(6)]
            }
            FuzzBodies.shard(bytes)
        }
    }

    /// The same for the kernels: values and damage from a seed, at every level.
    @Test(arguments: 0..<8) func everyLevelMakesTheSameOfDamage(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        for _ in 0..<60 {
            let bytes = (0..<Int.random(in: 8..<4000, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            KernelLevels.exclusively { FuzzBodies.kernels(bytes) }
        }
    }
}
