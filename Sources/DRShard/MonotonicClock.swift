#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// The time for measuring how long things take.
package enum MonotonicClock {
    /// Since some moment of the machine's. Cost: about 20 ns.
    package static var nanoseconds: UInt64 {
        var time = timespec()
        // SAFETY: the call fills the struct.
        guard unsafe clock_gettime(CLOCK_MONOTONIC, &time) == 0 else { return 0 }
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
