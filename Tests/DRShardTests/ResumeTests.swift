import DRShard
import DRShardFormat
import Foundation
import TestSupport
import Testing

/// A writer that was stopped anywhere goes on behind its last complete row group, and makes the same file.
@Suite struct ResumeTests {
    /// Resumes a writer whose unfinished file has these bytes.
    /// - Returns: how many rows it had kept, and the finished file.
    private static func finish(_ part: [UInt8], _ shard: SmallShard) throws -> (kept: Int, bytes: [UInt8]) {
        let folder = try TemporaryFolder()
        let path = folder.file("a.drs")
        try write(part, path + ".part")
        let writer = try ShardWriter(resuming: path, schema: shard.schema, options: shard.options)
        let kept = writer.rowCount
        try SmallShard.append(shard.rows[kept...], to: writer)
        #expect(!FileManager.default.fileExists(atPath: path))
        try writer.finish()
        #expect(!FileManager.default.fileExists(atPath: path + ".part"))
        return (kept, try contents(path))
    }

    private static func error(
        _ part: [UInt8], _ shard: SmallShard, schema: Schema? = nil, _ options: WriterOptions? = nil
    ) -> ShardError? {
        do {
            let folder = try TemporaryFolder()
            try write(part, folder.file("a.drs.part"))
            _ = try ShardWriter(
                resuming: folder.file("a.drs"), schema: schema ?? shard.schema, options: options ?? shard.options)
            return nil
        } catch {
            let error = error as? ShardError
            #expect(error?.context.path?.hasSuffix("a.drs.part") == true, "\(String(describing: error))")
            return error
        }
    }

    /// Rows of the complete groups in the first `count` bytes.
    private static func committedRows(_ shard: SmallShard, _ count: Int) -> Int {
        // The last group has fewer rows than a group: it is written again.
        let full = shard.committedEnds.prefix(shard.rows.count / SmallShard.rowsPerGroup)
        return full.filter { $0 <= count }.count * SmallShard.rowsPerGroup
    }

    // R-REC-3
    @Test(arguments: 0..<8) func cutFileIsFinishedAsIfNothingHadHappened(eighth: Int) throws {
        let shard = try SmallShard(rowCount: 10)
        var cuts = Array(stride(from: 0, through: shard.bytes.count, by: 97)) + [shard.bytes.count]
        for position in shard.blockPositions { cuts += [position - 1, position, position + 1] }
        for cut in cuts where cut % 8 == eighth {
            let (kept, bytes) = try Self.finish(Array(shard.bytes[..<cut]), shard)
            #expect(kept == Self.committedRows(shard, cut), "cut to \(cut) bytes")
            #expect(bytes == shard.bytes, "cut to \(cut) bytes")
        }
    }

