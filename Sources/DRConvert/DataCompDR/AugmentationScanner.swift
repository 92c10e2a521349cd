package import DRShardFormat
internal import DRText

/// Reads `{"param_aug": [...]}` in the one spelling that data sets have, without a tree of JSON values.
///
/// Whatever it does not know, good or bad, it leaves to `JSON` and `AugmentationList`, which say what is wrong; what it
/// reads, they read as the same records.
package struct AugmentationScanner {
    private let bytes: [UInt8]
    private var position = 0

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The records of a whole document; nil if it is not of this spelling.
    package static func records(_ bytes: [UInt8]) -> [Augmentation]? {
        var scanner = AugmentationScanner(bytes)
        return scanner.document()
    }

    private mutating func document() -> [Augmentation]? {
        guard takes("{"), takesKey(), takes(":"), takes("[") else { return nil }
        var records: [Augmentation] = []
        repeat {
            guard let record = record() else { return nil }
            records.append(record)
        } while takes(",")
        guard takes("]"), takes("}") else { return nil }
        skipBlanks()
        return position == bytes.count ? records : nil
    }

    /// `[[top, left, height, width], [[op, magnitude], ...]]`
    private mutating func record() -> Augmentation? {
        guard takes("["), takes("["), let top = side(), takes(","), let left = side(), takes(","),
            let height = side(), height > 0, takes(","), let width = side(), width > 0, takes("]"), takes(","),
            takes("[")
        else { return nil }
        var operations: [Augmentation.Operation] = []
        repeat {
            guard takes("["), let number = side(), number < AugmentationList.operationCount, takes(","),
                let magnitude = magnitude(), takes("]"), operations.count < UInt8.max
            else { return nil }
            operations.append(.init(operation: UInt8(number), magnitude: magnitude))
        } while takes(",")
        guard takes("]"), takes("]") else { return nil }
        let box = Augmentation.Box(top: top, left: left, height: height, width: width)
        return Augmentation(items: [.crop(box), .randAugment(operations)])
    }

    @inline(__always)
    private mutating func skipBlanks() {
        while position < bytes.count, bytes[position] == 0x20 || (9...13).contains(bytes[position]),
            bytes[position] != 11, bytes[position] != 12
        { position += 1 }
    }

    /// Passes over a character, if it is the next one behind blanks.
    @inline(__always)
    private mutating func takes(_ character: Unicode.Scalar) -> Bool {
        skipBlanks()
        guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private static let key = Array("\"param_aug\"".utf8)

    private mutating func takesKey() -> Bool {
        skipBlanks()
        guard bytes.count - position > Self.key.count else { return false }
        for (i, byte) in Self.key.enumerated() where bytes[position + i] != byte { return false }
        position += Self.key.count
        return true
    }

    /// A whole number of at most nine digits, without a sign or leading zeros.
    private mutating func side() -> Int32? {
        skipBlanks()
        let start = position
        var value: Int32 = 0
        while position < bytes.count, case let digit = bytes[position] &- 0x30, digit < 10 {
            guard position - start < 9 else { return nil }
            value = value * 10 + Int32(digit)
            position += 1
        }
        guard position > start, position == start + 1 || bytes[start] != 0x30 else { return nil }
        return value
    }

    /// A number with a fraction and without an exponent.
    private mutating func magnitude() -> Double? {
        skipBlanks()
        var number = JSONNumber()
        if position < bytes.count, bytes[position] == UInt8(ascii: "-") {
            number.isNegative = true
            position += 1
        }
        let start = position
        guard digits(into: &number, isFraction: false), position == start + 1 || bytes[start] != 0x30,
            position < bytes.count, bytes[position] == UInt8(ascii: ".")
        else { return nil }
        position += 1
        number.isInteger = false
        guard digits(into: &number, isFraction: true), position < bytes.count, bytes[position] | 0x20 != 0x65 else {
            return nil
        }
        return number.quickDouble
    }

    private mutating func digits(into number: inout JSONNumber, isFraction: Bool) -> Bool {
        let start = position
        while position < bytes.count, case let digit = bytes[position] &- 0x30, digit < 10 {
            number.append(digit, isFraction: isFraction)
            position += 1
        }
        return position > start
    }
}
