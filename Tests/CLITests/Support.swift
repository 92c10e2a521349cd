import Foundation
import Testing

/// What a run of drshard left behind.
struct Outcome {
    let status: Int32
    let output: String
    let error: String

    var lines: [Substring] { output.split(separator: "\n") }

    /// Standard output as a JSON object.
    var json: [String: Any] {
        get throws {
            try #require(try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any], "\(output)")
        }
    }
}

/// A folder that is there for as long as `body` runs.
func withFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("drshard-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder.path)
}

/// The built program: it lies beside the bundle of tests.
let program: String = {
    var folders = CommandLine.arguments.prefix(1).map { URL(fileURLWithPath: $0).deletingLastPathComponent() }
    folders += Bundle.allBundles.map { $0.bundleURL.deletingLastPathComponent() } + [Bundle.main.bundleURL]
    let paths = folders.map { $0.appendingPathComponent("drshard").path }
    return paths.first { FileManager.default.isExecutableFile(atPath: $0) } ?? "drshard is in none of \(paths)"
}()

/// Runs drshard with standard output and standard error in files, so neither is a terminal.
func drshard(_ arguments: String...) throws -> Outcome { try run(program, arguments) }

func drshard(_ arguments: [String]) throws -> Outcome { try run(program, arguments) }

func run(_ executable: String, _ arguments: [String]) throws -> Outcome {
    try withFolder { folder in
        let paths = ["output", "error"].map { folder + "/" + $0 }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        let files = try paths.map { path in
            try Data().write(to: URL(fileURLWithPath: path))
            return try #require(FileHandle(forWritingAtPath: path))
        }
        process.standardOutput = files[0]
        process.standardError = files[1]
        try process.run()
        process.waitUntilExit()
        let texts = try paths.map { String(decoding: try readFile($0), as: UTF8.self) }
        // A crash is none of the statuses.
        let status = process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
        return Outcome(status: status, output: texts[0], error: texts[1])
    }
}

func readFile(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: path))) }

func writeFile(_ path: String, _ bytes: some Sequence<UInt8>) throws {
    try Data(Array(bytes)).write(to: URL(fileURLWithPath: path))
}

/// The names in a folder, sorted; none if it is not there.
func names(_ folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
}

/// Where a file of this repository is.
func repositoryFile(_ path: String) -> String {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent(path).path
}

/// Makes a sample and converts it; the folder of shards.
func convertedSample(in folder: String, _ arguments: String..., converting: [String] = []) throws -> String {
    let sample = try drshard(["sample", folder + "/in", "--samples", "12", "--dims", "32", "--views", "3"] + arguments)
    try #require(sample.status == 0, "\(sample.error)")
    let shards = folder + "/shards"
    let inputs = ["convert", folder + "/in/reinforced", "--captions", folder + "/in/captions", "--output", shards]
    let outcome = try drshard(inputs + converting)
    try #require(outcome.status == 0, "\(outcome.error)")
    return shards
}

/// Changes a byte of a shard so that a unit of this column is damaged, wherever it lies in the file.
func damageUnit(_ shard: String, column: String) throws {
    let bytes = try readFile(shard)
    for at in stride(from: bytes.count / 40, to: bytes.count, by: bytes.count / 40) {
        var changed = bytes
        changed[at] ^= 1
        try writeFile(shard, changed)
        let output = try drshard("verify", shard).output
        if output.contains("column \"\(column)\"") && output.contains(": checksum mismatch: unit ") { return }
    }
    try writeFile(shard, bytes)
    Issue.record("no byte of column \(column) was found")
}
