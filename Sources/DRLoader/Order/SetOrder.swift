internal import DRShardFormat

/// The order of the logical rows of one set in one epoch: sequence, lanes and windows, both ways.
/// Spec: ORDER.md section 4. Any place by itself, in O(1).
struct SetOrder: Sendable {
    let rowCount: Int
    let shape: PlanShape
    /// Of blocks, or of rows.
    private let permutation: KeyedPermutation
    private let windowKey: UInt64
    /// Where the last block, which may be shorter, stands in the sequence of blocks.
    private let lastBlockPlace: Int

    init(digest: UInt128, rowCount: Int, epoch: Int, shape: PlanShape) {
        self.rowCount = rowCount
        self.shape = shape
        func key(_ stream: String) -> UInt64 {
            OrderKey.key(rowSetDigest: digest, seed: shape.seed, epoch: UInt64(epoch), stream: stream)
        }
        switch shape.order {
        case .blocks:
            let blockCount = (rowCount + shape.blockRows - 1) / shape.blockRows
            permutation = KeyedPermutation(count: blockCount, key: key("blocks"))
            lastBlockPlace = blockCount > 0 ? permutation.place(of: blockCount - 1) : 0
            windowKey = key("windows")
        case .global:
            permutation = KeyedPermutation(count: rowCount, key: key("rows"))
            (lastBlockPlace, windowKey) = (0, 0)
        case .none:
            permutation = KeyedPermutation(count: 0, key: 0)
            (lastBlockPlace, windowKey) = (0, 0)
        }
    }

    // MARK: Sequence

    /// The row at a position of the sequence.
    func row(position: Int) -> Int {
        switch shape.order {
        case .blocks:
            let piece = piece(position: position)
            return piece.firstRow + position - piece.positions.lowerBound
        case .global: return permutation[position]
        case .none: return position
        }
    }

    /// A block in the sequence of `blocks`.
    struct Block {
        /// Its first row.
        let firstRow: Int
        let positions: Range<Int>
    }

    /// The block that holds a position of the sequence of `blocks`. Spec: [R-ORDER-9].
    func piece(position: Int) -> Block {
        let size = shape.blockRows
        let lastStart = lastBlockPlace * size
        let lastCount = rowCount - (permutation.count - 1) * size
        if position >= lastStart, position < lastStart + lastCount {
            return Block(firstRow: (permutation.count - 1) * size, positions: lastStart..<lastStart + lastCount)
        }
        // Behind the last block all positions are earlier by what it lacks.
        let lack = position < lastStart ? 0 : size - lastCount
        let place = (position + lack) / size
        let start = place * size - lack
        return Block(firstRow: permutation[place] * size, positions: start..<start + size)
    }

    // MARK: Lanes

    /// The first position of a lane of `blocks` and `global`; of the number of lanes: the number of rows.
    func laneStart(_ lane: Int) -> Int { part(rowCount, lane) }

    /// `count · lane / lanes`, without overflow.
    private func part(_ count: Int, _ lane: Int) -> Int {
        let (quotient, remainder) = count.quotientAndRemainder(dividingBy: shape.lanes)
        return quotient * lane + remainder * lane / shape.lanes
    }

    /// Places of a lane.
    func placeCount(lane: Int) -> Int {
        guard shape.order == .none else { return laneStart(lane + 1) - laneStart(lane) }
        let (steps, rest) = rowCount.quotientAndRemainder(dividingBy: shape.batchSize)
        return steps * shape.laneRows + min(max(rest - lane * shape.laneRows, 0), shape.laneRows)
    }

    /// The row at a place of a lane, which it has. Spec: [R-ORDER-12], [R-ORDER-13], [R-ORDER-14].
    func row(lane: Int, place: Int) -> Int {
        switch shape.order {
        case .blocks:
            let window = window(lane: lane, place: place)
            let start = window.places.lowerBound
            return row(position: laneStart(lane) + start + window.permutation[place - start])
        case .global: return row(position: laneStart(lane) + place)
        case .none:
            let (step, rest) = place.quotientAndRemainder(dividingBy: shape.laneRows)
            return step * shape.batchSize + lane * shape.laneRows + rest
        }
    }

    // MARK: Windows

    /// A window of a lane of `blocks`.
    struct Window {
        let number: Int
        /// Places of the lane.
        let places: Range<Int>
        /// Place `places.lowerBound + i` has the window's position `permutation[i]`.
        let permutation: KeyedPermutation
    }

    /// The window that holds a place, which the lane has.
    func window(lane: Int, place: Int) -> Window {
        let size = shape.windowRows
        let firstEnd = size - part(size, lane)
        let number = place < firstEnd ? 0 : 1 + (place - firstEnd) / size
        let start = number == 0 ? 0 : firstEnd + (number - 1) * size
        let end = min(number == 0 ? firstEnd : start + size, placeCount(lane: lane))
        let key = OrderKey.output(OrderKey.output(windowKey, UInt64(lane)), UInt64(number))
        return Window(
            number: number, places: start..<end, permutation: KeyedPermutation(count: end - start, key: key))
    }
}
