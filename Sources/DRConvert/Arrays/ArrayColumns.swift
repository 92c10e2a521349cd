internal import DRShardFormat

/// What the arrays of a unit are, by their names and shapes. All have one row for each row of the unit.
struct ArrayColumns {
    /// Embeddings, `[rows, variants, dims]`.
    struct Embeddings {
        /// As it is called here.
        let name: String
        let array: RowArray
        /// bf16 for numbers that are its bits.
        let element: ElementType
        let variantCount: Int
        let dims: Int
        /// u8, `[rows, variants]`; nil: all are there.
        var states: RowArray?
    }

    /// Other numbers, one cell a row.
    struct Cells {
        let array: RowArray
        var states: RowArray?
    }

    /// Padded rows of token ids, `[rows, variants, length]`, and the texts they are of.
    struct Tokens {
        let textKey: String
        let array: RowArray
        let variantCount: Int
        var lengths: RowArray?
    }

    let rowCount: Int
    /// All that are read.
    let arrays: [RowArray]
    private(set) var image: Embeddings
    private(set) var text: Embeddings?
    /// With an array of their own, by their keys.
    private(set) var sets: [String: Embeddings] = [:]
    /// Pairs of u64; 16 bytes; or numbers that are no uids.
    private(set) var uids: RowArray?
    private(set) var uidBytes: RowArray?
    private(set) var idNumbers: RowArray?
    private(set) var sha256: Cells?
    private(set) var originalSize: Cells?
    private(set) var tokens: [Tokens] = []

    /// Bytes of a row of all arrays; as of a file of embeddings in a tar.
    static let maximumRowByteCount = 256 << 20
    /// Bytes of all arrays that are held at once.
    static let blockByteCount = 16 << 20

    /// Opens a unit.
    /// - Throws: what its files' readers throw; `.schemaMismatch` for an array of another type or shape than its name
    ///   asks for, for names without arrays, and for arrays of several row counts. All carry a path.
    init(_ unit: ArrayUnit, _ names: ColumnNames) throws(ShardError) {
        arrays = try unit.arrays { name throws(ShardError) in try names.meaning(ofArray: name) != .ignored }
        do throws(ShardError) {
            for theirs in names.arrays.values.sorted()
            where !arrays.contains(where: { $0.name == theirs || $0.name == theirs + "_bf16" }) {
                throw .schemaMismatch("there is no array \"\(theirs)\", which --columns names")
            }
            guard let image = try ArrayColumns.embeddings("image_emb", arrays, names) else {
                throw .schemaMismatch(
                    "there is no array \"\(names.array("image_emb"))\"; there are "
                        + arrays.map { "\"\($0.name)\"" }.joined(separator: ", "))
            }
            self.image = image
            rowCount = image.array.rowCount
            for array in arrays {
                try ArrayColumns.at(array) { () throws(ShardError) in
                    try check(array)
                    try add(array, arrays, names)
                }
            }
            try setBlocks(arrays)
        } catch { throw error.with(.init(path: unit.path)) }
    }

    private static func at(_ array: RowArray, _ body: () throws(ShardError) -> Void) throws(ShardError) {
        do throws(ShardError) { try body() } catch {
            throw ShardError(error.code, "\"\(array.name)\": \(error.reason)", context: error.context)
                .with(.init(path: array.path))
        }
    }

    private func check(_ array: RowArray) throws(ShardError) {
        guard array.rowCount == rowCount else {
            throw .schemaMismatch("\(array.rowCount) rows, \"\(image.array.name)\" has \(rowCount)")
        }
        guard array.rowByteCount <= Self.maximumRowByteCount else {
            throw .limitExceeded("\(array.rowByteCount) bytes a row, at most \(Self.maximumRowByteCount) are read")
        }
    }

    private func setBlocks(_ arrays: [RowArray]) throws(ShardError) {
        let rowByteCount = arrays.reduce(1) { $0 + $1.rowByteCount }
        guard rowByteCount <= Self.maximumRowByteCount else {
            throw .limitExceeded(
                "\(rowByteCount) bytes a row of all arrays, at most \(Self.maximumRowByteCount) are read")
        }
        for array in arrays { array.blockRowCount = min(1 << 16, max(1, Self.blockByteCount / rowByteCount)) }
    }

    // MARK: What is what

