/// Where something was found: as much as is known.
package struct FindingPlace: Hashable, Sendable {
    package var path: String?
    /// Counted through the file.
    package var row: Int?
    /// In hexadecimal digits, or the key of a sample.
    package var rowID: String?
    package var column: String?
    package var variant: Int?
    /// What was found there.
    package var detail: String?

    package init(
        path: String? = nil, row: Int? = nil, rowID: String? = nil, column: String? = nil, variant: Int? = nil,
        detail: String? = nil
    ) {
        self.path = path
        self.row = row
        self.rowID = rowID
        self.column = column
        self.variant = variant
        self.detail = detail
    }

    /// One line, in the order in which people look.
    package var description: String {
        var parts: [String] = []
        if let path { parts.append(path) }
        if let row { parts.append("row \(row)") }
        if let rowID { parts.append("id \(rowID)") }
        if let column { parts.append("\"\(column)\"" + (variant.map { " variant \($0)" } ?? "")) }
        return parts.joined(separator: ", ") + (detail.map { (parts.isEmpty ? "" : ": ") + $0 } ?? "")
    }
}

/// Something that was found, how often, and where first.
package struct Finding: Sendable {
    package let kind: FindingKind
    package var severity: Severity
    /// The column or member that it is about; nil: none alone.
    package let subject: String?
    package var count: Int
    /// The first few.
    package var places: [FindingPlace]
}

/// Findings, one for each kind and subject. Lists of parts of a set become one by `merge`, in the order of the parts.
package struct FindingList: Sendable {
    private struct Key: Hashable {
        var kind: FindingKind
        var subject: String?
    }
    private var entries: [Key: Finding] = [:]
    /// Places that are kept of each.
    let placeLimit: Int

    package init(placeLimit: Int) { self.placeLimit = placeLimit }

    /// Counts something. The severity of a finding is that of its first mention.
    /// - Parameter place: made only while there is room for it.
    mutating func add(
        _ kind: FindingKind, severity: Severity? = nil, subject: String? = nil, count: Int = 1,
        at place: @autoclosure () -> FindingPlace?
    ) {
        let key = Key(kind: kind, subject: subject)
        var finding =
            entries[key]
            ?? Finding(kind: kind, severity: severity ?? kind.severity, subject: subject, count: 0, places: [])
        finding.count += count
        if finding.places.count < placeLimit, let place = place() { finding.places.append(place) }
        entries[key] = finding
    }

    /// How often something was found.
    func count(_ kind: FindingKind, subject: String?) -> Int { entries[Key(kind: kind, subject: subject)]?.count ?? 0 }

    /// Says that a finding, if it is there, is better or worse than others of its kind.
    mutating func set(_ severity: Severity, of kind: FindingKind, subject: String?) {
        entries[Key(kind: kind, subject: subject)]?.severity = severity
    }

    mutating func merge(_ other: FindingList) {
        entries.merge(other.entries) { mine, others in
            var sum = mine
            sum.count += others.count
            sum.places += others.places.prefix(max(0, placeLimit - mine.places.count))
            return sum
        }
    }

    /// The worst first, then in the order of `FindingKind` and of subjects: the same for the same set.
    package var sorted: [Finding] {
        let order = Dictionary(uniqueKeysWithValues: FindingKind.allCases.enumerated().map { ($1, $0) })
        return entries.values.sorted { a, b in
            if a.severity != b.severity { return a.severity > b.severity }
            if a.kind != b.kind { return order[a.kind] ?? 0 < order[b.kind] ?? 0 }
            return (a.subject ?? "").utf8.lexicographicallyPrecedes((b.subject ?? "").utf8)
        }
    }
}
