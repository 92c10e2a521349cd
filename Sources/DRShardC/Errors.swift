public import CDRShard
internal import DRShardFormat

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// The numbers of `drs_code`.
enum Code {
    static let ok = Int32(bitPattern: DRS_OK.rawValue)
    static let end = Int32(bitPattern: DRS_END.rawValue)
    static let notYet = Int32(bitPattern: DRS_NOT_YET.rawValue)

    static func number(_ code: ShardError.Code) -> Int32 {
        let known: [ShardError.Code: drs_code] = [
            .truncated: DRS_TRUNCATED, .corrupt: DRS_CORRUPT, .checksumMismatch: DRS_CHECKSUM_MISMATCH,
            .unsupportedVersion: DRS_UNSUPPORTED_VERSION, .unsupportedFeature: DRS_UNSUPPORTED_FEATURE,
            .limitExceeded: DRS_LIMIT_EXCEEDED, .schemaMismatch: DRS_SCHEMA_MISMATCH,
            .invalidArgument: DRS_INVALID_ARGUMENT, .io: DRS_IO,
        ]
        return Int32(bitPattern: (known[code] ?? DRS_CORRUPT).rawValue)
    }
}

/// What a `drs_error` points to.
final class ErrorObject: Sendable {
    let code: Int32
    private let context: ShardError.Context
    private let message: CText
    private let reason: CText
    private let path: CText?
    private let column: CText?

    init(_ error: ShardError) {
        code = Code.number(error.code)
        context = error.context
        message = CText(error.description)
        reason = CText(error.reason)
        path = error.context.path.map(CText.init)
        column = error.context.column.map(CText.init)
    }

    var info: drs_error_info {
        func number(_ value: Int?) -> Int64 { Int64(value ?? -1) }
        return drs_error_info(
            code: code, message: message.pointer, reason: reason.pointer, path: path?.pointer,
            column: column?.pointer, row_group: number(context.rowGroup), variant: number(context.variant),
            page: number(context.page), row: number(context.row),
            position: context.position.flatMap { Int64(exactly: $0) } ?? -1)
    }
}

@c @implementation public func drs_error_get(_ error: OpaquePointer?, _ info: UnsafeMutablePointer<drs_error_info>?) {
    guard let object = Handle.known(error, ErrorObject.self), let info = info else { return }
    info.pointee = object.info
}

@c @implementation public func drs_error_free(_ error: OpaquePointer?) { Handle.free(error, ErrorObject.self) }

@c @implementation public func drs_version() -> UnsafePointer<CChar>? { StaticText.version.pointer }

@c @implementation public func drs_free(_ text: UnsafeMutableRawPointer?) { free(text) }
