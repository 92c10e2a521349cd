internal import DRShard
internal import DRShardFormat

/// Looks at the shards of a set.
struct ShardDoctor {
    private let files: [String]
    private let options: DoctorOptions
    private let progress: Doctor.Progress?

    /// Memory for what all readers keep of indexes and tables.
    private static let keptByteCount = 256 << 20
    private static let idsPerBlock = 1 << 16

    init(_ files: [String], _ options: DoctorOptions, _ progress: Doctor.Progress?) {
        self.files = files
        self.options = options
        self.progress = progress
    }

    /// Some rows of a shard.
    private struct Piece: Sendable {
        var shard: Int
        var rows: Range<Int>
    }

    func examine() throws(ShardError) -> Subject {
        var subject = Subject(kind: .shards, files: files)
        var findings = FindingList(placeLimit: options.placeLimit)
        let shards = open(&findings)
        if let schema = shards.first?.reader.schema {
            let firstRows = shards.reduce(into: [0]) { $0.append(($0.last ?? 0) + $1.reader.rowCount) }
            subject.rowTotal = firstRows.last ?? 0
            try examineIDs(shards, &findings)
            let profile = try profile(shards.map(\.reader), ProfileLayout(schema), firstRows)
            subject.profile = profile
            findings.merge(profile.judged)
        }
        subject.findings = findings.sorted
        return subject
    }

    /// The shards that can be opened and have the schema of the first; what is wrong with the others is found.
    private func open(_ findings: inout FindingList) -> [(file: Int, reader: ShardReader)] {
        var readerOptions = ReaderOptions()
        readerOptions.keptByteCount = max(1 << 20, Self.keptByteCount / max(1, files.count))
        var shards: [(file: Int, reader: ShardReader)] = []
        for (number, file) in files.enumerated() {
            do throws(ShardError) {
                let reader = try ShardReader(path: file, options: readerOptions)
                if let first = shards.first?.reader {
                    let isSame = reader.schema == first.schema
                    guard isSame, reader.header.rowsPerGroup == first.header.rowsPerGroup else {
                        let what =
                            isSame
                            ? "\(reader.header.rowsPerGroup) rows a row group, the first shard has "
                                + "\(first.header.rowsPerGroup)" : "its schema differs from that of \(first.path)"
                        findings.add(.schemaDiffers, at: FindingPlace(path: file, detail: what))
                        guard isSame else { continue }
                        shards.append((number, reader))
                        continue
                    }
                }
                shards.append((number, reader))
            } catch {
                findings.add(.unreadableFile, at: FindingPlace(path: file, detail: "\(error.code): \(error.reason)"))
            }
        }
        return shards
    }

    /// Reads the ids of all rows, also where only some rows are looked at.
    private func examineIDs(
        _ shards: [(file: Int, reader: ShardReader)], _ findings: inout FindingList
    ) throws(ShardError) {
        var ids = DuplicateIDs(limit: options.idLimit)
        for (file, reader) in shards {
            let rows = ShardRows(reader)
            for start in stride(from: 0, to: reader.rowCount, by: Self.idsPerBlock) {
                let range = start..<min(start + Self.idsPerBlock, reader.rowCount)
                for (i, id) in rows.ids(range, &findings).enumerated() where !id.isEmpty {
                    try ids.add(DuplicateIDs.key(id), file: file, row: start + i)
                }
            }
        }
        try Doctor.addDuplicates(ids, files: files, to: &findings)
    }

    private func profile(_ shards: [ShardReader], _ layout: ProfileLayout, _ firstRows: [Int])
        throws(ShardError) -> Profile
    {
        let total = firstRows.last ?? 0
        let choice = RowChoice(total: total, wanted: options.rows ?? defaultRows(shards, total))
        let readers = shards.map { ShardRows($0) }
        var pieces: [Piece] = []
        for (shard, reader) in readers.enumerated() {
            // As many rows as have a block's worth among them.
            let wanted = max(1, choice.wanted)
            let length = max(1, reader.rowsPerBlock * max(1, total / wanted))
            for start in stride(from: 0, to: shards[shard].rowCount, by: length) {
                pieces.append(Piece(shard: shard, rows: start..<min(start + length, shards[shard].rowCount)))
            }
        }
        let list = pieces
        let limit = options.placeLimit
        let fold = OrderedFold(Profile(layout: layout, placeLimit: limit)) { $0.merge($1) }
        let counter = RowCounter(total: choice.wanted, progress)
        try WorkerThreads.run(count: list.count, threadCount: options.jobs) { number throws(ShardError) in
            let piece = list[number]
            var part = Profile(layout: layout, placeLimit: limit)
            let rows = piece.rows.filter { choice.contains(firstRows[piece.shard] + $0) }
            if !rows.isEmpty {
                part.examine(readers[piece.shard].block(rows, &part.findings))
            }
            fold.add(part, number: number)
            counter.add(rows.count)
        }
        return fold.total
    }

    /// All rows of a set that is not too large, of others as many as have about `defaultByteCount`.
    private func defaultRows(_ shards: [ShardReader], _ total: Int) -> Int {
        let plain = shards.reduce(UInt64(0)) { sum, shard in
            shard.schema.columns.indices.reduce(sum) { $0 + shard.plainByteCount(column: $1) }
        }
        guard plain > Doctor.defaultByteCount else { return total }
        let share = Double(Doctor.defaultByteCount) / Double(plain)
        return min(total, max(Doctor.minimumRowCount, Int(Double(total) * share)))
    }
}
