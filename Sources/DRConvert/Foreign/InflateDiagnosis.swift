/// A slow second reading of a deflate stream that libdeflate refused, only to learn whether it is cut off or damaged.
///
/// libdeflate answers "bad data" to both. This walks the same bits without keeping output: running out of input first
/// means truncated, an impossible code first means damaged. (A cut can hide damage and damage can look like a cut;
/// whichever comes first in the stream is told.) RFC 1951. Cost: some 20 ns an output symbol, on failures only.
struct InflateDiagnosis {
    enum Verdict: Equatable {
        /// The input ends before the stream does.
        case truncated
        /// The stream ends after this many input bytes and gives this many bytes.
        case complete(consumedByteCount: Int, outputByteCount: Int)
        /// A code that no deflate stream has.
        case damaged
        /// The stream gives more than the caller would take.
        case tooLong
    }

    private enum Stop: Error { case truncated, damaged, tooLong }

    private let bytes: ArraySlice<UInt8>
    private let limit: Int
    private var bitPosition = 0
    private var produced = 0

    private init(_ bytes: ArraySlice<UInt8>, limit: Int) {
        self.bytes = bytes
        self.limit = limit
    }

    static func examine(_ bytes: ArraySlice<UInt8>, limit: Int) -> Verdict {
        var walker = InflateDiagnosis(bytes, limit: limit)
        do throws(Stop) {
            try walker.stream()
            return .complete(consumedByteCount: (walker.bitPosition + 7) / 8, outputByteCount: walker.produced)
        } catch {
            return switch error {
            case .truncated: .truncated
            case .damaged: .damaged
            case .tooLong: .tooLong
            }
        }
    }

    private mutating func bits(_ count: Int) throws(Stop) -> Int {
        var value = 0
        for i in 0..<count {
            guard bitPosition >> 3 < bytes.count else { throw .truncated }
            let byte = bytes[bytes.startIndex + bitPosition >> 3]
            value |= Int(byte >> UInt8(bitPosition & 7) & 1) << i
            bitPosition += 1
        }
        return value
    }

    private mutating func produce(_ byteCount: Int) throws(Stop) {
        guard byteCount <= limit - produced else { throw .tooLong }
        produced += byteCount
    }

    private mutating func stream() throws(Stop) {
        var isLast = false
        while !isLast {
            isLast = try bits(1) == 1
            switch try bits(2) {
            case 0: try stored()
            case 1: try compressed(.fixedLiterals, .fixedDistances)
            case 2:
                let (literals, distances) = try dynamicCodes()
                try compressed(literals, distances)
            default: throw .damaged
            }
        }
    }

    private mutating func stored() throws(Stop) {
        bitPosition = (bitPosition + 7) & ~7
        let byteCount = try bits(16)
        guard try bits(16) == byteCount ^ 0xFFFF else { throw .damaged }
        guard byteCount <= bytes.count - bitPosition / 8 else { throw .truncated }
        bitPosition += 8 * byteCount
        try produce(byteCount)
    }

    /// A canonical Huffman code: how many codes each length has, and the symbols in code order.
    private struct Code {
        var counts = [Int](repeating: 0, count: 16)
        var symbols: [Int] = []
        /// Codes that are missing: 0 for a complete code, negative for one with too many.
        var left = 1

        init(lengths: some Collection<Int>) {
            for length in lengths { counts[length] += 1 }
            for length in 1...15 { left = 2 * left - counts[length] }
            for length in 1...15 {
                for (symbol, own) in lengths.enumerated() where own == length { symbols.append(symbol) }
            }
        }

        /// Deflate allows an incomplete code only where it is a single code of one bit.
        var isValid: Bool { left == 0 || (left > 0 && symbols.count == 1 && counts[1] == 1) }

        static let fixedLiterals = Code(
            lengths: (0..<288).map { $0 < 144 ? 8 : $0 < 256 ? 9 : $0 < 280 ? 7 : 8 })
        static let fixedDistances = Code(lengths: [Int](repeating: 5, count: 30))
    }

    private mutating func symbol(_ code: Code) throws(Stop) -> Int {
        var value = 0
        var first = 0
        var index = 0
        for length in 1...15 {
            value |= try bits(1)
            let count = code.counts[length]
            if value - first < count { return code.symbols[index + value - first] }
            index += count
            first = (first + count) << 1
            value <<= 1
        }
        throw .damaged
    }

    private mutating func dynamicCodes() throws(Stop) -> (Code, Code) {
        let literalCount = try bits(5) + 257
        let distanceCount = try bits(5) + 1
        let lengthCount = try bits(4) + 4
        guard literalCount <= 286, distanceCount <= 30 else { throw .damaged }
        let order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
        var lengths = [Int](repeating: 0, count: 19)
        for i in 0..<lengthCount { lengths[order[i]] = try bits(3) }
        let lengthCode = Code(lengths: lengths)
        guard lengthCode.isValid else { throw .damaged }
        var all: [Int] = []
        while all.count < literalCount + distanceCount {
            let symbol = try symbol(lengthCode)
            if symbol < 16 {
                all.append(symbol)
                continue
            }
            guard symbol != 16 || !all.isEmpty else { throw .damaged }
            let value = symbol == 16 ? all[all.count - 1] : 0
            let run = try symbol == 16 ? 3 + bits(2) : symbol == 17 ? 3 + bits(3) : 11 + bits(7)
            guard run <= literalCount + distanceCount - all.count else { throw .damaged }
            all += repeatElement(value, count: run)
        }
        let literals = Code(lengths: all[..<literalCount])
        let distances = Code(lengths: all[literalCount...])
        guard all[256] != 0, literals.isValid, distances.isValid || distances.symbols.isEmpty else { throw .damaged }
        return (literals, distances)
    }

    private mutating func compressed(_ literals: Code, _ distances: Code) throws(Stop) {
        while true {
            let symbol = try symbol(literals)
            if symbol == 256 { return }
            if symbol < 256 {
                try produce(1)
                continue
            }
            let (length, lengthBits) = try Self.length(symbol - 257)
            let byteCount = length + (try bits(lengthBits))
            let code = try self.symbol(distances)
            guard code < 30 else { throw .damaged }
            let extraBits = code < 4 ? 0 : code / 2 - 1
            let base = code < 4 ? code + 1 : (2 + code % 2) << extraBits + 1
            guard base + (try bits(extraBits)) <= produced else { throw .damaged }
            try produce(byteCount)
        }
    }

    /// The shortest match of a length code and how many bits are added to it.
    private static func length(_ code: Int) throws(Stop) -> (Int, Int) {
        switch code {
        case 0..<8: return (code + 3, 0)
        case 8..<28:
            let extraBits = code / 4 - 1
            return ((4 + code % 4) << extraBits + 3, extraBits)
        case 28: return (258, 0)
        default: throw .damaged
        }
    }
}
