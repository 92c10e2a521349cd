internal import ArgumentParser

@main
struct DRShardCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "drshard", abstract: "Shards of reinforced image-text data.")
}
