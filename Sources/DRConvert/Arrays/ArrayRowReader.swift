internal import DRShard
internal import DRShardFormat

/// The rows of a unit, in order. One thread at a time.
final class ArrayRowReader {
    let unit: ArrayUnit
    let columns: ArrayColumns
    private let reading: ArrayReading
    private let lines: LineReader?
    private let ids: RowIDs
    private var tokens: TokenComparison?
    /// Rows that `next` gave or failed at.
    private(set) var rowCount = 0
    /// Names of fields that lines had.
    private(set) var seenFields: Set<String> = []
    /// Whether the last error was about one row alone.
    private(set) var canGoOn = false
    private(set) var rowName: String?

    /// Opens a unit, and counts its lines.
    /// - Throws: what opening the arrays throws; `.schemaMismatch` if there are not as many lines as rows, naming the
    ///   line, if there are no ids, or tokens that nothing can be compared with.
    init(_ unit: ArrayUnit, _ reading: ArrayReading) throws(ShardError) {
        self.unit = unit
        self.reading = reading
        columns = try ArrayColumns(unit, reading.names)
        let source = try unit.linesPath().map { path throws(ShardError) in try FileSource(path: path) }
        lines = source.map { LineReader($0) }
        if let source { try ArrayRowReader.checkCount(source, rowCount: columns.rowCount) }
        do throws(ShardError) {
            ids = try RowIDs(columns, hasLines: source != nil, hashes: reading.hashesIDs, unit: unit.path)
            tokens = try TokenComparison(columns, hasLines: source != nil, reading)
        } catch { throw error.with(.init(path: unit.path)) }
    }

    /// A line too many or too few shifts all rows behind it, and nothing says where: so it is looked for before.
    private static func checkCount(_ source: FileSource, rowCount: Int) throws(ShardError) {
        let count = try LineReader.count(source)
        guard count == rowCount else {
            let place = count < rowCount ? "it ends behind line \(count)" : "line \(rowCount + 1) belongs to no row"
            throw ShardError.schemaMismatch("\(place): it has \(count) lines, the arrays have \(rowCount) rows").with(
                .init(path: source.path))
        }
    }

    /// The next row; nil behind the last one.
    /// - Throws: what is wrong, with file, row or line, and position; only the row is lost if `canGoOn`.
    func next() throws(ShardError) -> ArrayRow? {
        canGoOn = false
        rowName = nil
        guard rowCount < columns.rowCount else { return nil }
        let number = rowCount
        rowCount += 1
        rowName = "in row \(number)"
        let line = try lines?.next()
        if let lines, line == nil {
            throw ShardError.truncated("it became shorter while it was read").with(.init(path: lines.path))
        }
        // Blocks are read here, so that what fails below is about this row alone.
        for array in columns.arrays { _ = try array.row(number) }
        canGoOn = true
        let said = try line.map { line throws(ShardError) in try parse(line) }
        do throws(ShardError) { return try row(number, said) } catch {
            // What contradicts a line is looked for there.
            guard let line, let lines, error.context.path == nil else {
                throw error.with(.init(path: columns.image.array.path, row: number))
            }
            throw ShardError(error.code, "line \(line.number): \(error.reason)", context: error.context).with(
                .init(path: lines.path, position: line.position))
        }
    }

    private func parse(_ line: LineReader.Line) throws(ShardError) -> RowLine {
        do throws(ShardError) {
            return try RowLine(parsing: line.bytes, reading.names, seen: &seenFields)
        } catch {
            // All bytes of a line that is ended are there.
            let code = error.code == .truncated && line.isEnded ? .corrupt : error.code
            throw ShardError(code, "line \(line.number): \(error.reason)").with(
                .init(path: lines?.path, position: line.position))
        }
    }

    private func row(_ number: Int, _ line: RowLine?) throws(ShardError) -> ArrayRow {
        let uid = try ids.uid(row: number, line)
        rowName = "\(uid) in row \(number)"
        var row = ArrayRow(
            number: number, uid: uid, line: line, image: try matrix(columns.image, number), text: nil, sets: [:],
            sha256: line?.sha256, originalSize: line?.originalSize)
        row.text = try columns.text.map { text throws(ShardError) in try matrix(text, number) }
        for (key, set) in columns.sets { row.sets[key] = try matrix(set, number) }
        if let cells = columns.sha256, let bytes = try value(cells, number) {
            let digest = hex(Array(bytes))
            guard row.sha256 ?? digest == digest else { throw .schemaMismatch("sha256 is another than the array's") }
            row.sha256 = digest
        }
        if let cells = columns.originalSize, let bytes = try value(cells, number) {
            row.originalSize = try size(bytes, row.originalSize)
        }
        try tokens?.check(row)
        return row
    }

    private func size(_ bytes: ArraySlice<UInt8>, _ said: ImageSize?) throws(ShardError) -> ImageSize {
        let (width, height) = (try bytes.number(0, 4, "width"), try bytes.number(4, 4, "height"))
        guard (1...UInt64(Int32.max)).contains(width), (1...UInt64(Int32.max)).contains(height) else {
            throw .corrupt("original_size: [\(width), \(height)], a side has 1...\(Int32.max) pixels")
        }
        let size = ImageSize(width: Int(width), height: Int(height))
        guard said ?? size == size else { throw .schemaMismatch("the original's size is another than the array's") }
        return size
    }

    // MARK: Cells

    private func matrix(_ embeddings: ArrayColumns.Embeddings, _ row: Int) throws(ShardError) -> ArrayRow.Matrix {
        let array = ForeignArray(
            element: embeddings.element, shape: [embeddings.variantCount, embeddings.dims],
            bytes: try embeddings.array.row(row))
        return .init(array: array, states: try states(embeddings.states, row))
    }

    private func states(_ array: RowArray?, _ row: Int) throws(ShardError) -> [CellState]? {
        guard let array else { return nil }
        var states: [CellState] = []
        for byte in try array.row(row) {
            guard let state = CellState(rawValue: byte) else {
                throw ShardError.corrupt("\"\(array.name)\": state \(byte), there are 0 present, 1 absent, 2 lost")
                    .with(
                        .init(path: array.path, row: row, position: array.position(of: row)))
            }
            states.append(state)
        }
        return states
    }

    /// - Returns: nil for a cell that is missing.
    private func value(_ cells: ArrayColumns.Cells, _ row: Int) throws(ShardError) -> ArraySlice<UInt8>? {
        guard try states(cells.states, row)?.first ?? .present == .present else { return nil }
        return try cells.array.row(row)
    }
}
