internal import DRShard
internal import DRShardFormat

extension ConversionInput {
    init(arrays unit: ArrayUnit) {
        self.init(path: unit.path, byteCount: unit.byteCount, kind: .arrays(unit.form))
    }

    /// The unit of arrays; nil for a tar.
    var unit: ArrayUnit? {
        if case .arrays(let form) = kind { ArrayUnit(path: path, form: form) } else { nil }
    }

    /// The inputs at one path.
    ///
    /// What they are is what the caller says; else arrays for a file or folder of arrays, and tars for all else.
    /// - Throws: `.invalidArgument` for a folder that has both, and nobody said which are meant; `.io` if there are none.
    static func listed(_ path: String, _ options: ConvertOptions) throws(ShardError) -> [ConversionInput] {
        func tars() throws(ShardError) -> [ConversionInput] {
            try TarFolder.list(path).map { ConversionInput(tar: $0) }
        }
        guard options.form != .datacompdr else { return try tars() }
        let units = try ArrayFolder.units(path, options.columnNames)
        if options.form == .arrays {
            guard !units.isEmpty else {
                let image = options.columnNames.array("image_emb")
                throw ShardError.io(
                    "there are no arrays: no .npz, no .safetensors, and no folder with \(image).npy; other names are given by --columns"
                ).with(.init(path: path))
            }
            return units.map { ConversionInput(arrays: $0) }
        }
        guard let first = units.first else { return try tars() }
        if TarFolder.isFolder(path), try TarFolder.hasTars(path) {
            throw ShardError.invalidArgument(
                "it has tars, and arrays such as \(first.path); say which are meant, with --from datacompdr or --from arrays"
            ).with(.init(path: path))
        }
        return units.map { ConversionInput(arrays: $0) }
    }

    /// - Throws: `.invalidArgument` if some inputs are tars and others are not, or for what tars have no use for.
    static func checkKinds(_ inputs: [ConversionInput], _ options: ConvertOptions) throws(ShardError) {
        let (tar, arrays) = (inputs.first { $0.unit == nil }, inputs.first { $0.unit != nil })
        if let tar, let arrays {
            throw ShardError.invalidArgument(
                "it is a tar, and \(arrays.path) is arrays; convert them one after the other"
            )
            .with(.init(path: tar.path))
        }
        if let arrays, !options.optionalMembers.isEmpty {
            throw ShardError.invalidArgument("--optional is for members of tars, and this is arrays").with(
                .init(path: arrays.path))
        }
        if let tar, options.hashesIDs || options.columnNames != ColumnNames() {
            throw ShardError.invalidArgument("--hash-ids and names of --columns are for arrays, and this is a tar")
                .with(
                    .init(path: tar.path))
        }
    }
}
