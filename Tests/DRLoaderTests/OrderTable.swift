import DRLoader
import DRShardFormat
import Foundation

/// Spec/vectors/order.json, which Spec/order.py made from ORDER.md alone.
struct OrderTable: Decodable {
    struct Key: Decodable {
        var row_set: Hex, seed: Hex, epoch: Hex, stream: String, key: Hex
    }
    struct Draw: Decodable {
        var key: Hex, n: Hex, count: Hex, draw: Hex
    }
    struct Permutation: Decodable {
        var key: Hex, count: Hex, places: [Hex], images: [Hex]
    }
    struct Split: Decodable {
        var name: String, count: Int, ids: [String], buckets: [Int]
    }
    struct Axis: Decodable {
        var name: String, count: Int, exchangeable: Bool, weight: Int
    }
    struct Plan: Decodable {
        var row_sets: [Hex], row_counts: [Int], seed: Hex, batch_size: Int, lanes: Int, block_rows: Int
        var window_blocks: Int, order: RowOrder, variants: VariantMode, tail: Tail, parts: [String: [Axis]]
        var weights: [Int], epoch_steps: Int?, quarantine: [[Int]]
    }
    struct Step: Decodable {
        var step: Int, rows: [Int], named: [Int], sets: [Int], repeated: [Int]
        var view: [[Int]], real: [[Int]], synthetic: [[Int]]
    }
    struct Epoch: Decodable {
        var plan: Plan, epoch: Int, step_count: Int, steps: [Step]
    }
    /// A number in hexadecimal digits.
    struct Hex: Decodable {
        var value: UInt128
        init(from decoder: any Decoder) throws {
            let text = try decoder.singleValueContainer().decode(String.self)
            guard let value = UInt128(text, radix: 16) else {
                throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: text))
            }
            self.value = value
        }
        var word: UInt64 { UInt64(value) }
        var int: Int { Int(value) }
    }

    var keys: [Key]
    var draws: [Draw]
    var permutations: [Permutation]
    var splits: [Split]
    var epochs: [Epoch]

    static func load() throws -> OrderTable {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../Spec/vectors/order.json")
        return try JSONDecoder().decode(OrderTable.self, from: Data(contentsOf: path))
    }
}

extension OrderTable.Plan {
    func options(world: World = World()) -> PlanOptions {
        var options = PlanOptions()
        options.seed = seed.word
        options.batchSize = batch_size
        options.lanes = lanes
        options.blockRows = block_rows
        options.windowBlocks = window_blocks
        options.order = order
        options.variants = variants
        options.tail = tail
        options.epochSteps = epoch_steps
        options.world = world
        return options
    }

    func sets() throws -> [PlannedSet] {
        let axes = Dictionary(
            uniqueKeysWithValues: PartKind.allCases.map { kind in
                let planned = (parts[kind.rawValue] ?? []).map {
                    PlannedAxis(name: $0.name, count: $0.count, isExchangeable: $0.exchangeable, weight: $0.weight)
                }
                return (kind, planned)
            })
        return try row_counts.indices.map { i in
            PlannedSet(
                rowSetDigest: try SequenceDigest(validating: row_sets[i].value), rowCount: row_counts[i],
                weight: weights[i], axes: axes, quarantined: Set(quarantine[i]))
        }
    }
}
