internal import CDRKernels

/// Copies that are written past the cache, for targets that are larger than it: the copy of a cell into memory that was not
/// touched for long costs less than half then.
package enum StreamedCopy {
    /// Copies all of `source` to the start of `target`, which has room. Another thread may read it behind a `fence`.
    package static func copy(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) {
        precondition(source.count <= target.count, "\(source.count) bytes into \(target.count)")
        // SAFETY: both buffers are passed with the smaller count.
        unsafe cdr_copy_streamed(target.baseAddress, source.baseAddress, source.count)
    }

    /// Makes what was copied visible before anything that is written later.
    package static func fence() { cdr_stream_fence() }
}
