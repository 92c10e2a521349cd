internal import DRShardFormat

/// Two cells that differ, in short.
public struct CellDifference: Hashable, Sendable {
    /// The id of the row, in hexadecimal; nil if it was lost.
    public let id: String?
    /// The row's number in each data set.
    public let rowA: Int
    public let rowB: Int
    public let variant: Int
    /// The first element that differs, of numbers, or byte, of everything else; nil if a cell is not present.
    public let place: Int?
    public let placeIsElement: Bool
    /// What stands there.
    public let a: String
    public let b: String

    /// A value; nil: not present.
    typealias Value = (state: CellState, bytes: ArraySlice<UInt8>)

    init(id: String?, rowA: Int, rowB: Int, variant: Int, type: ColumnType, _ a: Value, _ b: Value) {
        self.id = id
        self.rowA = rowA
        self.rowB = rowB
        self.variant = variant
        let size = type.element?.byteCount
        placeIsElement = size != nil
        guard a.state == .present, b.state == .present else {
            place = nil
            func text(_ value: Value) -> String {
                value.state == .present ? "a value of \(value.bytes.count) bytes" : "\(value.state)"
            }
            (self.a, self.b) = (text(a), text(b))
            return
        }
        let (first, second) = (Array(a.bytes), Array(b.bytes))
        let common = min(first.count, second.count)
        let byte = (0..<common).first { first[$0] != second[$0] } ?? common
        let place = byte / (size ?? 1)
        self.place = place
        func text(_ value: [UInt8]) -> String { CellDifference.text(value, place, type.element) }
        (self.a, self.b) = (text(first), text(second))
    }

    /// Bytes that are shown of what has no elements.
    private static let shownByteCount = 24

    private static func text(_ value: [UInt8], _ place: Int, _ element: ElementType?) -> String {
        guard let element else {
            guard place < value.count else { return "its end" }
            let rest = value[place...].prefix(shownByteCount)
            return quoted(bytes: Array(rest)) + (place + rest.count < value.count ? "..." : "")
        }
        let start = place * element.byteCount
        guard start + element.byteCount <= value.count else { return "its end" }
        var bits: UInt64 = 0
        for i in (start..<start + element.byteCount).reversed() { bits = bits << 8 | UInt64(value[i]) }
        let digits = "0x" + String(bits, radix: 16)
        switch element {
        case .bf16: return "\(Float(bitPattern: UInt32(bits) << 16)) (\(digits))"
        case .f32: return "\(Float(bitPattern: UInt32(bits))) (\(digits))"
        case .f64: return "\(Double(bitPattern: bits)) (\(digits))"
        case .f16: return digits
        default:
            guard element.isSigned else { return String(bits) }
            let unused = UInt64(64 - 8 * element.byteCount)
            return String(Int64(bitPattern: bits << unused) >> Int64(unused))
        }
    }
}
