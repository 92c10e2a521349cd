internal import CDRKernels

/// What an auxiliary page holds, checked and ready for decoding and encoding. Spec: FORMAT.md section 5.4.
package enum UnitTable: Sendable {
    case zstdDictionary(ZstdDictionary)
    case exponents(ExponentTable)
    case archive(ArchiveModel)
    case tokenRanks(TokenRankTable)
    case operations(OperationTable)

    /// - Parameters:
    ///   - payload: of the auxiliary page, whose checksum the caller has checked.
    ///   - type: of the column that it serves.
    /// - Throws: `.corrupt`, `.unsupportedFeature`: see the section of the table's kind. Spec: [R-ENC-5].
    package init(parsing payload: [UInt8], kind: AuxiliaryKind, type: ColumnType) throws(ShardError) {
        switch kind {
        case .zstdDictionary: self = .zstdDictionary(try ZstdDictionary(payload))
        case .exponentTable:
            self = .exponents(try ExponentTable(parsing: payload, valueCount: (type.cellByteCount ?? 0) / 2))
        case .archiveModel:
            self = .archive(try ArchiveModel(parsing: payload, valueCount: (type.cellByteCount ?? 0) / 2))
        case .tokenRanks: self = .tokenRanks(try TokenRankTable(parsing: payload, element: type.element ?? .u16))
        case .operationTable: self = .operations(try OperationTable(parsing: payload))
        }
    }

    /// Makes the table of a column from its planes of one row group: a pure function of their values.
    /// - Parameter level: of zstd.
    /// - Returns: the payload of its auxiliary page; nil if none would serve.
    package static func choose(
        _ kind: AuxiliaryKind, for storage: ColumnStorage, planes: [Plane], level: Int
    ) throws(ShardError) -> [UInt8]? {
        switch kind {
        case .zstdDictionary: try ZstdDictionary.train(planes: planes, level: level)
        case .exponentTable: ExponentTable.choose(planes: planes, encoding: storage.encoding)
        case .archiveModel: ArchiveModel.train(planes: planes)
        case .tokenRanks: TokenRankTable.choose(planes: planes)
        case .operationTable: OperationTable.choose(planes: planes)
        }
    }

    /// - Throws: `.corrupt` if it is not for pages of an encoding, though of the right kind. Spec: [R-ENC-5].
    package func check(for encoding: Encoding) throws(ShardError) {
        guard case .exponents(let table) = self, !table.isFor(encoding) else { return }
        throw .corrupt("an exponent table of another encoding than \(encoding)")
    }

    /// What it takes in memory, roughly.
    package var byteCount: Int {
        switch self {
        case .zstdDictionary(let dictionary): dictionary.byteCount
        case .exponents(let table): table.byteCount
        case .archive(let model): model.byteCount
        case .tokenRanks: MemoryLayout<cdr_token_table>.size
        case .operations: MemoryLayout<cdr_operations_table>.size
        }
    }

    /// In words.
    package var summary: String {
        switch self {
        case .zstdDictionary(let dictionary): "a dictionary of \(dictionary.bytes.count) bytes"
        case .exponents(let table): table.summary
        case .archive(let model): model.summary
        case .tokenRanks(let table): table.summary
        case .operations(let table): table.summary
        }
    }
}
