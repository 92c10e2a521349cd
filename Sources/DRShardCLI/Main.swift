internal import ArgumentParser
internal import DRShardFormat

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

struct DRShardCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drshard",
        abstract: "Shards of reinforced image-text data: convert, check, look inside, load.",
        discussion: """
            Exit codes: 0 all is well, 1 damaged data, 2 wrong usage, 3 a file cannot be read or written, \
            4 the data needs a newer drshard.
            """,
        version: "0.1.0",
        subcommands: [
            SampleCommand.self, ConvertCommand.self, VerifyCommand.self, InspectCommand.self, SchemaCommand.self,
            StatsCommand.self, HeadCommand.self, DumpCommand.self, LoadCommand.self,
        ])
}

@main
enum Main {
    static func main() {
        // A reader that closes its pipe ends the program by an error of `write`, not by a signal.
        signal(SIGPIPE, SIG_IGN)
        do {
            var command = try DRShardCommand.parseAsRoot()
            try command.run()
            try Console.flush()
        } catch let error as ShardError {
            finish(error)
        } catch {
            finishUsage(error)
        }
    }

    private static func finish(_ error: ShardError) -> Never {
        if !Console.isClosed { Console.error("drshard: \(error)") }
        exit(ExitStatus.of(error).rawValue)
    }

    /// Help and version are no errors; everything else that the argument parser throws is wrong usage.
    private static func finishUsage(_ error: any Error) -> Never {
        let code = DRShardCommand.exitCode(for: error)
        if let code = error as? ExitCode { exit(code.rawValue) }
        let message = DRShardCommand.fullMessage(for: error)
        if code.isSuccess {
            print(message)
            exit(0)
        }
        Console.error(message)
        exit(ExitStatus.usage.rawValue)
    }
}

/// What the program's end says.
enum ExitStatus: Int32 {
    case ok = 0
    case damaged = 1
    case usage = 2
    case unreadable = 3
    case newer = 4

    static func of(_ error: ShardError) -> ExitStatus {
        switch error.code {
        case .unsupportedVersion, .unsupportedFeature: .newer
        case .invalidArgument: .usage
        case .io: .unreadable
        default: .damaged
        }
    }

    /// The most telling of several errors: damage before what is only newer or unreadable.
    static func of(_ errors: [ShardError]) -> ExitStatus {
        let all = Set(errors.map { of($0) })
        return [ExitStatus.damaged, .newer, .unreadable, .usage].first { all.contains($0) } ?? .ok
    }
}
