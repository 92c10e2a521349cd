internal import DRShard

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Keeps a fork of the process from happening while a loader's thread is at work: such a thread may hold locks of readers
/// and of the system, which nobody would ever release in the child.
///
/// Threads are inside while they work, and outside while they wait. A fork waits until all are outside, and keeps them
/// there until it is done. In the child there are no such threads; the next call of a loader makes them anew.
final class ForkGate: Sendable {
    static let shared: ForkGate = {
        let gate = ForkGate()
        pthread_atfork({ ForkGate.shared.prepare() }, { ForkGate.shared.parent() }, { ForkGate.shared.child() })
        return gate
    }()

    private let monitor = Monitor(conditionCount: 1)
    // SAFETY: used under the monitor's lock alone; by a child before there is a second thread.
    private nonisolated(unsafe) var insideCount = 0
    private nonisolated(unsafe) var isShut = false

    /// Whether somebody waits to fork: who works on and on is to leave between two pieces of work.
    var isClosed: Bool {
        monitor.lock()
        defer { monitor.unlock() }
        return unsafe isShut
    }

    func enter() {
        monitor.lock()
        while unsafe isShut { monitor.wait(0) }
        unsafe insideCount += 1
        monitor.unlock()
    }

    func leave() {
        monitor.lock()
        unsafe insideCount -= 1
        if unsafe insideCount == 0, unsafe isShut { monitor.broadcast(0) }
        monitor.unlock()
    }

    private func prepare() {
        monitor.lock()
        unsafe isShut = true
        while unsafe insideCount > 0 { monitor.wait(0) }
    }

    private func parent() {
        unsafe isShut = false
        monitor.broadcast(0)
        monitor.unlock()
    }

    private func child() {
        monitor.reset()
        unsafe insideCount = 0
        unsafe isShut = false
    }
}
