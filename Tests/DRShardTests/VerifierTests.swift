import DRShard
import DRShardFormat
import TestSupport
import Testing

/// What a verifier finds, how often, and under which name, beyond the vectors.
@Suite struct VerifierTests {
    private static func vector(_ name: String) -> String {
        VectorIndex.path("\(name).drs")
    }

    /// Sets the fields of a block header, with its checksum made again.
    private static func edit(_ bytes: inout [UInt8], headerAt position: Int, _ change: (inout BlockHeader) -> Void)
        throws
    {
        var header = try BlockHeader(parsing: Array(bytes[position..<position + 64]))
        change(&header)
        bytes.replaceSubrange(position..<position + 64, with: header.serialized())
    }

    // R-CONF-1: a file that is only newer is never called damaged.
    @Test(arguments: VectorIndex.invalid.filter { $0.code == "unsupported" })
    func unsupportedVectorHasUnsupportedFindingsOnly(entry: VectorIndex.Entry) {
        for depth in [ShardVerifier.Depth.fast, .full, .decode] {
            let findings = ShardVerifier.verify(path: VectorIndex.path(entry), depth: depth)
            #expect(findings.allSatisfy { vectorCode($0) == "unsupported" }, "\(findings)")
            if depth == .decode { #expect(!findings.isEmpty) }
        }
    }

    // R-UNIT-4: sums over chunks cannot wrap, because such a shard does not open.
    @Test(arguments: ["chunk-plain-huge", "chunk-plain-expansion"])
    func chunkWithMorePlainBytesThanItCanHoldDoesNotOpen(name: String) {
        #expect(throws: ShardError.corrupt("")) { try ShardReader(path: Self.vector("invalid/\(name)")) }
    }

    // R-INDEX-2, R-GROUP-4: found by the walk alone, before any value is decoded.
    @Test(
        arguments: VectorIndex.invalid.filter {
            $0.file.contains("page-header-copy-") || $0.file.contains("-swapped") || $0.file.contains("group-position")
        })
    func blocksThatAreNotWhereTheIndexesSayAreFoundWithoutDecoding(entry: VectorIndex.Entry) {
        let findings = ShardVerifier.verify(path: VectorIndex.path(entry), depth: .full)
        #expect(findings.contains(.corrupt("")), "\(findings)")
    }

    // R-SET-5: a row id that is lost in one step does not make the next ones wrong.
    @Test(arguments: VectorIndex.valid) func validVectorIsSoundRowByRow(entry: VectorIndex.Entry) throws {
        let source = MemorySource(try contents(VectorIndex.path(entry)))
        #expect(ShardVerifier.verify(source: source, depth: .decode, stepByteCount: 1) == [])
    }

    // R-CONF-4
    @Test func valuesAreCheckedInADamagedShardToo() throws {
        var bytes = try contents(Self.vector("invalid/digest-column"))
        let header = try FileHeader(parsing: Array(bytes[0..<64]))
        bytes[Int(header.firstBlockPosition) - 1] = 1  // padding of the schema
        let findings = ShardVerifier.verify(source: MemorySource(bytes), depth: .decode)
        #expect(findings.contains { $0.reason.contains("padding") })
        #expect(findings.contains { $0.reason.contains("digest") }, "\(findings)")
    }

    // R-CONF-4
    @Test func aStepThatCannotBeReadDoesNotHideTheOthers() throws {
        let shard = try SmallShard()
        var bytes = shard.bytes
        let page = try #require(shard.blockPositions.first { bytes[$0 + 4] == 1 })
        bytes[page + 128] ^= 1
        let findings = ShardVerifier.verify(source: MemorySource(bytes), depth: .decode)
        #expect(findings.filter { $0.code == .checksumMismatch }.count == 1, "found twice: \(findings)")
        #expect(!findings.contains { $0.reason.contains("digest") }, "\(findings)")
    }

    // R-BLOCK-5
    @Test func sizeThatPointsOutOfACompleteFileIsCorrupt() throws {
        let shard = try SmallShard()
        for position in shard.blockPositions.dropLast() where [1, 3, 4].contains(shard.bytes[position + 4]) {
            var bytes = shard.bytes
            try Self.edit(&bytes, headerAt: position) { $0.payloadByteCount = 1 << 20 }
            let findings = ShardVerifier.verify(source: MemorySource(bytes))
            #expect(!findings.isEmpty && findings.allSatisfy { $0.code == .corrupt }, "byte \(position): \(findings)")
        }
    }

    // R-REC-1
    @Test func walkGoesOnOnlyAtABlockThatFits() throws {
        let shard = try SmallShard()
        var bytes = shard.bytes
        let page = shard.blockPositions[0]
        bytes[page] ^= 1
        var trap = BlockHeader(kind: .page, shardTag: 0x5A)
        trap.payloadByteCount = 1 << 30
        bytes.replaceSubrange(page + 128..<page + 192, with: trap.serialized())
        let findings = ShardVerifier.verify(source: MemorySource(bytes))
        #expect(!findings.isEmpty && !findings.contains { $0.reason.contains("are left") }, "\(findings)")
        // The walk went on behind it: blocks of the second group are met in their places.
        #expect(!findings.contains { $0.context.rowGroup == 1 })
    }

    // R-CONF-4: what the operating system says while the walk looks for the next block is not lost.
    @Test func sourceThatFailsWhileTheWalkGoesOnIsReported() throws {
        struct FailingSource: ByteSource {
            let base: MemorySource
            let failAt: UInt64
            var path: String { base.path }
            var byteCount: UInt64 { base.byteCount }
            var memory: UnsafeRawBufferPointer? { nil }
            func read(_ requests: [ReadRequest], into target: UnsafeMutableRawBufferPointer) throws(ShardError) {
                if requests.contains(where: { $0.position == failAt }) { throw .io("the disk is gone") }
                try unsafe base.read(requests, into: target)
            }
        }
        let shard = try SmallShard()
        var bytes = shard.bytes
        bytes[shard.blockPositions[0]] ^= 1
        let source = FailingSource(base: MemorySource(bytes), failAt: UInt64(shard.blockPositions[0] + 64))
        #expect(ShardVerifier.verify(source: source).contains(.io("")))
    }

    @Test func endlessDamageIsCutShort() throws {
        let folder = try TemporaryFolder()
        let schema = try Schema(axes: [], columns: [Column(name: "uid", role: .rowID, type: .tensor(.u8, dims: [512]))])
        var options = WriterOptions(shardTag: 1)
        options.rowsPerGroup = 1500
        options.storage[0] = .plain
        let writer = try ShardWriter(path: folder.file("a.drs"), schema: schema, options: options)
        for row in 0..<1500 {
            try writer.set([UInt8(row & 0xFF), UInt8(row >> 8)] + [UInt8](repeating: 7, count: 510), column: 0)
            try writer.endRow()
        }
        try writer.finish()
        var bytes = try contents(folder.file("a.drs"))
        for start in stride(from: 0, to: bytes.count, by: 64) where bytes[start..<start + 64].allSatisfy({ $0 == 7 }) {
            bytes[start] = 8
        }
        let findings = ShardVerifier.verify(source: MemorySource(bytes))
        #expect(findings.count == 1001 && findings.last?.reason.contains("more than") == true, "\(findings.count)")
    }

    // R-LIMIT-1
    @Test func limitsOfPagesComeFirstAndOthersAfterWhatHoldsThem() throws {
        func parsed(_ kind: BlockHeader.Kind, _ change: (inout BlockHeader) -> Void) throws -> BlockHeader {
            var header = BlockHeader(kind: kind, shardTag: 1)
            change(&header)
            return try BlockHeader(parsing: header.serialized())
        }
        #expect(throws: ShardError.limitExceeded("")) { try parsed(.page) { $0.payloadByteCount = 1 << 31 } }
        #expect(throws: ShardError.limitExceeded("")) { try parsed(.page) { $0.prologueByteCount = (1 << 28) + 1 } }
        #expect(throws: ShardError.limitExceeded("")) { try parsed(.page) { $0.rowCount = (1 << 24) + 1 } }
        for kind in [BlockHeader.Kind.auxiliary, .footer] {
            let header = try parsed(kind) { $0.payloadByteCount = Int(UInt32.max) }
            #expect(throws: ShardError.limitExceeded("")) { try header.checkLimit() }
        }
        for kind in [BlockHeader.Kind.chunkIndex, .group] {
            try parsed(kind) { $0.payloadByteCount = Int(UInt32.max) }.checkLimit()
        }
    }

    // R-ENC-1
    @Test func pagesOfUnknownEncodingsAreHeldToNoOtherRule() throws {
        var header = BlockHeader(kind: .page, shardTag: 1)
        header.encoding = Encoding(rawValue: 0x7FFF)
        (header.rowCount, header.rowsPerUnit, header.variantCount) = (1000, 1000, 1)
        let type = ColumnType.tensor(.u8, dims: [1 << 30])
        try PageLayout.checkShape(header, type: type)
        header.encoding = .plain
        #expect(throws: ShardError.limitExceeded("")) { try PageLayout.checkShape(header, type: type) }
    }
}
