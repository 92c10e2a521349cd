// CodecBenchmark: what each storage of a column costs and saves: bytes with everything counted, encoding, decoding from
// a mapped shard, single cells; tokens and augmentation records too. `codecs.py` runs it beside other codecs.
//
// One thread. Speeds are medians of several rounds by the thread's processor time; GB/s count the plain bytes of bf16
// once, whatever comes out. README.md of this folder says what each measurement does.
//
//   swift run -c release --package-path Benchmarks CodecBenchmark [OPTION…] [DATA…]
//
// Options:
//   --folder F      where shards go: one that is in memory (default /dev/shm, else the temporary folder)
//   --mib N         plain MiB of a set; it is repeated up to this (default 3200)
//   --rounds N      (default 5)
//   --storage A,B   (default: all that the writer has)
//   --only A,B      of size, encode, decode, hot, gather, cell, copy (default: all)
//   --level L       plain, avx2, avx512 or neon; also from the variable DRSHARD_LEVEL
//   --json          one JSON object a line
//   --write F       writes the generated data as npy into F, and ends
// Data:
//   NAME:FILE.npy           u16 [rows, variants, dims]: bf16
//   NAME:FILE.npy:VARIANTS  u16 [rows * variants, dims], or of three axes: rows of so many of their variants
//   tokens:NAME:FLAT.npy:LENGTHS.npy  u16 ids of all captions, and how many each has, as u8
//   generated, generated-captions, generated-tokens, augmentations
// Without any: all generated data.

import DRShard
import DRShardFormat
import Foundation

struct Settings {
    var folder = FileManager.default.fileExists(atPath: "/dev/shm") ? "/dev/shm" : NSTemporaryDirectory()
    var byteCount = 3200 << 20
    var rounds = 5
    var storages: [ColumnStorage] = ColumnStorage.allCases
    var only: Set<String> = []
    var level: String?
    var isJSON = false
    var target: String?
    var data: [String] = []

    func wants(_ what: String) -> Bool { only.isEmpty || only.contains(what) }

    init(_ arguments: [String]) throws {
        level = ProcessInfo.processInfo.environment["DRSHARD_LEVEL"]
        var rest = arguments[...]
        func next(_ option: String) throws -> String {
            guard let value = rest.popFirst() else { throw Failure("\(option) needs a value") }
            return value
        }
        while let argument = rest.popFirst() {
            switch argument {
            case "--json": isJSON = true
            case "--folder": folder = try next(argument)
            case "--mib": byteCount = (Int(try next(argument)) ?? 1) << 20
            case "--rounds": rounds = max(1, Int(try next(argument)) ?? 5)
            case "--storage":
                storages = try next(argument).split(separator: ",").compactMap { ColumnStorage(rawValue: String($0)) }
            case "--only": only = Set(try next(argument).split(separator: ",").map(String.init))
            case "--level": level = try next(argument)
            case "--write": target = try next(argument)
            default:
                guard !argument.hasPrefix("-") else { throw Failure("there is no option \(argument)") }
                data.append(argument)
            }
        }
        if data.isEmpty { data = ["generated", "generated-captions", "generated-tokens", "augmentations"] }
    }
}

struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

@main struct CodecBenchmark {
    static func main() throws {
        let settings = try Settings(Array(CommandLine.arguments.dropFirst()))
        if let level = settings.level {
            guard KernelLevel(rawValue: level)?.use() == true else { throw Failure("level \(level) does not run here") }
        }
        if let target = settings.target { return try GeneratedSets.write(to: target) }
        let report = Report(settings)
        report.begin()
        for data in settings.data { try run(data, settings, report) }
    }

    static func run(_ data: String, _ settings: Settings, _ report: Report) throws {
        let parts = data.split(separator: ":").map(String.init)
        switch parts[0] {
        case "augmentations":
            try RecordBenchmark(settings, report, name: "augmentations", column: GeneratedSets.augmentations()).run()
        case "generated-tokens":
            let column = RecordColumn(tokens: GeneratedSets.tokens())
            try RecordBenchmark(settings, report, name: "generated-tokens", column: column).run()
        case "tokens" where parts.count == 4:
            let column = RecordColumn(tokens: try captions(flat: parts[2], lengths: parts[3]))
            try RecordBenchmark(settings, report, name: parts[1], column: column).run()
        case "generated": try embeddings("generated", GeneratedSets.views(), settings, report)
        case "generated-captions": try embeddings("generated-captions", GeneratedSets.captions(), settings, report)
        case let name where parts.count == 2 || parts.count == 3:
            let array = try Array3(NpyFile(path: parts[1]), variantCount: parts.count == 3 ? Int(parts[2]) : nil)
            try embeddings(name, array, settings, report)
        default: throw Failure("\(data): see the top of Main.swift for what data may be")
        }
    }

    static func embeddings(_ name: String, _ array: Array3, _ settings: Settings, _ report: Report) throws {
        try EmbeddingBenchmark(settings, report, name: name, array: array).run()
    }

    static func captions(flat: String, lengths: String) throws -> [[UInt16]] {
        let ids = try NpyFile(path: flat).uint16s()
        var start = 0
        return try NpyFile(path: lengths).bytes.map { count in
            defer { start += Int(count) }
            guard start + Int(count) <= ids.count else { throw Failure("\(lengths): longer than \(flat)") }
            return Array(ids[start..<start + Int(count)])
        }
    }
}
