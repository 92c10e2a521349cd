// A process that loads, for tests that kill it or look at its memory.
//
//   LoaderProgram stream FOLDER EPOCHS [STATE]   one line a batch: epoch, step, digest; from a state on, if one is given
//   LoaderProgram cycles FOLDER COUNT            starts and cancels epochs; one line: memory after a tenth, and after all

import DRLoader
import DRShard
import DRShardFormat
import Foundation

@main struct LoaderProgram {
    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count >= 4, let count = Int(arguments[3]) else { exit(2) }
        switch arguments[1] {
        case "stream": try stream(arguments[2], epochs: count, state: arguments.count > 4 ? arguments[4] : nil)
        case "cycles": try cycles(arguments[2], count: count)
        default: exit(2)
        }
    }

    static func loader(_ folder: String, threadCount: Int = 2) throws -> PairedLoader {
        var options = LoaderOptions()
        options.plan.batchSize = 48
        options.plan.lanes = 24
        options.plan.blockRows = 16
        options.plan.windowBlocks = 2
        options.plan.tail = .pad
        options.content = [.rowIDs, .embeddings, .augmentations, .tokens]
        options.threadCount = threadCount
        return try PairedLoader(dataSet: DataSet(path: folder), options: options)
    }

    static func stream(_ folder: String, epochs: Int, state: String?) throws {
        let state = try state.map { try JSONDecoder().decode(LoaderState.self, from: Data($0.utf8)) }
        let loader = try loader(folder)
        var epoch = try state.map { try loader.epoch(resuming: $0) } ?? loader.epoch(0)
        while true {
            while let batch = try epoch.next() {
                FileHandle.standardOutput.write(
                    Data("\(batch.epoch) \(batch.step) \(batch.sampleDigest)\n".utf8))
            }
            guard epoch.plan.epoch + 1 < epochs else { return }
            epoch = try loader.epoch(epoch.plan.epoch + 1)
        }
    }

    static func cycles(_ folder: String, count: Int) throws {
        let loader = try loader(folder, threadCount: 2)
        var early = 0
        for number in 0..<count {
            let epoch = try loader.epoch(number)
            for _ in 0..<number % 4 { _ = try epoch.next() }
            if number % 2 == 0 { epoch.cancel() }
            if number == count / 10 { early = try residentByteCount() }
        }
        print("\(early) \(try residentByteCount())")
    }

    /// Bytes of this process in memory; 0 where that cannot be known.
    static func residentByteCount() throws -> Int {
        guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return 0 }
        return (Int(text.split(separator: " ")[1]) ?? 0) * Int(sysconf(CInt(_SC_PAGESIZE)))
    }
}
