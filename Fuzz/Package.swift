// swift-tools-version: 6.2
import PackageDescription

// libFuzzer brings the main function, so that these targets link with its sanitizer only, and need a package of their own.
let package = Package(
    name: "fuzz",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "drshard", path: "..")],
    targets: ["FuzzShard", "FuzzForeign"].map {
        .executableTarget(name: $0, dependencies: [.product(name: "FuzzBodies", package: "drshard")])
    }
)
