/// A model whose embeddings are stored. Spec: FORMAT.md section 9.3.
public struct Teacher: Hashable, Sendable {
    /// Elements `[first, first + count)` of a column's cells.
    public struct Slice: Hashable, Sendable {
        public var column: Int
        public var first: Int
        public var count: Int
        public init(column: Int, first: Int, count: Int) {
            self.column = column
            self.first = first
            self.count = count
        }
    }
    public enum Normalised: UInt8, Sendable {
        case no = 0
        case yes = 1
        case unknown = 2
    }

    /// Architecture and weights, as their library names them.
    public var name: String
    public var normalised: Normalised
    /// The factor for its logits, already exponentiated.
    public var logitScale: Double?
    public var slices: [Slice]
    public var weightsSHA256: [UInt8]?

    public init(
        name: String, normalised: Normalised, logitScale: Double? = nil, slices: [Slice], weightsSHA256: [UInt8]? = nil
    ) {
        self.name = name
        self.normalised = normalised
        self.logitScale = logitScale
        self.slices = slices
        self.weightsSHA256 = weightsSHA256
    }
}

/// What made the synthetic captions of an axis.
public struct Captioner: Hashable, Sendable {
    public var name: String
    public var axis: Int
    public var settings: String?
    public init(name: String, axis: Int, settings: String? = nil) {
        self.name = name
        self.axis = axis
        self.settings = settings
    }
}

/// What made the token columns.
public struct Tokenizer: Hashable, Sendable {
    public var name: String
    /// Of the vocabulary file's bytes.
    public var vocabularySHA256: [UInt8]
    public var vocabularySize: UInt32
    public var contextLength: UInt32
    /// Ids of the start and end tokens, which are not stored.
    public var start: UInt32
    public var end: UInt32
    public init(
        name: String, vocabularySHA256: [UInt8], vocabularySize: UInt32, contextLength: UInt32, start: UInt32,
        end: UInt32
    ) {
        self.name = name
        self.vocabularySHA256 = vocabularySHA256
        self.vocabularySize = vocabularySize
        self.contextLength = contextLength
        self.start = start
        self.end = end
    }
}

/// A row of the operation table: what a number in augmentation records means, and the magnitudes that occur.
public struct OperationEntry: Hashable, Sendable {
    public var operation: UInt8
    public var name: String
    /// Ascending, each once.
    public var magnitudes: [Double]
    public init(operation: UInt8, name: String, magnitudes: [Double]) {
        self.operation = operation
        self.name = name
        self.magnitudes = magnitudes
    }
}

/// Where data came from, and under which licence.
public struct Source: Hashable, Sendable {
    public var name: String
    public var licence: String
    public var reference: String?
    public init(name: String, licence: String, reference: String? = nil) {
        self.name = name
        self.licence = licence
        self.reference = reference
    }
}

/// A fact for people: a key and its value.
public struct Note: Hashable, Sendable {
    public var key: String
    public var value: String
    public init(key: String, value: String) {
        self.key = key
        self.value = value
    }
}

/// Beside which shard a side shard stands. Spec: FORMAT.md section 9.5.
public struct SideReference: Hashable, Sendable {
    public struct SharedAxis: Hashable, Sendable {
        public var axis: Int
        public var digest: SequenceDigest
        public init(axis: Int, digest: SequenceDigest) {
            self.axis = axis
            self.digest = digest
        }
    }
    public var rowSetDigest: SequenceDigest
    public var rowCount: UInt64
    public var axes: [SharedAxis]
    public init(rowSetDigest: SequenceDigest, rowCount: UInt64, axes: [SharedAxis]) {
        self.rowSetDigest = rowSetDigest
        self.rowCount = rowCount
        self.axes = axes
    }
}

/// What the numbers of a data set mean. Spec: FORMAT.md section 9.3.
public struct SchemaMetadata: Hashable, Sendable {
    public var teachers: [Teacher] = []
    public var captioners: [Captioner] = []
    public var tokenizers: [Tokenizer] = []
    public var operations: [OperationEntry] = []
    public var sources: [Source] = []
    public var provenance: [Note] = []
    public var side: SideReference?

    public init() {}

    func check(axes: [Axis], columns: [Column]) throws(ShardError) {
        for column in columns {
            if let tokenizer = column.tokenizer, !tokenizers.indices.contains(tokenizer) {
                throw .invalidArgument("column \"\(column.name)\": tokenizer \(tokenizer) of \(tokenizers.count)")
            }
        }
        for teacher in teachers {
            for slice in teacher.slices { try check(slice, of: teacher.name, columns: columns) }
            guard teacher.weightsSHA256?.count ?? 32 == 32 else {
                throw .invalidArgument("teacher \"\(teacher.name)\": a SHA-256 has 32 bytes")
            }
        }
        for tokenizer in tokenizers where tokenizer.vocabularySHA256.count != 32 {
            throw .invalidArgument("tokenizer \"\(tokenizer.name)\": a SHA-256 has 32 bytes")
        }
        for captioner in captioners where !axes.indices.contains(captioner.axis) {
            throw .invalidArgument("captioner \"\(captioner.name)\": axis \(captioner.axis) of \(axes.count)")
        }
        for (before, after) in zip(operations, operations.dropFirst()) where before.operation >= after.operation {
            throw .invalidArgument("operation table: number \(after.operation) stands behind \(before.operation)")
        }
        for entry in operations {
            if entry.magnitudes.contains(where: \.isNaN) {
                throw .invalidArgument("operation table: a magnitude of \"\(entry.name)\" is NaN")
            }
            for (before, after) in zip(entry.magnitudes, entry.magnitudes.dropFirst()) where !(before < after) {
                throw .invalidArgument("operation table: magnitudes of \"\(entry.name)\" do not ascend")
            }
        }
        for shared in side?.axes ?? [] where !axes.indices.contains(shared.axis) {
            throw .invalidArgument("side: axis \(shared.axis) of \(axes.count)")
        }
    }

    private func check(_ slice: Teacher.Slice, of teacher: String, columns: [Column]) throws(ShardError) {
        guard columns.indices.contains(slice.column), case .tensor(_, let dims) = columns[slice.column].type else {
            throw .invalidArgument("teacher \"\(teacher)\": column \(slice.column) is not a tensor of this schema")
        }
        let count = dims.reduce(1, *)
        guard slice.count >= 1, slice.first >= 0, slice.first <= count, slice.count <= count - slice.first else {
            throw .invalidArgument("teacher \"\(teacher)\": its slice lies outside the \(count) elements of a cell")
        }
    }
}
