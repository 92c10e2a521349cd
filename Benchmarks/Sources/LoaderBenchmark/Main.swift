// LoaderBenchmark: epochs of paired batches, with a scatter of the same pieces by memcpy beside them.
//
//   LoaderBenchmark make FOLDER [--samples 8192]
//   LoaderBenchmark FOLDER [--batch-size 256] [--threads 1] [--storage plain] [--access mapped] [--order blocks]
//                   [--variants balanced] [--embeddings f32] [--unchecked] [--epochs 5] [--no-memcpy] [--json]
//   LoaderBenchmark plan [ROWS]
//
// `make` writes the same made-up samples (10 views, 1 real and 5 synthetic captions, 1,536 dims) as shards, plain and
// balanced, and as arrays for other loaders. The last form measures plans alone. README.md says what is counted.

import Foundation

@main struct LoaderBenchmark {
    static func main() throws {
        var arguments = Arguments(Array(CommandLine.arguments.dropFirst()))
        switch arguments.positional.first {
        case "make":
            guard arguments.positional.count == 2 else { usage() }
            try Samples.make(folder: arguments.positional[1], count: arguments.integer("samples") ?? 8192)
        case "plan":
            try PlanBenchmark.run(rowCount: arguments.positional.dropFirst().first.flatMap { Int($0) } ?? 1_000_000_000)
        case let folder?: try EpochBenchmark(folder: folder, &arguments).run()
        case nil: usage()
        }
    }

    static func usage() -> Never {
        FileHandle.standardError.write(
            Data("usage: LoaderBenchmark make FOLDER | FOLDER [options] | plan [ROWS]\n".utf8))
        exit(2)
    }
}

/// `--name value`, `--flag`, and the rest.
struct Arguments {
    var positional: [String] = []
    private var values: [String: String] = [:]
    private static let flags: Set = ["unchecked", "json", "no-memcpy", "cold"]

    init(_ words: [String]) {
        var words = words[...]
        while let word = words.popFirst() {
            guard word.hasPrefix("--") else {
                positional.append(word)
                continue
            }
            let name = String(word.dropFirst(2))
            values[name] = Self.flags.contains(name) ? "" : words.popFirst() ?? ""
        }
    }

    func text(_ name: String) -> String? { values[name] }
    func integer(_ name: String) -> Int? { values[name].flatMap { Int($0) } }
    func flag(_ name: String) -> Bool { values[name] != nil }
}

func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

func seconds(_ work: () throws -> Void) rethrows -> Double {
    let start = ContinuousClock.now
    try work()
    let time = (ContinuousClock.now - start).components
    return Double(time.seconds) + Double(time.attoseconds) * 1e-18
}
