internal import DRShardFormat

/// Cells of one column in some rows.
struct CellBlock: Sendable {
    enum State: Sendable {
        case present, absent, lost, damaged
    }
    let variantCount: Int
    /// Of a tensor: one cell behind the other, those without a value as zeros.
    var bytes: [UInt8] = []
    /// Of the cell of row r and variant v: at `r * variantCount + v`.
    var ranges: [Range<Int>] = []
    var states: [State] = []

    init(variantCount: Int) { self.variantCount = variantCount }

    /// Adds the next cell.
    mutating func append(_ value: some Collection<UInt8>) {
        let start = bytes.count
        bytes.append(contentsOf: value)
        ranges.append(start..<bytes.count)
        states.append(.present)
    }

    /// Adds a cell without a value, which takes its place in `bytes` all the same.
    mutating func append(missing state: State, byteCount: Int = 0) {
        let start = bytes.count
        bytes.append(contentsOf: repeatElement(0, count: byteCount))
        ranges.append(start..<bytes.count)
        states.append(state)
    }

    /// The value of a cell; nil if it has none.
    subscript(row: Int, variant: Int) -> ArraySlice<UInt8>? {
        let i = row * variantCount + variant
        return states[i] == .present ? bytes[ranges[i]] : nil
    }

    func isPresent(_ row: Int, _ variant: Int) -> Bool { states[row * variantCount + variant] == .present }
}

/// Which row it is.
struct RowPlace: Sendable {
    var path: String
    /// Counted through the file.
    var row: Int
    /// For people.
    var id: String

    func at(_ column: String? = nil, _ variant: Int? = nil, _ detail: String? = nil) -> FindingPlace {
        FindingPlace(path: path, row: row, rowID: id, column: column, variant: variant, detail: detail)
    }
}

/// Some rows of a set, with all their cells: of shards, or of samples in tars, which look the same from here on.
struct RowBlock: Sendable {
    var places: [RowPlace] = []
    /// By the schema's columns.
    var cells: [CellBlock]

    init(schema: Schema) {
        cells = schema.columns.indices.map { CellBlock(variantCount: schema.variantCount(of: $0)) }
    }

    var rowCount: Int { places.count }
}
