internal import DRShardFormat

/// An object behind an opaque pointer: the pointer owns it until it is freed.
enum Handle {
    static func make(_ object: AnyObject) -> OpaquePointer {
        // SAFETY: the reference that is retained here is released by `free`, once.
        OpaquePointer(Unmanaged.passRetained(object).toOpaque())
    }

    /// - Throws: `.invalidArgument` for NULL. A pointer of another kind is the caller's mistake, which nobody can see.
    static func object<Object: AnyObject>(_ handle: OpaquePointer?, _ type: Object.Type) throws(ShardError) -> Object {
        guard let object = known(handle, type) else { throw .invalidArgument("the handle is NULL") }
        return object
    }

    static func known<Object: AnyObject>(_ handle: OpaquePointer?, _ type: Object.Type) -> Object? {
        // SAFETY: the header's contract: a handle that was made here for this type, and not freed.
        handle.map { Unmanaged<Object>.fromOpaque(UnsafeRawPointer($0)).takeUnretainedValue() }
    }

    static func free<Object: AnyObject>(_ handle: OpaquePointer?, _ type: Object.Type) {
        // SAFETY: as above; the caller does not use it again.
        if let handle = handle { Unmanaged<Object>.fromOpaque(UnsafeRawPointer(handle)).release() }
    }
}

/// Runs the body of a function of the header: its error becomes a code, and an object if one is wanted.
func answer(
    _ error: UnsafeMutablePointer<OpaquePointer?>?, _ body: () throws(ShardError) -> Void
) -> Int32 {
    do throws(ShardError) {
        try body()
        return Int32(Code.ok)
    } catch let failure {
        let object = ErrorObject(failure)
        if let error = error { error.pointee = Handle.make(object) }
        return object.code
    }
}

/// A text of the caller's.
/// - Throws: `.invalidArgument` for NULL, or what is not UTF-8.
func text(_ pointer: UnsafePointer<CChar>?, _ what: String) throws(ShardError) -> String {
    guard let pointer = pointer else { throw .invalidArgument("\(what) is NULL") }
    guard let text = String(validatingCString: pointer) else {
        throw .invalidArgument("\(what) is not UTF-8: \"\(String(cString: pointer))\"")
    }
    return text
}

/// Where a function puts what it gives.
/// - Throws: `.invalidArgument` for NULL.
func place<Value>(_ pointer: UnsafeMutablePointer<Value>?) throws(ShardError) -> UnsafeMutablePointer<Value> {
    guard let pointer = pointer else { throw .invalidArgument("there is no place for what is to be given") }
    return pointer
}

/// A number of things; a `size_t` above what there can be comes as a negative one.
/// - Throws: `.invalidArgument` for a number below 0.
func count(_ number: some BinaryInteger, _ what: String) throws(ShardError) -> Int {
    guard number >= 0 else { throw .invalidArgument("\(what): \(number)") }
    return Int(number)
}
