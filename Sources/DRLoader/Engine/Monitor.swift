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
@safe final class Monitor: Sendable {
    private nonisolated(unsafe) let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private nonisolated(unsafe) let conditions: UnsafeMutablePointer<pthread_cond_t>
    private let conditionCount: Int

    /// - Parameter conditionCount: conditions, numbered from 0.
    init(conditionCount: Int) {
        self.conditionCount = conditionCount
        unsafe mutex = .allocate(capacity: 1)
        unsafe conditions = .allocate(capacity: conditionCount)
        unsafe conditions.initialize(repeating: pthread_cond_t(), count: conditionCount)
        unsafe mutex.initialize(to: pthread_mutex_t())
        initialize()
    }

    private func initialize() {
        unsafe pthread_mutex_init(mutex, nil)
        for i in 0..<conditionCount { unsafe pthread_cond_init(conditions.advanced(by: i), nil) }
    }

    deinit {
        for i in 0..<conditionCount { unsafe pthread_cond_destroy(conditions.advanced(by: i)) }
        unsafe pthread_mutex_destroy(mutex)
        unsafe conditions.deallocate()
        unsafe mutex.deallocate()
    }

    /// In a forked child: forgets the threads of the parent, which are not there.
    func reset() { initialize() }

    func lock() { unsafe pthread_mutex_lock(mutex) }
    func unlock() { unsafe pthread_mutex_unlock(mutex) }

    /// Lets others in until the condition is signalled, or for no reason: ask again for what was waited for.
    func wait(_ condition: Int) { unsafe pthread_cond_wait(conditions.advanced(by: condition), mutex) }

    func signal(_ condition: Int) { unsafe pthread_cond_signal(conditions.advanced(by: condition)) }
    func broadcast(_ condition: Int) { unsafe pthread_cond_broadcast(conditions.advanced(by: condition)) }

    func withLock<Result>(_ body: () -> Result) -> Result {
        lock()
        defer { unlock() }
        return body()
    }
}
