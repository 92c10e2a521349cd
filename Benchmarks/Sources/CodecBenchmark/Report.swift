import DRShardFormat
import Foundation

/// Times rounds, and prints what was measured.
final class Report {
    private let settings: Settings

    init(_ settings: Settings) { self.settings = settings }

    func begin() {
        if settings.isJSON {
            line(["what": "machine", "level": KernelLevel.current.rawValue])
        } else {
            print(
                "level \(KernelLevel.current), one thread, medians of \(settings.rounds), lowest and highest behind them"
            )
        }
    }

    /// One number that is not a time.
    func number(_ data: String, _ storage: String, _ what: String, _ value: Double, unit: String, digits: Int = 3) {
        guard !settings.isJSON else {
            return line(["data": data, "storage": storage, "what": what, "unit": unit, "values": [value]])
        }
        print("\(head(data, storage, what))\(String(format: "%.\(digits)f", value)) \(unit)")
    }

    /// How fast rounds were: `count` of a unit, over the seconds of each.
    func speed(
        _ data: String, _ storage: String, _ what: String, count: Double, unit: String, _ seconds: [Double]
    ) {
        let values = seconds.map { count / $0 }.sorted()
        guard !settings.isJSON else {
            return line(["data": data, "storage": storage, "what": what, "unit": unit, "values": values])
        }
        let median = values[values.count / 2]
        let digits = median < 100 ? 3 : 0
        let format = "%.\(digits)f \(unit)\t(%.\(digits)f to %.\(digits)f)"
        print(head(data, storage, what) + String(format: format, median, values[0], values[values.count - 1]))
    }

    private func head(_ data: String, _ storage: String, _ what: String) -> String {
        [(data, 20), (storage, 16), (what, 32)].map { $0.0.padding(toLength: $0.1, withPad: " ", startingAt: 0) }
            .joined(separator: " ") + " "
    }

    private func line(_ object: [String: Any]) {
        guard let data = try? JSONSerialization.data(withJSONObject: object, options: [.sortedKeys]) else { return }
        print(String(decoding: data, as: UTF8.self))
        fflush(nil)
    }

    /// The processor seconds of each round, after one that does not count.
    /// - Parameter atLeast: a round repeats its body until it takes about so long.
    func rounds(atLeast: Double = 0, _ body: () throws -> Void) rethrows -> [Double] {
        var start = processorSeconds()
        try body()
        let first = processorSeconds() - start
        let repeats = max(1, Int((atLeast / max(first, 1e-7)).rounded(.up)))
        return try (0..<settings.rounds).map { _ in
            start = processorSeconds()
            for _ in 0..<repeats { try body() }
            return (processorSeconds() - start) / Double(repeats)
        }
    }
}

/// Of this thread.
func processorSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// The same numbers in every run.
struct Draws {
    private var state: UInt64 = 1

    mutating func below(_ count: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(((state >> 32) * UInt64(count)) >> 32)
    }
}
