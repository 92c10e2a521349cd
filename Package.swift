// swift-tools-version: 6.2
import PackageDescription

// DRSHARD_STATIC_CODECS=1 links libzstd and liblz4 from their archives, for a library that must run where
// neither is installed. Any other value, or none, takes the shared libraries that pkg-config names.
let staticCodecs = Context.environment["DRSHARD_STATIC_CODECS"] == "1"

let codecLinkerSettings: [LinkerSetting] =
    staticCodecs
    ? [.linkedLibrary(":libzstd.a"), .linkedLibrary(":liblz4.a")]
    : [.linkedLibrary("zstd"), .linkedLibrary("lz4")]

let boundarySettings: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]
let swiftSettings = boundarySettings + [.strictMemorySafety()]

let package = Package(
    name: "drshard",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "DRShardFormat", targets: ["DRShardFormat"]),
        .library(name: "DRShard", targets: ["DRShard"]),
        .library(name: "DRLoader", targets: ["DRLoader"]),
        .library(name: "DRConvert", targets: ["DRConvert"]),
        .library(name: "DRShardC", type: .dynamic, targets: ["DRShardC"]),
        .executable(name: "drshard", targets: ["DRShardCLI"]),
        // For the packages in Fuzz and Benchmarks alone: a product is the only way across packages.
        .library(name: "FuzzBodies", targets: ["FuzzBodies"]),
        .library(name: "GeneratedData", targets: ["GeneratedData"]),
        .library(name: "CDRKernels", targets: ["CDRKernels"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.5.0"),
    ],
    targets: [
        .target(name: "CDRKernels"),
        .systemLibrary(
            name: "CZstd", pkgConfig: staticCodecs ? nil : "libzstd",
            providers: [.apt(["libzstd-dev"]), .brew(["zstd"])]),
        .systemLibrary(
            name: "CLZ4", pkgConfig: staticCodecs ? nil : "liblz4",
            providers: [.apt(["liblz4-dev"]), .brew(["lz4"])]),
        .systemLibrary(
            name: "CArchive", pkgConfig: "libarchive",
            providers: [.apt(["libarchive-dev"]), .brew(["libarchive"])]),
        .systemLibrary(
            name: "CDeflate", pkgConfig: "libdeflate",
            providers: [.apt(["libdeflate-dev"]), .brew(["libdeflate"])]),
        .target(
            name: "DRShardFormat", dependencies: ["CDRKernels", "CZstd", "CLZ4"],
            swiftSettings: swiftSettings, linkerSettings: codecLinkerSettings),
        .target(
            name: "DRShard", dependencies: ["DRShardFormat", "CDRKernels"], swiftSettings: swiftSettings),
        .target(
            name: "DRLoader",
            dependencies: ["DRShard", "DRShardFormat", .product(name: "Logging", package: "swift-log")],
            swiftSettings: swiftSettings),
        // JSON, and CLIP's tokenizer: texts in, values and numbers out.
        .target(name: "DRText", dependencies: ["DRShardFormat"], swiftSettings: swiftSettings),
        .target(
            name: "DRConvert",
            dependencies: ["DRShard", "DRShardFormat", "DRText", "CDRKernels", "CArchive", "CDeflate"],
            swiftSettings: swiftSettings),
        // libdrshard: the header, and what implements it. Scripts/library.sh builds the library. Every line of it is
        // about memory of a caller in C: that is not marked one by one.
        .target(name: "CDRShard"),
        .target(
            name: "DRShardC",
            dependencies: ["CDRShard", "DRLoader", "DRShard", "DRShardFormat", "DRText"],
            swiftSettings: boundarySettings),
        .target(
            name: "DRDoctor", dependencies: ["DRConvert", "DRShard", "DRShardFormat", "DRText"],
            swiftSettings: swiftSettings),
        .executableTarget(
            name: "DRShardCLI",
            dependencies: [
                "CDRKernels", "DRConvert", "DRDoctor", "DRLoader", "DRShard", "DRShardFormat",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "DRShardFormatTests", dependencies: ["DRShardFormat", "CDRKernels", "TestSupport"],
            swiftSettings: swiftSettings),
        .target(
            name: "TestSupport", dependencies: ["CDRKernels"], path: "Tests/TestSupport", swiftSettings: swiftSettings),
        // Bytes that are the same everywhere, for tests of sizes and for benchmarks.
        .target(
            name: "GeneratedData", dependencies: ["DRConvert", "DRShardFormat"], path: "Tests/GeneratedData",
            swiftSettings: swiftSettings),
        .testTarget(
            name: "DRShardTests", dependencies: ["DRShard", "DRShardFormat", "GeneratedData", "TestSupport"],
            exclude: ["Fixtures"], swiftSettings: swiftSettings),
        .testTarget(
            name: "DRLoaderTests",
            dependencies: [
                "DRLoader", "DRShard", "DRShardFormat", "TestSupport", .product(name: "Logging", package: "swift-log"),
            ], swiftSettings: swiftSettings),
        .testTarget(
            name: "DRConvertTests", dependencies: ["DRConvert", "DRShard", "DRShardFormat", "DRText"],
            exclude: ["Fixtures"], swiftSettings: swiftSettings),
        .testTarget(
            name: "DRDoctorTests", dependencies: ["DRConvert", "DRDoctor", "DRShard", "DRShardFormat"],
            swiftSettings: swiftSettings),
        .target(
            name: "FuzzBodies", dependencies: ["CDRKernels", "DRConvert", "DRShard", "DRShardFormat", "DRText"],
            path: "Tests/FuzzBodies",
            swiftSettings: swiftSettings),
        .executableTarget(
            name: "CrashWriter", dependencies: ["DRShard", "DRShardFormat"], path: "Tests/CrashWriter",
            swiftSettings: swiftSettings),
        .executableTarget(
            name: "LoaderProgram", dependencies: ["DRLoader", "DRShard", "DRShardFormat"],
            path: "Tests/LoaderProgram", swiftSettings: swiftSettings),
        .testTarget(
            name: "CrashTests",
            dependencies: ["CrashWriter", "DRLoader", "DRShard", "DRShardFormat", "LoaderProgram", "TestSupport"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "FuzzTests", dependencies: ["FuzzBodies", "TestSupport"], swiftSettings: swiftSettings),
        // Runs the built drshard. DRConvert is there to write its inputs.
        .testTarget(
            name: "CLITests", dependencies: ["DRConvert", "DRShard", "DRShardFormat", "DRText"],
            swiftSettings: swiftSettings),
    ]
)
