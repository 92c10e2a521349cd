import DRLoader
import DRShardFormat
import Foundation

/// How long a plan of very many rows takes, and how much memory: nothing is read.
enum PlanBenchmark {
    static func run(rowCount: Int) throws {
        let set = PlannedSet(
            rowSetDigest: SequenceDigest(), rowCount: rowCount,
            axes: [
                .view: [PlannedAxis(name: "view", count: 10, isExchangeable: true)],
                .real: [PlannedAxis(name: "real", count: 1, isExchangeable: false)],
                .synthetic: [PlannedAxis(name: "synthetic", count: 5, isExchangeable: true)],
            ])
        for order in RowOrder.allCases {
            var options = PlanOptions()
            options.batchSize = 8192
            options.order = order
            var times: [Double] = []
            for i in 0..<20 {
                times.append(
                    try seconds {
                        let plan = try EpochPlan(sets: [set], epoch: i, options: options)
                        let step = plan.stepCount / 20 * i
                        let samples = try plan.samples(step: step)
                        precondition(samples.count == 8192)
                    })
            }
            print(
                String(
                    format: "%@: plan of an epoch and 8,192 samples of a step: median %.2f ms, worst %.2f ms",
                    order.rawValue,
                    1e3 * median(times), 1e3 * (times.max() ?? 0)))
        }
        var usage = rusage()
        getrusage(__rusage_who_t(0), &usage)
        print("\(rowCount) rows, \(usage.ru_maxrss / 1024) MiB of memory in all")
    }
}
