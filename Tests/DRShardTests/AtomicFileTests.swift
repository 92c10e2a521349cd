import DRShard
import DRShardFormat
import Foundation
import TestSupport
import Testing

/// What becomes of the unfinished file, and of the file of the final name.
@Suite struct AtomicFileTests {
    private static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    @Test func secondWriterOfAnUnfinishedFileIsRefused() throws {
        let shard = try SmallShard()
        let folder = try TemporaryFolder()
        let path = folder.file("a.drs")
        let part = Array(shard.bytes[..<shard.committedEnds[0]])
        let first = try ShardWriter(path: path, schema: shard.schema, options: shard.options)
        try SmallShard.append(shard.rows[..<SmallShard.rowsPerGroup], to: first)
        for _ in 0..<2 {
            let error = #expect(throws: ShardError.self) {
                try ShardWriter(resuming: path, schema: shard.schema, options: shard.options)
            }
            #expect(error?.code == .io && error?.reason == "another writer has it", "\(String(describing: error))")
        }
        #expect(try contents(path + ".part") == part)
        try SmallShard.append(shard.rows[SmallShard.rowsPerGroup...], to: first)
        try first.finish()
        #expect(try contents(path) == shard.bytes)
    }

    @Test func resumedFileIsLockedToo() throws {
        let shard = try SmallShard()
        let folder = try TemporaryFolder()
        let path = folder.file("a.drs")
        try write(Array(shard.bytes[..<shard.committedEnds[0]]), path + ".part")
        let first = try ShardWriter(resuming: path, schema: shard.schema, options: shard.options)
        #expect(throws: ShardError.io("")) {
            try ShardWriter(resuming: path, schema: shard.schema, options: shard.options)
        }
        try SmallShard.append(shard.rows[SmallShard.rowsPerGroup...], to: first)
        try first.finish()
        #expect(try contents(path) == shard.bytes)
    }

    @Test func discardedFileIsGoneAndUnlocked() throws {
        let folder = try TemporaryFolder()
        let file = try AtomicFile(path: folder.file("a"))
        try file.write([1])
        file.discard()
        #expect(!Self.exists(file.partPath))
        // Discarded again, it does not remove what is another writer's by now.
        let next = try AtomicFile(path: folder.file("a"))
        file.discard()
        #expect(Self.exists(next.partPath))
    }

    @Test func completeFileWhoseNameIsTakenIsNotDiscarded() throws {
        let folder = try TemporaryFolder()
        let file = try AtomicFile(path: folder.file("a"))
        try file.write([1, 2])
        try write([3], file.path)
        let error = #expect(throws: ShardError.self) { try file.commit() }
        #expect(error?.code == .io && error?.reason.contains(file.partPath) == true)
        file.discard()
        #expect(try contents(file.path) == [3])
        #expect(try contents(file.partPath) == [1, 2])
    }

    @Test func renameDoesNotReplace() throws {
        let folder = try TemporaryFolder()
        try write([1], folder.file("a.part"))
        try write([2], folder.file("a"))
        #expect(throws: ShardError.io("")) {
            try AtomicFile.moveWithoutLink(from: folder.file("a.part"), to: folder.file("a"))
        }
        #expect(try contents(folder.file("a")) == [2])
        try AtomicFile.moveWithoutLink(from: folder.file("a.part"), to: folder.file("b"))
        #expect(try contents(folder.file("b")) == [1] && !Self.exists(folder.file("a.part")))
    }

    /// Needs a user whom permissions stop.
    @Test(.enabled(if: NSUserName() != "root")) func folderThatCannotBeSynchronisedIsSaidToHoldTheCompleteFile() throws
    {
        let folder = try TemporaryFolder()
        let file = try AtomicFile(path: folder.file("a"))
        try file.write([1])
        try FileManager.default.setAttributes([.posixPermissions: 0o300], ofItemAtPath: folder.path)
        defer { try? FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: folder.path) }
        let error = #expect(throws: ShardError.self) { try file.commit() }
        #expect(error?.code == .io && error?.reason.hasPrefix("it is complete and has its name") == true)
        file.discard()
        #expect(try contents(file.path) == [1])
    }
}
