public import DRShardFormat

/// Rows of a data set that are not to be read, as a small text that all ranks read. Spec: ORDER.md section 7.
public struct Quarantine: Hashable, Sendable {
    /// Of the whole data set.
    public var rowSetDigest: SequenceDigest
    /// Of the data set, counted from 0.
    public var rows: Set<Int>

    public init(rowSetDigest: SequenceDigest, rows: Set<Int> = []) {
        self.rowSetDigest = rowSetDigest
        self.rows = rows
    }

    private static let magic = "drshard-quarantine 1"

    /// The first line of the text.
    public var head: String { "\(Self.magic) \(rowSetDigest)" }

    /// The lines behind it.
    public func lines(reason: String = "") -> [String] {
        let comment = reason.isEmpty ? "" : " # " + reason.split(whereSeparator: \.isNewline).joined(separator: " ")
        return rows.sorted().map { "\($0)\(comment)" }
    }

    /// The whole text.
    public var text: String { ([head] + lines()).joined(separator: "\n") + "\n" }

    /// - Throws: `.corrupt` for a text that is no such list, naming the line. Spec: [R-ORDER-21].
    public init(parsing text: String) throws(ShardError) {
        var lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)[...]
        let head = lines.popFirst() ?? ""
        guard head.hasPrefix(Self.magic + " "), let digest = Self.digest(head.dropFirst(Self.magic.utf8.count + 1))
        else {
            throw .corrupt("line 1 of a quarantine list is \"\(head.prefix(80))\", not \"\(Self.magic) DIGEST\"")
        }
        rowSetDigest = try SequenceDigest(validating: digest)
        rows = []
        for (number, line) in lines.enumerated() {
            let content = line.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)[0]
            let words = content.split(whereSeparator: \.isWhitespace)
            guard let word = words.first else { continue }
            guard words.count == 1, word.utf8.allSatisfy({ (48...57).contains($0) }), let row = Int(word) else {
                throw .corrupt("line \(number + 2) of a quarantine list is \"\(line.prefix(80))\", not a row")
            }
            rows.insert(row)
        }
    }

    private static func digest(_ text: Substring) -> UInt128? {
        let digits = text.filter { !$0.isWhitespace }
        return digits.count == 32 ? UInt128(digits, radix: 16) : nil
    }
}
