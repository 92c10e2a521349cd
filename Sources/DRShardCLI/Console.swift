internal import DRShardFormat
internal import Foundation
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Standard output, buffered, and standard error.
enum Console {
    private struct Output {
        var buffer: [UInt8] = []
        var isClosed = false
    }
    private static let output = Mutex(Output())

    /// Whether the reader of standard output has gone: nothing is to be said then.
    static var isClosed: Bool { output.withLock { $0.isClosed } }

    static func line(_ text: String) throws(ShardError) {
        let count = output.withLock { output in
            output.buffer.append(contentsOf: text.utf8)
            output.buffer.append(UInt8(ascii: "\n"))
            return output.buffer.count
        }
        if count > 1 << 16 { try flush() }
    }

    static func flush() throws(ShardError) {
        let bytes = output.withLock { output in
            defer { output.buffer.removeAll(keepingCapacity: true) }
            return output.buffer
        }
        var done = 0
        while done < bytes.count {
            // SAFETY: the range lies in the array.
            let count = unsafe bytes.withUnsafeBytes {
                unsafe write(1, $0.baseAddress?.advanced(by: done), $0.count - done)
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else {
                if errno == EPIPE { output.withLock { $0.isClosed = true } }
                throw .io("cannot write to standard output")
            }
            done += count
        }
    }

    static func error(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

    /// A value as JSON: keys sorted, for machines.
    static func json(_ value: some Encodable) throws(ShardError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        // JSON has no such numbers, but a shard may: they become strings.
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        do { try line(String(decoding: try encoder.encode(value), as: UTF8.self)) } catch {
            throw (error as? ShardError) ?? .io("cannot write JSON: \(error)")
        }
    }

    /// Rows in columns: the first row is the head; columns of numbers are flush right.
    static func table(_ rows: [[String]], right: Set<Int> = []) throws(ShardError) {
        let widths = (0..<(rows.first?.count ?? 0)).map { column in rows.map { $0[column].count }.max() ?? 0 }
        for row in rows {
            var text = ""
            for (column, cell) in row.enumerated() {
                let blank = String(repeating: " ", count: widths[column] - cell.count)
                text += right.contains(column) ? blank + cell : column == row.count - 1 ? cell : cell + blank
                if column < row.count - 1 { text += "  " }
            }
            try line(text)
        }
    }

    /// A number of bytes for people.
    static func bytes(_ count: UInt64) -> String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
        var value = Double(count)
        var unit = 0
        while value >= 1024, unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        return unit == 0 ? "\(count) B" : "\(decimal(value, value < 10 ? 2 : 1)) \(units[unit])"
    }

    /// A number with so many decimals; from 1e15 on in Swift's own spelling, and "nan", "inf" or "-inf".
    static func decimal(_ value: Double, _ decimals: Int) -> String {
        var scale = 1.0
        for _ in 0..<decimals { scale *= 10 }
        let scaled = (abs(value) * scale).rounded()
        guard scaled < 1e15 else {
            guard !value.isFinite else { return "\(value)" }
            return value.isNaN ? "nan" : value < 0 ? "-inf" : "inf"
        }
        guard decimals > 0 else { return String(Int64(value.rounded())) }
        let digits = String(Int64(scaled))
        let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
        return (value < 0 ? "-" : "") + padded.dropLast(decimals) + "." + padded.suffix(decimals)
    }
}

/// A bar on standard error for work that takes over a second; nothing where that is no terminal.
final class ProgressBar: Sendable {
    private let isShown = isatty(2) == 1
    private let label: String
    private let start = ContinuousClock.now
    private let last = Mutex<ContinuousClock.Instant?>(nil)

    init(_ label: String) { self.label = label }

    /// - Parameter detail: what stands behind the bar.
    func update(_ done: UInt64, of total: UInt64, detail: () -> String = { "" }) {
        guard isShown else { return }
        let now = ContinuousClock.now
        let isDue = last.withLock { last in
            guard now - start > .seconds(1), last.map({ now - $0 > .milliseconds(100) }) ?? true else { return false }
            last = now
            return true
        }
        guard isDue else { return }
        let part = total == 0 ? 1 : min(1, Double(done) / Double(total))
        let filled = Int(part * 30)
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: 30 - filled)
        let elapsed = seconds(now - start)
        let left = part > 0 ? Int(elapsed / part - elapsed) : 0
        write("\r\u{1B}[K\(label) [\(bar)] \(Int(part * 100)) %  \(left) s left  \(detail())")
    }

    func end() { if last.withLock({ $0 }) != nil { write("\r\u{1B}[K") } }

    var elapsed: Double { seconds(ContinuousClock.now - start) }

    private func seconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
    }
    private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}
