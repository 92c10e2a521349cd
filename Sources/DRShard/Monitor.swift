#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// A lock with conditions to wait for.
///
/// State that it guards is used between `lock` and `unlock` alone, one access at a time: a wait lets others in.
// SAFETY: the storage is allocated in init and freed in deinit, when nobody can hold or wait for it any more; the system's
// functions order all use of it.
@safe package final class Monitor: Sendable {
    private nonisolated(unsafe) let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private nonisolated(unsafe) let conditions: UnsafeMutablePointer<pthread_cond_t>
    private let conditionCount: Int

    /// - Parameter conditionCount: conditions, numbered from 0.
    package init(conditionCount: Int) {
        self.conditionCount = conditionCount
        unsafe mutex = .allocate(capacity: 1)
        unsafe conditions = .allocate(capacity: conditionCount)
        unsafe conditions.initialize(repeating: pthread_cond_t(), count: conditionCount)
        unsafe mutex.initialize(to: pthread_mutex_t())
        initialize()
    }

    private func initialize() {
        unsafe pthread_mutex_init(mutex, nil)
        #if canImport(Glibc)
            // So that a wait with a limit does not hang on who sets the clock.
            var attributes = pthread_condattr_t()
            unsafe pthread_condattr_init(&attributes)
            defer { unsafe pthread_condattr_destroy(&attributes) }
            unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
            for i in 0..<conditionCount { unsafe pthread_cond_init(conditions.advanced(by: i), &attributes) }
        #else
            for i in 0..<conditionCount { unsafe pthread_cond_init(conditions.advanced(by: i), nil) }
        #endif
    }

    deinit {
        for i in 0..<conditionCount { unsafe pthread_cond_destroy(conditions.advanced(by: i)) }
        unsafe pthread_mutex_destroy(mutex)
        unsafe conditions.deallocate()
        unsafe mutex.deallocate()
    }

    /// In a forked child: forgets the threads of the parent, which are not there.
    package func reset() { initialize() }

    package func lock() { unsafe pthread_mutex_lock(mutex) }
    package func unlock() { unsafe pthread_mutex_unlock(mutex) }

    /// Lets others in until the condition is signalled, or for no reason: ask again for what was waited for.
    package func wait(_ condition: Int) { unsafe pthread_cond_wait(conditions.advanced(by: condition), mutex) }

    /// The same, for about so long at most.
    package func wait(_ condition: Int, nanoseconds: UInt64) {
        let billion: UInt64 = 1_000_000_000
        #if canImport(Glibc)
            let (end, overflow) = MonotonicClock.nanoseconds.addingReportingOverflow(nanoseconds)
            guard !overflow, end < UInt64(Int64.max) else { return wait(condition) }
            var limit = timespec(tv_sec: Int(end / billion), tv_nsec: Int(end % billion))
            unsafe pthread_cond_timedwait(conditions.advanced(by: condition), mutex, &limit)
        #else
            guard nanoseconds < UInt64(Int64.max) else { return wait(condition) }
            var limit = timespec(tv_sec: Int(nanoseconds / billion), tv_nsec: Int(nanoseconds % billion))
            unsafe pthread_cond_timedwait_relative_np(conditions.advanced(by: condition), mutex, &limit)
        #endif
    }

    package func signal(_ condition: Int) { unsafe pthread_cond_signal(conditions.advanced(by: condition)) }
    package func broadcast(_ condition: Int) { unsafe pthread_cond_broadcast(conditions.advanced(by: condition)) }
}

/// A value that threads use one after the other.
///
/// Q: Why not Swift's `Mutex`? A: The thread sanitizer does not see what its slow path orders, and reports every use that
/// had to wait.
// SAFETY: the value is used under the monitor's lock alone.
package final class Guarded<Value>: @unchecked Sendable {
    @usableFromInline let monitor = Monitor(conditionCount: 0)
    @usableFromInline var value: Value

    package init(_ value: Value) { self.value = value }

    /// Calls `body` with the value while nobody else has it.
    @inlinable package func withLock<Result, Failure: Error>(
        _ body: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        monitor.lock()
        defer { monitor.unlock() }
        return try body(&value)
    }
}
