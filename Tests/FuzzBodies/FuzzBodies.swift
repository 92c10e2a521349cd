/// What the fuzz targets do with their bytes. It lives in this package, and not beside the targets in `Fuzz/`, so that
/// it reaches `package` declarations, and so that ordinary tests replay the inputs that once failed.
///
/// A body returns for any bytes. What must not happen is a trap, a hang, or an allocation out of proportion.
public enum FuzzBodies {
    /// The bodies by the names of their targets, which are also the names of folders in `Fuzz/FailCases`.
    public static let all: [(name: String, body: @Sendable ([UInt8]) -> Void)] = [
        ("FuzzShard", { shard($0) }), ("FuzzForeign", { foreign($0) }),
        ("FuzzKernels", { kernels($0) }),
    ]

    /// Encodes and decodes with every level of the kernels: see `KernelBody`.
    public static func kernels(_ bytes: [UInt8]) { KernelBody.run(bytes) }
}
