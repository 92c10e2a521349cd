internal import DRShard
internal import DRShardFormat

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// One input, which becomes one shard.
struct ConversionInput: Sendable {
    enum Kind: Sendable {
        case tar
        case arrays(ArrayForm)
    }

    let path: String
    /// Of all its files.
    let byteCount: UInt64
    let kind: Kind

    init(path: String, byteCount: UInt64, kind: Kind) {
        (self.path, self.byteCount, self.kind) = (path, byteCount, kind)
    }

    init(tar path: String) { self.init(path: path, byteCount: TarFolder.byteCount(path), kind: .tar) }

    /// Paths of all its files.
    var files: [String] { unit?.files ?? [path] }

    /// The shard's name without its suffix.
    var name: String { TarFolder.name(of: path) }

    /// All inputs that are meant: tars or units of arrays, folders of them, patterns, and `@FILE`, a list of them, one a
    /// line.
    /// - Throws: `.io` for what is not there; `.invalidArgument` if two would become shards of one name, or if they are
    ///   of two kinds.
    static func list(_ options: ConvertOptions) throws(ShardError) -> [ConversionInput] {
        var inputs: [ConversionInput] = []
        for argument in try expanded(options.inputs) { inputs += try listed(argument, options) }
        try checkKinds(inputs, options)
        var names: Set<String> = []
        for input in inputs where !names.insert(input.name).inserted {
            throw ShardError.invalidArgument("two inputs have this name; their shards would have one name too").with(
                .init(path: input.path))
        }
        return inputs
    }

    private static func expanded(_ arguments: [String]) throws(ShardError) -> [String] {
        var paths: [String] = []
        for argument in arguments {
            if argument.hasPrefix("@") {
                let list = try TarFolder.readFile(String(argument.dropFirst()))
                for line in String(decoding: list, as: UTF8.self).split(whereSeparator: \.isNewline)
                where !line.allSatisfy(\.isWhitespace) {
                    paths += try matches(String(line))
                }
            } else {
                paths += try matches(argument)
            }
        }
        return paths
    }

    /// The files of a pattern of `*`, `?` and `[…]`, sorted; a path that exists, or has none of these, is itself.
    private static func matches(_ pattern: String) throws(ShardError) -> [String] {
        guard pattern.contains(where: { "*?[".contains($0) }), unsafe access(pattern, F_OK) != 0 else {
            return [pattern]
        }
        var found = unsafe glob_t()
        // SAFETY: the system fills the struct, which is freed below; its strings are copied before.
        defer { unsafe globfree(&found) }
        guard unsafe glob(pattern, 0, nil, &found) == 0 else {
            throw ShardError.io("no file matches the pattern").with(.init(path: pattern))
        }
        return unsafe (0..<Int(found.gl_pathc)).compactMap { i in
            unsafe found.gl_pathv[i].map { unsafe String(cString: $0) }
        }
    }

    // MARK: Rows

    /// What all sources of a conversion need.
    struct Reading: Sendable {
        var textRows: TextRows
        var optionalMembers: Set<String>
        var arrays: ArrayReading
    }

    func source(_ reading: Reading) throws(ShardError) -> any RowSource {
        if let unit { return try ArrayRowSource(unit, reading.arrays, textRows: reading.textRows) }
        var options = DRSampleDecoder.Options()
        options.optionalMembers = reading.optionalMembers
        return try TarRowSource(path: path, options: options, textRows: reading.textRows)
    }
}

/// The first rows of a set, and how they were read.
struct SetProbe {
    var rows: [SourceRow] = []
    var reading: ConversionInput.Reading
    /// Bytes of the input up to behind these rows.
    var byteCount: UInt64 = 0

    /// Looks at the first input that has a row.
    /// - Throws: the first error, under `.skip` only if there is no row at all.
    init(_ inputs: [ConversionInput], options: ConvertOptions) throws(ShardError) {
        guard let first = inputs.first else { throw .invalidArgument("there is nothing to convert") }
        reading = .init(
            textRows: TextRows(real: 0, synthetic: []), optionalMembers: options.optionalMembers,
            arrays: ArrayReading(options))
        var trouble: ShardError?
        rows = try SetProbe.rows(inputs.compactMap(\.unit), options, &reading, &byteCount, &trouble)
        for input in inputs where input.unit == nil && rows.isEmpty {
            let samples = SetProbe.likeMost(try SetProbe.samples(input.path, options, &trouble, &byteCount))
            guard !samples.isEmpty else { continue }
            do throws(ShardError) { reading.textRows = try TextRows.choose(samples, given: options.textRows) } catch {
                throw error.with(.init(path: input.path))
            }
            for sample in samples {
                // What is wrong with one is said when it is converted, with its place.
                do throws(ShardError) { rows.append(try TarRowSource.row(sample, reading.textRows)) } catch {
                    trouble = trouble ?? error.with(.init(path: input.path))
                }
            }
        }
        guard rows.isEmpty else { return }
        throw trouble
            ?? ShardError.schemaMismatch(
                first.unit == nil
                    ? "there is no sample in it; is it a tar of reinforced samples?" : "there is no row in it"
            ).with(.init(path: first.path))
    }

    /// The samples of the shape that most have: one odd sample in front is not what the set is like.
    private static func likeMost(_ samples: [DRSample]) -> [DRSample] {
        func shape(_ sample: DRSample) -> String {
            let sets = sample.captionSets.map { "\($0.key) \($0.texts.count) \($0.embeddings == nil)" }
            return
                "\(sample.imageEmbeddings.element) \(sample.imageEmbeddings.shape) \(sample.textEmbeddings.shape) \(sets)"
        }
        var counts: [String: Int] = [:]
        for sample in samples { counts[shape(sample), default: 0] += 1 }
        guard let most = samples.max(by: { counts[shape($0)] ?? 0 < counts[shape($1)] ?? 0 }).map(shape),
            let first = samples.map(shape).first(where: { counts[$0] == counts[most] })
        else { return [] }
        return samples.filter { shape($0) == first }
    }

    /// Bytes of embeddings after which no more samples are looked at.
    private static let maximumDecodedByteCount = 128 << 20

    /// The first samples of a tar that can be read; `trouble` is the first error among all.
    private static func samples(
        _ path: String, _ options: ConvertOptions, _ trouble: inout ShardError?, _ byteCount: inout UInt64
    ) throws(ShardError) -> [DRSample] {
        var decoderOptions = DRSampleDecoder.Options()
        decoderOptions.optionalMembers = options.optionalMembers
        let decoder = try DRSampleDecoder(options: decoderOptions)
        var samples: [DRSample] = []
        var reader: SampleGroupReader?
        var decodedByteCount = 0
        while samples.count < SetLayout.probeCount, decodedByteCount < maximumDecodedByteCount {
            do throws(ShardError) {
                let groups = if let reader { reader } else { SampleGroupReader(try TarReader(path: path)) }
                reader = groups
                guard let group = try groups.next() else { break }
                byteCount = group.members.last.map { $0.dataPosition + UInt64($0.byteCount) } ?? byteCount
                do throws(ShardError) {
                    let sample = try decoder.decode(group)
                    decodedByteCount += sample.imageEmbeddings.bytes.count + sample.textEmbeddings.bytes.count
                    samples.append(sample)
                } catch {
                    if options.onError == .stop { throw error }
                    trouble = trouble ?? error
                }
            } catch {
                if options.onError == .stop { throw options.onError.advised(error) }
                trouble = trouble ?? error
                guard let reader, reader.canGoOn else { break }
            }
        }
        return samples
    }
}
