public import DRShardFormat

/// Row ids from a text file: one a line, in hexadecimal; behind `#` stand remarks, and empty lines say nothing.
public struct RowIDList: Sendable {
    /// All ids, joined, in the order in which they first stand there.
    private var bytes: [UInt8] = []
    private var places: [RowKey: Int] = [:]
    private let idByteCount: Int

    /// Different ids.
    public var count: Int { places.count }
    /// An id by its place in the list.
    public subscript(place: Int) -> [UInt8] { Array(bytes[place * idByteCount..<(place + 1) * idByteCount]) }

    /// The place of an id; nil if the list does not have it.
    func place(of id: ArraySlice<UInt8>) -> Int? { places[RowKey(id)] }

    /// Reads a list. Memory: about four times the bytes of the ids, beside the file's.
    /// - Parameter schema: says how many bytes an id has.
    /// - Throws: `.corrupt` for a line that is no such id, naming its number; `.io`.
    public init(path: String, schema: Schema) throws(ShardError) {
        let source = try FileSource(path: path)
        let text = try source.bytes(at: 0, count: Int(clamping: source.byteCount))
        do throws(ShardError) { try self.init(text: text, schema: schema) } catch {
            throw error.with(.init(path: path))
        }
    }

    /// The same from the bytes of the text.
    public init(text: [UInt8], schema: Schema) throws(ShardError) {
        idByteCount = schema.columns[schema.rowIDColumn].type.cellByteCount ?? 0
        for (number, line) in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            let blanks = Array(" \t\r".utf8)
            var word = line.prefix { $0 != UInt8(ascii: "#") }
            while let first = word.first, blanks.contains(first) { word.removeFirst() }
            while let last = word.last, blanks.contains(last) { word.removeLast() }
            guard !word.isEmpty else { continue }
            guard let id = RowIDList.parse(word), id.count == idByteCount else {
                let shown = String(decoding: word.prefix(80), as: UTF8.self)
                throw .corrupt(
                    "line \(number + 1) is \(quoted(shown)), not an id of \(2 * idByteCount) hexadecimal digits")
            }
            let key = RowKey(id[...])
            guard places[key] == nil else { continue }
            places[key] = places.count
            bytes += id
        }
    }

    private static func parse(_ word: ArraySlice<UInt8>) -> [UInt8]? {
        guard word.count % 2 == 0 else { return nil }
        var id: [UInt8] = []
        id.reserveCapacity(word.count / 2)
        var high: UInt8?
        for character in word {
            let digit: UInt8
            switch character {
            case 48...57: digit = character - 48
            case 65...70: digit = character - 55
            case 97...102: digit = character - 87
            default: return nil
            }
            if let first = high {
                id.append(first << 4 | digit)
                high = nil
            } else {
                high = digit
            }
        }
        return id
    }
}
