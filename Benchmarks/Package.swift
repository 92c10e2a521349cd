// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that what benchmarks need never reaches those who use the library.
let package = Package(
    name: "drshard-benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "drshard", path: "..")],
    targets: [
        .executableTarget(
            name: "ShardBenchmark",
            dependencies: [
                .product(name: "DRShard", package: "drshard"), .product(name: "DRShardFormat", package: "drshard"),
                .product(name: "DRLoader", package: "drshard"),
            ]),
        .executableTarget(
            name: "LoaderBenchmark",
            dependencies: [
                .product(name: "DRShard", package: "drshard"), .product(name: "DRShardFormat", package: "drshard"),
                .product(name: "DRLoader", package: "drshard"), .product(name: "GeneratedData", package: "drshard"),
            ]),
        .executableTarget(
            name: "KernelBenchmark",
            dependencies: [
                .product(name: "DRShardFormat", package: "drshard"), .product(name: "CDRKernels", package: "drshard"),
                .product(name: "GeneratedData", package: "drshard"),
            ]),
        .executableTarget(
            name: "CodecBenchmark",
            dependencies: [
                .product(name: "DRShard", package: "drshard"), .product(name: "DRShardFormat", package: "drshard"),
                .product(name: "DRLoader", package: "drshard"), .product(name: "GeneratedData", package: "drshard"),
            ]),
    ]
)
