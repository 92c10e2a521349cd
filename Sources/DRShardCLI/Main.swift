internal import ArgumentParser
internal import CDRKernels
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
        version: LibraryVersion.text,
        groupedSubcommands: [
            CommandGroup(
                name: "Make and convert",
                subcommands: [
                    SampleCommand.self, ConvertCommand.self, ExportCommand.self, RepackCommand.self,
                    ConcatCommand.self, SplitCommand.self,
                ]),
            CommandGroup(
                name: "Check and compare",
                subcommands: [VerifyCommand.self, DoctorCommand.self, DiffCommand.self]),
            CommandGroup(
                name: "Look inside",
                subcommands: [
                    InspectCommand.self, SchemaCommand.self, StatsCommand.self, ReportCommand.self, HeadCommand.self,
                    DumpCommand.self,
                ]),
            CommandGroup(name: "Load", subcommands: [PlanCommand.self, LoadCommand.self, ExplainCommand.self]),
        ])
}

@main
enum Main {
    static func main() {
        // A reader that closes its pipe ends the program by an error of `write`, not by a signal.
        signal(SIGPIPE, SIG_IGN)
        // So does a file that outgrows what the shell allows.
        signal(SIGXFSZ, SIG_IGN)
        raiseDescriptorLimit()
        // Buffers of a few 100 KB come and go with every sample.
        cdr_keep_freed_memory()
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

    /// A data set keeps a descriptor open for every shard: 256 or 1,024, the usual soft limits, are soon too few.
    private static func raiseDescriptorLimit() {
        var limit = rlimit()
        #if canImport(Glibc)
            let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
            let resource = RLIMIT_NOFILE
        #endif
        // SAFETY: both calls use the struct they are given and keep no pointer.
        guard unsafe getrlimit(resource, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
        let hard = limit.rlim_max
        limit.rlim_cur = hard
        guard unsafe setrlimit(resource, &limit) != 0 else { return }
        // Darwin takes no more than this, whatever its hard limit says. If this fails too, the limit stays as it was.
        limit.rlim_cur = min(hard, 10_240)
        _ = unsafe setrlimit(resource, &limit)
    }

    private static func finish(_ error: ShardError) -> Never {
        // What was printed before the error is not lost with it.
        try? Console.flush()
        if !Console.isClosed { Console.error("drshard: \(error)") }
        exit(ExitStatus.of(error).rawValue)
    }

    /// Help and version are no errors; everything else that the argument parser throws is wrong usage.
    private static func finishUsage(_ error: any Error) -> Never {
        try? Console.flush()
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
