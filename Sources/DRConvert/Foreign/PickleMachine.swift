internal import DRShardFormat

/// Runs the small part of Python's pickle language in which `torch.save` describes a dictionary of tensors.
///
/// Nothing is ever executed: the opcodes and the names they may mention are closed lists, and everything else is
/// refused by name. Work and memory are bounded by the length of the input. Source: CPython Lib/pickletools.py,
/// torch/_utils.py (`_rebuild_tensor_v2`), torch/serialization.py (persistent ids).
struct PickleMachine {
    /// A tensor as the pickle describes it; nothing is checked against the storage yet.
    struct Tensor: Equatable {
        var element: ElementType
        var storageKey: String
        var storageElementCount: Int
        /// In elements.
        var offset: Int
        var shape: [Int]
        var strides: [Int]
    }

    private struct Storage {
        var element: ElementType
        var key: String
        var elementCount: Int
    }

    private enum Global {
        case rebuildTensor, orderedDictionary
        case storage(ElementType)
    }

    private indirect enum Value {
        case none
        case bool(Bool)
        case int(Int)
        case string(String)
        case global(Global)
        case storage(Storage)
        case tensor(Tensor)
        /// `depth` counts tuples inside tuples, so that no input can build a value too deep to let go of.
        case tuple([Value], depth: Int)
        case dictionary([(key: String, tensor: Tensor)])

        var kind: String {
            switch self {
            case .none: "None"
            case .bool: "a boolean"
            case .int: "a number"
            case .string: "a string"
            case .global: "a name"
            case .storage: "a storage"
            case .tensor: "a tensor"
            case .tuple: "a tuple"
            case .dictionary: "a dictionary"
            }
        }
    }

    static let maximumByteCount = 1 << 20
    static let maximumTupleDepth = 8
    static let maximumTensorCount = 256
    /// As in torch.
    static let maximumRank = 64

    private let bytes: ArraySlice<UInt8>
    private var offset = 0
    private var stack: [Value] = []
    private var marks: [Int] = []
    private var memo: [Int: Value] = [:]

    private init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

    /// The tensors of a pickled flat dictionary, in the order in which they were put there.
    ///
    /// - Throws: `.unsupportedFeature` ("refused …") for any opcode, name or value outside the subset;
    ///   `.truncated` if the pickle ends before STOP; `.corrupt`; `.limitExceeded` above 1 MiB.
    static func run(_ bytes: ArraySlice<UInt8>) throws(ShardError) -> [(key: String, tensor: Tensor)] {
        guard bytes.count <= maximumByteCount else {
            throw .limitExceeded("pickle of \(bytes.count) bytes, at most \(maximumByteCount) are read")
        }
        var machine = PickleMachine(bytes)
        while true {
            let start = machine.offset
            let opcode = UInt8(try machine.count(1))
            if opcode == UInt8(ascii: ".") { break }
            do throws(ShardError) { try machine.step(opcode) } catch {
                throw ShardError(error.code, "pickle, byte \(start): \(error.reason)")
            }
        }
        guard machine.offset == bytes.count else {
            throw .corrupt("\(bytes.count - machine.offset) bytes after the end of the pickle")
        }
        guard machine.stack.count == 1, machine.marks.isEmpty, case .dictionary(let entries)? = machine.stack.last
        else {
            let found = machine.stack.last?.kind ?? "nothing"
            throw .unsupportedFeature("refused: the pickle holds \(found), only a dictionary of tensors is read")
        }
        var keys: Set<String> = []
        for entry in entries where !keys.insert(entry.key).inserted {
            throw .corrupt("pickle names the tensor \"\(entry.key)\" twice")
        }
        return entries
    }

    // MARK: operands

    private mutating func take(_ byteCount: Int) throws(ShardError) -> ArraySlice<UInt8> {
        guard byteCount <= bytes.count - offset else {
            throw .truncated("pickle of \(bytes.count) bytes needs \(byteCount) more at byte \(offset)")
        }
        offset += byteCount
        return try bytes.part(offset - byteCount, byteCount, "pickle")
    }

    private mutating func count(_ byteCount: Int) throws(ShardError) -> Int {
        guard let value = Int(exactly: try take(byteCount).number(0, byteCount, "pickle")) else {
            throw .corrupt("a length beyond 63 bits")
        }
        return value
    }

    private mutating func text(lengthByteCount: Int) throws(ShardError) -> String {
        try Self.text(try take(try count(lengthByteCount)))
    }

    private mutating func line() throws(ShardError) -> String {
        let rest = bytes[(bytes.startIndex + offset)...]
        guard let end = rest.firstIndex(of: 0x0A) else { throw .truncated("pickle ends inside a name") }
        let line = rest[..<end]
        offset += line.count + 1
        return try Self.text(line)
    }

