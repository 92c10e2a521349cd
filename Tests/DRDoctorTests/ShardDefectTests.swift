import DRShard
import DRShardFormat
import Foundation
import Testing

import DRDoctor

/// Every defect is planted in a healthy set, and the doctor names it and nothing else.
@Suite struct ShardDefectTests {
    /// Plants something; the findings must be of one kind.
    private func expect(
        _ kind: FindingKind, count: Int, severity: Severity? = nil, exchangeable: Axis.Exchangeable = .yes,
        _ plant: (inout PlantedSet) throws -> Void
    ) throws -> Finding {
        try withFolder { folder in
            var set = try PlantedSet(in: folder, exchangeable: exchangeable)
            try plant(&set)
            let findings = try set.findings(in: folder)
            #expect(findings.map(\.kind) == [kind], "\(findings)")
            let finding = try #require(findings.first)
            #expect(finding.count == count && finding.severity == severity ?? kind.severity)
            #expect(!finding.places.isEmpty && !finding.kind.meaning.isEmpty)
            return finding
        }
    }

    @Test func aHealthySetHasNone() throws {
        try withFolder { folder in
            let findings = try PlantedSet(in: folder).findings(in: folder)
            #expect(findings.isEmpty, "\(findings)")
        }
    }

    @Test func idsThatStandInTwoShards() throws {
        try withFolder { folder in
            let set = try PlantedSet(in: folder)
            try FileManager.default.createDirectory(atPath: folder + "/two", withIntermediateDirectories: false)
            try set.write(folder + "/two/a.drs", rows: 0..<33)
            try set.write(folder + "/two/b.drs", rows: 32..<64)
            for limit in [1 << 20, 1] {
                let findings = try examined([folder + "/two"]) { $0.idLimit = limit }
                #expect(findings.map(\.kind) == [.duplicateID] && findings.first?.count == 1)
                #expect(findings.first?.places.first?.path == folder + "/two/b.drs")
                #expect(findings.first?.places.first?.row == 0)
            }
        }
    }

    @Test func cellsThatAreAbsent() throws {
        let finding = try expect(.absentCells, count: 3) { set in
            try set.change("image_emb", 7..<10) { _, views in views[2] = nil }
        }
        #expect(finding.subject == "image_emb" && finding.places.map(\.variant) == [2, 2, 2])
        // What has no axis is often absent.
        _ = try expect(.absentCells, count: 5, severity: .note) { set in
            try set.change("url", 0..<5) { _, cells in cells[0] = nil }
        }
    }

    @Test func cellsThatARepairGaveUp() throws {
        let finding = try expect(.lostCells, count: 1) { set in
            let column = try set.column("syn_text_emb")
            set.rows[5][column][1] = nil
            set.lost = [[5, column, 1]]
        }
        #expect(finding.places.first?.row == 5 && finding.places.first?.variant == 1)
    }

    @Test func embeddingsThatAreNoNumbers() throws {
        let nan = try expect(.nanEmbedding, count: 1) { set in
            try set.change("image_emb", 4..<5) { _, views in views[3]?[bf16: 100] = 0x7FC0 }
        }
        #expect(nan.places.first?.variant == 3 && nan.places.first?.detail == "1 elements are NaN")
        _ = try expect(.infiniteEmbedding, count: 2) { set in
            try set.change("text_emb", 4..<6) { _, cells in cells[0]?[bf16: 0] = 0xFF80 }
        }
        _ = try expect(.zeroEmbedding, count: 1) { set in
            try set.change("syn_text_emb", 63..<64) { _, cells in cells[4] = [UInt8](repeating: 0, count: 256) }
        }
    }

    @Test func embeddingsOfAnotherLength() throws {
        // Adding 1 to the exponent doubles them.
        func double(_ cell: inout [UInt8]?, _ elements: Range<Int>) {
            for i in elements where (cell?[bf16: i] ?? 0) & 0x7F80 != 0 { cell?[bf16: i] += 0x80 }
        }
        let finding = try expect(.notNormalised, count: 2, severity: .error) { set in
            try set.change("image_emb", 10..<12) { _, views in double(&views[0], 64..<128) }
        }
        #expect(finding.subject == "image_emb, second")
        #expect(["length 2.0", "length 1.999", "length 2.001"].contains(finding.places.first?.detail))
        // Nobody says that they are normalised, but nearly all are.
        let guess = try expect(.notNormalised, count: 1, severity: .warning) { set in
            var metadata = set.schema.metadata
            for i in metadata.teachers.indices { metadata.teachers[i].normalised = .unknown }
            set.schema = try Schema(axes: set.schema.axes, columns: set.schema.columns, metadata: metadata)
            try set.change("image_emb", 10..<11) { _, views in double(&views[0], 0..<64) }
        }
        #expect(guess.subject == "image_emb, first")
    }

