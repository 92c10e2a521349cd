public import CDRKernels
private import Foundation

/// The levels of the kernels that this machine runs. The level that is in use is the process's, and tests run side by
/// side: whoever chooses one does it here, one after the other. Tests beside it run at whatever level is chosen, to the
/// same results.
public enum KernelLevels {
    private static let lock = NSRecursiveLock()

    public static let available = [CDR_LEVEL_PLAIN, CDR_LEVEL_AVX2, CDR_LEVEL_AVX512, CDR_LEVEL_NEON]
        .filter { cdr_level_available($0) != 0 }

    /// Runs `body`, which may choose levels, while nobody else does; the best one is in use again behind it.
    public static func exclusively<Result>(_ body: () throws -> Result) rethrows -> Result {
        lock.lock()
        defer {
            _ = cdr_level_force(CDR_LEVEL_BEST)
            lock.unlock()
        }
        return try body()
    }

    /// Runs `body` at every level.
    public static func forEach(_ body: (cdr_level) throws -> Void) rethrows {
        try exclusively {
            for level in available {
                precondition(cdr_level_force(level) == 1)
                try body(level)
            }
        }
    }
}
