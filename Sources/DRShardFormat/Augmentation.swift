/// An augmentation record: the operations that made a view, with the numbers they drew. Spec: FORMAT.md section 6.2.
public struct Augmentation: Hashable, Sendable {
    /// One operation of RandAugment: its number in the operation table, and its magnitude.
    public struct Operation: Hashable, Sendable {
        public var operation: UInt8
        public var magnitude: Double
        public init(operation: UInt8, magnitude: Double) {
            self.operation = operation
            self.magnitude = magnitude
        }
        /// Equal bits, so that a NaN equals itself and −0 is not 0.
        public static func == (a: Operation, b: Operation) -> Bool {
            a.operation == b.operation && a.magnitude.bitPattern == b.magnitude.bitPattern
        }
        public func hash(into hasher: inout Hasher) {
            hasher.combine(operation)
            hasher.combine(magnitude.bitPattern)
        }
    }

    /// A rectangle in pixels of the source image.
    public struct Box: Hashable, Sendable {
        public var top: Int32, left: Int32, height: Int32, width: Int32
        public init(top: Int32, left: Int32, height: Int32, width: Int32) {
            self.top = top
            self.left = left
            self.height = height
            self.width = width
        }
    }

    public enum Item: Hashable, Sendable {
        case crop(Box)
        case randAugment([Operation])
        case flip(Bool)
        case erase(x: Int32, y: Int32, height: Int32, width: Int32)
        case colorJitter(order: [UInt8], factors: [Double])
        case mixup(lambda: Double, partner: [UInt8])
        case cutmix(lambda: Double, x1: Int32, y1: Int32, x2: Int32, y2: Int32, partner: [UInt8])
        case randomCrop(top: Int32, left: Int32)
        case resize(Int32)
        /// The operation of this kind was drawn, and skipped.
        case null(kind: UInt8)
    }

    public var items: [Item]
    public init(items: [Item]) { self.items = items }

    /// The crop box, if the record has one.
    public var crop: Box? {
        for case .crop(let box) in items { return box }
        return nil
    }

    /// The operations of RandAugment, in order; none if it was skipped.
    public var operations: [Operation] {
        for case .randAugment(let operations) in items { return operations }
        return []
    }

    package static let kindNames = [
        1: "crop", 2: "rand_augment", 3: "flip", 4: "erase", 5: "color_jitter", 6: "mixup", 7: "cutmix",
        8: "random_crop", 9: "resize",
    ]
}

extension Augmentation {
    /// Parses a canonical value.
    /// - Throws: `.unsupportedFeature` for an item kind of a newer version, `.corrupt` for one that is cut short.
    public init(parsing bytes: [UInt8]) throws(ShardError) {
        var cursor = ByteCursor(bytes, of: "augmentation record")
        items = []
        while cursor.remaining > 0 { items.append(try Augmentation.item(&cursor)) }
    }

    /// Whether bytes are a record, without making one: no allocation. `init` says what is wrong.
    package static func isRecord(_ bytes: Span<UInt8>) -> Bool {
        var at = 0
        while at < bytes.count {
            let kind = bytes[at]
            // The kinds of `kindNames`.
            guard (1...9).contains(kind & 0x7F) else { return false }
            at += 1
            if kind & 0x80 != 0 { continue }
            /// A row id behind `count` bytes.
            func partner(behind count: Int) -> Int? {
                bytes.count - at > count ? count + 1 + Int(bytes[at + count]) : nil
            }
            let byteCount: Int? =
                switch kind {
                case 1, 4: 16
                case 2: at < bytes.count ? 1 + 9 * Int(bytes[at]) : nil
                case 3: at < bytes.count && bytes[at] <= 1 ? 1 : nil
                case 5: 36
                case 6: partner(behind: 8)
                case 7: partner(behind: 24)
                case 8: 8
                case 9: 4
                default: nil
                }
            guard let byteCount, byteCount <= bytes.count - at else { return false }
            at += byteCount
        }
        return true
    }

