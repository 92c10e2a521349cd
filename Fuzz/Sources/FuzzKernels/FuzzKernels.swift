import FuzzBodies

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzKernels(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    FuzzBodies.kernels(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}
