internal import DRConvert

/// Made-up bf16 embeddings `[rows, variants, dims]` with the statistics of a joint text-image model: teachers of unit
/// length side by side, a direction that all rows share, dims of different spread with a few outliers, and variants of
/// a row near each other. Whole numbers only, so that the bytes are the same on every platform.
public struct GeneratedEmbeddings {
    /// What the vectors are like, in 256ths of their variance.
    public struct Shape: Sendable {
        /// What the vectors of all rows have in common.
        public var shared: Int
        /// What the variants of a row have in common, of the rest too: each variant draws from this.
        public var likeness: ClosedRange<Int>

        public init(shared: Int, likeness: ClosedRange<Int>) {
            self.shared = shared
            self.likeness = likeness
        }

        /// Views of an image: cosines about .9 of the same image, .45 of different ones.
        public static let views = Shape(shared: 128, likeness: 218...243)
        /// Captions of an image: cosines about .8 of the same image, .32 of different ones.
        public static let captions = Shape(shared: 102, likeness: 179...230)
    }

    public let dims: Int
    public let variantCount: Int
    private let shape: Shape
    private let teacherCount: Int
    /// Of each dim, in 256ths.
    private var spreads: [Int] = []
    /// What all rows share: like one draw, times the spread.
    private var shared: [Int] = []
    private var generator: SampleGenerator

    /// - Parameter dims: a multiple of `teacherCount`.
    public init(dims: Int, variantCount: Int, shape: Shape, teacherCount: Int = 2, seed: UInt64) {
        precondition(
            teacherCount > 0 && dims > 0 && dims % teacherCount == 0, "\(dims) dims of \(teacherCount) teachers")
        self.dims = dims
        self.variantCount = variantCount
        self.shape = shape
        self.teacherCount = teacherCount
        generator = SampleGenerator(seed: seed)
        for _ in 0..<dims {
            // Half to twice the common spread, most near it; of 128 dims one is an outlier.
            let spread = (generator.integer(64...256) + generator.integer(64...256)) * 3 / 4
            let isOutlier = generator.integer(0...127) == 0
            spreads.append(isOutlier ? 4 * spread : spread)
            shared.append(generator.draw() * (isOutlier ? 2 : 1))
        }
    }

    /// The values of the next row: its variants, one behind the other, each of `dims` values of bf16.
    public mutating func nextRow() -> [UInt16] {
        let common = Self.root(shape.shared)
        let own = Self.root(256 - shape.shared)
        var center: [Int] = []
        center.reserveCapacity(dims)
        for dim in 0..<dims { center.append((common * shared[dim] + own * generator.draw()) / 64) }
        var row: [UInt16] = []
        row.reserveCapacity(dims * variantCount)
        var vector = Array(repeating: 0, count: dims)
        for _ in 0..<variantCount {
            let likeness = generator.integer(shape.likeness)
            let near = Self.root(likeness)
            let far = Self.root(256 - likeness)
            for dim in 0..<dims {
                vector[dim] = (near * center[dim] + far * generator.draw() * 64) / 4096 * spreads[dim]
            }
            for teacher in 0..<teacherCount {
                Self.appendUnit(vector[dims / teacherCount * teacher..<dims / teacherCount * (teacher + 1)], to: &row)
            }
        }
        return row
    }

    /// The rows as a flat array.
    public mutating func values(rowCount: Int) -> [UInt16] {
        var values: [UInt16] = []
        values.reserveCapacity(rowCount * variantCount * dims)
        for _ in 0..<rowCount { values += nextRow() }
        return values
    }

    /// The square root of a number of 256ths, in 4,096ths.
    private static func root(_ part: Int) -> Int { squareRoot(UInt64(part) << 16) }

    /// Appends a vector at length 1. Its values are below 2^36, of which the squares have the upper 24 bits.
    private static func appendUnit(_ vector: ArraySlice<Int>, to row: inout [UInt16]) {
        var square: UInt64 = 0
        for value in vector { square += UInt64((value >> 12) * (value >> 12)) }
        let length = UInt64(max(1, squareRoot(square)))
        for value in vector {
            // A value of length 1 is 2^36.
            let bits = bfloat16(UInt64(value.magnitude) << 24 / length, one: 36)
            row.append(value < 0 ? bits | 0x8000 : bits)
        }
    }

    /// The largest whole number whose square is at most `square`.
    static func squareRoot(_ square: UInt64) -> Int {
        var root: UInt64 = 0
        var bit: UInt64 = 1 << 31
        while bit > 0 {
            let next = root | bit
            if next * next <= square { root = next }
            bit >>= 1
        }
        return Int(root)
    }

    /// `number / 2^one` as bf16, to nearest, ties to even.
    static func bfloat16(_ number: UInt64, one: Int) -> UInt16 {
        guard number > 0 else { return 0 }
        let top = 63 - number.leadingZeroBitCount
        let fraction: UInt64
        if top <= 7 {
            fraction = number << UInt64(7 - top)
        } else {
            let shift = UInt64(top - 7)
            let half: UInt64 = 1 << (shift - 1)
            fraction = (number + half - 1 + number >> shift & 1) >> shift
        }
        // A fraction that was rounded up to 2^8 counts the exponent up.
        return UInt16((127 + top - one) << 7 + Int(fraction) - 128)
    }
}

extension SampleGenerator {
    /// Nearly normal: the sum of four numbers of 16 bits about its mean; the standard deviation is about 37,837.
    fileprivate mutating func draw() -> Int {
        let bits = next()
        return Int(bits & 0xFFFF) + Int(bits >> 16 & 0xFFFF) + Int(bits >> 32 & 0xFFFF) + Int(bits >> 48) - 131_070
    }
}