    @Test func writerThatIsDroppedLeavesAFileToResume() throws {
        let folder = try TemporaryFolder()
        let data = try MiniatureData(rowCount: 20)
        let path = folder.file("a.drs")
        try data.write(to: folder.file("whole.drs"), options: smallOptions(rowsPerGroup: 6))
        do {
            let writer = try ShardWriter(path: path, schema: data.schema, options: smallOptions(rowsPerGroup: 6))
            try data.append(to: writer, rows: 0..<15)
        }
        #expect(!FileManager.default.fileExists(atPath: path))
        #expect(throws: ShardError.io("")) {
            try ShardWriter(path: path, schema: data.schema, options: smallOptions(rowsPerGroup: 6))
        }
        let writer = try ShardWriter(resuming: path, schema: data.schema, options: smallOptions(rowsPerGroup: 6))
        #expect(writer.rowCount == 12)
        try data.append(to: writer, rows: 12..<20)
        try writer.finish()
        #expect(try contents(path) == contents(folder.file("whole.drs")))
    }

    @Test func resumedWriterStillKnowsTheRowsItHas() throws {
        let shard = try SmallShard()
        let folder = try TemporaryFolder()
        try write(Array(shard.bytes[..<shard.committedEnds[0]]), folder.file("a.drs.part"))
        let writer = try ShardWriter(resuming: folder.file("a.drs"), schema: shard.schema, options: shard.options)
        #expect(throws: ShardError.invalidArgument("")) { try SmallShard.append(shard.rows[1...1], to: writer) }
    }

    @Test func otherSchemaOrOptionsDoNotResume() throws {
        let shard = try SmallShard()
        let part = Array(shard.bytes[..<shard.committedEnds[0]])
        let columns = shard.schema.columns.dropLast() + [Column(name: "other", role: .text, type: .utf8)]
        let schema = try Schema(axes: shard.schema.axes, columns: Array(columns))
        #expect(Self.error(part, shard, schema: schema)?.code == .schemaMismatch)
        var options = shard.options
        options.shardTag += 1
        #expect(Self.error(part, shard, options)?.code == .schemaMismatch)
        options = shard.options
        options.rowsPerGroup = SmallShard.rowsPerGroup + 1
        #expect(Self.error(part, shard, options)?.code == .schemaMismatch)
    }

    @Test func damagedStartDoesNotResume() throws {
        let shard = try SmallShard()
        let start = shard.blockPositions[0]
        for position in 0..<start {
            var part = Array(shard.bytes[..<shard.committedEnds[0]])
            part[position] ^= 1
            let code = Self.error(part, shard)?.code
            #expect(code == .corrupt || code == .checksumMismatch, "byte \(position): \(String(describing: code))")
            // The same in a file that has nothing but a part of it.
            #expect(Self.error(Array(part[...position]), shard)?.code == .corrupt, "byte \(position)")
        }
    }

    // R-REC-3
    @Test func damagedLastGroupIsGivenUp() throws {
        let shard = try SmallShard(rowCount: 8)
        let ends = shard.committedEnds
        // 5 and 64 have no common factor: every place in a block's header is met in some block.
        for position in stride(from: ends[0], to: ends[1], by: 5) {
            var part = Array(shard.bytes[..<ends[1]])
            part[position] ^= 1 << UInt8(position % 8)
            let (kept, bytes) = try Self.finish(part, shard)
            #expect(kept == SmallShard.rowsPerGroup, "byte \(position)")
            #expect(bytes == shard.bytes, "byte \(position)")
        }
    }

    /// Says with which error a resumption ends, which must leave the file as it is.
    private static func refusal(_ part: [UInt8], _ shard: SmallShard) throws -> ShardError? {
        let folder = try TemporaryFolder()
        let path = folder.file("a.drs")
        try write(part, path + ".part")
        let error = #expect(throws: ShardError.self) {
            try ShardWriter(resuming: path, schema: shard.schema, options: shard.options)
        }
        #expect(try contents(path + ".part") == part, "the file was changed")
        return error
    }

    // R-REC-3
    @Test func damageBeforeTheLastGroupIsNotCutOff() throws {
        let shard = try SmallShard(rowCount: 12)
        let ends = [shard.blockPositions[0]] + shard.committedEnds
        // Of three groups, the second is damaged; of the third there is all, or its first block alone.
        let third = try #require(shard.blockPositions.first { $0 > ends[2] })
        for end in [ends[3], third] {
            for position in stride(from: ends[1], to: ends[2], by: 5) {
                var part = Array(shard.bytes[..<end])
                part[position] ^= 1 << UInt8(position % 8)
                // A page's values are looked at only where a crash can have damaged them: in the last group.
                if end == ends[3], (try? Self.finish(part, shard))?.kept == 12 { continue }
                let error = try Self.refusal(part, shard)
                #expect(
                    [.corrupt, .checksumMismatch].contains(error?.code),
                    "byte \(position): \(String(describing: error))")
                #expect(error?.context.path?.hasSuffix("a.drs.part") == true)
            }
        }
    }

    // R-REC-3
    @Test func secondDamagedGroupIsNotGivenUp() throws {
        let shard = try SmallShard(rowCount: 12)
        var part = Array(shard.bytes[..<shard.committedEnds[2]])
        // In the prologues of the first pages of the last two groups.
        part[shard.committedEnds[0] + 64] ^= 1
        part[shard.committedEnds[1] + 64] ^= 1
        #expect(try Self.refusal(part, shard)?.code == .checksumMismatch)
    }

    // R-REC-3
    @Test func blockOfANewerVersionIsNotTakenForDamage() throws {
        let shard = try SmallShard(rowCount: 12)
        for position in [shard.committedEnds[0], shard.committedEnds[1]] {
            var part = Array(shard.bytes[..<shard.committedEnds[1]])
            var header = Array(shard.bytes[position..<position + 60])
            header[4] = 99
            header.append(u32: crc32c(header))
            part.replaceSubrange(position..<min(part.count, position + 64), with: header)
            #expect(try Self.refusal(part, shard)?.code == .unsupportedFeature)
        }
    }

    @Test func zerosAreBegunAnewIfNothingIsCommitted() throws {
        let shard = try SmallShard()
        let start = shard.blockPositions[0]
        let group = try #require(
            zip(shard.blockPositions, shard.blockPositions.dropFirst()).first { $1 == shard.committedEnds[0] }?.0)
        for count in [1, start - 1, start, start + 1, 4096] {
            let (kept, bytes) = try Self.finish([UInt8](repeating: 0, count: count), shard)
            #expect(kept == 0 && bytes == shard.bytes, "\(count) zeros")
        }
        var part = [UInt8](repeating: 0, count: start) + shard.bytes[start..<group]
        #expect(try Self.finish(part, shard).kept == 0)
        part += shard.bytes[group..<shard.committedEnds[0]]
        #expect(try Self.refusal(part, shard)?.code == .corrupt)
    }

    /// The moment between the two system calls that give a complete file its name: it has both.
    @Test func completeFileIsNotCutByAWriterThatResumes() throws {
        let shard = try SmallShard()
        let folder = try TemporaryFolder()
        let path = folder.file("a.drs")
        try write(shard.bytes, path)
        try FileManager.default.linkItem(atPath: path, toPath: path + ".part")
        #expect(throws: ShardError.io("")) {
            try ShardWriter(resuming: path, schema: shard.schema, options: shard.options)
        }
        #expect(try contents(path) == shard.bytes)
    }

    @Test func fileThatAppearsMeanwhileIsNotReplaced() throws {
        let shard = try SmallShard()
        let folder = try TemporaryFolder()
        let path = folder.file("a.drs")
        let writer = try ShardWriter(path: path, schema: shard.schema, options: shard.options)
        try SmallShard.append(shard.rows[...], to: writer)
        try write([1, 2, 3], path)
        #expect(throws: ShardError.io("")) { try writer.finish() }
        #expect(try contents(path) == [1, 2, 3])
        #expect(try contents(path + ".part") == shard.bytes)
    }
}
