package import DRShardFormat

/// What an export reads, writes, and may give up.
package struct ExportOptions: Sendable {
    package enum Format: String, Sendable, CaseIterable {
        /// Tars of the DataCompDR layout, as `convert` reads them.
        case datacompdr
        /// A folder of `.npy` files for each shard.
        case npy
        /// The same arrays in one stored `.npz`.
        case npz
        case safetensors
        /// Parameters and texts, an object a line.
        case jsonl

        /// Whether the output is arrays of all rows.
        package var isArrays: Bool { [.npy, .npz, .safetensors].contains(self) }
    }

    /// What becomes of bfloat16 where NumPy reads it.
    package enum BF16As: String, Sendable, CaseIterable {
        /// float32, which holds every value of it.
        case f32
        /// Its bits as numbers; such arrays' names end in `_bf16`.
        case u16
    }

    package var format: Format
    /// The folder for the outputs.
    package var output: String
    /// The element type of embeddings in tars and safetensors, bf16 or f32; nil: as they are stored.
    package var element: ElementType?
    /// Whether float32 may be rounded to bfloat16, to nearest and ties to even.
    package var allowsRounding = false
    /// Of gzip and of npz in tars, 0...12.
    package var level = 6
    /// Whether what a format cannot hold is left out and counted; otherwise it is an error.
    package var isLossy = false
    package var bf16As = BF16As.f32
    /// Whether arrays get a `.jsonl` of their rows beside them.
    package var withJSONLines = false
    /// Whether a `.jsonl` has token ids.
    package var withTokens = false
    /// Shards that are written at once.
    package var jobs = 1
    /// Whether outputs that are there are taken as done, and unfinished ones begun again.
    package var resumes = false

    package init(format: Format, output: String) {
        self.format = format
        self.output = output
    }

    /// - Throws: `.invalidArgument` for options that do not go together.
    func check() throws(ShardError) {
        guard element == nil || format == .datacompdr || format == .safetensors else {
            throw .invalidArgument("the element type can be chosen for tars and safetensors; bf16-as is for NumPy")
        }
        guard element.map({ [.bf16, .f32].contains($0) }) ?? true else {
            throw .invalidArgument("embeddings are written as bf16 or f32")
        }
        guard bf16As == .f32 || format == .npy || format == .npz else {
            throw .invalidArgument("bf16-as is for npy and npz")
        }
        guard !withJSONLines || format.isArrays else { throw .invalidArgument("with-jsonl is for arrays") }
        guard !withTokens || withJSONLines || format == .jsonl else {
            throw .invalidArgument("tokens are chosen for jsonl; arrays always have them, tars never")
        }
        guard (0...12).contains(level) else { throw .invalidArgument("level \(level), allowed is 0...12") }
    }

    /// How numbers of a column become those that are written.
    /// - Throws: `.invalidArgument` if that would round and may not.
    func conversion(of stored: ElementType, column: String) throws(ShardError) -> (ElementType, FloatConversion?) {
        guard let element, element != stored, [.f16, .bf16, .f32].contains(stored) else { return (stored, nil) }
        switch (stored, element) {
        case (.bf16, .f32): return (.f32, .bf16ToF32)
        case (.f16, .f32): return (.f32, .f16ToF32)
        default:
            guard allowsRounding else {
                throw .invalidArgument(
                    "column \"\(column)\" is \(stored), which bf16 would round; --allow-rounding lets it")
            }
            return (.bf16, stored == .f32 ? .f32ToBF16 : .f16ToBF16)
        }
    }
}

/// What an export did.
package struct ExportReport: Sendable, Equatable {
    package struct File: Sendable, Equatable {
        package var path: String
        /// Of a folder, of all files in it.
        package var byteCount: UInt64
        package var rowCount: Int
    }

    /// What was written, in the order of the shards.
    package var files: [File] = []
    /// Outputs that were there before, and were left as they are.
    package var alreadyThere: [String] = []
    /// Rows of all shards.
    package var rowCount = 0
    package var losses = ExportLosses()

    package init() {}
    package var byteCount: UInt64 { files.reduce(0) { $0 + $1.byteCount } }
}

/// What could not be carried, and how often.
package struct ExportLosses: Sendable, Equatable {
    /// By what it is: rows left out, cells, members.
    package private(set) var counts: [String: Int] = [:]
    /// Columns and facts that the format has no place for, whatever the rows are.
    package private(set) var notCarried: [String] = []

    package init() {}

    mutating func add(_ what: String, _ count: Int = 1) { counts[what, default: 0] += count }
    mutating func leaveOut(_ what: String) { if !notCarried.contains(what) { notCarried.append(what) } }
    mutating func merge(_ other: ExportLosses) {
        counts.merge(other.counts) { $0 + $1 }
        for what in other.notCarried { leaveOut(what) }
    }

    /// A sentence each.
    package var warnings: [String] {
        (notCarried.isEmpty ? [] : ["not carried: " + notCarried.joined(separator: "; ")])
            + counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
    }

    /// Gives something up if that is allowed.
    /// - Parameter what: in the plural; a count stands before it.
    /// - Throws: `.invalidArgument` with `why` otherwise.
    mutating func giveUp(_ what: String, isAllowed: Bool, why: @autoclosure () -> String) throws(ShardError) {
        guard isAllowed else { throw .invalidArgument("\(why()); --lossy leaves it out and counts it") }
        add(what)
    }
}
