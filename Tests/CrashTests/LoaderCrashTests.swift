import DRLoader
import DRShard
import DRShardFormat
import Foundation
import TestSupport
import Testing

/// Processes that load and are killed, and what they leave behind.
@Suite struct LoaderCrashTests {
    private static let rowCount = 500

    /// A set of a few columns, rows in two shards.
    private func write(_ folder: TemporaryFolder) throws {
        let type = ColumnType.tensor(.bf16, dims: [640])
        let schema = try Schema(
            axes: [
                Axis(name: "view", kind: .view, count: 4, exchangeable: .yes),
                Axis(name: "real", kind: .realCaption, count: 1, exchangeable: .no),
                Axis(name: "synthetic", kind: .syntheticCaption, count: 3, exchangeable: .yes),
            ],
            columns: [
                Column(name: "uid", role: .rowID, type: .tensor(.u8, dims: [16])),
                Column(name: "image", role: .imageEmbedding, type: type, axis: 0),
                Column(name: "text", role: .textEmbedding, type: type, axis: 1),
                Column(name: "syn", role: .textEmbedding, type: type, axis: 2),
            ])
        var random = SeededGenerator(seed: 1)
        for shard in 0..<2 {
            let writer = try ShardWriter(
                path: folder.file("\(shard).drs"), schema: schema, options: WriterOptions(shardTag: UInt64(shard)))
            for row in 0..<Self.rowCount / 2 {
                try writer.set(Array(SHA256.digest([UInt8(shard), UInt8(row)]).prefix(16)), column: 0)
                for column in 1..<4 {
                    for variant in 0..<schema.variantCount(of: column) {
                        let word = random.next()
                        let cell = (0..<1280).map { UInt8(truncatingIfNeeded: word >> UInt64($0 % 57)) }
                        try writer.set(cell, column: column, variant: variant)
                    }
                }
                try writer.endRow()
            }
            try writer.finish()
        }
    }

    private func start(_ arguments: [String]) throws -> (process: Process, output: FileHandle) {
        let process = Process()
        process.executableURL = try Program.url("LoaderProgram")
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        return (process, pipe.fileHandleForReading)
    }

    /// All lines of a run that nobody disturbs.
    private func lines(_ arguments: [String]) throws -> [String] {
        let (process, output) = try start(arguments)
        let text = String(decoding: output.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationReason == .exit && process.terminationStatus == 0)
        return text.split(separator: "\n").map(String.init)
    }

    /// Killed at places that a seed names, and taken up again each time from the last line that was seen.
    @Test(arguments: [1, 2, 3]) func killedRunsTogetherAreTheRunThatWasNot(seed: UInt64) throws {
        let folder = try TemporaryFolder()
        try write(folder)
        let expected = try lines(["stream", folder.path, "4"])
        #expect(expected.count == 4 * 11)
        var random = SeededGenerator(seed: seed)
        var seen: [String] = []
        var kills = 0
        while seen.count < expected.count {
            let isLast = kills == 6
            let lines = try interrupted(
                folder, state: state(behind: seen.last, folder),
                after: isLast ? nil : Int.random(in: 1...9, using: &random))
            seen += lines
            kills += 1
        }
        #expect(seen == expected && kills > 3)
    }

    /// - Returns: whole lines that the process wrote before it was killed, some of which nobody had read by then.
    private func interrupted(_ folder: TemporaryFolder, state: String?, after count: Int?) throws -> [String] {
        let (process, output) = try start(["stream", folder.path, "4"] + (state.map { [$0] } ?? []))
        var read = Data()
        while count == nil || read.count(where: { $0 == 10 }) < count ?? 0 {
            let more = output.availableData
            guard !more.isEmpty else { break }
            read += more
        }
        if count != nil { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
        read += output.readDataToEndOfFile()
        // A line without its end is one that was not finished.
        return String(decoding: read, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            .map(String.init)
    }

    private func state(behind line: String?, _ folder: TemporaryFolder) throws -> String? {
        guard let numbers = line?.split(separator: " ").prefix(2).compactMap({ Int($0) }), numbers.count == 2 else {
            return nil
        }
        var options = LoaderOptions()
        options.plan.batchSize = 48
        options.plan.lanes = 24
        options.plan.blockRows = 16
        options.plan.windowBlocks = 2
        options.plan.tail = .pad
        let loader = try PairedLoader(dataSet: DataSet(path: folder.path), options: options)
        let state = loader.state(epoch: numbers[0], step: numbers[1] + 1)
        return String(decoding: try JSONEncoder().encode(state), as: UTF8.self)
    }

    /// Ten thousand; fewer where every one takes ten times as long.
    @Test func thousandsOfStartsAndCancellationsLeakNothing() throws {
        let folder = try TemporaryFolder()
        try write(folder)
        #if DEBUG
            let count = 1000
        #else
            let count = 10_000
        #endif
        let numbers = try lines(["cycles", folder.path, "\(count)"]).first?.split(separator: " ").compactMap { Int($0) }
        let (early, late) = (try #require(numbers?.first), try #require(numbers?.last))
        // A batch that leaks each time would be 190 KB each.
        #expect(late - early < 8 << 20, "\(early) bytes after a tenth of \(count), \(late) after all")
    }
}
