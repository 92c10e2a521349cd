internal import ArgumentParser
internal import DRConvert

struct SampleCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sample",
        abstract: "Write a small made-up input in the DataCompDR layout, to try everything without a download.",
        discussion: """
            Makes FOLDER/reinforced (embeddings, synthetic captions, augmentations) and FOLDER/captions (real captions, \
            images). The same options make the same files.
            """)

    @Argument(help: "The folder to make.", completion: .directory)
    var folder: String

    @Option(help: "Samples in all.")
    var samples = 64

    @Option(help: "Tars that they are spread over.")
    var shards = 2

    @Option(help: "Views of an image.")
    var views = 10

    @Option(help: "Synthetic captions of an image.")
    var captions = 5

    @Option(help: "Elements of an embedding, of both teachers together.")
    var dims = 1536

    @Option(help: "Which numbers: bfloat16 (.pth.gz) or float32 (.npz).")
    var format = SampleWriter.Format.bfloat16

    @Option(help: "Another seed makes other data.")
    var seed: UInt64 = 0

    func run() throws {
        var options = SampleWriter.Options()
        options.sampleCount = samples
        options.shardCount = shards
        options.viewCount = views
        options.captionCount = captions
        options.dims = dims
        options.format = format
        options.seed = seed
        let writer = try SampleWriter(options: options)
        try TarFolder.makeFolder(folder)
        for path in try writer.write(reinforced: folder + "/reinforced", captions: folder + "/captions") {
            try Console.line(path)
        }
    }
}

extension SampleWriter.Format: ExpressibleByArgument {}
