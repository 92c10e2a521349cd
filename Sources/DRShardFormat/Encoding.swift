/// Typed values to bytes. Spec: FORMAT.md section 6.3.
public struct Encoding: Hashable, Sendable, RawRepresentable, CustomStringConvertible {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    public static let plain = Encoding(rawValue: 0)
    public static let fast = Encoding(rawValue: 1)
    public static let balanced = Encoding(rawValue: 2)
    public static let archive = Encoding(rawValue: 3)
    public static let tokenRanks = Encoding(rawValue: 4)
    public static let operationTable = Encoding(rawValue: 5)

    private static let names = ["plain", "fast", "balanced", "archive", "token_ranks", "operation_table"]

    /// Whether this library reads it.
    package var isKnown: Bool { Int(rawValue) < Encoding.names.count }

    /// The kind of the auxiliary page that every page with this encoding names; nil for plain. Spec: [R-ENC-3].
    package var auxiliaryKind: AuxiliaryKind? {
        switch self {
        case .fast, .balanced: .exponentTable
        case .archive: .archiveModel
        case .tokenRanks: .tokenRanks
        case .operationTable: .operationTable
        default: nil
        }
    }

    /// Whether cells of a type can have this encoding.
    package func suits(_ type: ColumnType) -> Bool {
        switch self {
        case .plain: true
        case .fast, .balanced, .archive: if case .tensor(.bf16, _) = type { true } else { false }
        case .tokenRanks: type == .ragged(.u16) || type == .ragged(.i32)
        case .operationTable: type == .operations
        default: false
        }
    }

    public var description: String {
        isKnown ? Encoding.names[Int(rawValue)] : "encoding \(rawValue)"
    }
}

/// Bytes to bytes. Spec: FORMAT.md section 7.
public struct Codec: Hashable, Sendable, RawRepresentable, CustomStringConvertible {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let none = Codec(rawValue: 0)
    public static let zstd = Codec(rawValue: 1)
    public static let lz4 = Codec(rawValue: 2)

    private static let names = ["none", "zstd", "lz4"]

    /// Whether this library reads it.
    package var isKnown: Bool { Int(rawValue) < Codec.names.count }
    public var description: String { isKnown ? Codec.names[Int(rawValue)] : "codec \(rawValue)" }
}

/// What an auxiliary page holds. Spec: FORMAT.md section 5.4.
package enum AuxiliaryKind: UInt16, Sendable {
    case zstdDictionary = 1
    case exponentTable = 2
    case archiveModel = 3
    case tokenRanks = 4
    case operationTable = 5
}

/// How a writer stores the cells of a column: an encoding or a codec, never both. Spec: [R-ENC-3].
public enum ColumnStorage: String, CaseIterable, Sendable {
    case plain
    /// For text, binary and integers; with a dictionary trained on the first row group where that pays.
    case zstd
    case lz4
    /// For bf16: about 1.42 times smaller, decoded at about the speed of memory.
    case fast
    /// For bf16: about 1.5 times smaller.
    case balanced
    /// For bf16 with an axis: all variants of a row together, smallest; for storage and transfer, not for training.
    case archive
    /// For token ids.
    case tokenRanks = "token_ranks"
    /// For augmentation records.
    case operationTable = "operation_table"

    package var encoding: Encoding {
        switch self {
        case .plain, .zstd, .lz4: .plain
        case .fast: .fast
        case .balanced: .balanced
        case .archive: .archive
        case .tokenRanks: .tokenRanks
        case .operationTable: .operationTable
        }
    }

    package var codec: Codec {
        switch self {
        case .zstd: .zstd
        case .lz4: .lz4
        default: .none
        }
    }

    /// Rows of a unit: a power of two, at most 256.
    ///
    /// One from 512 bytes a row on, else as many as have 4 KiB on average; where exponent planes make 8 bytes a unit
    /// count, as many as have 2 KiB. Where a unit holds all variants of a row: one from 16 KiB on, else 64 KiB. Tokens
    /// and augmentation records: 64, which cost little to pass over.
    /// - Parameter byteCount: of the values of `rowCount` rows, of all variants that a unit holds.
    package func rowsPerUnit(rowCount: Int, byteCount: Int) -> Int {
        let (smallest, largest) =
            switch self {
            case .fast, .balanced: (1025, 2048)
            case .archive: (16 << 10, 64 << 10)
            case .tokenRanks, .operationTable: (512, 64 * 512)
            default: (512, 4096)
            }
        let mean = max(1, (byteCount + max(1, rowCount) - 1) / max(1, rowCount))
        guard mean < smallest else { return 1 }
        let most = self == .tokenRanks || self == .operationTable ? 64 : 256
        var rows = 1
        while rows < most, rows * 2 * mean <= largest { rows *= 2 }
        return rows
    }

    /// Of the table that a writer makes for it; of zstd: a dictionary, where it pays.
    package var tableKind: AuxiliaryKind? { self == .zstd ? .zstdDictionary : encoding.auxiliaryKind }

    /// What a writer takes for a column unless told otherwise.
    package static func standard(for column: Column) -> ColumnStorage {
        switch column.type {
        case .tensor(.bf16, _): .balanced
        case .tensor(let element, _): element.isInteger ? .zstd : .plain
        case .ragged(.u16), .ragged(.i32): column.tokenizer == nil ? .zstd : .tokenRanks
        case .operations: .operationTable
        case .binary where column.role == .image: .plain
        default: .zstd
        }
    }
}
