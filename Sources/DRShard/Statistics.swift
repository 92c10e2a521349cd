public import DRShardFormat

/// Bytes of one plane over all row groups.
public struct PlaneStatistics: Sendable {
    public var cellCount = 0
    /// Of the canonical values.
    public var plainByteCount: UInt64 = 0
    /// Of the pages, everything counted.
    public var storedByteCount: UInt64 = 0
    /// Pages with cells that are not present.
    public var missingPages = 0
    /// Pages by codec and encoding.
    public var codecs: [String: Int] = [:]

    mutating func add(_ other: PlaneStatistics) {
        cellCount += other.cellCount
        plainByteCount += other.plainByteCount
        storedByteCount += other.storedByteCount
        missingPages += other.missingPages
        codecs.merge(other.codecs, uniquingKeysWith: +)
    }
}

public struct ColumnStatistics: Sendable {
    public var name: String
    /// One for each variant; a spanning chunk counts for its first.
    public var planes: [PlaneStatistics]
    /// Of the auxiliary pages that its pages need, everything and both copies counted; no plane counts them.
    public var tableByteCount: UInt64 = 0
    /// Of planes and tables: all that the column takes in the files, but for what lists its chunks.
    public var storedByteCount: UInt64 { total.storedByteCount + tableByteCount }
    public var total: PlaneStatistics {
        var total = PlaneStatistics()
        for plane in planes { total.add(plane) }
        return total
    }
}

extension DataSet {
    /// Bytes and codecs of every column. Reads all chunk indexes, and no values.
    public func statistics() throws(ShardError) -> [ColumnStatistics] {
        var statistics = schema.columns.indices.map { column in
            ColumnStatistics(
                name: schema.columns[column].name,
                planes: Array(repeating: PlaneStatistics(), count: schema.variantCount(of: column)))
        }
        for shard in shards {
            for auxiliary in shard.footer.auxiliaries {
                let block = FormatConstants.blockHeaderByteCount + pad64(auxiliary.payloadByteCount)
                statistics[auxiliary.column].tableByteCount += 2 * UInt64(block)
            }
            for group in shard.footer.groups {
                for chunk in group.chunks {
                    var plane = PlaneStatistics()
                    plane.cellCount = group.rowCount * chunk.variantCount
                    plane.plainByteCount = chunk.plainByteCount
                    plane.storedByteCount = chunk.storedByteCount + UInt64(chunk.indexByteCount)
                    let pages = try shard.pages(column: chunk.column, variant: chunk.firstVariant, group: group.group)
                    for entry in pages.index.entries {
                        if entry.header.hasMissing { plane.missingPages += 1 }
                        plane.codecs["\(entry.header.encoding)/\(entry.header.codec)", default: 0] += 1
                    }
                    statistics[chunk.column].planes[chunk.firstVariant].add(plane)
                }
            }
        }
        return statistics
    }
}
