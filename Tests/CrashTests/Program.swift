import DRShardFormat
import Foundation

/// The programs that these tests start.
enum Program {
    /// They lie beside the bundle of these tests.
    static func url(_ name: String) throws -> URL {
        let first = [Bundle.main.bundleURL, URL(fileURLWithPath: CommandLine.arguments[0])]
        let bundles = first + Bundle.allBundles.map(\.bundleURL)
        for bundle in bundles {
            for folder in [bundle, bundle.deletingLastPathComponent()] {
                let program = folder.appendingPathComponent(name)
                if FileManager.default.isExecutableFile(atPath: program.path) { return program }
            }
        }
        throw ShardError.io("there is no \(name) beside \(bundles.map(\.path))")
    }
}
