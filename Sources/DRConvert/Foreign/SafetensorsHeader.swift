internal import DRShard
internal import DRShardFormat
internal import DRText

/// The header of a safetensors file. Source: the README of huggingface/safetensors.
enum SafetensorsHeader {
    /// The length, and the members as JSON with blanks up to a multiple of 64 bytes of the file, where data begin.
    /// - Throws: `.limitExceeded` above what readers take.
    static func bytes(_ members: [(key: String, value: String)]) throws(ShardError) -> [UInt8] {
        var text = Array(JSONText.object(members).utf8)
        text += [UInt8](repeating: UInt8(ascii: " "), count: (64 - (8 + text.count) % 64) % 64)
        guard text.count <= SafetensorsReader.maximumHeaderByteCount else {
            throw .limitExceeded("safetensors header of \(text.count) bytes")
        }
        var output = ByteWriter()
        output.little(UInt64(text.count))
        return output.bytes + text
    }

    static func entry(_ element: ElementType, _ shape: [Int], _ range: Range<Int>) -> String {
        JSONText.object([
            ("dtype", JSONText.string(element.description.uppercased())),
            ("shape", JSONText.array(shape.map { String($0) })),
            ("data_offsets", JSONText.array([String(range.lowerBound), String(range.upperBound)])),
        ])
    }

    /// `__metadata__`: what the numbers mean. Values are strings, as the format wants; lists are JSON in a string.
    static func metadata(_ reader: ShardReader) -> String {
        let metadata = reader.schema.metadata
        func text(_ value: String?) -> String { value.map(JSONText.string) ?? "null" }
        func list(_ values: [String]) -> String { JSONText.string(JSONText.array(values)) }
        let teachers = metadata.teachers.map { teacher in
            JSONText.object([
                ("name", text(teacher.name)), ("logit_scale", teacher.logitScale.flatMap(number) ?? "null"),
                ("normalised", text("\(teacher.normalised)")),
                (
                    "slices",
                    JSONText.array(
                        teacher.slices.map {
                            JSONText.object([
                                ("column", text(reader.schema.columns[$0.column].name)), ("first", String($0.first)),
                                ("count", String($0.count)),
                            ])
                        })
                ),
            ])
        }
        let captioners = metadata.captioners.map {
            JSONText.object([
                ("name", text($0.name)), ("axis", text(reader.schema.axes[$0.axis].name)),
                ("settings", text($0.settings)),
            ])
        }
        let sources = metadata.sources.map {
            JSONText.object([
                ("name", text($0.name)), ("licence", text($0.licence)), ("reference", text($0.reference)),
            ])
        }
        let notes = (metadata.provenance + reader.footer.notes).map {
            JSONText.object([("key", text($0.key)), ("value", text($0.value))])
        }
        return JSONText.object([
            ("rows", text(String(reader.rowCount))),
            ("row_set_digest", text(reader.footer.rowSetDigest.description)), ("teachers", list(teachers)),
            ("captioners", list(captioners)), ("sources", list(sources)), ("notes", list(notes)),
        ])
    }

    private static func number(_ value: Double) -> String? { value.isFinite ? String(value) : nil }
}
