import DRConvert
import DRShard
import DRShardFormat
import Foundation
import Testing

import DRDoctor

/// A folder that is there for as long as `body` runs.
func withFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("drshard-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder.path)
}

/// A converted sample whose cells a test changes before they are written again.
struct PlantedSet {
    var schema: Schema
    /// `[row][column][variant]`; nil: absent.
    var rows: [[[[UInt8]?]]]
    /// Cells that are written as lost.
    var lost: Set<[Int]> = []

    /// Tars of made-up samples: `reinforced` and `captions` in a folder.
    static func sample(
        in folder: String, seed: UInt64 = 1, samples: Int = 64, dims: Int = 128, views: Int = 4, shards: Int = 1,
        format: SampleWriter.Format = .bfloat16
    ) throws {
        var options = SampleWriter.Options()
        options.sampleCount = samples
        options.shardCount = shards
        options.dims = dims
        options.viewCount = views
        options.seed = seed
        options.format = format
        options.compressionLevel = 1
        _ = try SampleWriter(options: options).write(reinforced: folder + "/tars", captions: folder + "/captions")
    }

    static func convert(in folder: String, dims: Int = 128, exchangeable: Axis.Exchangeable = .yes) throws {
        var options = ConvertOptions(inputs: [folder + "/tars"], output: folder + "/converted")
        options.captions = folder + "/captions"
        options.exchangeableViews = exchangeable
        options.teachers = [
            .init(name: "first", first: 0, count: dims / 2, logitScale: 100),
            .init(name: "second", first: dims / 2, count: dims / 2, logitScale: nil),
        ]
        _ = try Converter.run(options)
    }

    /// A healthy set.
    init(in folder: String, seed: UInt64 = 1, exchangeable: Axis.Exchangeable = .yes) throws {
        try PlantedSet.sample(in: folder, seed: seed)
        try PlantedSet.convert(in: folder, exchangeable: exchangeable)
        let reader = try ShardReader(path: folder + "/converted/00000000.drs")
        schema = reader.schema
        rows = []
        for row in 0..<reader.rowCount {
            rows.append([])
            for column in schema.columns.indices {
                rows[row].append([])
                for variant in 0..<schema.variantCount(of: column) {
                    rows[row][column].append(try reader.value(column: column, row: row, variant: variant))
                }
            }
        }
    }

    func column(_ name: String) throws -> Int { try #require(schema.columnIndex(named: name)) }

    /// Changes the cells of a column in some rows, all variants of it.
    mutating func change(
        _ name: String, _ range: Range<Int>, _ body: (_ row: Int, _ variants: inout [[UInt8]?]) throws -> Void
    ) throws {
        let column = try column(name)
        for row in range { try body(row, &rows[row][column]) }
    }

    /// Changes an augmentation record.
    mutating func changeRecord(row: Int, view: Int, _ body: (inout Augmentation) throws -> Void) throws {
        let column = try column("augmentation")
        var record = try Augmentation(parsing: try #require(rows[row][column][view]))
        try body(&record)
        rows[row][column][view] = try record.serialized()
    }

    func write(_ path: String, rows range: Range<Int>? = nil) throws {
        var options = WriterOptions(shardTag: 7)
        options.rowsPerGroup = 32
        let writer = try ShardWriter(path: path, schema: schema, options: options)
        for row in range ?? 0..<rows.count {
            for (column, variants) in rows[row].enumerated() {
                for (variant, value) in variants.enumerated() {
                    if let value {
                        try writer.set(value, column: column, variant: variant)
                    } else {
                        let state: CellState = lost.contains([row, column, variant]) ? .lost : .absent
                        try writer.setMissing(state, column: column, variant: variant)
                    }
                }
            }
            try writer.endRow()
        }
        try writer.finish()
    }

    /// What the doctor finds in it.
    func findings(in folder: String) throws -> [Finding] {
        try write(folder + "/planted.drs")
        return try examined([folder + "/planted.drs"])
    }
}

/// Findings of the only subject, without what samples have by nature: a few empty and equal captions.
func examined(_ paths: [String], _ change: (inout DoctorOptions) -> Void = { _ in }) throws -> [Finding] {
    var options = DoctorOptions()
    change(&options)
    let subjects = try Doctor.examine(paths, options: options)
    #expect(subjects.count == 1)
    return subjects.flatMap(\.findings).filter {
        !([.emptyCaption, .equalCaptions].contains($0.kind) && $0.severity == .note)
    }
}

extension [UInt8] {
    /// A bfloat16 at an index, by its bits.
    subscript(bf16 index: Int) -> UInt16 {
        get { UInt16(self[2 * index]) | UInt16(self[2 * index + 1]) << 8 }
        set {
            self[2 * index] = UInt8(truncatingIfNeeded: newValue)
            self[2 * index + 1] = UInt8(truncatingIfNeeded: newValue >> 8)
        }
    }
}