    private static func text(_ bytes: ArraySlice<UInt8>) throws(ShardError) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .corrupt("a string that is not UTF-8") }
        return text
    }

    // MARK: stack

    private mutating func pop() throws(ShardError) -> Value {
        guard stack.count > (marks.last ?? 0), let value = stack.popLast() else { throw .corrupt("the stack is empty") }
        return value
    }

    private mutating func popToMark() throws(ShardError) -> [Value] {
        guard let mark = marks.popLast() else { throw .corrupt("there is no mark on the stack") }
        let values = Array(stack[mark...])
        stack.removeSubrange(mark...)
        return values
    }

    private mutating func pushTuple(_ values: [Value]) throws(ShardError) {
        var depth = 1
        for case .tuple(_, let inner) in values { depth = max(depth, inner + 1) }
        guard depth <= Self.maximumTupleDepth else {
            throw .limitExceeded("tuples \(depth) deep, at most \(Self.maximumTupleDepth) are read")
        }
        stack.append(.tuple(values, depth: depth))
    }

    private mutating func pushTuple(count: Int) throws(ShardError) {
        var values: [Value] = []
        for _ in 0..<count { values.append(try pop()) }
        try pushTuple(values.reversed())
    }

    private mutating func memoize(_ key: Int) throws(ShardError) {
        guard stack.count > (marks.last ?? 0), let top = stack.last else { throw .corrupt("the stack is empty") }
        // A dictionary is never recalled: keeping it would keep a copy of it for every entry that it gets later.
        if case .dictionary = top { memo[key] = .dictionary([]) } else { memo[key] = top }
    }

    private mutating func recall(_ key: Int) throws(ShardError) {
        guard let value = memo[key] else { throw .corrupt("memo \(key) was never written") }
        // A dictionary is a thing with an identity, which these values do not have; torch.save never needs it.
        if case .dictionary = value { throw .unsupportedFeature("refused: a dictionary that is used twice") }
        stack.append(value)
    }

    // MARK: opcodes

    private mutating func step(_ opcode: UInt8) throws(ShardError) {
        switch opcode {
        case 0x80:
            let version = try count(1)
            guard (2...5).contains(version) else {
                throw .unsupportedVersion("pickle protocol \(version), protocols 2 to 5 are read")
            }
        case 0x95: _ = try count(8)  // FRAME: only a hint for readers of streams
        case UInt8(ascii: "("): marks.append(stack.count)
        case UInt8(ascii: "}"): stack.append(.dictionary([]))
        case UInt8(ascii: ")"): try pushTuple([])
        case UInt8(ascii: "t"): try pushTuple(try popToMark())
        case 0x85, 0x86, 0x87: try pushTuple(count: Int(opcode) - 0x84)
        case UInt8(ascii: "q"): try memoize(try count(1))
        case UInt8(ascii: "r"): try memoize(try count(4))
        case 0x94: try memoize(memo.count)
        case UInt8(ascii: "h"): try recall(try count(1))
        case UInt8(ascii: "j"): try recall(try count(4))
        case UInt8(ascii: "X"): stack.append(.string(try text(lengthByteCount: 4)))
        case 0x8C: stack.append(.string(try text(lengthByteCount: 1)))
        case 0x8D: stack.append(.string(try text(lengthByteCount: 8)))
        case UInt8(ascii: "K"): stack.append(.int(try count(1)))
        case UInt8(ascii: "M"): stack.append(.int(try count(2)))
        case UInt8(ascii: "J"): stack.append(.int(Int(Int32(truncatingIfNeeded: try count(4)))))
        case 0x8A: stack.append(.int(try longInteger()))
        case UInt8(ascii: "N"): stack.append(.none)
        case 0x88: stack.append(.bool(true))
        case 0x89: stack.append(.bool(false))
        case UInt8(ascii: "c"):
            let module = try line()
            stack.append(.global(try Self.global(module, try line())))
        case 0x93:
            guard case .string(let name) = try pop(), case .string(let module) = try pop() else {
                throw .corrupt("STACK_GLOBAL without two strings")
            }
            stack.append(.global(try Self.global(module, name)))
        case UInt8(ascii: "Q"): stack.append(.storage(try Self.storage(try pop())))
        case UInt8(ascii: "R"): try reduce()
        case UInt8(ascii: "s"):
            let value = try pop()
            try setItems([try pop(), value])
        case UInt8(ascii: "u"): try setItems(try popToMark())
        default: throw .unsupportedFeature("refused: opcode \(PickleOpcodes.name(opcode))")
        }
    }

    private mutating func longInteger() throws(ShardError) -> Int {
        let raw = try take(try count(1))
        guard raw.count <= 8 else { throw .limitExceeded("a whole number of \(raw.count) bytes, at most 8 are read") }
        guard let last = raw.last else { return 0 }
        var value = last & 0x80 != 0 ? Int64(-1) : 0
        for byte in raw.reversed() { value = value << 8 | Int64(byte) }
        return Int(value)
    }

    private mutating func setItems(_ items: [Value]) throws(ShardError) {
        guard items.count % 2 == 0, case .dictionary(var entries) = try pop() else {
            throw .unsupportedFeature("refused: items set on something that is not a dictionary")
        }
        guard items.count / 2 <= Self.maximumTensorCount - entries.count else {
            throw .limitExceeded("more than \(Self.maximumTensorCount) tensors in one file")
        }
        for i in stride(from: 0, to: items.count, by: 2) {
            guard case .string(let key) = items[i] else {
                throw .unsupportedFeature("refused: a dictionary key that is \(items[i].kind), only strings are read")
            }
            guard case .tensor(let tensor) = items[i + 1] else {
                throw .unsupportedFeature("refused: \"\(key)\" is \(items[i + 1].kind), only tensors are read")
            }
            entries.append((key, tensor))
        }
        stack.append(.dictionary(entries))
    }

    private mutating func reduce() throws(ShardError) {
        guard case .tuple(let arguments, _) = try pop() else { throw .corrupt("REDUCE without a tuple of arguments") }
        switch try pop() {
        case .global(.rebuildTensor): stack.append(.tensor(try Self.tensor(arguments)))
        case .global(.orderedDictionary):
            guard arguments.isEmpty else { throw .unsupportedFeature("refused: OrderedDict with arguments") }
            stack.append(.dictionary([]))
        case let other: throw .unsupportedFeature("refused: a call of \(other.kind)")
        }
    }
}

