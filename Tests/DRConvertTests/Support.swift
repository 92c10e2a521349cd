import DRConvert
import DRShardFormat
import Foundation
import Testing

/// The error that `body` throws; records an issue if there is none, or if it is of another type.
func failure<Result>(
    _ comment: @autoclosure () -> String = "", sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () throws -> Result
) -> ShardError {
    do {
        _ = try body()
        Issue.record("nothing was thrown. \(comment())", sourceLocation: sourceLocation)
    } catch let error as ShardError {
        return error
    } catch { Issue.record("\(error) is no ShardError", sourceLocation: sourceLocation) }
    return .invalidArgument("nothing was thrown")
}

/// Expects every proper prefix of `bytes` to fail as `.truncated`.
func expectTruncated<Result>(
    _ bytes: [UInt8], sourceLocation: SourceLocation = #_sourceLocation, _ read: (ArraySlice<UInt8>) throws -> Result
) {
    for count in 0..<bytes.count {
        let error = failure("\(count) of \(bytes.count) bytes", sourceLocation: sourceLocation) {
            try read(bytes[..<count])
        }
        #expect(error.code == .truncated, "\(count) of \(bytes.count) bytes: \(error)", sourceLocation: sourceLocation)
    }
}

/// Reads `bytes` with each bit flipped in turn. Reading may fail or not, but not trap and not give anything else.
func flipBits<Result: Equatable>(
    _ bytes: [UInt8], step: Int = 1, sourceLocation: SourceLocation = #_sourceLocation,
    expecting original: Result?, _ read: (ArraySlice<UInt8>) throws -> Result
) {
    for bit in stride(from: 0, to: 8 * bytes.count, by: step) {
        var damaged = bytes
        damaged[bit / 8] ^= 1 << UInt8(bit % 8)
        do {
            let result = try read(damaged[...])
            if let original {
                #expect(result == original, "bit \(bit % 8) of byte \(bit / 8)", sourceLocation: sourceLocation)
            }
        } catch { #expect(error is ShardError, sourceLocation: sourceLocation) }
    }
}

/// A folder that is there for as long as `body` runs.
func withFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("drshard-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder.path)
}

func writeFile(_ path: String, _ bytes: some Sequence<UInt8>) throws {
    try Data(Array(bytes)).write(to: URL(fileURLWithPath: path))
}

func readFile(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: path))) }

extension FixedWidthInteger {
    /// The bytes of a number, lowest first.
    var bytes: [UInt8] { (0..<Self.bitWidth / 8).map { UInt8(truncatingIfNeeded: self >> (8 * $0)) } }
}

/// Pseudo-random bytes; with `range` 0...1 they compress.
func randomBytes(_ count: Int, seed: UInt64, _ range: ClosedRange<Int> = 0...255) -> [UInt8] {
    var generator = SampleGenerator(seed: seed)
    return (0..<count).map { _ in UInt8(generator.integer(range)) }
}
