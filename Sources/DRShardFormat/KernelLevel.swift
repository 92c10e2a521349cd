internal import CDRKernels

/// The set of instructions that the loops over floats and exponent planes use. Every level gives the same bits.
public enum KernelLevel: String, CaseIterable, Sendable {
    /// C alone.
    case plain
    /// x86-64 with AVX2 and F16C.
    case avx2
    /// x86-64 with AVX-512 F and BW.
    case avx512
    /// arm64.
    case neon

    private var number: cdr_level {
        switch self {
        case .plain: CDR_LEVEL_PLAIN
        case .avx2: CDR_LEVEL_AVX2
        case .avx512: CDR_LEVEL_AVX512
        case .neon: CDR_LEVEL_NEON
        }
    }

    /// Whether this machine runs it.
    public var isAvailable: Bool { cdr_level_available(number) != 0 }

    /// The one in use: the best that this machine runs, unless `use` chose another.
    public static var current: KernelLevel {
        let number = cdr_level_current()
        return allCases.first { $0.number == number } ?? .plain
    }

    /// Makes all threads use it from now on; for tests and benchmarks.
    /// - Returns: false, and nothing changes, where it is not available.
    @discardableResult public func use() -> Bool { cdr_level_force(number) != 0 }
}
