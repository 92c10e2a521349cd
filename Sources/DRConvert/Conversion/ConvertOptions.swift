package import DRShardFormat

/// What a conversion reads, writes and is told about the data.
package struct ConvertOptions: Sendable {
    package enum OnError: String, Sendable, CaseIterable {
        /// The first bad input ends the conversion. The default.
        case stop
        /// Bad samples are left out, counted and listed.
        case skip

        /// The error that ends the conversion, with what can be done about it. Called once for an error, where it is
        /// known that it is about an input.
        func advised(_ error: ShardError) -> ShardError {
            let advice = "; mend or replace the input, or leave this out with --on-error skip"
            guard self == .stop, error.code != .io, !error.reason.hasSuffix(advice) else { return error }
            return ShardError(error.code, error.reason + advice, context: error.context)
        }
    }

    /// What the inputs are.
    package enum Form: String, Sendable, CaseIterable {
        case datacompdr
        /// Folders of `.npy`, or `.npz` or `.safetensors` files, with lines of JSON beside them.
        case arrays
    }

    package enum Images: String, Sendable, CaseIterable {
        /// Their bytes are stored as they are. The default.
        case store
        /// Where they lie in their tars is stored.
        case locate
        case none
    }

    /// A teacher, and its part of an embedding.
    package struct TeacherSlice: Sendable, Equatable {
        package var name: String
        package var first: Int
        package var count: Int
        package var logitScale: Double?
        package init(name: String, first: Int, count: Int, logitScale: Double?) {
            self.name = name
            self.first = first
            self.count = count
            self.logitScale = logitScale
        }
    }

    /// What made the synthetic captions of one key.
    package struct NamedCaptioner: Sendable, Equatable {
        /// nil: of the only set of captions, or of `syn_text`.
        package var key: String?
        package var name: String
        package init(key: String?, name: String) {
            self.key = key
            self.name = name
        }
    }

    /// Tars of the DataCompDR layout, or folders, patterns or lists (`@FILE`) of them; each becomes a shard of its name.
    package var inputs: [String]
    /// nil: it follows from each input.
    package var form: Form?
    /// What arrays and fields are called, where they are not called as here.
    package var columnNames = ColumnNames()
    /// Whether uids of arrays are made of ids that are none.
    package var hashesIDs = false
    package var output: String
    /// Tars with real captions and images; nil: none are joined.
    package var captions: String?
    /// Whether a caption is only looked for in the container that has the input's name.
    package var pairsByName = false
    /// CLIP's vocabulary file; nil: texts are stored, and no tokens.
    package var tokenizer: String?
    /// Whether float32 embeddings stay float32.
    package var keepsFloat32 = false
    package var images = Images.store
    package var onError = OnError.stop
    /// Whether crop boxes are moved from pixels of the original to those of the image that is there.
    package var rescalesCrops = false
    /// Which rows of `text_emb` are what; nil: by the layout, or by rows that are equal in every sample.
    package var textRows: TextRows?
    /// Members that samples may lack: any of `json`, `url.txt`, `syn.json`, `paug.json`. Their cells are absent.
    package var optionalMembers: Set<String> = []
    /// Inputs that are converted at once, each by a thread that decodes and one that packs.
    package var jobs = 1
    /// Whether shards that are there from a conversion that was stopped are kept; what was half written starts anew.
    package var resumes = false
    /// Whether every shard is read again when it is complete, and compared with the source.
    package var verifies = false
    /// Whether samples without a real caption become rows whose cells of it are absent; otherwise each is an error.
    package var allowsMissingCaptions = false
    /// A shard whose schema is taken; nil: one is made.
    package var schemaShard: String?
    package var teachers: [TeacherSlice] = []
    package var captioners: [NamedCaptioner] = []
    package var sources: [Source] = []
    /// Whether the views are independent draws: only who made them knows.
    package var exchangeableViews = Axis.Exchangeable.unknown
    /// The same for the synthetic captions.
    package var exchangeableCaptions = Axis.Exchangeable.unknown
    package var rowsPerGroup: Int?
    /// How columns are stored, by their names; others as `WriterOptions` says.
    package var storage: [String: ColumnStorage] = [:]
    /// How columns of bf16 are stored that `storage` does not name; nil: as `WriterOptions` says.
    package var bf16Storage: ColumnStorage?

    package init(inputs: [String], output: String) {
        self.inputs = inputs
        self.output = output
    }

    /// The captioner of a key; nil if it is not known.
    /// - Throws: `.invalidArgument` for a name whose key is none of the set's, or that could be of several.
    func captioner(of key: String, among keys: [String]) throws(ShardError) -> String? {
        for captioner in captioners {
            if let given = captioner.key, !keys.contains(given) {
                throw .invalidArgument(
                    "--captioner \(given)=\(captioner.name): there are captions \(keys.joined(separator: ", "))")
            }
            if captioner.key == nil, keys.count > 1, !keys.contains("syn_text") {
                throw .invalidArgument(
                    "--captioner \(captioner.name): say of which captions, as KEY=NAME; there are \(keys.joined(separator: ", "))"
                )
            }
        }
        return captioners.first { ($0.key ?? (keys.count == 1 ? keys[0] : "syn_text")) == key }?.name
    }
}
