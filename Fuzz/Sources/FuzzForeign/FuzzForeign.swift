import FuzzBodies

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzForeign(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    FuzzBodies.foreign(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}
