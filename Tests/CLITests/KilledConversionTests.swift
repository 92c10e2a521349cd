import DRConvert
import DRShardFormat
import Foundation
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// SplitMix64, so that a run can be told again by its seed.
private struct Random {
    var state: UInt64
    mutating func next(below bound: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return Int((z ^ z >> 31) % UInt64(bound))
    }
}

/// Starts drshard, kills it after so many microseconds unless it has ended, and waits for it.
/// - Returns: whether it had to be killed.
private func runKilled(_ arguments: [String], after microseconds: Int) throws -> Bool {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    usleep(UInt32(microseconds))
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    return process.terminationReason == .uncaughtSignal
}

@Suite struct KilledConversionTests {
    #if DEBUG
        private static let sampleCount = 2_000
    #else
        private static let sampleCount = 50_000
    #endif

    @Test(arguments: [UInt64(1)]) func tenKillsAndResumptionsEndWithTheShardsOfAnUndisturbedRun(_ seed: UInt64) throws {
        try withFolder { folder in
            var options = SampleWriter.Options()
            options.sampleCount = Self.sampleCount
            options.shardCount = 20
            options.viewCount = 2
            options.captionCount = 1
            options.dims = 16
            options.compressionLevel = 1
            _ = try SampleWriter(options: options).write(
                reinforced: folder + "/reinforced", captions: folder + "/captions")
            let arguments = ["convert", folder + "/reinforced", "--captions", folder + "/captions", "--jobs", "2"]
            let (whole, out) = (folder + "/whole", folder + "/out")
            let start = ContinuousClock.now
            let undisturbed = try drshard(arguments + ["--output", whole, "--json"])
            try #require(undisturbed.status == 0, "\(undisturbed.error)")
            let duration = Int((ContinuousClock.now - start) / .microseconds(1))
            var random = Random(state: seed)
            var kills = 0
            // Every run gets about a fifth of the time at most, so that ten of them do not come to the end.
            while kills < 10 {
                let after = 1 + random.next(below: max(2, duration / 5))
                guard try runKilled(arguments + ["--output", out, "--resume"], after: after) else { break }
                kills += 1
            }
            #expect(kills == 10, "seed \(seed)")
            let resumed = try drshard(arguments + ["--output", out, "--resume", "--json"])
            #expect(resumed.status == 0, "seed \(seed): \(resumed.error)")
            #expect(try resumed.json["rows"] as? Int == Self.sampleCount)
            for key in ["crops", "images", "unpairedCaptions", "captionsMissing"] {
                #expect(try resumed.json[key] as? Int == undisturbed.json[key] as? Int, "\(key)")
            }
            let shards = names(whole).filter { $0.hasSuffix(".drs") }
            #expect(shards.count == 20 && names(out) == names(whole), "seed \(seed)")
            for name in shards {
                #expect(try readFile(whole + "/" + name) == readFile(out + "/" + name), "seed \(seed), \(name)")
            }
        }
    }
}
