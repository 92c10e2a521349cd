internal import ArgumentParser
internal import DRShard
internal import DRShardFormat

struct StatsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats",
        abstract: "Show bytes and ratio of every column and plane, how it is stored, and what else it could be.",
        discussion: """
            Stored bytes hold everything that a page needs: headers, checksums, padding, index. Plain bytes are those of \
            the values. The floor is what an element costs at least if elements are coded one by one, in bits: what is \
            stored in fewer uses that views or words predict each other. The ratios of all storages are those of a \
            sample of the values, without tables; a writer takes balanced for embeddings, since it is what training \
            reads fast, and for other columns what their type suggests.
            """)

    @Argument(help: "A shard, or a folder of shards.", completion: .file(extensions: ["drs"]))
    var path: String

    @Flag(help: "One line for every plane (variant of a column), not only for columns.")
    var planes = false

    @Flag(help: "Read footers and indexes alone: no floor, and no other storages.")
    var quick = false

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        let set = try DataSet(path: path)
        let statistics = try set.statistics()
        let reports = quick ? [] : try set.storageReports()
        if json { return try Console.json(Output(set, statistics, reports)) }
        var rows = [["column", "variant", "cells", "missing", "plain bytes", "stored bytes", "ratio", "codecs"]]
        for column in statistics {
            rows.append(line(column.name, "all", column.total))
            guard planes, column.planes.count > 1 else { continue }
            for (variant, plane) in column.planes.enumerated() { rows.append(line("", String(variant), plane)) }
        }
        try Console.table(rows, right: [2, 3, 4, 5, 6])
        if !quick { try printReports(reports) }
        let stored = set.shards.reduce(0) { $0 + $1.fileByteCount }
        let plain = statistics.reduce(0) { $0 + $1.total.plainByteCount }
        try Console.line("")
        try Console.line(
            "\(set.rowCount) rows, \(Console.bytes(stored)) in files, \(Console.bytes(plain)) of values, "
                + "ratio \(ratio(plain, stored)), \(set.rowCount == 0 ? "-" : Console.decimal(Double(stored) / Double(set.rowCount), 0)) bytes a row"
        )
    }

    private func printReports(_ reports: [StorageReport]) throws {
        var rows = [["column", "stored as", "floor, bits", "ratio of a sample, by storage"]]
        for report in reports {
            let ratios = report.ratios.map { "\($0.storage.rawValue) \(Console.decimal($0.ratio, 3))" }
            rows.append([
                report.column, report.stored.joined(separator: "; "),
                report.floorBits.map { Console.decimal($0, 2) } ?? "-", ratios.joined(separator: ", "),
            ])
        }
        try Console.line("")
        try Console.table(rows, right: [2])
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
            var storedAs: [String]?
            var floorBits: Double?
            var sampleRatios: [String: Double]?
        }
        var rows: Int
        var fileBytes: UInt64
        var columns: [Column]

        init(_ set: DataSet, _ statistics: [ColumnStatistics], _ reports: [StorageReport]) {
            rows = set.rowCount
            fileBytes = set.shards.reduce(0) { $0 + $1.fileByteCount }
            columns = statistics.enumerated().map { i, column in
                let report = reports.isEmpty ? nil : reports[i]
                return Column(
                    name: column.name, total: Plane(column.total), planes: column.planes.map(Plane.init),
                    storedAs: report?.stored, floorBits: report?.floorBits,
                    sampleRatios: report.map {
                        Dictionary(uniqueKeysWithValues: $0.ratios.map { ($0.storage.rawValue, $0.ratio) })
                    })
            }
        }
    }
}
