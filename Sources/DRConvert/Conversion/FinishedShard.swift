internal import DRShard
internal import DRShardFormat
internal import Foundation

/// A shard that a conversion which was stopped has finished.
struct FinishedShard {
    /// Ascending.
    let uids: [UInt128]
    let counts: RowCounts

    /// Looks at the shard of an input.
    /// - Returns: nil if there is none.
    /// - Throws: `.schemaMismatch` if it is not what this conversion would make of this input; what opening it throws.
    init?(path: String, input: ConversionInput, context: ConversionContext) throws(ShardError) {
        guard AtomicFile.exists(path) else { return nil }
        let reader = try ShardReader(path: path)
        let writerOptions = try context.writerOptions(of: input)
        let expected = try FinishedShard.notes(of: input, context)
        let isSame =
            reader.footer.schemaBytes == context.layout.schema.serialized()
            && reader.header.shardTag == writerOptions.shardTag
            && expected.allSatisfy { reader.footer.notes.contains($0) }
        guard isSame, let counts = RowCounts(notes: reader.footer.notes) else {
            throw ShardError.schemaMismatch(
                "it was made of another input, or with other options; remove it, or choose another folder"
            ).with(
                .init(path: path))
        }
        self.counts = counts
        let ids = try reader.cells(
            column: reader.schema.rowIDColumn, (0..<reader.rowCount).map { CellAddress(row: $0) })
        uids = stride(from: 0, to: ids.bytes.count, by: 16).map { at in
            ids.bytes[at..<at + 16].reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
        }.sorted()
    }

    /// What a shard says about where it came from: enough to know it again.
    ///
    /// Files are known by their names, sizes and the bytes of their ends: a change in the middle alone is not seen.
    /// Cost: reads up to 2 MiB of each file.
    static func notes(of input: ConversionInput, _ context: ConversionContext) throws(ShardError) -> [Note] {
        let options = context.options
        var text =
            "captions=\(try context.captions?.fingerprint(input: input.path) ?? "none") images=\(options.images.rawValue) on_error=\(options.onError.rawValue)"
        text += " missing_captions=\(options.allowsMissingCaptions) rescale=\(options.rescalesCrops)"
        text += " by_name=\(options.pairsByName) text_rows=\(options.textRows?.text ?? "auto")"
        text += " optional=\(options.optionalMembers.sorted().joined(separator: "+"))"
        text += " rows_per_group=\(options.rowsPerGroup.map(String.init) ?? "auto")"
        text += " encoding=\(options.bf16Storage?.rawValue ?? "standard")"
        if input.unit != nil {
            let names = hex(SHA256.digest(Array(options.columnNames.identity.utf8)))
            text += " from=arrays hash_ids=\(options.hashesIDs) columns=\(names.prefix(16))"
        }
        for (column, storage) in options.storage.sorted(by: { $0.key < $1.key }) {
            text += " \(column)=\(storage.rawValue)"
        }
        return [
            Note(key: "source", value: input.path.split(separator: "/").last.map(String.init) ?? input.path),
            Note(key: "source_bytes", value: String(input.byteCount)),
            Note(key: "source_fingerprint", value: try TarFolder.fingerprint(input.files)),
            Note(key: "options", value: text),
        ]
    }

    /// Takes a shard its name, and keeps it for a look, in the place of one that was rejected before.
    /// - Throws: `error`, which says why; with what kept the shard its name, if that is so.
    static func reject(_ path: String, since error: ShardError) throws(ShardError) -> Never {
        do {
            try? FileManager.default.removeItem(atPath: path + ".rejected")
            try FileManager.default.moveItem(atPath: path, toPath: path + ".rejected")
        } catch let other {
            throw error.adding("; it could not be renamed: \(other.localizedDescription)")
        }
        throw error
    }
}
