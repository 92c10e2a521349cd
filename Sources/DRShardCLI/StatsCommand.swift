internal import ArgumentParser
internal import DRShard
internal import DRShardFormat

struct StatsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats",
        abstract: "Show bytes, ratio and codec of every column and plane. Reads footers and indexes.",
        discussion:
            "Stored bytes hold everything that a page needs: headers, checksums, padding. Plain bytes are those of the values."
    )

    @Argument(help: "A shard, or a folder of shards.", completion: .file(extensions: ["drs"]))
    var path: String

    @Flag(help: "One line for every plane (variant of a column), not only for columns.")
    var planes = false

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        let set = try DataSet(path: path)
        let statistics = try set.statistics()
        if json { return try Console.json(Output(set, statistics)) }
        var rows = [["column", "variant", "cells", "missing", "plain bytes", "stored bytes", "ratio", "codecs"]]
        for column in statistics {
            rows.append(line(column.name, "all", column.total))
            guard planes, column.planes.count > 1 else { continue }
            for (variant, plane) in column.planes.enumerated() { rows.append(line("", String(variant), plane)) }
        }
        try Console.table(rows, right: [2, 3, 4, 5, 6])
        let stored = set.shards.reduce(0) { $0 + $1.fileByteCount }
        let plain = statistics.reduce(0) { $0 + $1.total.plainByteCount }
        try Console.line("")
        try Console.line(
            "\(set.rowCount) rows, \(Console.bytes(stored)) in files, \(Console.bytes(plain)) of values, "
                + "ratio \(ratio(plain, stored)), \(set.rowCount == 0 ? "-" : Console.decimal(Double(stored) / Double(set.rowCount), 0)) bytes a row"
        )
    }

    private func line(_ name: String, _ variant: String, _ plane: PlaneStatistics) -> [String] {
        [
            name, variant, String(plane.cellCount), plane.missingPages == 0 ? "-" : "in \(plane.missingPages) pages",
            String(plane.plainByteCount),
            String(plane.storedByteCount), ratio(plane.plainByteCount, plane.storedByteCount),
            plane.codecs.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "),
        ]
    }

    private func ratio(_ plain: UInt64, _ stored: UInt64) -> String {
        stored == 0 ? "-" : Console.decimal(Double(plain) / Double(stored), 3)
    }

    private struct Output: Encodable {
        struct Plane: Encodable {
            var cells: Int
            var plainBytes: UInt64
            var storedBytes: UInt64
            var pages: [String: Int]
            var pagesWithMissingCells: Int
            init(_ plane: PlaneStatistics) {
                cells = plane.cellCount
                plainBytes = plane.plainByteCount
                storedBytes = plane.storedByteCount
                pages = plane.codecs
                pagesWithMissingCells = plane.missingPages
            }
        }
        struct Column: Encodable {
            var name: String
            var total: Plane
            var planes: [Plane]
        }
        var rows: Int
        var fileBytes: UInt64
        var columns: [Column]

        init(_ set: DataSet, _ statistics: [ColumnStatistics]) {
            rows = set.rowCount
            fileBytes = set.shards.reduce(0) { $0 + $1.fileByteCount }
            columns = statistics.map {
                Column(name: $0.name, total: Plane($0.total), planes: $0.planes.map(Plane.init))
            }
        }
    }
}
