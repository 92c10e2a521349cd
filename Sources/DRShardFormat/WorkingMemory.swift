/// Memory of one thread that grows to what is asked for, and is kept.
// SAFETY: the storage is private, and freed in deinit; a room is used until the next one is asked for.
@safe package final class WorkingMemory {
    private var storage: UnsafeMutableRawBufferPointer = unsafe UnsafeMutableRawBufferPointer(start: nil, count: 0)

    package init() {}
    deinit { unsafe storage.deallocate() }

    package var byteCount: Int { unsafe storage.count }

    /// Exactly `count` bytes, aligned to 64, holding anything. What an earlier call gave is gone.
    package func room(_ count: Int) -> UnsafeMutableRawBufferPointer {
        if unsafe storage.count < count {
            unsafe storage.deallocate()
            unsafe storage = .allocate(byteCount: count, alignment: FormatConstants.alignment)
        }
        return unsafe UnsafeMutableRawBufferPointer(rebasing: storage[0..<count])
    }
}
