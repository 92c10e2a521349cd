import Foundation
import Testing

private let commands = [
    "sample", "convert", "verify", "inspect", "schema", "stats", "repack", "head", "dump", "plan",
    "load", "explain", "export",
]

@Suite struct UsageTests {
    @Test func helpNamesEveryCommandAndEveryExitCode() throws {
        let outcome = try drshard("--help")
        #expect(outcome.status == 0 && outcome.error.isEmpty)
        for command in commands { #expect(outcome.lines.contains { $0.hasPrefix("  \(command) ") }, "\(command)") }
        let words = outcome.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(words.contains("Exit codes: 0 all is well, 1 damaged data, 2 wrong usage, 3 a file cannot be read"))
    }

    @Test(arguments: commands) func everyCommandHasHelp(_ command: String) throws {
        let outcome = try drshard(command, "--help")
        #expect(outcome.status == 0 && outcome.error.isEmpty)
        #expect(outcome.output.contains("USAGE: drshard \(command)"))
    }

    @Test func versionIsPrinted() throws {
        let outcome = try drshard("--version")
        #expect(outcome.status == 0)
        #expect(outcome.output.wholeMatch(of: /\d+\.\d+\.\d+\n/) != nil, "\(outcome.output)")
    }

    @Test(arguments: [
        ["frobnicate"], ["inspect"], ["inspect", "a", "b"], ["inspect", "a", "--nonsense"], ["convert", "a"],
        ["verify", "a", "--fast", "--decode"], ["convert", "a", "--output", "b", "--on-error", "shrug"],
        ["convert", "a", "--output", "b", "--teacher", "name:0"], ["convert", "a", "--output", "b", "--licence", "x"],
        ["sample", "a", "--samples", "many"], ["sample", "/nowhere/a", "--samples", "0"],
        ["sample", "/nowhere/a", "--dims", "3"],
    ])
    func wrongUsageIsExitCode2(_ arguments: [String]) throws {
        let outcome = try drshard(arguments)
        #expect(outcome.status == 2, "\(outcome.error)")
        #expect(outcome.output.isEmpty && !outcome.error.isEmpty)
    }

    @Test(arguments: ["inspect", "schema", "stats", "head", "dump", "verify"])
    func whatIsNotThereIsExitCode3(_ command: String) throws {
        let outcome = try drshard(command, "/nowhere/a.drs")
        #expect(outcome.status == 3)
        // verify prints findings, the others an error.
        #expect((outcome.output + outcome.error).contains("/nowhere/a.drs"))
    }

    @Test func aFolderWithoutShardsIsExitCode3() throws {
        try withFolder { folder in
            let outcome = try drshard("inspect", folder)
            #expect(outcome.status == 3)
            #expect(
                outcome.error
                    == "drshard: \(folder): input/output error: there is no file in it whose name ends in .drs\n")
        }
    }

    @Test(arguments: ["inspect", "schema", "stats", "head", "dump", "verify"])
    func aNewerFormatIsExitCode4(_ command: String) throws {
        let path = repositoryFile("Spec/vectors/invalid/header-major-2.drs")
        let outcome = try drshard(command, path)
        #expect(outcome.status == 4, "\(outcome.error)")
        let said = outcome.output + outcome.error
        #expect(said.contains(path) && said.contains("unsupported version"))
    }

    @Test(arguments: ["inspect", "schema", "stats", "head", "dump", "verify"])
    func aDamagedFileIsExitCode1(_ command: String) throws {
        let path = repositoryFile("Spec/vectors/invalid/footer-damaged.drs")
        let outcome = try drshard(command, path)
        #expect(outcome.status == 1)
        #expect((outcome.output + outcome.error).contains(path))
    }
}
