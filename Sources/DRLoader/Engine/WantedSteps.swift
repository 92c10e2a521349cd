/// The steps of an epoch that one of several takers takes: every so many from the first one on.
struct WantedSteps: Sendable {
    let first: Int
    /// 1: all of them.
    let stride: Int

    func contains(_ step: Int) -> Bool { step >= first && (step - first) % stride == 0 }

    /// Those of a range, in order.
    func within(_ steps: ClosedRange<Int>) -> [Int] {
        let behind = max(0, steps.lowerBound - first)
        let start = first + (behind + stride - 1) / stride * stride
        return start > steps.upperBound ? [] : Array(Swift.stride(from: start, through: steps.upperBound, by: stride))
    }
}
