internal import DRShardFormat

/// Where the samples of one caption tar lie, by uid. Only headers of the tar are read for it, and a sample takes 56
/// bytes of it: no text and no image.
struct CaptionIndex {
    struct Entry {
        private let uidHigh: UInt64
        private let uidLow: UInt64
        // Positions of bytes in the tar; 0, where no member can lie, for a member that is not there.
        private let positions: (json: UInt64, text: UInt64, image: UInt64)
        private let byteCounts: (json: UInt32, text: UInt32, image: UInt32)
        private let imageSuffix: UInt8
        fileprivate(set) var isUsed = false

        var uid: UInt128 { UInt128(uidHigh) << 64 | UInt128(uidLow) }
        var firstPosition: UInt64 { positions.json }

        /// - Throws: `.schemaMismatch` without `json`, or if the sample's name is no uid.
        init(_ group: SampleGroup) throws(ShardError) {
            let uid = try UInt128(uid: group.name)
            uidHigh = UInt64(truncatingIfNeeded: uid >> 64)
            uidLow = UInt64(truncatingIfNeeded: uid)
            guard let json = group["json"] else { throw .schemaMismatch("sample \"\(group.key)\": sample has no json") }
            let text = group["txt"]
            let suffix = CaptionSample.imageSuffixes.firstIndex { group[$0] != nil }
            let image = suffix.flatMap { group[CaptionSample.imageSuffixes[$0]] }
            // A member has at most 256 MiB.
            func count(_ member: SampleGroup.Member?) -> UInt32 { UInt32(clamping: member?.byteCount ?? 0) }
            positions = (json.dataPosition, text?.dataPosition ?? 0, image?.dataPosition ?? 0)
            byteCounts = (count(json), count(text), count(image))
            imageSuffix = UInt8(suffix ?? 0)
        }

        /// What there is of the sample: suffixes, positions and byte counts.
        var members: [(suffix: String, position: UInt64, byteCount: Int)] {
            [
                ("json", positions.json, Int(byteCounts.json)), ("txt", positions.text, Int(byteCounts.text)),
                (CaptionSample.imageSuffixes[Int(imageSuffix)], positions.image, Int(byteCounts.image)),
            ].filter { $0.position != 0 }
        }
    }

    let tar: String
    /// Ascending by uid, each once.
    private(set) var entries: [Entry] = []

    init(tar: String) { self.tar = tar }

    mutating func append(_ entry: Entry) { entries.append(entry) }

    /// Sorts the entries; of those with one uid the first in the tar stays.
    /// - Returns: the uids of the others.
    mutating func sort() -> [UInt128] {
        entries.sort { ($0.uid, $0.firstPosition) < ($1.uid, $1.firstPosition) }
        var duplicates: [UInt128] = []
        var kept: [Entry] = []
        kept.reserveCapacity(entries.count)
        for entry in entries {
            if kept.last?.uid == entry.uid { duplicates.append(entry.uid) } else { kept.append(entry) }
        }
        entries = kept
        return duplicates
    }

    /// The place of a uid in `entries`. Cost: O(log entries).
    func find(_ uid: UInt128) -> Int? {
        let place = UIDSet.lowerBound(entries.count) { entries[$0].uid < uid }
        return place < entries.count && entries[place].uid == uid ? place : nil
    }

    mutating func markUsed(_ place: Int) { entries[place].isUsed = true }

    /// The uids that both have. Cost: O(entries of both).
    func common(with other: CaptionIndex) -> [UInt128] {
        var common: [UInt128] = []
        var (i, j) = (0, 0)
        while i < entries.count, j < other.entries.count {
            let (a, b) = (entries[i].uid, other.entries[j].uid)
            if a == b { common.append(a) }
            if a <= b { i += 1 }
            if b <= a { j += 1 }
        }
        return common
    }
}
