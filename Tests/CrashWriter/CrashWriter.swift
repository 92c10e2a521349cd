package import DRShard
package import DRShardFormat

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// The rows that the program writes, and that the test writes to go on.
package enum CrashRows {
    package static let rowsPerGroup = 8

    package static func schema() throws(ShardError) -> Schema {
        try Schema(
            axes: [Axis(name: "view", kind: .view, count: 2, exchangeable: .yes)],
            columns: [
                Column(name: "uid", role: .rowID, type: .tensor(.u8, dims: [8])),
                Column(name: "emb", role: .imageEmbedding, type: .tensor(.bf16, dims: [48]), axis: 0),
                Column(name: "text", role: .text, type: .utf8),
            ])
    }

    package static func options() -> WriterOptions {
        var options = WriterOptions(shardTag: 7)
        options.rowsPerGroup = rowsPerGroup
        return options
    }

    package static func append(_ row: Int, to writer: ShardWriter) throws(ShardError) {
        var id: [UInt8] = []
        id.append(u64: UInt64(row))
        try writer.set(id, column: 0)
        for variant in 0..<2 {
            let view = (0..<96).map { UInt8(truncatingIfNeeded: row &* 31 &+ $0 &* (variant + 3)) }
            try writer.set(view, column: 1, variant: variant)
        }
        if row % 5 == 4 {
            try writer.setMissing(column: 2)
        } else {
            try writer.set("row \(row) of this file", column: 2)
        }
        try writer.endRow()
    }
}

/// Writes rows into a shard until it is killed, or its file may not grow: `CrashWriter FILE MICROSECONDS [BYTES]`.
///
/// Prints the number of rows after each row; then waits. BYTES stands in for a disk that is full: no file of this
/// process may become larger, and writing fails instead of killing it. The last line is the error; the exit code is 1.
@main enum CrashWriter {
    static func main() {
        let arguments = CommandLine.arguments
        guard arguments.count >= 3, let pause = UInt32(arguments[2]) else { exit(2) }
        if arguments.count > 3, let limit = rlim_t(arguments[3]) {
            signal(SIGXFSZ, SIG_IGN)
            var limits = rlimit(rlim_cur: limit, rlim_max: limit)
            guard unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limits) == 0 else { exit(2) }
        }
        do throws(ShardError) {
            let writer = try ShardWriter(
                path: arguments[1], schema: try CrashRows.schema(), options: CrashRows.options())
            while writer.rowCount < 1_000_000 {
                try CrashRows.append(writer.rowCount, to: writer)
                print(writer.rowCount)
                fflush(nil)
                usleep(pause)
            }
        } catch {
            print(error)
            exit(1)
        }
    }
}
