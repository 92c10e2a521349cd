import Foundation
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Runs that were killed, and go on.
@Suite struct ResumedCopyTests {
    private func start(_ arguments: [String]) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
    }

    /// Kills a run when so many complete shards are there, or an unfinished one if that is none.
    /// - Returns: whether it was killed before it ended.
    private func killed(_ arguments: [String], _ folder: String, complete count: Int) throws -> Bool {
        let process = try start(arguments)
        while process.isRunning {
            let found = names(folder)
            let complete = found.filter { $0.hasSuffix(".drs") }
            if count == 0 ? found.contains(where: { $0.hasSuffix(".part") }) : complete.count >= count { break }
            usleep(200)
        }
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        return process.terminationReason == .uncaughtSignal
    }

    @Test(arguments: [["repack", "--encoding", "archive"], ["split", "--rows", "5", "--jobs", "2"]], [0, 2])
    func aKilledRunGoesOnToTheSameBytes(command: [String], complete: Int) throws {
        try withFolder { folder in
            let shards = try convertedSample(in: folder, "--samples", "120", "--shards", "24", "--dims", "256")
            func arguments(_ target: String, _ more: String...) -> [String] {
                [command[0], shards, "\(folder)/\(target)"] + command.dropFirst() + more
            }
            try #require(try drshard(arguments("whole")).status == 0)
            // A run may end before it is looked at.
            let attempt = try (0..<10).first { number in
                try killed(arguments("\(number)"), "\(folder)/\(number)", complete: complete)
            }
            let target = try #require(attempt.map { "\(folder)/\($0)" }, "no run was killed before it ended")
            let before = names(target)
            try #require(before.count < 24 || before.contains { $0.hasSuffix(".part") })
            if !before.isEmpty {
                #expect(try drshard(arguments(URL(fileURLWithPath: target).lastPathComponent)).status == 3)
            }
            let resumed = try drshard(arguments(URL(fileURLWithPath: target).lastPathComponent, "--resume", "--json"))
            #expect(resumed.status == 0 && resumed.error.isEmpty, "\(resumed)")
            let made = try #require(try resumed.json["shards"] as? [[String: Any]])
            let kept = made.count { $0["wasThere"] as? Bool == true }
            #expect(kept == before.count { $0.hasSuffix(".drs") } && made.count == 24)
            #expect(names(target) == names(folder + "/whole"))
            for name in names(target) {
                #expect(try readFile("\(target)/\(name)") == readFile("\(folder)/whole/\(name)"), "\(name)")
            }
        }
    }

    @Test func anUnfinishedShardIsMadeAgainWhateverItHolds() throws {
        try withFolder { folder in
            let shards = try convertedSample(in: folder)
            let target = folder + "/joined.drs"
            try #require(try drshard("concat", shards, "-o", folder + "/whole.drs").status == 0)
            let whole = try readFile(folder + "/whole.drs")
            for part in [[], [1, 2, 3], Array(whole.dropLast(64)), whole] {
                try writeFile(target + ".part", part)
                #expect(try drshard("concat", shards, "-o", target).status == 3)
                #expect(try readFile(target + ".part") == part)
                let resumed = try drshard("concat", shards, "-o", target, "--resume")
                #expect(resumed.status == 0, "\(resumed)")
                #expect(names(folder).filter { $0.hasPrefix("joined") } == ["joined.drs"])
                #expect(try drshard("diff", shards, target, "--full").status == 0)
                let again = try drshard("concat", shards, "-o", target, "--resume")
                #expect(again.status == 0 && again.output.contains("1 of them there before"), "\(again)")
                try FileManager.default.removeItem(atPath: target)
            }
            // A complete shard that lost its tail is neither taken nor replaced.
            try writeFile(target, whole.dropLast(64))
            let cut = try drshard("concat", shards, "-o", target, "--resume")
            #expect(cut.status == 1 && cut.error.contains(target) && cut.error.contains("truncated"), "\(cut)")
            #expect(try readFile(target).count == whole.count - 64)
        }
    }

    @Test func aCompleteShardOfAnotherRunIsNotTaken() throws {
        try withFolder { folder in
            let shards = try convertedSample(in: folder, "--dims", "512")
            let target = folder + "/out"
            let run = ["repack", shards, target, "--encoding", "balanced", "--views", "2"]
            try #require(try drshard(run).status == 0)
            let bytes = try readFile(target + "/00000000.drs")
            #expect(try drshard(run + ["--resume"]).status == 0)
            for (other, what) in [
                (["--views", "1"], "schema"), (["--views", "2", "--encoding", "fast"], "way to store"),
                (["--views", "2", "--encoding", "plain"], "way to store"),
                (["--views", "2", "--page-bytes", "1"], "way to store"),
                (["--views", "2", "--rows-per-group", "2"], "number of rows a row group"),
                (["--views", "2", "--drop", "url"], "schema"),
            ] {
                let outcome = try drshard(["repack", shards, target, "--resume"] + other)
                #expect(outcome.status == 1 && outcome.error.contains("its \(what)"), "\(other): \(outcome)")
            }
            // Of the same name and schema, with other rows.
            let rows = try drshard("split", shards, folder + "/parts", "--rows", "4")
            try #require(rows.status == 0, "\(rows)")
            let others = try drshard("split", shards, folder + "/parts", "--rows", "3", "--resume")
            #expect(
                others.status == 1 && others.error.contains("it is there, and not what this run makes"), "\(others)")
            // A shard too many would be taken for a part of the set.
            let fewer = try drshard("split", shards, folder + "/parts", "--rows", "6", "--resume")
            #expect(fewer.status == 3 && fewer.error.contains("/parts/00000002.drs"), "\(fewer)")
            #expect(try readFile(target + "/00000000.drs") == bytes)
        }
    }
}
