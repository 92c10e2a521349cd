// Rows in, an epoch of paired batches out, and the reinforced loss of every batch.
//
//   swift run --package-path Examples PairedLoss [FOLDER]
//
// The "teacher" makes embeddings of images and captions that belong together; the "student" sees them through noise, which
// shrinks from epoch to epoch. So the loss falls from epoch to epoch, and the program says if it does not.

import DRLoader
import DRShard
import DRShardFormat

let dims = 32
let rowCount = 256
let views = 2
let captions = 2
let logitScale: Float = 20

/// Numbers that are the same on every system.
struct Numbers: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
    mutating func vector() -> [Float] { normalised((0..<dims).map { _ in Float.random(in: -1...1, using: &self) }) }
}

func normalised(_ vector: [Float]) -> [Float] {
    let length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return vector.map { $0 / length }
}

func mixed(_ vector: [Float], with noise: Float, _ numbers: inout Numbers) -> [Float] {
    normalised(zip(vector, numbers.vector()).map { $0 + noise * $1 })
}

/// bfloat16, as the shard stores it: the upper half of a float, rounded to nearest, ties to even.
func bfloat16(_ vector: [Float]) -> [UInt8] {
    vector.flatMap { value in
        let bits = value.bitPattern
        let upper = UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
        return [UInt8(upper & 0xFF), UInt8(upper >> 8)]
    }
}

// MARK: Rows in

func write(_ path: String) throws {
    let schema = try Schema(
        axes: [
            Axis(name: "view", kind: .view, count: views, exchangeable: .yes),
            Axis(name: "real", kind: .realCaption, count: 1, exchangeable: .no),
            Axis(name: "synthetic", kind: .syntheticCaption, count: captions, exchangeable: .yes),
        ],
        columns: [
            Column(name: "id", role: .rowID, type: .tensor(.u8, dims: [2])),
            Column(name: "image_emb", role: .imageEmbedding, type: .tensor(.bf16, dims: [dims]), axis: 0),
            Column(name: "text_emb", role: .textEmbedding, type: .tensor(.bf16, dims: [dims]), axis: 1),
            Column(name: "syn_text_emb", role: .textEmbedding, type: .tensor(.bf16, dims: [dims]), axis: 2),
        ])
    var numbers = Numbers(state: 1)
    let writer = try ShardWriter(path: path, schema: schema, options: WriterOptions(shardTag: 1))
    for row in 0..<rowCount {
        let meaning = numbers.vector()
        try writer.set([UInt8(row & 0xFF), UInt8(row >> 8)], column: 0)
        for view in 0..<views {
            try writer.set(bfloat16(mixed(meaning, with: 0.3, &numbers)), column: 1, variant: view)
        }
        try writer.set(bfloat16(mixed(meaning, with: 0.3, &numbers)), column: 2)
        for caption in 0..<captions {
            try writer.set(bfloat16(mixed(meaning, with: 0.5, &numbers)), column: 3, variant: caption)
        }
        try writer.endRow()
    }
    try writer.finish()
}

// MARK: The loss

typealias Matrix = [[Float]]

/// The rows of a batch's matrix of f32.
func rows(_ matrix: BatchMatrix) -> Matrix {
    (0..<matrix.rowCount).map { row in
        let bytes = matrix.bytes(row: row)
        return (0..<matrix.width).map { i in
            Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[i * 4 + $1]) << (8 * UInt32($1)) })
        }
    }
}

/// Logits of all pairs of rows.
func logits(_ a: Matrix, _ b: Matrix) -> Matrix {
    a.map { left in b.map { right in logitScale * zip(left, right).reduce(0) { $0 + $1.0 * $1.1 } } }
}

func logSoftmax(_ row: [Float]) -> [Float] {
    let largest = row.max() ?? 0
    let sum = row.reduce(0) { $0 + exponential($1 - largest) }
    return row.map { $0 - largest - logarithm(sum) }
}

/// Cross entropy of the teacher's probabilities and the student's, mean over rows.
func distillation(student: Matrix, teacher: Matrix) -> Float {
    zip(student, teacher).reduce(0) { sum, pair in
        sum - zip(logSoftmax(pair.0), logSoftmax(pair.1)).reduce(0) { $0 + exponential($1.1) * $1.0 }
    } / Float(student.count)
}

func contrastive(_ logits: Matrix) -> Float {
    logits.enumerated().reduce(0) { $0 - logSoftmax($1.element)[$1.offset] } / Float(logits.count)
}

func transposed(_ matrix: Matrix) -> Matrix { matrix[0].indices.map { column in matrix.map { $0[column] } } }

/// `(1 - lambda) * contrastive + lambda * distillation`, both from images to captions and back.
func loss(student: (Matrix, Matrix), teacher: (Matrix, Matrix), lambda: Float = 0.7) -> Float {
    let (own, wanted) = (logits(student.0, student.1), logits(teacher.0, teacher.1))
    let plain = (contrastive(own) + contrastive(transposed(own))) / 2
    let taught =
        (distillation(student: own, teacher: wanted)
            + distillation(student: transposed(own), teacher: transposed(wanted))) / 2
    return (1 - lambda) * plain + lambda * taught
}

/// e to a number that is not positive, and the natural logarithm of one that is, without a library of the system's.
func exponential(_ x: Float) -> Float {
    guard x > -80 else { return 0 }
    let (whole, rest) = ((x * 1.442_695).rounded(), x - (x * 1.442_695).rounded() * 0.693_147_2)
    var (term, sum): (Float, Float) = (1, 1)
    for i in 1...8 {
        term *= rest / Float(i)
        sum += term
    }
    return sum * Float(sign: .plus, exponent: Int(whole), significand: 1)
}

func logarithm(_ x: Float) -> Float {
    let y = (x.significand - 1) / (x.significand + 1)
    var (power, sum): (Float, Float) = (y, 0)
    for i in stride(from: 1, through: 15, by: 2) {
        sum += power / Float(i)
        power *= y * y
    }
    return 2 * sum + Float(x.exponent) * 0.693_147_2
}

// MARK: An epoch of paired batches out

let folder = CommandLine.arguments.dropFirst().first ?? "."
let path = folder + "/paired-loss.drs"
try write(path)
var options = LoaderOptions()
options.plan.batchSize = 32
options.plan.seed = 1
options.content = [.embeddings]
options.embeddingElement = .f32
let loader = try PairedLoader(dataSet: try DataSet(path: path), options: options)

var means: [Float] = []
for epoch in 0..<4 {
    var numbers = Numbers(state: UInt64(epoch))
    let noise: Float = [2, 1, 0.5, 0][epoch]
    var sum: Float = 0
    let batches = try loader.epoch(epoch)
    while let batch = try batches.next() {
        let images = rows(batch.image.embeddings[0])
        let seen = images.map { mixed($0, with: noise, &numbers) }
        for caption in [batch.real, batch.synthetic] {
            let texts = rows(caption.embeddings[0])
            sum += loss(student: (seen, texts.map { mixed($0, with: noise, &numbers) }), teacher: (images, texts))
        }
    }
    means.append(sum / Float(batches.plan.stepCount))
    print("epoch \(epoch): noise \(noise), loss \(means[epoch])")
}
guard zip(means, means.dropFirst()).allSatisfy({ $0 > $1 }) else { fatalError("the loss does not fall: \(means)") }
