internal import DRConvert
internal import DRShard
package import DRShardFormat
internal import Foundation

/// How a set is looked at.
package struct DoctorOptions: Sendable {
    /// Rows that are looked at, spread evenly; nil: all of a small set, a sample of a large one.
    package var rows: Int?
    /// Threads.
    package var jobs = 1
    /// Places that are kept of each finding.
    package var placeLimit = 5
    /// Row ids that are kept in memory, at 24 bytes each; more of them go to temporary files.
    package var idLimit = 1 << 24
    /// Parts of embeddings that tars do not name; name, first element, count.
    package var teachers: [(name: String, first: Int, count: Int)] = []

    package init() {}
}

/// Files of one kind that were looked at together, and what was found.
package struct Subject: Sendable {
    package enum Kind: String, Sendable {
        case shards
        /// Tars of the DataCompDR layout.
        case tars
        /// The tars with captions and images that belong to them.
        case captionTars = "caption tars"
    }
    package let kind: Kind
    package let files: [String]
    /// Rows that there are, as far as files can be read, and those that were looked at.
    package var rowTotal = 0
    package var rowsExamined: Int { profile?.rowCount ?? 0 }
    /// Nil if no row could be looked at.
    package var profile: Profile?
    package var findings: [Finding] = []
    /// Of tars with more rows of text embeddings than captions: pairs of rows that are equal, and in which part of those
    /// samples.
    package var equalTextRows: [(first: Int, second: Int, share: Double)] = []

    package init(kind: Kind, files: [String]) {
        self.kind = kind
        self.files = files
    }

    /// The worst severity that was found.
    package var worst: Severity? { findings.map(\.severity).max() }
}

/// Looks at sets for what is wrong with them.
package enum Doctor {
    /// Called with rows that are done and rows that there are; 0 if that is not known. From any thread, one at a time.
    package typealias Progress = @Sendable (_ done: Int, _ total: Int) -> Void

    /// Plain bytes that are looked at where nobody says how many rows.
    static let defaultByteCount: UInt64 = 4 << 30
    /// Rows that are looked at, at least, then.
    static let minimumRowCount = 4096

    /// Looks at shards and tars: at the paths themselves, and at the files in folders.
    /// - Returns: one subject for each kind of file that is there; what is damaged is a finding in it.
    /// - Throws: `.io` for a path that is not there or has neither shards nor tars; `.io` if row ids need a temporary file
    ///   that cannot be written.
    package static func examine(_ paths: [String], options: DoctorOptions, progress: Progress? = nil)
        throws(ShardError) -> [Subject]
    {
        var (shards, tars): ([String], [String]) = ([], [])
        for path in paths { try list(path, &shards, &tars) }
        var subjects: [Subject] = []
        if !shards.isEmpty { subjects.append(try ShardDoctor(shards, options, progress).examine()) }
        if !tars.isEmpty { subjects += try TarDoctor(tars, options, progress).examine() }
        return subjects
    }

    private static func list(_ path: String, _ shards: inout [String], _ tars: inout [String]) throws(ShardError) {
        let place = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        let type = try? FileManager.default.attributesOfItem(atPath: place)[.type] as? FileAttributeType
        guard let type else { throw ShardError.io("there is nothing of this name").with(.init(path: path)) }
        guard type == .typeDirectory else {
            if path.hasSuffix(".tar") { tars.append(path) } else { shards.append(path) }
            return
        }
        // A data set is one folder; tars lie in folders of folders, as `convert` reads them.
        let foundTars = try TarFolder.tars(below: path)
        let foundShards = (try? FolderListing.files(path, suffix: ".drs")) ?? []
        guard !(foundShards.isEmpty && foundTars.isEmpty) else {
            throw ShardError.io("there is no .drs and no .tar file in it").with(.init(path: path))
        }
        shards += foundShards
        tars += foundTars
    }

    /// Adds what occurs twice among ids.
    static func addDuplicates(
        _ ids: consuming DuplicateIDs, files: [String], to findings: inout FindingList
    ) throws(ShardError) {
        var count = 0
        // The first places in the order of the rows; ids come in another one.
        var first: [(entry: DuplicateIDs.Entry, before: DuplicateIDs.Entry)] = []
        let limit = findings.placeLimit
        try ids.forEachDuplicate { entry, before in
            count += 1
            let place = first.firstIndex { (entry.file, entry.row) < ($0.entry.file, $0.entry.row) } ?? first.count
            guard place < limit else { return }
            first.insert((entry, before), at: place)
            if first.count > limit { first.removeLast() }
        }
        for (entry, before) in first {
            let digits = String(entry.id, radix: 16)
            findings.add(
                .duplicateID,
                at: FindingPlace(
                    path: files[Int(entry.file)], row: Int(entry.row),
                    rowID: String(repeating: "0", count: 32 - digits.count) + digits,
                    detail: "also \(files[Int(before.file)]), row \(before.row)"))
        }
        if count > first.count { findings.add(.duplicateID, count: count - first.count, at: nil) }
    }
}

/// Adds what threads make of parts up in the order of the parts.
final class OrderedFold<Total: Sendable, Part: Sendable>: Sendable {
    private struct State {
        var next = 0
        var waiting: [Int: Part] = [:]
        var total: Total
    }
    private let state: Guarded<State>
    private let merge: @Sendable (inout Total, Part) -> Void

    init(_ start: Total, merge: @escaping @Sendable (inout Total, Part) -> Void) {
        state = Guarded(State(total: start))
        self.merge = merge
    }

    func add(_ part: Part, number: Int) {
        state.withLock { state in
            state.waiting[number] = part
            while let part = state.waiting.removeValue(forKey: state.next) {
                merge(&state.total, part)
                state.next += 1
            }
        }
    }

    var total: Total { state.withLock { $0.total } }
}

/// Counts rows for a progress bar.
final class RowCounter: Sendable {
    private let done = Guarded(0)
    private let total: Int
    private let progress: Doctor.Progress?

    init(total: Int, _ progress: Doctor.Progress?) {
        self.total = total
        self.progress = progress
    }

    func add(_ count: Int) {
        guard let progress else { return }
        done.withLock { done in
            done += count
            progress(done, total)
        }
    }
}
