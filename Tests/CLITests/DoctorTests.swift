import DRShardFormat
import Foundation
import Testing

@Suite struct DoctorTests {
    /// Codes of all findings of a severity, from the JSON.
    private func codes(_ outcome: Outcome, _ severity: String) throws -> [String] {
        let subjects = try #require(try outcome.json["subjects"] as? [[String: Any]])
        return subjects.flatMap { $0["findings"] as? [[String: Any]] ?? [] }
            .filter { $0["severity"] as? String == severity }.compactMap { $0["code"] as? String }
    }

    @Test func aSampleIsHealthyBeforeAndAfterItIsConverted() throws {
        try withFolder { folder in
            let shards = try convertedSample(in: folder)
            let outcome = try drshard(
                "doctor", "--strict", shards, folder + "/in/reinforced", folder + "/in/captions")
            #expect(outcome.status == 0 && outcome.error.isEmpty, "\(outcome.output)")
            #expect(outcome.lines.first == "shards, 2 files: 12 rows, all looked at")
            #expect(outcome.lines.filter { $0.hasPrefix("0 errors, 0 warnings, ") }.count == 3)
        }
    }

    @Test func warningsEndWithOneOnlyIfStrict() throws {
        try withFolder { folder in
            var sample = try SampleMembers(1)
            sample.members["url.txt"] = nil
            try writeTar(folder + "/a.tar", [sample])
            let outcome = try drshard("doctor", folder, "--json")
            #expect(outcome.status == 0)
            let errors = try codes(outcome, "error")
            let warnings = try codes(outcome, "warning")
            #expect(errors.isEmpty)
            // The magnitudes of these samples are none of the recipe's.
            #expect(warnings == ["missing-member", "unknown-magnitude"])
            let strict = try drshard("doctor", folder, "--strict")
            #expect(strict.status == 1)
        }
    }

    @Test func errorsAreNamedWithTheirPlace() throws {
        try withFolder { folder in
            let samples = [try SampleMembers(1), try SampleMembers(2)]
            try writeTar(folder + "/a.tar", samples)
            try writeTar(folder + "/b.tar", [try SampleMembers(3), samples[1]])
            let outcome = try drshard("doctor", folder)
            #expect(outcome.status == 1)
            #expect(outcome.lines.contains("error: duplicate-id, once"))
            #expect(
                outcome.lines.contains(
                    "  - \(folder)/b.tar, row 1, id \(samples[1].uid): also \(folder)/a.tar, row 1"))
        }
    }

    @Test func theOutputDoesNotDependOnJobs() throws {
        try withFolder { folder in
            let shards = try convertedSample(in: folder)
            for more in [[], ["--rows", "5"], ["--json"]] {
                let one = try drshard(["doctor", shards, folder + "/in/reinforced"] + more)
                let four = try drshard(["doctor", shards, folder + "/in/reinforced", "--jobs", "4"] + more)
                #expect(one.status == 0 && one.output == four.output)
            }
            let some = try drshard("doctor", shards, "--rows", "5")
            #expect(some.lines.first == "shards, 2 files: 12 rows, 5 looked at (--rows says how many)")
        }
    }

    @Test func whatIsNotThereIsNoFinding() throws {
        try withFolder { folder in
            for (arguments, status) in [
                (["doctor", folder + "/nothing"], 3), (["doctor", folder], 3), (["doctor", folder, "--rows", "0"], 2),
                (["report", folder, "--output", folder + "/r.html"], 3),
            ] as [([String], Int32)] {
                let outcome = try drshard(arguments)
                #expect(outcome.status == status, "\(arguments)")
            }
            #expect(names(folder).isEmpty)
        }
    }

    @Test func captionsOfAReportStayText() throws {
        try withFolder { folder in
            let hostile = #"</p><script>alert("1")</script><img src=x onerror='y'>&amp;"#
            var samples: [SampleMembers] = []
            for number in 1...3 {
                var sample = try SampleMembers(number)
                sample.members["syn.json"] = Array(#"{"syn_text": ["<b>bold</b>", "\u0000\u202e"]}"#.utf8)
                samples.append(sample)
            }
            var captions = captions(of: samples)
            // A PNG's header is enough for a picture that no browser can show.
            let png: [UInt8] =
                [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 13] + Array("IHDR".utf8)
                + [0, 0, 0, 8, 0, 0, 0, 8]
            for i in captions.indices {
                captions[i].members["txt"] = Array(hostile.utf8)
                captions[i].members["png"] = png
            }
            for name in ["in", "captions"] {
                try FileManager.default.createDirectory(
                    atPath: folder + "/" + name, withIntermediateDirectories: false)
            }
            try writeTar(folder + "/in/a.tar", samples)
            try writeTar(folder + "/captions/a.tar", captions)
            let converted = try drshard(
                "convert", folder + "/in", "--captions", folder + "/captions", "--output", folder + "/shards",
                "--teacher", #"<i>"teacher":0:4"#, "--captioner", "<u>captioner</u>", "--licence", "<s>a=b</s>")
            try #require(converted.status == 0, "\(converted.error)")
            let report = try drshard("report", folder + "/shards", "--output", folder + "/r.html")
            try #require(report.status == 0, "\(report.error)")
            let page = String(decoding: try readFile(folder + "/r.html"), as: UTF8.self)
            #expect(
                page.contains(
                    "&lt;/p&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&lt;img src=x onerror=&#39;y&#39;&gt;"
                        + "&amp;amp;"))
            for tag in ["<script", "<img", "<b>bold", "<i>", "<u>", "<s>", "\u{202E}", "\u{0}"] {
                #expect(!page.contains(tag), "\(tag)")
            }
            #expect(page.contains("data:image/png;base64,iVBORw0KGgoAAAAN"))
            #expect(page.contains("default-src 'none'"))
            #expect(!page.contains("http://") && !page.contains("https://"))
        }
    }
}
