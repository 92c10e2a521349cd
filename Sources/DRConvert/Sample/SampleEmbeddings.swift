/// Made-up embeddings with the geometry of two concatenated CLIP teachers: unit halves, a direction that all images
/// share, views of one image at cosines of .85 to .95, captions of one image at .7 to .9.
struct SampleEmbeddings {
    private let half: Int
    private var imageMeans: [[Double]] = []
    private var textMeans: [[Double]] = []

    /// - Parameters:
    ///   - dims: even; both halves together.
    init(dims: Int, _ generator: inout SampleGenerator) {
        half = dims / 2
        for _ in 0..<2 {
            imageMeans.append(Self.direction(half, &generator))
            textMeans.append(Self.direction(half, &generator))
        }
    }

    /// Rows of `[views, dims]` and `[captions, dims]`, as Float.
    func rows(views: Int, captions: Int, _ generator: inout SampleGenerator) -> (image: [[Float]], text: [[Float]]) {
        var image = [[Float]](repeating: [], count: views)
        var text = [[Float]](repeating: [], count: captions)
        for teacher in 0..<2 {
            let own = Self.direction(half, &generator)
            let picture = Self.mix([(0.7, imageMeans[teacher]), (0.7, own)])
            let words = Self.mix([(0.7, textMeans[teacher]), (0.3, own), (0.6, Self.direction(half, &generator))])
            for view in 0..<views { image[view] += Self.near(picture, 0.85...0.95, &generator) }
            for caption in 0..<captions { text[caption] += Self.near(words, 0.7...0.9, &generator) }
        }
        return (image, text)
    }

    /// A unit vector near `center`; two of them have about the cosine that `cosines` says.
    private static func near(
        _ center: [Double], _ cosines: ClosedRange<Double>, _ generator: inout SampleGenerator
    ) -> [Float] {
        let square = generator.uniform(cosines)
        let vector = mix([
            (square.squareRoot(), center), ((1 - square).squareRoot(), direction(center.count, &generator)),
        ])
        return vector.map { Float($0) }
    }

    private static func direction(_ count: Int, _ generator: inout SampleGenerator) -> [Double] {
        var vector: [Double] = []
        vector.reserveCapacity(count)
        for _ in 0..<count { vector.append(generator.normal()) }
        return mix([(1, vector)])
    }

    /// A weighted sum, scaled to length 1.
    private static func mix(_ parts: [(weight: Double, vector: [Double])]) -> [Double] {
        var sum = [Double](repeating: 0, count: parts.first?.vector.count ?? 0)
        for (weight, vector) in parts {
            for i in sum.indices { sum[i] += weight * vector[i] }
        }
        var square = 0.0
        for x in sum { square += x * x }
        guard square > 0 else { return sum }
        let scale = 1 / square.squareRoot()
        return sum.map { $0 * scale }
    }
}
