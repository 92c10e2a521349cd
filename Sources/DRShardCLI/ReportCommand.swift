internal import ArgumentParser
internal import DRDoctor
internal import DRShardFormat
internal import Foundation

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Write a page about a set of shards: what is in it, what it takes, what it is like, some rows.",
        discussion: """
            One file of HTML for any browser, in light and dark, and for print: it needs no network and no script. It \
            holds pictures and captions of a few rows, whose licences apply to it.
            """)

    @Argument(help: "A shard, or a folder of shards.", completion: .file(extensions: ["drs"]))
    var path: String

    @Option(name: .shortAndLong, help: "The page; one that is there is replaced.", completion: .file())
    var output: String

    @OptionGroup var examination: ExaminationArguments

    func run() throws {
        let bar = ProgressBar("looking")
        let page = try ReportPage(path: path, options: examination.options) { done, total in
            bar.update(UInt64(done), of: UInt64(total)) { "\(done) rows" }
        }
        bar.end()
        let bytes = Data(page.html.utf8)
        do { try bytes.write(to: URL(fileURLWithPath: output), options: .atomic) } catch {
            throw ShardError.io("cannot write the page: \(error.localizedDescription)").with(.init(path: output))
        }
        try Console.line("\(output): \(Console.bytes(UInt64(bytes.count)))")
    }
}
