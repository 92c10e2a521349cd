internal import DRShard
internal import DRShardFormat

/// Where the samples of one caption tar lie, by uid. Only headers of the tar are read for it, and a sample takes 56
/// bytes of it: no text and no image.
struct CaptionIndex: CaptionIndexing {
    private struct Entry {
        private let uidHigh: UInt64
        private let uidLow: UInt64
        // Positions of bytes in the tar; 0, where no member can lie, for a member that is not there.
        private let positions: (json: UInt64, text: UInt64, image: UInt64)
        private let byteCounts: (json: UInt32, text: UInt32, image: UInt32)
        private let imageSuffix: UInt8

        var uid: UInt128 { UInt128(uidHigh) << 64 | UInt128(uidLow) }
        /// Some member's place: ascending in file order.
        var position: UInt64 { [positions.json, positions.text, positions.image].filter { $0 > 0 }.min() ?? 0 }

        /// - Throws: `.schemaMismatch` if neither the sample's name nor its json is a uid.
        init(_ group: SampleGroup) throws(ShardError) {
            let uid = try CaptionSample.uid(of: group)
            uidHigh = UInt64(truncatingIfNeeded: uid >> 64)
            uidLow = UInt64(truncatingIfNeeded: uid)
            let (json, text) = (group["json"], group["txt"])
            let suffix = CaptionSample.imageSuffixes.firstIndex { group[$0] != nil }
            let image = suffix.flatMap { group[CaptionSample.imageSuffixes[$0]] }
            // A member has at most 256 MiB.
            func count(_ member: SampleGroup.Member?) -> UInt32 { UInt32(clamping: member?.byteCount ?? 0) }
            positions = (json?.dataPosition ?? 0, text?.dataPosition ?? 0, image?.dataPosition ?? 0)
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

    /// Ascending by uid, each once.
    private var entries: [Entry] = []

    /// Reads the headers of a tar. Of samples with one uid the first stays; the others are trouble, as all bad input is.
    init(tar: String, _ trouble: CaptionContainer.Trouble) throws(ShardError) {
        try walk(tar, trouble)
        entries.sort { ($0.uid, $0.position) < ($1.uid, $1.position) }
        var kept: [Entry] = []
        kept.reserveCapacity(entries.count)
        for entry in entries {
            guard kept.last?.uid == entry.uid else {
                kept.append(entry)
                continue
            }
            let error = ShardError.schemaMismatch("uid \(entry.uid.uidText) has two caption samples")
            try trouble(error.with(.init(path: tar)), "\(tar): caption sample \(entry.uid.uidText)")
        }
        entries = kept
    }

    var count: Int { entries.count }

    func contains(_ uid: UInt128) -> Bool { find(uid) != nil }

    func group(of uid: UInt128, in container: CaptionContainer) throws(ShardError) -> SampleGroup? {
        guard let place = find(uid) else { return nil }
        let source = try container.source()
        var members: [SampleGroup.Member] = []
        for (suffix, position, byteCount) in entries[place].members {
            let bytes = try source.bytes(at: position, count: byteCount)
            members.append(
                .init(suffix: suffix, name: "\(uid.uidText).\(suffix)", bytes: bytes, dataPosition: position))
        }
        return SampleGroup(key: uid.uidText, members: members, path: container.path)
    }

    /// The place of a uid in `entries`. Cost: O(log entries).
    private func find(_ uid: UInt128) -> Int? {
        let place = UIDSet.lowerBound(entries.count) { entries[$0].uid < uid }
        return place < entries.count && entries[place].uid == uid ? place : nil
    }

    private mutating func walk(_ tar: String, _ trouble: CaptionContainer.Trouble) throws(ShardError) {
        let reader: SampleGroupReader
        do throws(ShardError) {
            reader = SampleGroupReader(try TarReader(path: tar, blockByteCount: 1 << 14)) { $0 == "json" }
        } catch { return try trouble(error, tar) }
        while true {
            let group: SampleGroup
            do throws(ShardError) {
                guard let next = try reader.next() else { return }
                group = next
            } catch {
                guard reader.canGoOn else { return try trouble(error, "the rest of \(tar)") }
                try trouble(error, "\(tar): a caption sample")
                continue
            }
            do throws(ShardError) { entries.append(try Entry(group)) } catch {
                let placed = error.with(.init(path: tar, position: group.members.first?.dataPosition))
                try trouble(placed, "\(tar): caption sample \(group.name)")
            }
        }
    }
}
