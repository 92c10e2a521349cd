#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif
internal import DRShardFormat
internal import DRText

/// A text that C reads, for as long as this object lives.
// SAFETY: the memory is filled in init, only read after, and freed in deinit.
final class CText: Sendable {
    nonisolated(unsafe) let pointer: UnsafePointer<CChar>

    init(_ text: String) {
        let characters = text.utf8CString
        let memory = UnsafeMutableBufferPointer<CChar>.allocate(capacity: characters.count)
        _ = memory.initialize(from: characters)
        pointer = UnsafePointer(memory.baseAddress.unsafelyUnwrapped)
    }
    deinit { pointer.deallocate() }
}

/// Gives a text that the caller frees with `drs_free`; nil: NULL. It ends at the first zero in it.
func answer(
    _ text: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ error: UnsafeMutablePointer<OpaquePointer?>?,
    _ make: () throws(ShardError) -> String?
) -> Int32 {
    answer(error) { () throws(ShardError) in
        let place = try place(text)
        guard let made = try make() else {
            place.pointee = nil
            return
        }
        guard let copy = strdup(made) else { throw .limitExceeded("there is no memory for a text") }
        place.pointee = copy
    }
}

/// Texts that live as long as the process: of sets that are known beforehand.
enum StaticText {
    static let version = CText(LibraryVersion.text)
    static let storages = ColumnStorage.allCases.map { ($0, CText($0.rawValue)) }
    static let doubts = RepairDoubt.allCases.map { ($0, CText($0.rawValue)) }
}
