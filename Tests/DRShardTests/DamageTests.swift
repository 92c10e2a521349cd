import DRShard
import DRShardFormat
import TestSupport
import Testing

/// A shard that is cut or changed anywhere is noticed, and never read as something else.
@Suite struct DamageTests {
    private static let path = "folder/damaged.drs"

    private static func source(_ bytes: [UInt8]) -> MemorySource { MemorySource(bytes, path: path) }

    /// What opening and reading every cell gives; an error must be the library's own and name the file.
    private static func read(_ bytes: [UInt8], _ comment: String) -> Result<[[[[UInt8]?]]], ShardError>? {
        do {
            return .success(try SmallShard.cells(try ShardReader(source: source(bytes))))
        } catch let error as ShardError {
            #expect(error.context.path == path, "\(comment): \(error)")
            return .failure(error)
        } catch {
            Issue.record("\(comment): \(error)")
            return nil
        }
    }

    @Test func undamagedShardIsSound() throws {
        let shard = try SmallShard()
        #expect(shard.bytes.count < 8192, "a larger one makes the other tests slow")
        #expect(shard.committedEnds.count == 2)
        #expect(ShardVerifier.verify(source: Self.source(shard.bytes), depth: .decode) == [])
        #expect(try Self.read(shard.bytes, "undamaged")?.get() == shard.rows)
        let pages = shard.blockPositions.dropLast().filter { shard.bytes[$0 + 4] == 1 }
        #expect(pages.contains { shard.bytes[$0 + 6] == 1 }, "no page has codec zstd")
        // Raw and packed, with and without missing cells.
        #expect(Set(pages.map { shard.bytes[$0 + 5] & 3 }) == [0, 1, 2, 3])
    }

    // R-FILE-3, R-TAIL-1
    @Test func shardCutAtAnyByteIsTruncated() throws {
        let shard = try SmallShard()
        for count in 0..<shard.bytes.count {
            let cut = Array(shard.bytes[..<count])
            let result = Self.read(cut, "\(count) bytes")
            #expect(result == .failure(.truncated("")), "\(count) bytes: \(String(describing: result))")
            let findings = ShardVerifier.verify(source: Self.source(cut))
            #expect(findings.first?.code == .truncated, "\(count) bytes: \(findings)")
            #expect(findings.allSatisfy { $0.context.path == Self.path })
        }
    }

    /// How a byte is changed: all its bits, or one of them.
    enum Change: CaseIterable { case allBits, oneBit }

    // R-FILE-2, R-VAL-4
    @Test(arguments: Change.allCases) func shardChangedAtAnyByteIsNoticedAndNeverReadWrongly(change: Change) throws {
        let shard = try SmallShard()
        #if DEBUG
            // A debug build takes 1.5 ms for a change; 5 and 8 have no common factor, so every bit has its turn.
            let step = change == .allBits ? 1 : 5
        #else
            let step = 1
        #endif
        for position in stride(from: 0, to: shard.bytes.count, by: step) {
            var damaged = shard.bytes
            damaged[position] ^= change == .allBits ? 0xFF : 1 << UInt8(position % 8)
            let findings = ShardVerifier.verify(source: Self.source(damaged), depth: .full)
            #expect(!findings.isEmpty, "byte \(position)")
            #expect(findings.allSatisfy { $0.context.path == Self.path }, "byte \(position)")
            if case .success(let rows) = Self.read(damaged, "byte \(position)") {
                #expect(rows == shard.rows, "byte \(position) is changed, and cells are read wrongly")
            }
        }
    }

    // R-TAIL-1, R-TAIL-2
    @Test func bytesBehindTheTailAreNoticed() throws {
        let shard = try SmallShard()
        for count in [1, 7, 8, 63, 64, 65, 128, 4096] {
            for byte in [0, 0xFF] as [UInt8] {
                let longer = shard.bytes + [UInt8](repeating: byte, count: count)
                #expect(Self.read(longer, "\(count) more") == .failure(.truncated("")))
                #expect(!ShardVerifier.verify(source: Self.source(longer)).isEmpty)
            }
        }
        // There is a tail at the end, of a shorter file.
        let twoTails = shard.bytes + shard.bytes.suffix(FormatConstants.tailByteCount)
        #expect(Self.read(twoTails, "two tails") == .failure(.corrupt("")))
        #expect(Self.read(shard.bytes + shard.bytes, "twice") == .failure(.corrupt("")))
    }

    // R-TAIL-2
    @Test func shardThatLostItsMiddleIsTruncated() throws {
        let shard = try SmallShard()
        let shorter = Array(shard.bytes[..<1024] + shard.bytes[1088...])
        #expect(Self.read(shorter, "64 bytes less") == .failure(.truncated("")))
    }

    @Test func emptyFileAndBareHeaderAreTruncated() throws {
        let folder = try TemporaryFolder()
        let shard = try SmallShard()
        for count in [0, 64, Int(shard.blockPositions[0])] {
            let path = folder.file("\(count).drs")
            try write(Array(shard.bytes[..<count]), path)
            for access in [Access.read, .mapped] {
                #expect(throws: ShardError.truncated("")) { try ShardReader(path: path, access: access) }
                let findings = ShardVerifier.verify(path: path, access: access)
                #expect(findings.first?.code == .truncated && findings.first?.context.path == path)
            }
        }
    }

    // R-BLOCK-3
    @Test func blocksThatWereExchangedAreNoticed() throws {
        let shard = try SmallShard()
        let positions = shard.blockPositions
        for (i, first) in positions.dropLast().enumerated() {
            for second in positions[(i + 1)...].dropLast() {
                let firstEnd = positions[i + 1]
                let secondEnd = positions[(positions.firstIndex(of: second) ?? 0) + 1]
                guard firstEnd - first == secondEnd - second else { continue }
                var damaged = shard.bytes
                damaged.replaceSubrange(first..<firstEnd, with: shard.bytes[second..<secondEnd])
                damaged.replaceSubrange(second..<secondEnd, with: shard.bytes[first..<firstEnd])
                #expect(!ShardVerifier.verify(source: Self.source(damaged)).isEmpty, "\(first) and \(second)")
                guard case .success(let rows) = Self.read(damaged, "\(first), \(second)") else { continue }
                #expect(rows == shard.rows)
            }
        }
    }

    // One vector of each encoding: a change of any byte is found, and what is read all the same is what it was.
    @Test(arguments: ["planes-missing", "balanced-levels", "archive-two-views", "tokens-missing", "operations-missing"])
    func changedByteOfAnEncodedShardIsFound(vector: String) throws {
        let whole = try contents(VectorIndex.path("valid/\(vector).drs"))
        func dump(_ bytes: [UInt8]) -> Result<[String], ShardError> {
            var lines: [String] = []
            do throws(ShardError) {
                try CanonicalDump(try ShardReader(source: Self.source(bytes))).write { lines.append($0) }
                return .success(lines)
            } catch { return .failure(error) }
        }
        let expected = try dump(whole).get()
        for place in stride(from: 0, to: whole.count, by: 7) {
            var bytes = whole
            bytes[place] ^= 1 << UInt8(place % 8)
            let findings = ShardVerifier.verify(source: Self.source(bytes))
            #expect(!findings.isEmpty, "byte \(place)")
            if case .success(let lines) = dump(bytes) { #expect(lines == expected, "byte \(place)") }
        }
    }
}
