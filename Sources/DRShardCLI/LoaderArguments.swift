internal import ArgumentParser
internal import DRLoader
internal import DRShard
internal import DRShardFormat
internal import Foundation

/// What a loader is made of at the command line.
struct LoaderArguments: ParsableArguments {
    @Argument(help: "Shards, or folders of shards; of several, rows are mixed.", completion: .file(extensions: ["drs"]))
    var paths: [String]

    @Option(help: "Rows of a global batch.")
    var batchSize = 256

    @Option(help: "Parts into which an epoch is cut: a divisor of the batch size, a multiple of the number of ranks.")
    var lanes: Int?

    @Option(help: "Rows that are read together.")
    var blockRows = 256

    @Option(help: "Blocks of a lane whose rows are mixed.")
    var windowBlocks: Int?

    @Option(help: "How far rows are mixed: blocks, global, none.", transform: named)
    var order = RowOrder.blocks

    @Option(help: "How views and captions are drawn: balanced, epoch, independent.", transform: named)
    var variants = VariantMode.balanced

    @Option(help: "What becomes of the last rows: drop, pad, short.", transform: named)
    var tail = Tail.drop

    @Option(help: "Another seed, another order.")
    var seed: UInt64 = 0

    @Option(help: "Which of the ranks this is, from 0.")
    var rank = 0

    @Option(help: "The number of ranks.")
    var ranks = 1

    @Option(help: "Weights of several sets, in their order: 3,1.")
    var weights: String?

    @Option(help: "Steps of an epoch of several sets.")
    var epochSteps: Int?

    @Option(help: "Axes of views, with weights if there are several: view or a:3,b:1. The same for captions.")
    var views: String?

    @Option(help: "Axes of real captions.")
    var real: String?

    @Option(help: "Axes of synthetic captions.")
    var synthetic: String?

    @Option(
        help: "Parts of a batch: row-ids, embeddings, augmentations, tokens, texts, images, separated by commas.")
    var content = "embeddings,augmentations,tokens"

    @Option(help: "Elements of embeddings: bf16, f16 or f32; as stored if not given.")
    var embeddings: String?

    @Flag(help: "Put the embedding columns of a part side by side into one matrix.")
    var join = false

    @Option(help: "The name of the tokenizer whose tokens are wanted, where there are several.")
    var tokenizer: String?

    @Option(help: "Elements of token ids: i32, i64, u16.")
    var tokens = "i32"

    @Option(help: "Only rows of a part of a split by row id: NAME:FROM-TO/COUNT, as split:0-95/100.")
    var split: String?

    @Option(help: "Only rows whose ids stand in a file, in hexadecimal digits, one a line.", completion: .file())
    var only: String?

    @Option(help: "No rows whose ids stand in a file.", completion: .file())
    var except: String?

    @Option(help: "A list of rows that are not read, as `verify --quarantine` writes it.", completion: .file())
    var quarantine: [String] = []

    @Option(help: "Substitute rows that cannot be read, up to so many; without it they end the run.")
    var substitute: Int?

    @Option(help: "Threads that read and decode.")
    var threads: Int?

    @Option(help: "MiB of batches that are made ahead, at least.")
    var prefetchMib = 64

    @Option(help: "MiB that the system is asked to fetch ahead; 0: none.")
    var readAheadMib = 64

    @Flag(help: "Map the files instead of reading them: for files that nobody truncates meanwhile.")
    var mapped = false

    @Flag(help: "Do not compare the checksums of values.")
    var unchecked = false

    private static func named<Choice: RawRepresentable<String> & CaseIterable>(_ name: String) throws -> Choice {
        guard let choice = Choice(rawValue: name) else {
            let names = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("\"\(name)\" is none of \(names)")
        }
        return choice
    }

    func loader() throws(ShardError) -> PairedLoader {
        var options = LoaderOptions()
        options.plan = plan
        options.content = try contentSet()
        options.views = try Self.choices(views, "--views")
        options.real = try Self.choices(real, "--real")
        options.synthetic = try Self.choices(synthetic, "--synthetic")
        options.embeddingElement = try embeddings.map { name throws(ShardError) in try Self.element(name) }
        options.joinsEmbeddings = join
        options.tokenizer = tokenizer
        options.tokenElement = try Self.element(tokens)
        options.damage = substitute.map { .substitute(maximumRows: $0) } ?? .raise
        options.threadCount = threads
        guard (0...1 << 20).contains(prefetchMib), (0...1 << 20).contains(readAheadMib) else {
            throw .invalidArgument("--prefetch-mib and --read-ahead-mib are from 0 to \(1 << 20)")
        }
        options.prefetchByteCount = prefetchMib << 20
        options.readAheadByteCount = readAheadMib << 20
        return try PairedLoader(sets: try sets(), options: options)
    }

    private var plan: PlanOptions {
        var plan = PlanOptions()
        plan.seed = seed
        plan.batchSize = batchSize
        plan.lanes = lanes
        plan.blockRows = blockRows
        plan.windowBlocks = windowBlocks
        plan.order = order
        plan.variants = variants
        plan.tail = tail
        plan.epochSteps = epochSteps
        plan.world = World(rank: rank, worldSize: ranks)
        return plan
    }

