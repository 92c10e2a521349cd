public import ArgumentParser
public import DRShardFormat

/// How columns are stored: shared by the commands that write.
struct StorageOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "How embeddings (columns of bf16) are stored: plain, fast, balanced or archive.",
            discussion:
                "Without it: balanced. archive is the smallest, for storage and transfer; the loader reads whole rows of it."
        ))
    var encoding: ColumnStorage?

    @Option(
        name: .customLong("storage"),
        help: ArgumentHelp(
            "How one column is stored, as COLUMN=STORAGE; once for each.",
            discussion: "STORAGE is plain, zstd, lz4, fast, balanced, archive, token_ranks or operation_table.",
            valueName: "column=storage"))
    var columns: [Argument] = []

    struct Argument: ExpressibleByArgument {
        let column: String
        let storage: ColumnStorage
        init?(argument: String) {
            let parts = argument.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, !parts[0].isEmpty, let storage = ColumnStorage(rawValue: parts[1]) else {
                return nil
            }
            column = parts[0]
            self.storage = storage
        }
    }

    func validate() throws {
        guard encoding.map({ [.plain, .fast, .balanced, .archive].contains($0) }) ?? true else {
            throw ValidationError("--encoding is plain, fast, balanced or archive.")
        }
    }

    /// By the names of columns; the last one counts.
    var named: [String: ColumnStorage] {
        Dictionary(columns.map { ($0.column, $0.storage) }, uniquingKeysWith: { $1 })
    }
}

extension ColumnStorage: ExpressibleByArgument {}