    private mutating func add(
        _ array: RowArray, _ arrays: [RowArray], _ names: ColumnNames
    ) throws(ShardError) {
        let name: String
        switch try names.meaning(ofArray: array.name) {
        case .array(let ours), .bits(let ours): name = ours
        case .states(let ours), .lengths(let ours):
            guard arrays.contains(where: { $0.name == names.array(ours) || $0.name == names.array(ours) + "_bf16" })
            else { throw .schemaMismatch("there is no array \"\(names.array(ours))\" that it could belong to") }
            return
        case .ignored: return
        }
        switch name {
        case "image_emb": break
        case "text_emb": text = try embeddings(name, arrays, names)
        case "uids": uids = try expect(array, .u64, [2])
        case "uid":
            if array.shape.count == 1, array.element.isInteger {
                idNumbers = array
            } else {
                uidBytes = try expect(array, .u8, [16])
            }
        case "sha256": sha256 = Cells(array: try expect(array, .u8, [32]), states: try states(name, [], arrays, names))
        case "original_size":
            originalSize = Cells(array: try expect(array, .u32, [2]), states: try states(name, [], arrays, names))
        default:
            if let key = ColumnNames.captionKey(ofArray: name) {
                sets[key] = try embeddings(name, arrays, names)
            } else if let key = ColumnNames.textKey(ofTokens: name) {
                try addTokens(array, key, arrays)
            }
        }
    }

    private func expect(_ array: RowArray, _ element: ElementType, _ cell: [Int]) throws(ShardError) -> RowArray {
        guard array.element == element, Array(array.shape.dropFirst()) == cell else {
            throw .schemaMismatch("\(array.element) \(array.shape), expected \(element) \([rowCount] + cell)")
        }
        return array
    }

    private static func states(
        _ name: String, _ cell: [Int], _ arrays: [RowArray], _ names: ColumnNames
    ) throws(ShardError) -> RowArray? {
        guard let array = arrays.first(where: { $0.name == names.array(name) + "_state" }) else { return nil }
        // Of one variant the axis may be left out.
        let isCell = Array(array.shape.dropFirst()) == cell || (cell == [1] && array.shape.count == 1)
        guard array.element == .u8, isCell else {
            throw .schemaMismatch("\"\(array.name)\" is \(array.element) \(array.shape), expected u8 [rows] + \(cell)")
        }
        return array
    }

    private func states(
        _ name: String, _ cell: [Int], _ arrays: [RowArray], _ names: ColumnNames
    ) throws(ShardError) -> RowArray? { try Self.states(name, cell, arrays, names) }

    /// Embeddings, as they are or as bits; nil if there are none.
    private static func embeddings(
        _ name: String, _ arrays: [RowArray], _ names: ColumnNames
    ) throws(ShardError) -> Embeddings? {
        let theirs = names.array(name)
        let found = arrays.filter { $0.name == theirs || $0.name == theirs + "_bf16" }
        guard let array = found.first else { return nil }
        guard found.count == 1 else { throw .schemaMismatch("there are \"\(theirs)\" and \"\(theirs)_bf16\"") }
        let isBits = array.name != theirs
        guard isBits ? array.element == .u16 : [.bf16, .f16, .f32].contains(array.element) else {
            throw .schemaMismatch(
                "\"\(array.name)\" is \(array.element), expected \(isBits ? "u16, the bits of bf16" : "bf16, f16 or f32")"
            )
        }
        let shape = array.shape
        guard [2, 3].contains(shape.count), shape.dropFirst().allSatisfy({ $0 > 0 }) else {
            throw .schemaMismatch(
                "\"\(array.name)\" has shape \(shape), expected [rows, variants, dims] or [rows, dims] of at least 1")
        }
        let variantCount = shape.count == 3 ? shape[1] : 1
        return Embeddings(
            name: name, array: array, element: isBits ? .bf16 : array.element, variantCount: variantCount,
            dims: shape[shape.count - 1], states: try states(name, [variantCount], arrays, names))
    }

    /// The same of texts, which go with the images.
    private func embeddings(
        _ name: String, _ arrays: [RowArray], _ names: ColumnNames
    ) throws(ShardError) -> Embeddings? {
        guard let found = try Self.embeddings(name, arrays, names) else { return nil }
        guard found.element == image.element, found.dims == image.dims else {
            throw .schemaMismatch(
                "\(found.element) of \(found.dims) dims, \"\(image.array.name)\" is \(image.element) of \(image.dims)")
        }
        return found
    }

    private mutating func addTokens(_ array: RowArray, _ key: String, _ arrays: [RowArray]) throws(ShardError) {
        guard [.i32, .i64, .u16, .u32].contains(array.element), [2, 3].contains(array.shape.count),
            array.shape.dropFirst().allSatisfy({ $0 > 0 }), array.shape[array.shape.count - 1] >= 2
        else {
            throw .schemaMismatch(
                "\(array.element) \(array.shape), expected i32, i64, u16 or u32 [rows, texts, length] or [rows, length]"
            )
        }
        let variantCount = array.shape.count == 3 ? array.shape[1] : 1
        let lengths = arrays.first { $0.name == array.name + "_length" }
        if let lengths {
            let isCell =
                Array(lengths.shape.dropFirst()) == [variantCount] || (variantCount == 1 && lengths.shape.count == 1)
            guard lengths.element == .i32, isCell else {
                throw .schemaMismatch(
                    "\"\(lengths.name)\" is \(lengths.element) \(lengths.shape), expected i32 lengths")
            }
        }
        tokens.append(Tokens(textKey: key, array: array, variantCount: variantCount, lengths: lengths))
    }
}
