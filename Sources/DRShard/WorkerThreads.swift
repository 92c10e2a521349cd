package import DRShardFormat

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Work on threads of its own.
package enum WorkerThreads {
    /// What the threads of one `run` share.
    private final class Work: Sendable {
        let count: Int
        let body: @Sendable (Int) throws(ShardError) -> Void
        private struct State {
            var next = 0
            var failed: Int?
            var error: ShardError?
        }
        private let state = Guarded(State())

        init(count: Int, body: @escaping @Sendable (Int) throws(ShardError) -> Void) {
            self.count = count
            self.body = body
        }

        var failure: ShardError? { state.withLock { $0.error } }

        /// Does pieces until there are no more, or one has failed.
        func run() {
            while let number = next() {
                do throws(ShardError) { try body(number) } catch {
                    state.withLock { state in
                        // Of several errors that of the first piece, as one thread would find it.
                        guard number < state.failed ?? count else { return }
                        state.failed = number
                        state.error = error
                    }
                }
            }
        }

        private func next() -> Int? {
            state.withLock { state in
                guard state.failed == nil, state.next < count else { return nil }
                defer { state.next += 1 }
                return state.next
            }
        }
    }

    /// Calls `body` for the numbers 0 to `count - 1`, each once, in this order, on `threadCount` threads at once; one of
    /// them is the caller's. Begins no other piece once one has failed.
    /// - Throws: what `body` threw; of several errors, that of the lowest number.
    package static func run(
        count: Int, threadCount: Int, _ body: @escaping @Sendable (Int) throws(ShardError) -> Void
    ) throws(ShardError) {
        let work = Work(count: count, body: body)
        let threads = (1..<max(1, min(threadCount, count))).compactMap { _ in WorkerThread { work.run() } }
        work.run()
        for thread in threads { thread.join() }
        if let failure = work.failure { throw failure }
    }
}

/// A thread of its own, which somebody has to join once.
// SAFETY: a handle of the system's, which any thread may use.
package struct WorkerThread: @unchecked Sendable {
    private let handle: pthread_t

    /// - Returns: nil if the system has no thread to give.
    package init?(_ body: @escaping @Sendable () -> Void) {
        let task = unsafe Unmanaged.passRetained(ThreadTask(body)).toOpaque()
        #if canImport(Darwin)
            var thread: pthread_t?
        #else
            var thread = pthread_t()
        #endif
        // SAFETY: the thread takes over the reference that was retained for it, once; without a thread it is taken here.
        guard unsafe pthread_create(&thread, nil, runThreadTask, task) == 0 else {
            unsafe Unmanaged<ThreadTask>.fromOpaque(task).release()
            return nil
        }
        #if canImport(Darwin)
            guard let thread else { return nil }
        #endif
        handle = thread
    }

    /// Waits for its end.
    package func join() { pthread_join(handle, nil) }
}

/// What a new thread is handed.
private final class ThreadTask: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

#if canImport(Darwin)
    private func runThreadTask(_ task: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
        unsafe Unmanaged<ThreadTask>.fromOpaque(task).takeRetainedValue().body()
        return nil
    }
#else
    private func runThreadTask(_ task: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        if let task = unsafe task { unsafe Unmanaged<ThreadTask>.fromOpaque(task).takeRetainedValue().body() }
        return nil
    }
#endif
