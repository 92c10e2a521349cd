import DRConvert
import DRShard
import DRShardFormat
import Testing

import DRDoctor

@Suite struct HealthySetTests {
    @Test(arguments: 0..<20)
    func samplesOfAnySeedHaveNoErrorAndNoWarning(seed: UInt64) throws {
        try withFolder { folder in
            try PlantedSet.sample(in: folder, seed: seed, samples: 48, views: 6, shards: 2)
            try PlantedSet.convert(in: folder)
            let paths = [folder + "/converted", folder + "/tars", folder + "/captions"]
            let subjects = try Doctor.examine(paths, options: DoctorOptions())
            #expect(subjects.map(\.kind) == [.shards, .tars, .captionTars])
            for subject in subjects {
                #expect(subject.rowTotal == 48 && subject.rowsExamined == 48)
                #expect(subject.findings.allSatisfy { $0.severity == .note }, "seed \(seed): \(subject.findings)")
            }
        }
    }

    @Test func theResultDoesNotDependOnThreads() throws {
        try withFolder { folder in
            try PlantedSet.sample(in: folder, samples: 40, shards: 5)
            try PlantedSet.convert(in: folder)
            func result(_ jobs: Int, _ rows: Int?) throws -> String {
                var options = DoctorOptions()
                options.jobs = jobs
                options.rows = rows
                let subjects = try Doctor.examine([folder + "/converted", folder + "/tars"], options: options)
                return subjects.map { subject in
                    let profile = subject.profile
                    return "\(subject.findings) \(subject.rowTotal) \(profile.map { "\($0.normSummaries)" } ?? "")"
                        + "\(profile?.cosines.map { "\($0)" } ?? []) \(profile?.viewTests.map { "\($0)" } ?? [])"
                }.joined()
            }
            for rows in [nil, 11] {
                let one = try result(1, rows)
                for jobs in [2, 7] {
                    let several = try result(jobs, rows)
                    #expect(several == one)
                }
            }
            var options = DoctorOptions()
            options.rows = 11
            let subjects = try Doctor.examine([folder + "/converted", folder + "/tars"], options: options)
            #expect(subjects.map(\.rowsExamined) == [11, 11] && subjects.map(\.rowTotal) == [40, 40])
        }
    }

    @Test func aSetWithoutRowsIsNoError() throws {
        try withFolder { folder in
            let schema = try Schema(
                axes: [], columns: [Column(name: "id", role: .rowID, type: .tensor(.u8, dims: [16]))])
            try ShardWriter(path: folder + "/a.drs", schema: schema, options: WriterOptions(shardTag: 1)).finish()
            #expect(try examined([folder + "/a.drs"]).isEmpty)
        }
    }
}