    private func sets() throws(ShardError) -> [LoaderSet] {
        var reading = ReaderOptions()
        reading.checksUnits = !unchecked
        let weights = try weightNumbers()
        let filters = try filters()
        var lists: [SequenceDigest: Quarantine] = [:]
        for path in quarantine {
            let list = try Self.quarantine(path)
            lists[list.rowSetDigest, default: Quarantine(rowSetDigest: list.rowSetDigest)].rows.formUnion(list.rows)
        }
        var unused = Set(lists.keys)
        var sets: [LoaderSet] = []
        for (i, path) in paths.enumerated() {
            let dataSet = try DataSet(path: path, access: mapped ? .mapped : .read, options: reading)
            let selection =
                filters.isEmpty ? nil : try RowSelection(dataSet, filters: filters, threadCount: threads ?? 2)
            let digest = dataSet.rowSetDigest
            sets.append(
                LoaderSet(dataSet, weight: weights[i], selection: selection, quarantine: lists[digest]))
            unused.remove(digest)
        }
        if let other = unused.first {
            throw .schemaMismatch("a quarantine list of the row set \(other), which no data set has")
        }
        return sets
    }

    private func weightNumbers() throws(ShardError) -> [Int] {
        guard let weights else { return Array(repeating: 1, count: paths.count) }
        let numbers = weights.split(separator: ",").map { Int($0) ?? 0 }
        guard numbers.count == paths.count, numbers.allSatisfy({ $0 > 0 }) else {
            throw .invalidArgument("--weights \(weights): one positive number for each of \(paths.count) data sets")
        }
        return numbers
    }

    private func contentSet() throws(ShardError) -> BatchContent {
        let known: [String: BatchContent] = [
            "row-ids": .rowIDs, "embeddings": .embeddings, "augmentations": .augmentations, "tokens": .tokens,
            "texts": .texts, "images": .images,
        ]
        var content: BatchContent = []
        for name in contentNames {
            guard let part = known[name] else {
                throw .invalidArgument(
                    "--content \(name): the parts are \(known.keys.sorted().joined(separator: ", "))")
            }
            content.insert(part)
        }
        return content
    }

    private var contentNames: [String] { content.split(separator: ",").map(String.init) }

    private static func choices(_ text: String?, _ option: String) throws(ShardError) -> [AxisChoice] {
        var choices: [AxisChoice] = []
        for word in text?.split(separator: ",") ?? [] {
            let parts = word.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count <= 2, let weight = parts.count == 2 ? Int(parts[1]) : 1, weight > 0 else {
                throw .invalidArgument("\(option) \(word): NAME or NAME:WEIGHT")
            }
            choices.append(AxisChoice(String(parts[0]), weight: weight))
        }
        return choices
    }

    private static func element(_ name: String) throws(ShardError) -> ElementType {
        guard let element = ElementType.allCases.first(where: { $0.description == name }) else {
            throw .invalidArgument("there is no element type \"\(name)\"")
        }
        return element
    }

    private func filters() throws(ShardError) -> [RowFilter] {
        var filters: [RowFilter] = []
        if let only { filters.append(.list(ids: try Self.ids(only), isExclusion: false)) }
        if let except { filters.append(.list(ids: try Self.ids(except), isExclusion: true)) }
        if let split { filters.append(try Self.split(split)) }
        return filters
    }

    private static func split(_ text: String) throws(ShardError) -> RowFilter {
        if let colon = text.lastIndex(of: ":") {
            let numbers = text[text.index(after: colon)...].split(whereSeparator: { "-/".contains($0) }).map { Int($0) }
            if numbers.count == 3, let from = numbers[0], let to = numbers[1], let count = numbers[2], from < to {
                return .split(name: String(text[..<colon]), range: from..<to, count: count)
            }
        }
        throw .invalidArgument("--split \(text): NAME:FROM-TO/COUNT, as split:0-95/100 for the first 95 of 100 parts")
    }

    private static func ids(_ path: String) throws(ShardError) -> Set<[UInt8]> {
        var ids: Set<[UInt8]> = []
        for (number, line) in try text(path).split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
            .enumerated()
        {
            let word = line.filter { !$0.isWhitespace }
            guard !word.isEmpty else { continue }
            let digits = word.compactMap(\.hexDigitValue)
            guard digits.count == word.count, word.count % 2 == 0 else {
                throw ShardError.invalidArgument(
                    "line \(number + 1) is \"\(word.prefix(80))\", no id in hexadecimal digits"
                )
                .with(.init(path: path))
            }
            ids.insert(stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) })
        }
        return ids
    }

    private static func quarantine(_ path: String) throws(ShardError) -> Quarantine {
        do throws(ShardError) { return try Quarantine(parsing: try text(path)) } catch {
            throw error.with(.init(path: path))
        }
    }

    static func write(_ list: Quarantine, to path: String) throws(ShardError) {
        do { try list.text.write(toFile: path, atomically: true, encoding: .utf8) } catch {
            throw ShardError.io("cannot write it: \(error.localizedDescription)").with(.init(path: path))
        }
    }

    static func text(_ path: String) throws(ShardError) -> String {
        do { return try String(contentsOfFile: path, encoding: .utf8) } catch {
            throw ShardError.io("cannot read it: \(error.localizedDescription)").with(.init(path: path))
        }
    }
}
