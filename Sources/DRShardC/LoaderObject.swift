internal import CDRShard
internal import DRLoader
internal import DRShard
internal import DRShardFormat

/// What a `drs_loader` points to, with the tables that callers read.
// SAFETY: tables are filled in init, only read after, and freed in deinit.
final class LoaderObject: Sendable {
    let loader: PairedLoader
    /// The place of each array, for DLPack.
    let arrays: [BatchArray]
    let valueNames: [String]
    private let texts: [CText]
    nonisolated(unsafe) let arrayTable: UnsafeMutablePointer<drs_array>
    nonisolated(unsafe) let nameTable: UnsafeMutablePointer<UnsafePointer<CChar>?>

    init(_ loader: PairedLoader) {
        self.loader = loader
        arrays = loader.batchArrays
        valueNames = loader.batchValueNames
        texts = (arrays.map(\.name) + valueNames).map(CText.init)
        arrayTable = .allocate(capacity: arrays.count)
        nameTable = .allocate(capacity: max(1, valueNames.count))
        for (i, array) in arrays.enumerated() {
            (arrayTable + i).initialize(
                to: drs_array(
                    name: texts[i].pointer, element: Int32(array.element.rawValue), width: Int64(array.width),
                    offset: Int64(array.offset), stride: Int64(array.stride)))
        }
        for i in valueNames.indices { (nameTable + i).initialize(to: texts[arrays.count + i].pointer) }
    }
    deinit {
        arrayTable.deallocate()
        nameTable.deallocate()
    }
}

/// What a `drs_epoch` points to. One thread at a time uses it; only the cancellation is for all.
final class EpochObject {
    let epoch: PairedEpoch
    let loader: LoaderObject
    init(_ epoch: PairedEpoch, _ loader: LoaderObject) {
        self.epoch = epoch
        self.loader = loader
    }
}

/// What a `drs_batch` points to.
final class BatchObject: Sendable {
    let batch: PairedBatch
    let loader: LoaderObject
    init(_ batch: PairedBatch, _ loader: LoaderObject) {
        self.batch = batch
        self.loader = loader
    }
}

extension LoaderSet {
    init(_ set: drs_loader_set, threadCount: Int) throws(ShardError) {
        let dataSet = try Handle.object(set.dataset, DataSetObject.self).dataSet
        var filters: [RowFilter] = []
        for i in 0..<(try count(set.filter_count, "a number of filters")) {
            guard let filter = set.filters.map({ $0[i] }) else { throw .invalidArgument("filters are NULL") }
            filters.append(try RowFilter(filter))
        }
        let selection =
            filters.isEmpty ? nil : try RowSelection(dataSet, filters: filters, threadCount: threadCount)
        let quarantine = try set.quarantine.map { list throws(ShardError) in
            try Quarantine(parsing: try text(list, "the quarantine list"))
        }
        self.init(dataSet, weight: Int(set.weight), selection: selection, quarantine: quarantine)
    }
}

extension RowFilter {
    init(_ filter: drs_filter) throws(ShardError) {
        switch drs_filter_kind(rawValue: UInt32(bitPattern: filter.kind)) {
        case DRS_FILTER_ONLY, DRS_FILTER_EXCEPT:
            let size = filter.id_byte_count
            guard filter.id_count == 0 || filter.ids != nil, size >= 1, filter.id_count >= 0,
                !filter.id_count.multipliedReportingOverflow(by: size).overflow
            else { throw .invalidArgument("a list of \(filter.id_count) ids of \(size) bytes") }
            let bytes = UnsafeBufferPointer(start: filter.ids, count: filter.id_count * size)
            let ids = Set((0..<filter.id_count).map { Array(bytes[$0 * size..<($0 + 1) * size]) })
            self = .list(ids: ids, isExclusion: UInt32(bitPattern: filter.kind) == DRS_FILTER_EXCEPT.rawValue)
        case DRS_FILTER_SPLIT:
            guard filter.from >= 0, filter.to > filter.from, filter.count >= filter.to else {
                throw .invalidArgument("parts \(filter.from) to \(filter.to) of a split into \(filter.count)")
            }
            self = .split(
                name: try text(filter.split, "the split's name"), range: Int(filter.from)..<Int(filter.to),
                count: Int(filter.count))
        default: throw .invalidArgument("there is no kind \(filter.kind) of filters")
        }
    }
}
