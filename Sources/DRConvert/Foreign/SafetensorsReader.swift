package import DRShard
package import DRShardFormat
internal import DRText

/// A safetensors file of which ranges are read: it may be larger than memory.
///
/// The whole header is checked when the file is opened; no tensor overlaps another, and no byte of the file belongs to
/// none. Source: the format's description in the README of huggingface/safetensors.
package struct SafetensorsReader: Sendable {
    package struct Tensor: Sendable, Equatable {
        package let name: String
        /// BOOL is read as u8, 0 or 1.
        package let element: ElementType
        /// Extents, outermost first; empty for a single number.
        package let shape: [Int]
        package let byteCount: Int
        /// Bytes from the start of the file.
        package let position: UInt64
    }

    /// In the order of their bytes in the file.
    package let tensors: [Tensor]
    /// `__metadata__`, in file order; empty if there is none.
    package let metadata: [(key: String, value: String)]
    private let source: any ByteSource

    package var path: String { source.path }

    /// The reference allows 100 MB; a parsed header takes many times its bytes, and this one has room for 100,000 tensors.
    static let maximumHeaderByteCount = 16 << 20
    static let maximumRank = 32

    /// Reads and checks the header; no data yet.
    ///
    /// - Throws: `.truncated` if the file ends before its header or its tensors do; `.corrupt` for a header that is no
    ///   JSON object of tensors, for tensors that overlap, leave a hole, or whose bytes are not their shape's, and for
    ///   bytes behind the last one; `.unsupportedFeature` for another element type; `.limitExceeded` for a header above
    ///   16 MiB or more than 32 axes; `.io`. All carry the path.
    package init(_ source: any ByteSource) throws(ShardError) {
        self.source = source
        do throws(ShardError) {
            let prefix = try SafetensorsReader.bytes(source, 0, 8, "the length of the header")
            let count = try prefix[...].number(0, 8, "the length of the header")
            guard count <= SafetensorsReader.maximumHeaderByteCount else {
                throw .limitExceeded(
                    "safetensors header of \(count) bytes, at most \(SafetensorsReader.maximumHeaderByteCount) are read"
                )
            }
            let header = try SafetensorsReader.bytes(source, 8, Int(count), "the header")
            let members = try SafetensorsReader.members(header)
            let dataPosition = 8 + count
            (tensors, metadata) = try SafetensorsReader.contents(members, dataPosition: dataPosition)
            try SafetensorsReader.checkCover(tensors, dataPosition: dataPosition, fileByteCount: source.byteCount)
        } catch { throw error.with(.init(path: source.path)) }
    }

    /// The tensor of this name; nil if there is none.
    package func tensor(named name: String) -> Tensor? { tensors.first { $0.name.utf8.elementsEqual(name.utf8) } }

    /// The bytes of some rows of a tensor, which are everything under some indexes of its first axis.
    ///
    /// - Throws: `.invalidArgument` for rows that are not there; `.io`; `.truncated` if the file has become shorter.
    /// Cost: one read of exactly these bytes.
    package func bytes(of tensor: Tensor, rows: Range<Int>) throws(ShardError) -> [UInt8] {
        let rowCount = tensor.shape.first ?? 1
        guard rows.lowerBound >= 0, rows.upperBound <= rowCount else {
            throw ShardError.invalidArgument("rows \(rows) of tensor \"\(tensor.name)\", which has \(rowCount)")
                .with(.init(path: path))
        }
        let rowByteCount = rowCount == 0 ? 0 : tensor.byteCount / rowCount
        return try source.bytes(
            at: tensor.position + UInt64(rows.lowerBound) * UInt64(rowByteCount), count: rows.count * rowByteCount)
    }

    private static func bytes(
        _ source: any ByteSource, _ position: UInt64, _ count: Int, _ what: String
    ) throws(ShardError) -> [UInt8] {
        guard position <= source.byteCount, UInt64(count) <= source.byteCount - position else {
            throw .truncated("safetensors of \(source.byteCount) bytes ends inside \(what), which has \(count)")
        }
        return try source.bytes(at: position, count: count)
    }

    private static func members(_ header: [UInt8]) throws(ShardError) -> [JSONMember] {
        // The format says so, and it keeps other files from being taken for this one.
        guard header.first == UInt8(ascii: "{") else { throw .corrupt("safetensors header does not begin with \"{\"") }
        let value: JSONValue
        do throws(ShardError) { value = try JSON.parse(header).value } catch {
            // All bytes of the header are there: it is not the file that is cut short.
            guard error.code == .truncated else { throw ShardError(error.code, "safetensors header: \(error.reason)") }
            throw .corrupt("safetensors header: \(error.reason)")
        }
        guard case .object(let members) = value else { throw .corrupt("safetensors header is \(value.kind)") }
        guard Set(members.map { Array($0.key.utf8) }).count == members.count else {
            throw .corrupt("safetensors header names something twice")
        }
        return members
    }

    private static func contents(
        _ members: [JSONMember], dataPosition: UInt64
    ) throws(ShardError) -> ([Tensor], [(key: String, value: String)]) {
        var tensors: [Tensor] = []
        var metadata: [(key: String, value: String)] = []
        for member in members {
            guard member.key != "__metadata__" else {
                metadata = try self.metadata(member.value)
                continue
            }
            do throws(ShardError) {
                tensors.append(try tensor(member.key, member.value, dataPosition: dataPosition))
            } catch { throw ShardError(error.code, "tensor \"\(member.key)\": \(error.reason)") }
        }
        // Tensors without bytes stand before one that begins at the same place.
        tensors.sort { ($0.position, $0.byteCount) < ($1.position, $1.byteCount) }
        return (tensors, metadata)
    }

    private static func metadata(_ value: JSONValue) throws(ShardError) -> [(key: String, value: String)] {
        guard case .object(let members) = value else { throw .corrupt("__metadata__ is \(value.kind)") }
        var metadata: [(key: String, value: String)] = []
        for member in members {
            guard case .string(let text) = member.value else {
                throw .corrupt("__metadata__: \"\(member.key)\" is \(member.value.kind), expected a string")
            }
            metadata.append((member.key, text))
        }
        return metadata
    }

    private static let elements: [String: ElementType] = [
        "BOOL": .u8, "U8": .u8, "I8": .i8, "U16": .u16, "I16": .i16, "U32": .u32, "I32": .i32, "U64": .u64,
        "I64": .i64, "F16": .f16, "BF16": .bf16, "F32": .f32, "F64": .f64,
    ]

    private static func tensor(
        _ name: String, _ value: JSONValue, dataPosition: UInt64
    ) throws(ShardError) -> Tensor {
        guard case .string(let type) = value["dtype"] else { throw .corrupt("there is no dtype that is a string") }
        guard let element = elements[type] else {
            throw .unsupportedFeature("dtype \"\(type)\", one of \(elements.keys.sorted()) is read")
        }
        let shape = try numbers(value["shape"], "shape")
        guard shape.count <= maximumRank else { throw .limitExceeded("\(shape.count) axes, at most \(maximumRank)") }
        let offsets = try numbers(value["data_offsets"], "data_offsets")
        guard offsets.count == 2, offsets[0] <= offsets[1] else {
            throw .corrupt("data_offsets are \(offsets), expected a begin and an end")
        }
        guard let byteCount = ForeignArray.byteCount(element, shape) else {
            throw .corrupt("shape \(shape) has more bytes than a number can hold")
        }
        guard offsets[1] - offsets[0] == byteCount else {
            throw .corrupt("\(offsets[1] - offsets[0]) bytes, \(type) of shape \(shape) has \(byteCount)")
        }
        return Tensor(
            name: name, element: element, shape: shape, byteCount: byteCount,
            position: dataPosition + UInt64(offsets[0]))
    }

    private static func numbers(_ value: JSONValue?, _ what: String) throws(ShardError) -> [Int] {
        guard case .array(let elements) = value else { throw .corrupt("there is no \(what) that is an array") }
        var numbers: [Int] = []
        for element in elements {
            guard case .int(let number) = element, number >= 0 else {
                throw .corrupt("\(what) has something else than whole numbers from 0 on")
            }
            numbers.append(Int(number))
        }
        return numbers
    }

    private static func checkCover(
        _ tensors: [Tensor], dataPosition: UInt64, fileByteCount: UInt64
    ) throws(ShardError) {
        var end = dataPosition
        for tensor in tensors {
            guard tensor.position >= end else { throw .corrupt("tensor \"\(tensor.name)\" overlaps another") }
            guard tensor.position == end else {
                throw .corrupt("\(tensor.position - end) bytes before tensor \"\(tensor.name)\" belong to none")
            }
            end = tensor.position + UInt64(tensor.byteCount)
        }
        guard end <= fileByteCount else {
            throw .truncated("safetensors of \(fileByteCount) bytes, its tensors end at byte \(end)")
        }
        guard end == fileByteCount else { throw .corrupt("\(fileByteCount - end) bytes behind the last tensor") }
    }
}
