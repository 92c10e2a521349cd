/// What went wrong, where, and which kind of thing it is.
///
/// Two errors are equal when their codes are; `reason` and `context` are for people. Four kinds of trouble with a file
/// are kept apart: `unsupported…` (a newer or richer file), `truncated` (it ends too soon), `corrupt` and
/// `checksumMismatch` (its bytes are wrong), and `io` (it could not be read). Spec: FORMAT.md section 11.
public struct ShardError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The kind of an error. Open: later versions may add codes.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        public let description: String
        private init(_ name: String) { description = name }

        /// The bytes end before the structure does.
        public static let truncated = Code("truncated")
        /// The bytes contradict the format.
        public static let corrupt = Code("corrupt")
        /// The bytes do not have the checksum that is stored for them.
        public static let checksumMismatch = Code("checksum mismatch")
        /// A container version that this library does not know.
        public static let unsupportedVersion = Code("unsupported version")
        /// A feature, encoding, codec or field that this library does not know and may not skip.
        public static let unsupportedFeature = Code("unsupported feature")
        /// A number above what the format or the caller allows.
        public static let limitExceeded = Code("limit exceeded")
        /// Files, columns or rows that do not belong together.
        public static let schemaMismatch = Code("schema mismatch")
        /// The caller asked for something that cannot be.
        public static let invalidArgument = Code("invalid argument")
        /// The operating system could not read or write.
        public static let io = Code("input/output error")
    }

    /// Where it happened: whatever is known, added on the way up.
    public struct Context: Sendable, Equatable {
        public var path: String?
        public var rowGroup: Int?
        public var column: String?
        public var variant: Int?
        public var page: Int?
        public var row: Int?
        /// Bytes from the start of the file.
        public var position: UInt64?

        public init(
            path: String? = nil, rowGroup: Int? = nil, column: String? = nil, variant: Int? = nil, page: Int? = nil,
            row: Int? = nil, position: UInt64? = nil
        ) {
            self.path = path
            self.rowGroup = rowGroup
            self.column = column
            self.variant = variant
            self.page = page
            self.row = row
            self.position = position
        }
    }

    public let code: Code
    public private(set) var reason: String
    public var context: Context

    public init(_ code: Code, _ reason: String, context: Context = Context()) {
        self.code = code
        self.reason = reason
        self.context = context
    }

    public static func == (a: ShardError, b: ShardError) -> Bool { a.code == b.code }

    @inline(never) public static func truncated(_ reason: String) -> ShardError { .init(.truncated, reason) }
    @inline(never) public static func corrupt(_ reason: String) -> ShardError { .init(.corrupt, reason) }
    @inline(never) public static func checksumMismatch(_ reason: String) -> ShardError {
        .init(.checksumMismatch, reason)
    }
    @inline(never) public static func unsupportedVersion(_ reason: String) -> ShardError {
        .init(.unsupportedVersion, reason)
    }
    @inline(never) public static func unsupportedFeature(_ reason: String) -> ShardError {
        .init(.unsupportedFeature, reason)
    }
    @inline(never) public static func limitExceeded(_ reason: String) -> ShardError { .init(.limitExceeded, reason) }
    @inline(never) public static func schemaMismatch(_ reason: String) -> ShardError { .init(.schemaMismatch, reason) }
    @inline(never) public static func invalidArgument(_ reason: String) -> ShardError {
        .init(.invalidArgument, reason)
    }
    @inline(never) public static func io(_ reason: String) -> ShardError { .init(.io, reason) }

    /// The same error, with what `context` knows filled in where this one knows nothing.
    public func with(_ outer: Context) -> ShardError {
        var error = self
        error.context.path = context.path ?? outer.path
        error.context.rowGroup = context.rowGroup ?? outer.rowGroup
        error.context.column = context.column ?? outer.column
        error.context.variant = context.variant ?? outer.variant
        error.context.page = context.page ?? outer.page
        error.context.row = context.row ?? outer.row
        error.context.position = context.position ?? outer.position
        return error
    }

    /// The same error, with more of what is known about it, or of what to do.
    public func adding(_ text: String) -> ShardError {
        var error = self
        error.reason += "; " + text
        return error
    }

    /// One line: place, code, reason, in the order in which people look.
    public var description: String {
        var place: [String] = []
        if let path = context.path { place.append(path) }
        if let group = context.rowGroup { place.append("row group \(group)") }
        if let column = context.column { place.append("column \"\(column)\"") }
        if let variant = context.variant { place.append("variant \(variant)") }
        if let page = context.page { place.append("page \(page)") }
        if let row = context.row { place.append("row \(row)") }
        if let position = context.position { place.append("byte \(position)") }
        let prefix = place.isEmpty ? "" : place.joined(separator: ", ") + ": "
        return "\(prefix)\(code): \(reason)"
    }
}
