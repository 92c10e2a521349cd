import Foundation

/// What tests do with folders.
enum DataSetFiles {
    static func names(_ folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    }
    static func makeFolder(_ path: String) throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }
    static func remove(_ path: String) throws { try FileManager.default.removeItem(atPath: path) }
}
