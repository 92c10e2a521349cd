#!/bin/bash
# Builds the Swift example of README.md as a package that depends on this one, and runs it on a converted sample.
#   check_dependency.sh DRSHARD
set -euo pipefail
cd "$(dirname "$0")/.."

drshard=$1
package=.build/dependency
mkdir -p "$package/Sources/reader"
cat >"$package/Package.swift" <<SWIFT
// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "reader",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "drshard", path: "$PWD")],
    targets: [
        .executableTarget(
            name: "reader",
            dependencies: [
                .product(name: "DRShard", package: "drshard"), .product(name: "DRShardFormat", package: "drshard"),
                .product(name: "DRLoader", package: "drshard"),
            ])
    ]
)
SWIFT
sed -n '/^```swift$/,/^```$/p' README.md | sed '/^```/d' >"$package/Sources/reader/main.swift"
[ -s "$package/Sources/reader/main.swift" ] || { echo "README.md has no example in Swift" >&2; exit 1; }
swift build --package-path "$package"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$drshard" sample "$work/sample" --samples 20 --dims 32 >"$work/log"
"$drshard" convert "$work/sample/reinforced" --captions "$work/sample/captions" --output "$work/shards" >"$work/log"
"$(swift build --package-path "$package" --show-bin-path)/reader" "$work/shards"
