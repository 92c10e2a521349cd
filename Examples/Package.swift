// swift-tools-version: 6.2
import PackageDescription

let products: [Target.Dependency] = ["DRShard", "DRShardFormat", "DRLoader"].map {
    .product(name: $0, package: "drshard")
}

let package = Package(
    name: "drshard-examples",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "drshard", path: "..")],
    targets: [
        // The example of README.md.
        .executableTarget(name: "Reader", dependencies: products),
        // Rows in, an epoch of paired batches out, and the reinforced loss of each.
        .executableTarget(name: "PairedLoss", dependencies: products),
    ]
)