    @Test func viewsThatEqualEachOther() throws {
        let finding = try expect(.identicalViewEmbeddings, count: 2) { set in
            try set.change("image_emb", 8..<9) { _, views in
                views[1] = views[0]
                views[3] = views[0]
            }
        }
        #expect(finding.places.map(\.variant) == [1, 3])
        _ = try expect(.identicalViewRecords, count: 1) { set in
            try set.change("augmentation", 8..<9) { _, views in views[2] = views[1] }
        }
    }

    @Test func captionsWhoseEmbeddingsAreEqual() throws {
        let synthetic = try expect(.equalCaptionEmbeddings, count: 3) { set in
            try set.change("syn_text_emb", 20..<23) { _, cells in cells[1] = cells[0] }
        }
        #expect(synthetic.places.first?.detail == "equals syn_text_emb variant 0")
        let real = try expect(.equalCaptionEmbeddings, count: 1) { set in
            let column = try set.column("text_emb")
            let value = set.rows[30][column][0]
            try set.change("syn_text_emb", 30..<31) { _, cells in cells[2] = value }
        }
        #expect(real.places.first?.detail == "equals text_emb variant 0")
    }

    @Test func captionsThatAreEqualOrEmptyAreNotes() throws {
        try withFolder { folder in
            var set = try PlantedSet(in: folder)
            try set.change("syn_text", 0..<64) { row, cells in
                cells[1] = Array("text \(row)".utf8)
                cells[2] = cells[1]
            }
            try set.write(folder + "/planted.drs")
            let findings = try Doctor.examine([folder + "/planted.drs"], options: DoctorOptions())[0].findings
            let equal = try #require(findings.first { $0.kind == .equalCaptions })
            #expect(equal.count >= 64 && equal.severity == .note)
        }
        _ = try expect(.emptyCaption, count: 64, severity: .warning) { set in
            try set.change("syn_text", 0..<64) { row, cells in
                for i in cells.indices { cells[i] = Array("text \(row) \(i)".utf8) }
                cells[3] = Array(row % 2 == 0 ? " \n".utf8 : "".utf8)
            }
        }
    }

    @Test func tokensBeyondTheContext() throws {
        let finding = try expect(.overlongTokens, count: 2) { set in
            var metadata = set.schema.metadata
            metadata.tokenizers = [
                Tokenizer(
                    name: "t", vocabularySHA256: [UInt8](repeating: 0, count: 32), vocabularySize: 100,
                    contextLength: 10, start: 98, end: 99)
            ]
            let column = Column(name: "tokens", role: .tokens, type: .ragged(.u16), axis: 1, tokenizer: 0)
            set.schema = try Schema(
                axes: set.schema.axes, columns: set.schema.columns + [column], metadata: metadata)
            // Eight fit beside start and end.
            for row in set.rows.indices {
                set.rows[row].append([[UInt8](repeating: 0, count: row < 2 ? 18 : 16)])
            }
        }
        #expect(finding.places.first?.detail == "9 tokens, 8 fit")
    }

    @Test func cropsThatLeaveTheirImage() throws {
        let original = try expect(.cropOutsideOriginal, count: 1) { set in
            // The image itself is larger than the original is said to be.
            try set.change("original_size", 2..<3) { _, cells in cells[0] = [8, 0, 0, 0, 8, 0, 0, 0] }
            for view in 0..<4 {
                let side = view == 0 ? Int32(20) : 4
                try set.changeRecord(row: 2, view: view) { PlantedSet.setCrop(&$0, Int32(view), 0, side, side) }
            }
        }
        #expect(original.places.first?.row == 2 && original.places.first?.variant == 0)
        let image = try expect(.cropOutsideImage, count: 1) { set in
            try set.change("original_size", 2..<3) { _, cells in cells[0] = [0, 4, 0, 0, 0, 4, 0, 0] }
            try set.changeRecord(row: 2, view: 1) { PlantedSet.setCrop(&$0, 500, 500, 20, 20) }
        }
        #expect(
            try #require(image.places.first?.detail).hasPrefix("[top 500, left 500, height 20, width 20], the image"))
        _ = try expect(.cropWithoutArea, count: 2) { set in
            try set.changeRecord(row: 2, view: 1) { PlantedSet.setCrop(&$0, 5, 5, 0, 20) }
            try set.changeRecord(row: 3, view: 1) { PlantedSet.setCrop(&$0, 5, 5, 20, -1) }
        }
    }