    private static func item(_ cursor: inout ByteCursor) throws(ShardError) -> Item {
        let kind = try cursor.u8()
        guard kindNames[Int(kind & 0x7F)] != nil else {
            throw .unsupportedFeature("augmentation record: item of kind \(kind & 0x7F)")
        }
        switch kind {
        case 1:
            return .crop(
                Box(
                    top: try cursor.i32(), left: try cursor.i32(), height: try cursor.i32(), width: try cursor.i32()))
        case 2:
            var operations: [Operation] = []
            for _ in 0..<(try cursor.u8()) {
                operations.append(Operation(operation: try cursor.u8(), magnitude: try cursor.f64()))
            }
            return .randAugment(operations)
        case 3:
            let applied = try cursor.u8()
            guard applied <= 1 else { throw .corrupt("augmentation record: flip is \(applied)") }
            return .flip(applied == 1)
        case 4:
            return .erase(
                x: try cursor.i32(), y: try cursor.i32(), height: try cursor.i32(), width: try cursor.i32())
        case 5:
            let order = try cursor.raw(4)
            return .colorJitter(
                order: order,
                factors: [try cursor.f64(), try cursor.f64(), try cursor.f64(), try cursor.f64()])
        case 6:
            return .mixup(lambda: try cursor.f64(), partner: try partner(&cursor))
        case 7:
            return .cutmix(
                lambda: try cursor.f64(), x1: try cursor.i32(), y1: try cursor.i32(), x2: try cursor.i32(),
                y2: try cursor.i32(), partner: try partner(&cursor))
        case 8: return .randomCrop(top: try cursor.i32(), left: try cursor.i32())
        case 9: return .resize(try cursor.i32())
        default: return .null(kind: kind & 0x7F)
        }
    }

    private static func partner(_ cursor: inout ByteCursor) throws(ShardError) -> [UInt8] {
        try cursor.raw(Int(try cursor.u8()))
    }

    /// The canonical value: equal records have equal bytes.
    /// - Throws: `.invalidArgument` for an item that has no bytes: more than 255 operations or bytes of a partner's id,
    ///   another number than 4 of places or factors of a colour jitter, a null item of an unknown kind.
    public func serialized() throws(ShardError) -> [UInt8] {
        var bytes: [UInt8] = []
        for item in items { try Augmentation.append(item, to: &bytes) }
        return bytes
    }

    private static func append(_ item: Item, to bytes: inout [UInt8]) throws(ShardError) {
        switch item {
        case .crop(let box):
            bytes.append(1)
            for number in [box.top, box.left, box.height, box.width] { bytes.append(i32: number) }
        case .randAugment(let operations):
            bytes.append(2)
            bytes.append(try byte(operations.count, of: "operations"))
            for operation in operations {
                bytes.append(operation.operation)
                bytes.append(f64: operation.magnitude)
            }
        case .flip(let applied):
            bytes.append(3)
            bytes.append(applied ? 1 : 0)
        case .erase(let x, let y, let height, let width):
            bytes.append(4)
            for number in [x, y, height, width] { bytes.append(i32: number) }
        case .colorJitter(let order, let factors):
            guard order.count == 4, factors.count == 4 else {
                throw .invalidArgument(
                    "augmentation record: \(order.count) places and \(factors.count) factors of a colour jitter, which has 4"
                )
            }
            bytes.append(5)
            bytes.append(contentsOf: order)
            for factor in factors { bytes.append(f64: factor) }
        case .mixup(let lambda, let partner):
            bytes.append(6)
            bytes.append(f64: lambda)
            try append(partner: partner, to: &bytes)
        case .cutmix(let lambda, let x1, let y1, let x2, let y2, let partner):
            bytes.append(7)
            bytes.append(f64: lambda)
            for number in [x1, y1, x2, y2] { bytes.append(i32: number) }
            try append(partner: partner, to: &bytes)
        case .randomCrop(let top, let left):
            bytes.append(8)
            bytes.append(i32: top)
            bytes.append(i32: left)
        case .resize(let size):
            bytes.append(9)
            bytes.append(i32: size)
        case .null(let kind):
            guard kindNames[Int(kind)] != nil else {
                throw .invalidArgument("augmentation record: null item of kind \(kind)")
            }
            bytes.append(kind | 0x80)
        }
    }

    private static func byte(_ count: Int, of what: String) throws(ShardError) -> UInt8 {
        guard let byte = UInt8(exactly: count) else {
            throw .invalidArgument("augmentation record: \(count) \(what), at most 255 are possible")
        }
        return byte
    }

    private static func append(partner: [UInt8], to bytes: inout [UInt8]) throws(ShardError) {
        bytes.append(try byte(partner.count, of: "bytes of a partner's id"))
        bytes.append(contentsOf: partner)
    }
}
