package import DRShardFormat

/// JSON text as Python's `json.dumps` writes it: ASCII only, a blank after `:` and `,`.
package enum JSONText {
    package static func string(_ text: String) -> String {
        var result = "\""
        for unit in text.utf16 {
            switch unit {
            case 0x22: result += "\\\""
            case 0x5C: result += "\\\\"
            case 0x0A: result += "\\n"
            case 0x20...0x7E: result.unicodeScalars.append(Unicode.Scalar(UInt8(unit)))
            default: result += escape(unit)
            }
        }
        return result + "\""
    }

    /// The same with other characters as they are (`ensure_ascii=False`), but for those that end a line somewhere: a
    /// text of lines can be cut at any of them.
    package static func unicode(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x22: result += "\\\""
            case 0x5C: result += "\\\\"
            case 0x0A: result += "\\n"
            case 0..<0x20, 0x7F, 0x85, 0x2028, 0x2029: result += escape(UInt16(scalar.value))
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    private static func escape(_ unit: UInt16) -> String {
        let digits = String(unit, radix: 16)
        return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    }

    package static func array(_ elements: [String]) -> String { "[" + elements.joined(separator: ", ") + "]" }

    package static func object(_ members: [(key: String, value: String)]) -> String {
        "{" + members.map { string($0.key) + ": " + $0.value }.joined(separator: ", ") + "}"
    }

    package static func augmentation(_ box: Augmentation.Box, _ operations: [Augmentation.Operation]) -> String {
        let sides = array([box.top, box.left, box.height, box.width].map { String($0) })
        return array([sides, array(operations.map { array([String($0.operation), String($0.magnitude)]) })])
    }
}
