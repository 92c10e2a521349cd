/// A type of number. Spec: FORMAT.md section 6.2.
public enum ElementType: UInt8, Sendable, CaseIterable, CustomStringConvertible {
    case u8 = 1, i8, u16, i16, u32, i32, u64, i64, f16, bf16, f32, f64

    public var byteCount: Int {
        switch self {
        case .u8, .i8: 1
        case .u16, .i16, .f16, .bf16: 2
        case .u32, .i32, .f32: 4
        case .u64, .i64, .f64: 8
        }
    }

    public var isInteger: Bool { rawValue <= ElementType.i64.rawValue }
    public var isSigned: Bool { [.i8, .i16, .i32, .i64].contains(self) }
    public var description: String {
        switch self {
        case .u8: "u8"
        case .i8: "i8"
        case .u16: "u16"
        case .i16: "i16"
        case .u32: "u32"
        case .i32: "i32"
        case .u64: "u64"
        case .i64: "i64"
        case .f16: "f16"
        case .bf16: "bf16"
        case .f32: "f32"
        case .f64: "f64"
        }
    }
}

/// What the cells of a column are. Spec: FORMAT.md section 6.2.
public enum ColumnType: Hashable, Sendable {
    /// Numbers of a fixed shape; no dims: a single number.
    case tensor(ElementType, dims: [Int])
    /// Numbers, any count of them.
    case ragged(ElementType)
    case utf8
    case binary
    /// An augmentation record: see `Augmentation`.
    case operations
    /// Where bytes lie in another file: see `Locator`.
    case locator

    package var id: UInt8 {
        switch self {
        case .tensor: 1
        case .ragged: 2
        case .utf8: 3
        case .binary: 4
        case .operations: 5
        case .locator: 6
        }
    }

    public var name: String {
        switch self {
        case .tensor: "tensor"
        case .ragged: "ragged"
        case .utf8: "utf8"
        case .binary: "binary"
        case .operations: "operations"
        case .locator: "locator"
        }
    }

    public var element: ElementType? {
        switch self {
        case .tensor(let element, _), .ragged(let element): element
        default: nil
        }
    }

    /// Bytes of every cell, for a tensor. Its dims are valid: see `Column.init`.
    public var cellByteCount: Int? {
        guard case .tensor(let element, let dims) = self else { return nil }
        return dims.reduce(element.byteCount, *)
    }
}

/// What a column is for; advice to readers, who keep what they don't know. Spec: FORMAT.md section 9.2.
public struct Role: Hashable, Sendable, RawRepresentable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let other = Role(rawValue: 0)
    public static let rowID = Role(rawValue: 1)
    public static let url = Role(rawValue: 2)
    public static let image = Role(rawValue: 3)
    public static let imageEmbedding = Role(rawValue: 4)
    public static let textEmbedding = Role(rawValue: 5)
    public static let text = Role(rawValue: 6)
    public static let tokens = Role(rawValue: 7)
    public static let augmentation = Role(rawValue: 8)
    public static let imageHash = Role(rawValue: 9)
    public static let imageSize = Role(rawValue: 10)

    public var name: String {
        let names = [
            "other", "row_id", "url", "image", "image_embedding", "text_embedding", "text", "tokens", "augmentation",
            "image_hash", "image_size",
        ]
        return Int(rawValue) < names.count ? names[Int(rawValue)] : "role \(rawValue)"
    }
}
