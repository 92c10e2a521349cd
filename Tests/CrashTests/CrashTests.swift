import CrashWriter
import DRShard
import DRShardFormat
import Foundation
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A process that writes a shard, and what happens to it.
@Suite struct CrashTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("drshard-\(UUID().uuidString)")
    private var path: String { folder.appendingPathComponent("a.drs").path }

    private func start(_ arguments: String...) throws -> (process: Process, output: FileHandle) {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let process = Process()
        process.executableURL = try Program.url("CrashWriter")
        process.arguments = [path] + arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        return (process, pipe.fileHandleForReading)
    }

    /// Goes on with the file in this process, to `rowCount` rows.
    private func finish(rowCount: Int) throws -> Int {
        let writer = try ShardWriter(resuming: path, schema: try CrashRows.schema(), options: CrashRows.options())
        let kept = writer.rowCount
        for row in kept..<rowCount { try CrashRows.append(row, to: writer) }
        try writer.finish()
        return kept
    }

    private func uninterrupted(rowCount: Int) throws -> Data {
        let whole = folder.appendingPathComponent("whole.drs")
        let writer = try ShardWriter(path: whole.path, schema: try CrashRows.schema(), options: CrashRows.options())
        for row in 0..<rowCount { try CrashRows.append(row, to: writer) }
        try writer.finish()
        return try Data(contentsOf: whole)
    }

    private func expectFinishedLikeUninterrupted(atLeast rowCount: Int) throws {
        #expect(!FileManager.default.fileExists(atPath: path), "a file under the final name, after the process died")
        #expect(FileManager.default.fileExists(atPath: path + ".part"))
        let total = rowCount + 50
        let kept = try finish(rowCount: total)
        // All groups that were full when the process said so; perhaps one that it had no time to speak of.
        #expect(kept % CrashRows.rowsPerGroup == 0)
        #expect(kept >= rowCount / CrashRows.rowsPerGroup * CrashRows.rowsPerGroup, "\(rowCount) rows were written")
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == uninterrupted(rowCount: total))
        #expect(ShardVerifier.verify(path: path, depth: .decode) == [])
    }

    /// Killed after so many lines, at no certain place behind them.
    @Test(arguments: [1, 7, 8, 9, 30, 64, 200]) func killedWriterLosesTheOpenRowGroupAlone(lines: Int) throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let (process, output) = try start(lines < 50 ? "300" : "0")
        var read = Data()
        while read.count(where: { $0 == 10 }) < lines {
            let more = output.availableData
            guard !more.isEmpty else { break }
            read += more
        }
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        #expect(process.terminationReason == .uncaughtSignal && process.terminationStatus == SIGKILL)
        read += output.availableData
        let rows = read.split(separator: 10).dropLast().last.flatMap { Int(String(decoding: $0, as: UTF8.self)) } ?? 0
        try expectFinishedLikeUninterrupted(atLeast: rows)
    }

    /// A limit on the size of files gives the same error everywhere that a full disk gives: a write that fails.
    @Test(arguments: [0, 100, 400, 5_000, 20_000, 20_001]) func fullDiskIsAnErrorThatNamesTheFile(byteLimit: Int) throws
    {
        defer { try? FileManager.default.removeItem(at: folder) }
        let (process, output) = try start("0", "\(byteLimit)")
        let text = String(decoding: output.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationReason == .exit && process.terminationStatus == 1, "\(text.suffix(200))")
        let lines = text.split(separator: "\n")
        let error = lines.last ?? ""
        #expect(error.hasPrefix("\(path).part") && error.hasSuffix("input/output error: cannot write: File too large"))
        let size = try FileManager.default.attributesOfItem(atPath: path + ".part")[.size] as? Int
        #expect(size == byteLimit, "what fitted was written")
        try expectFinishedLikeUninterrupted(atLeast: lines.dropLast().last.flatMap { Int($0) } ?? 0)
    }

    /// Linux has a device that is always full.
    @Test func streamThatTakesNoMoreIsAnInputOutputError() throws {
        let descriptor = unsafe open("/dev/full", O_WRONLY)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let error = #expect(throws: ShardError.self) {
            let sink = StreamSink(descriptor: descriptor, path: "/dev/full")
            _ = try ShardWriter(sink: sink, schema: try CrashRows.schema(), options: CrashRows.options())
        }
        #expect(error?.code == .io && error?.context.path == "/dev/full", "\(String(describing: error))")
    }

    /// A writer whose disk became full does not go on as if nothing had been.
    @Test func writerThatFailedStaysFailed() throws {
        final class SmallSink: ByteSink {
            let path = "small"
            var room = 1000
            func write(_ bytes: [UInt8]) throws(ShardError) {
                guard bytes.count <= room else { throw .io("no space left") }
                room -= bytes.count
            }
            func synchronize() throws(ShardError) {}
            func commit() throws(ShardError) { room = -1 }
        }
        let sink = SmallSink()
        let writer = try ShardWriter(sink: sink, schema: try CrashRows.schema(), options: CrashRows.options())
        for row in 0..<7 { try CrashRows.append(row, to: writer) }
        for row in 7..<9 { #expect(throws: ShardError.io("")) { try CrashRows.append(row, to: writer) } }
        sink.room = 1_000_000
        #expect(throws: ShardError.io("")) { try writer.finish() }
        #expect(sink.room == 1_000_000, "something was written after the failure")
    }
}
