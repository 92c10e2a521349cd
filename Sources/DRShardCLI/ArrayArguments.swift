internal import ArgumentParser
internal import DRConvert
internal import DRShardFormat

/// What a conversion is told about arrays.
struct ArrayArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "What the inputs are: datacompdr (tars) or arrays.",
            discussion: "Without it each input says what it is; a folder that has both is an error."))
    var from: ConvertOptions.Form?

    @Option(
        help: ArgumentHelp(
            "A file of JSON that says what your arrays and fields are; options count before it.",
            discussion: "--print-columns-example shows one.", valueName: "file"),
        completion: .file(extensions: ["json"]))
    var columns: String?

    @Option(name: .customLong("ignore-array"), help: "An array that is left out, by your name of it; once for each.")
    var ignoredArrays: [String] = []

    @Flag(
        name: .customLong("hash-ids"),
        help: "Make uids of ids that are none: the first 16 bytes of the SHA-256 of an id's text. The schema says so.")
    var hashIDs = false

    @Flag(help: "Print a file for --columns that has every key, and do nothing else.")
    var printColumnsExample = false

    /// Adds what is said here, and what the file says where no option does.
    /// - Throws: `.io`; what `ColumnsFile` throws, with the file's path.
    func add(to options: inout ConvertOptions) throws(ShardError) {
        options.form = from
        options.hashesIDs = hashIDs
        options.columnNames.ignored = Set(ignoredArrays)
        guard let path = columns else { return }
        let file = try ColumnsFile(path: path)
        options.columnNames = file.names
        options.columnNames.ignored.formUnion(ignoredArrays)
        options.textRows = options.textRows ?? file.textRows
        if options.teachers.isEmpty { options.teachers = file.teachers }
        if options.captioners.isEmpty { options.captioners = file.captioners }
        if options.sources.isEmpty { options.sources = file.sources }
    }
}

extension ConvertOptions.Form: ExpressibleByArgument {}