    @Test func operationsThatNobodyListed() throws {
        func set(_ record: inout Augmentation, _ operation: Augmentation.Operation) {
            record.items = [
                .crop(record.crop ?? .init(top: 0, left: 0, height: 1, width: 1)), .randAugment([operation]),
            ]
        }
        let operation = try expect(.unknownOperation, count: 1) {
            try $0.changeRecord(row: 2, view: 1) { set(&$0, .init(operation: 77, magnitude: 0)) }
        }
        #expect(operation.places.first?.detail == "operation 77")
        _ = try expect(.unknownMagnitude, count: 1) {
            try $0.changeRecord(row: 2, view: 1) { set(&$0, .init(operation: 1, magnitude: 0.5)) }
        }
    }

    @Test(arguments: [(Axis.Exchangeable.yes, Severity.error), (.unknown, .warning), (.no, .note)])
    func viewsThatDependOnTheirNumber(exchangeable: Axis.Exchangeable, severity: Severity) throws {
        try withFolder { folder in
            var set = try PlantedSet(in: folder, exchangeable: exchangeable)
            for row in set.rows.indices {
                try set.changeRecord(row: row, view: 2) { record in
                    record.items = [.crop(record.crop ?? .init(top: 0, left: 0, height: 1, width: 1))]
                }
            }
            let findings = try set.findings(in: folder)
            #expect(!findings.isEmpty && findings.allSatisfy { $0.kind == .viewDependent && $0.severity == severity })
            let finding = try #require(findings.first { $0.subject == "count of operations" })
            #expect(finding.places.first?.variant == 2)
        }
    }

    @Test func captionsInAnotherOrder() throws {
        let finding = try expect(.captionsShuffled, count: 64) { set in
            for name in ["text", "text_emb", "syn_text", "syn_text_emb"] {
                let column = try set.column(name)
                let cells = set.rows.map { $0[column] }
                for row in set.rows.indices { set.rows[row][column] = cells[(row * 5 + 11) % 64] }
            }
        }
        #expect(finding.subject == "text_emb")
    }

    @Test func damageStopsNothing() throws {
        try withFolder { folder in
            let set = try PlantedSet(in: folder)
            let path = folder + "/planted.drs"
            try set.write(path)
            let reader = try ShardReader(path: path)
            let column = try set.column("image_emb")
            // A byte of a unit in the first page of variant 1.
            var place: UInt64?
            try reader.forEachRange(column: column, variant: 1, rows: 3..<4) { place = $0.lowerBound }
            var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
            bytes[Int(try #require(place)) + 20] ^= 0xFF
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            let findings = try examined([path])
            #expect(findings.map(\.kind) == [.damagedCells])
            let finding = try #require(findings.first)
            #expect(finding.subject == "image_emb" && (1...8).contains(finding.count))
            #expect(finding.places.allSatisfy { $0.variant == 1 && $0.row != nil && $0.rowID != nil })
        }
    }

    @Test func shardsThatCannotBeOpenedOrDoNotBelongToTheSet() throws {
        try withFolder { folder in
            var set = try PlantedSet(in: folder)
            try FileManager.default.createDirectory(atPath: folder + "/set", withIntermediateDirectories: false)
            try set.write(folder + "/set/a.drs", rows: 0..<64)
            try Data([1, 2, 3]).write(to: URL(fileURLWithPath: folder + "/set/b.drs"))
            set.schema = try Schema(axes: set.schema.axes, columns: set.schema.columns)
            try set.write(folder + "/set/c.drs", rows: 0..<1)
            let findings = try examined([folder + "/set"])
            #expect(findings.map(\.kind) == [.unreadableFile, .schemaDiffers])
            #expect(findings.map { $0.places.first?.path } == [folder + "/set/b.drs", folder + "/set/c.drs"])
        }
    }
}

extension PlantedSet {
    /// Gives a record another crop.
    static func setCrop(_ record: inout Augmentation, _ top: Int32, _ left: Int32, _ height: Int32, _ width: Int32) {
        for (i, item) in record.items.enumerated() {
            guard case .crop = item else { continue }
            record.items[i] = .crop(.init(top: top, left: left, height: height, width: width))
        }
    }
}
