internal import DRShard

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Of this process.
func getProcessID() -> Int32 { getpid() }

/// Processors of the machine.
func processorCount() -> Int { max(1, Int(sysconf(CInt(_SC_NPROCESSORS_ONLN)))) }

enum ThreadReads {
    /// Blocks that this thread had the system read from devices; where that cannot be known, another number every time.
    static var count: Int {
        #if canImport(Glibc)
            var usage = rusage()
            // RUSAGE_THREAD, which the headers show to C alone.
            // SAFETY: the call fills the struct.
            guard unsafe getrusage(__rusage_who_t(1), &usage) == 0 else { return Int(MonotonicClock.nanoseconds) }
            return usage.ru_inblock
        #else
            return Int(truncatingIfNeeded: MonotonicClock.nanoseconds)
        #endif
    }
}
