// swift-tools-version: 6.2
import PackageDescription

// libFuzzer brings the main function: these targets link with its sanitizer only, and so have a package of their own.
// SwiftPM tells packages apart by the names of their folders: the folder above must not be called `fuzz`.
let package = Package(
    name: "fuzz",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "drshard", path: "..")],
    targets: ["FuzzShard", "FuzzForeign", "FuzzKernels"].map {
        .executableTarget(name: $0, dependencies: [.product(name: "FuzzBodies", package: "drshard")])
    }
)