// MARK: names and constructors

extension PickleMachine {
    private static let storages: [String: ElementType] = [
        "ByteStorage": .u8, "CharStorage": .i8, "ShortStorage": .i16, "IntStorage": .i32,
        "LongStorage": .i64, "HalfStorage": .f16, "BFloat16Storage": .bf16, "FloatStorage": .f32,
        "DoubleStorage": .f64,
    ]

    private static func global(_ module: String, _ name: String) throws(ShardError) -> Global {
        switch (module, name) {
        case ("torch._utils", "_rebuild_tensor_v2"): return .rebuildTensor
        case ("collections", "OrderedDict"): return .orderedDictionary
        case ("torch", _):
            if let element = storages[name] { return .storage(element) }
        default: break
        }
        throw .unsupportedFeature("refused: the name \"\(module).\(name)\"")
    }

    /// ('storage', type, key, location, element count)
    private static func storage(_ value: Value) throws(ShardError) -> Storage {
        guard case .tuple(let parts, _) = value, parts.count == 5, case .string("storage") = parts[0],
            case .global(.storage(let element)) = parts[1], case .string(let key) = parts[2],
            case .string = parts[3], case .int(let elementCount) = parts[4], elementCount >= 0
        else { throw .unsupportedFeature("refused: a persistent id that is not a torch storage") }
        return Storage(element: element, key: key, elementCount: elementCount)
    }

    /// (storage, offset, size, strides, requires_grad, backward_hooks [, metadata])
    private static func tensor(_ arguments: [Value]) throws(ShardError) -> Tensor {
        guard arguments.count == 6 || arguments.count == 7, case .storage(let storage) = arguments[0],
            case .int(let offset) = arguments[1], case .tuple(let shape, _) = arguments[2],
            case .tuple(let strides, _) = arguments[3], case .bool = arguments[4],
            case .dictionary(let hooks) = arguments[5], hooks.isEmpty, shape.count == strides.count, offset >= 0
        else { throw .corrupt("_rebuild_tensor_v2 with arguments that torch does not write") }
        if arguments.count == 7 {
            guard case .none = arguments[6] else { throw .unsupportedFeature("refused: a tensor with metadata") }
        }
        return Tensor(
            element: storage.element, storageKey: storage.key, storageElementCount: storage.elementCount,
            offset: offset,
            shape: try extents(shape), strides: try extents(strides))
    }

    private static func extents(_ values: [Value]) throws(ShardError) -> [Int] {
        // A tuple can be used by many tensors, each of which copies it.
        guard values.count <= maximumRank else {
            throw .limitExceeded("a tensor of \(values.count) axes, at most \(maximumRank) are read")
        }
        var extents: [Int] = []
        for value in values {
            guard case .int(let extent) = value, extent >= 0 else {
                throw .corrupt("a tensor extent or stride that is \(value.kind) or negative")
            }
            extents.append(extent)
        }
        return extents
    }
}
