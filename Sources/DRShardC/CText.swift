#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif
internal import DRShardFormat
internal import DRText

/// A text that C reads, for as long as this object lives.
// SAFETY: the memory is the system's copy, never written to, and freed in deinit.
final class CText: Sendable {
    nonisolated(unsafe) let pointer: UnsafePointer<CChar>

    init(_ text: String) { pointer = UnsafePointer(copy(text)) }
    deinit { free(UnsafeMutablePointer(mutating: pointer)) }
}

/// A copy of a text that the caller frees with `drs_free`. It ends at the first zero in the text.
func copy(_ text: String) -> UnsafeMutablePointer<CChar> {
    guard let copy = strdup(text) else { fatalError("there is no memory for a text") }
    return copy
}

/// Texts that live as long as the process: of sets that are known beforehand.
enum StaticText {
    static let version = CText("0.1.0")
    static let storages = ColumnStorage.allCases.map { ($0, CText($0.rawValue)) }
    static let doubts = RepairDoubt.allCases.map { ($0, CText($0.rawValue)) }
}
