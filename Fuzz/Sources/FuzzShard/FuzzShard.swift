import FuzzBodies

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzShard(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    FuzzBodies.shard(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}
