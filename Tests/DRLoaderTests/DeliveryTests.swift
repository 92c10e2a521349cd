import DRLoader
import DRShard
import DRShardFormat
import TestSupport
import Testing

/// What batches hold, in the forms that can be asked for.
@Suite struct DeliveryTests {
    private typealias Cell = PairedFixture.Cell

    private func loader(_ folder: TemporaryFolder, _ change: (inout LoaderOptions) -> Void = { _ in }) throws
        -> PairedLoader
    {
        var options = LoaderOptions()
        options.plan.batchSize = 24
        options.plan.lanes = 4
        options.plan.blockRows = 8
        change(&options)
        return try PairedLoader(dataSet: DataSet(path: folder.path), options: options)
    }

    /// Elements of stored bf16 as bits of f32, which is exact.
    private func floats(_ bytes: [UInt8]) -> [Float] {
        stride(from: 0, to: bytes.count, by: 2).map {
            Float(bitPattern: (UInt32(bytes[$0]) | UInt32(bytes[$0 + 1]) << 8) << 16)
        }
    }

    @Test(arguments: [20, 640, 1536], [ColumnStorage.plain, .balanced])
    func embeddingsBecomeTheElementThatIsAskedFor(dims: Int, storage: ColumnStorage) throws {
        let folder = try TemporaryFolder()
        var fixture = PairedFixture()
        (fixture.dims, fixture.storage) = (dims, storage)
        try fixture.write(folder, rowCounts: [100])
        for element in [ElementType.bf16, .f16, .f32] {
            let loader = try loader(folder) { $0.embeddingElement = element }
            for batch in try loader.batches(epoch: 0) {
                let matrix = batch.image.embeddings[0]
                #expect(matrix.element == element && matrix.width == dims)
                for (i, row) in batch.rows.enumerated() {
                    let stored = fixture.value(
                        Cell(row: row, column: PairedFixture.image, variant: batch.image.views.delivered[i]))
                    let found = matrix.bytes(row: i)
                    switch element {
                    case .bf16: #expect(found == stored)
                    case .f16:
                        let expected = floats(stored).flatMap { value in
                            let bits = Float16(value).bitPattern
                            return [UInt8(bits & 0xFF), UInt8(bits >> 8)]
                        }
                        #expect(found == expected)
                    default:
                        let expected = floats(stored).flatMap { value in
                            (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> UInt32(8 * $0)) }
                        }
                        #expect(found == expected)
                    }
                }
            }
        }
    }

    @Test func tokenIdsBecomeTheElementThatIsAskedFor() throws {
        let folder = try TemporaryFolder()
        try PairedFixture().write(folder, rowCounts: [100])
        let expected = try loader(folder).batches(epoch: 0)
        for element in [ElementType.u16, .i64] {
            let found = try loader(folder) { $0.tokenElement = element }.batches(epoch: 0)
            for (a, b) in zip(expected, found) {
                let (a, b) = (try #require(a.synthetic.tokens), try #require(b.synthetic.tokens))
                #expect(b.ids.element == element && a.lengths == b.lengths)
                for row in 0..<a.ids.rowCount {
                    let bytes = b.ids.bytes(row: row)
                    let width = element.byteCount
                    let ids = (0..<a.ids.width).map { i in
                        (0..<width).reversed().reduce(0) { $0 << 8 | Int32(bytes[i * width + $1]) }
                    }
                    #expect(ids == a.ids.int32s(row: row))
                }
            }
        }
        #expect(throws: ShardError.invalidArgument("")) { try loader(folder) { $0.tokenElement = .u8 } }
    }

    /// Two teachers in a column each, and one of them in two slices of another.
    @Test func teachersAreViewsOfTheirColumnsSideBySideOrApart() throws {
        let folder = try TemporaryFolder()
        let schema = try twoTeachers()
        let writer = try ShardWriter(path: folder.file("a.drs"), schema: schema, options: WriterOptions(shardTag: 1))
        for row in 0..<24 {
            for column in schema.columns.indices {
                let count = schema.columns[column].type.cellByteCount ?? 0
                try writer.set((0..<count).map { UInt8((row * 7 + column * 31 + $0) % 251) }, column: column)
            }
            try writer.endRow()
        }
        try writer.finish()
        for joins in [false, true] {
            let loader = try loader(folder) { $0.joinsEmbeddings = joins }
            let batch = try #require(try loader.batches(epoch: 0).first)
            let image = batch.image
            #expect(image.embeddings.map(\.width) == (joins ? [40] : [32, 8]))
            let (a, b) = (
                try #require(image.embeddings(ofTeacher: "a")), try #require(image.embeddings(ofTeacher: "b"))
            )
            #expect(a.width == 12 && b.width == 8 && image.embeddings(ofTeacher: "c") == nil)
            for (i, row) in batch.rows.enumerated() {
                func stored(_ column: Int, _ range: Range<Int>) -> [UInt8] {
                    range.map { UInt8((row * 7 + column * 31 + $0) % 251) }
                }
                #expect(a.bytes(row: i) == stored(1, 40..<64))
                #expect(b.bytes(row: i) == stored(2, 0..<16))
                if joins { #expect(image.embeddings[0].bytes(row: i) == stored(1, 0..<64) + stored(2, 0..<16)) }
            }
        }
    }

    private func twoTeachers() throws -> Schema {
        var metadata = SchemaMetadata()
        metadata.teachers = [
            Teacher(name: "a", normalised: .yes, slices: [.init(column: 1, first: 20, count: 12)]),
            Teacher(name: "b", normalised: .yes, slices: [.init(column: 2, first: 0, count: 8)]),
        ]
        let axes = [
            Axis(name: "view", kind: .view, count: 1, exchangeable: .yes),
            Axis(name: "real", kind: .realCaption, count: 1, exchangeable: .no),
            Axis(name: "synthetic", kind: .syntheticCaption, count: 1, exchangeable: .yes),
        ]
        return try Schema(
            axes: axes,
            columns: [
                Column(name: "uid", role: .rowID, type: .tensor(.u8, dims: [16])),
                Column(name: "large", role: .imageEmbedding, type: .tensor(.bf16, dims: [32]), axis: 0),
                Column(name: "small", role: .imageEmbedding, type: .tensor(.bf16, dims: [8]), axis: 0),
                Column(name: "text", role: .textEmbedding, type: .tensor(.bf16, dims: [8]), axis: 1),
                Column(name: "syn", role: .textEmbedding, type: .tensor(.bf16, dims: [8]), axis: 2),
            ], metadata: metadata)
    }

    @Test func imagesAndTextsComeAsTheyAreStored() throws {
        let folder = try TemporaryFolder()
        var schema = try twoTeachers()
        schema = try Schema(
            axes: schema.axes,
            columns: schema.columns + [
                Column(name: "image", role: .image, type: .binary),
                Column(name: "caption", role: .text, type: .utf8, axis: 1),
                Column(name: "syn_caption", role: .text, type: .utf8, axis: 2),
            ])
        let writer = try ShardWriter(path: folder.file("a.drs"), schema: schema, options: WriterOptions(shardTag: 1))
        func image(_ row: Int) -> [UInt8] { (0..<row * 977).map { UInt8(truncatingIfNeeded: $0 * row) } }
        for row in 0..<48 {
            for column in 0..<5 {
                let count = schema.columns[column].type.cellByteCount ?? 0
                try writer.set([UInt8](repeating: UInt8(row), count: count), column: column)
            }
            if row % 5 == 0 { try writer.setMissing(column: 5) } else { try writer.set(image(row), column: 5) }
            try writer.set("caption \(row)", column: 6)
            try writer.set(String(repeating: "s", count: row), column: 7)
            try writer.endRow()
        }
        try writer.finish()
        let loader = try loader(folder) { $0.content = [.images, .texts, .embeddings] }
        for epoch in 0..<3 {
            for batch in try loader.batches(epoch: epoch) {
                let images = try #require(batch.image.values)
                for (i, row) in batch.rows.enumerated() { #expect(images[i] == (row % 5 == 0 ? nil : image(row))) }
                #expect(batch.real.texts == batch.rows.map { "caption \($0)" })
                #expect(batch.synthetic.texts == batch.rows.map { String(repeating: "s", count: $0) })
            }
        }
    }

    // R-ORDER-17, R-ORDER-19
    @Test func severalCaptionersFillOneBatchByTheirWeights() throws {
        let folder = try TemporaryFolder()
        let schema = try captioners()
        let writer = try ShardWriter(path: folder.file("a.drs"), schema: schema, options: WriterOptions(shardTag: 1))
        func value(_ row: Int, _ column: Int, _ variant: Int) -> [UInt8] {
            (0..<16).map { UInt8((row * 5 + column * 17 + variant * 3 + $0) % 253) }
        }
        for row in 0..<96 {
            try writer.set(Array(SHA256.digest([UInt8(row)]).prefix(16)), column: 0)
            for column in 1..<5 {
                for variant in 0..<schema.variantCount(of: column) {
                    // Every fourth row has no caption of the second captioner.
                    if column == 4, row % 4 == 0 {
                        try writer.setMissing(column: column, variant: variant)
                    } else {
                        try writer.set(value(row, column, variant), column: column, variant: variant)
                    }
                }
            }
            try writer.endRow()
        }
        try writer.finish()
        var counts = [0, 0]
        for mode in VariantMode.allCases {
            let loader = try loader(folder) {
                $0.plan.variants = mode
                $0.synthetic = [AxisChoice("coca"), AxisChoice("blip", weight: 3)]
            }
            for epoch in 0..<4 {
                for batch in try loader.batches(epoch: epoch) {
                    let choice = batch.synthetic.captions
                    for (i, row) in batch.rows.enumerated() {
                        let (drawn, delivered) = (choice.draws[i], choice.deliveries[i])
                        counts[drawn.axis] += 1
                        let isAbsent = drawn.axis == 1 && row % 4 == 0
                        // The next axis from its first variant on.
                        #expect(delivered == (isAbsent ? VariantDraw(axis: 0, variant: 0) : drawn))
                        #expect(
                            batch.synthetic.embeddings[0].bytes(row: i)
                                == value(row, 3 + delivered.axis, delivered.variant))
                    }
                }
            }
        }
        // 3 modes of 4 epochs of 96 rows: three quarters are blip's, exactly where draws are balanced.
        #expect(counts.reduce(0, +) == 1152 && (820...908).contains(counts[1]), "\(counts)")
    }

    private func captioners() throws -> Schema {
        let type = ColumnType.tensor(.bf16, dims: [8])
        return try Schema(
            axes: [
                Axis(name: "view", kind: .view, count: 1, exchangeable: .yes),
                Axis(name: "real", kind: .realCaption, count: 1, exchangeable: .no),
                Axis(name: "coca", kind: .syntheticCaption, count: 3, exchangeable: .yes),
                Axis(name: "blip", kind: .syntheticCaption, count: 2, exchangeable: .yes),
            ],
            columns: [
                Column(name: "uid", role: .rowID, type: .tensor(.u8, dims: [16])),
                Column(name: "image", role: .imageEmbedding, type: type, axis: 0),
                Column(name: "text", role: .textEmbedding, type: type, axis: 1),
                Column(name: "coca_emb", role: .textEmbedding, type: type, axis: 2),
                Column(name: "blip_emb", role: .textEmbedding, type: type, axis: 3),
            ])
    }

    // R-ORDER-22, R-ORDER-23
    @Test func severalSetsAreMixedByTheirWeights() throws {
        let (a, b) = (try TemporaryFolder(), try TemporaryFolder())
        let first = PairedFixture()
        var second = PairedFixture()
        second.firstID = 1000
        try first.write(a, rowCounts: [100])
        try second.write(b, rowCounts: [30, 20])
        var options = LoaderOptions()
        options.plan.batchSize = 24
        options.plan.lanes = 4
        options.plan.blockRows = 8
        options.plan.epochSteps = 10
        options.content = [.rowIDs, .embeddings]
        let sets = try [LoaderSet(DataSet(path: a.path), weight: 3), LoaderSet(DataSet(path: b.path), weight: 1)]
        let loader = try PairedLoader(sets: sets, options: options)
        var seen: [[Int]] = [[], []]
        for epoch in 0..<5 {
            let plan = try loader.plan(epoch: epoch)
            for batch in try loader.batches(epoch: epoch) {
                let samples = try plan.samples(step: batch.step)
                #expect(batch.rows == samples.map(\.row) && batch.sets == samples.map(\.set))
                for (i, set) in batch.sets.enumerated() {
                    seen[set].append(batch.rows[i])
                    let fixture = [first, second][set]
                    #expect(
                        batch.rowIDs?.bytes(row: i)
                            == fixture.value(Cell(row: batch.rows[i], column: PairedFixture.uid, variant: 0)))
                }
            }
        }
        // 5 epochs of 10 steps: three of four rows from the first.
        #expect(seen.map(\.count) == [900, 300])
        // Nine times through the first set, six through the second, but for what lanes are ahead or behind.
        for (rows, passes) in zip(seen, [9, 6]) {
            let counts = Dictionary(rows.map { ($0, 1) }, uniquingKeysWith: +)
            #expect(counts.values.allSatisfy { abs($0 - passes) <= 1 })
        }
        options.plan.order = .none
        #expect(throws: ShardError.invalidArgument("")) { try PairedLoader(sets: sets, options: options) }
    }

    @Test func embeddingsOfSeveralElementsAreNotJoinedAsTheyAre() throws {
        let folder = try TemporaryFolder()
        let old = try twoTeachers()
        var columns = old.columns
        columns[2] = Column(name: "small", role: .imageEmbedding, type: .tensor(.f32, dims: [8]), axis: 0)
        let schema = try Schema(axes: old.axes, columns: columns)
        let writer = try ShardWriter(path: folder.file("a.drs"), schema: schema, options: WriterOptions(shardTag: 1))
        for row in 0..<24 {
            for column in schema.columns.indices {
                let count = schema.columns[column].type.cellByteCount ?? 0
                try writer.set([UInt8](repeating: UInt8(row), count: count), column: column)
            }
            try writer.endRow()
        }
        try writer.finish()
        #expect(throws: ShardError.schemaMismatch("")) { try loader(folder) { $0.joinsEmbeddings = true } }
        let apart = try #require(try loader(folder).batches(epoch: 0).first)
        #expect(apart.image.embeddings.map(\.element) == [.bf16, .f32])
        let joined = try loader(folder) {
            $0.joinsEmbeddings = true
            $0.embeddingElement = .f32
        }
        let batch = try #require(try joined.batches(epoch: 0).first)
        #expect(batch.image.embeddings.map(\.width) == [40])
        for (i, row) in batch.rows.enumerated() {
            #expect(batch.image.embeddings[0].bytes(row: i).suffix(32) == Array(repeating: UInt8(row), count: 32)[...])
        }
    }

    @Test func setsThatDoNotFitAreNamed() throws {
        let (a, b) = (try TemporaryFolder(), try TemporaryFolder())
        var other = PairedFixture()
        other.dims = 24
        try PairedFixture().write(a, rowCounts: [100])
        try other.write(b, rowCounts: [100])
        let error = #expect(throws: ShardError.self) {
            try PairedLoader(sets: [LoaderSet(DataSet(path: a.path)), LoaderSet(DataSet(path: b.path))])
        }
        #expect(error?.code == .schemaMismatch && error?.context.path == b.path)
    }
}
