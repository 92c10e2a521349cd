public import CDRShard
internal import DRLoader
internal import DRShard
internal import DRShardFormat
internal import DRText

@c @implementation public func drs_loader_options_init(
    _ options: UnsafeMutablePointer<drs_loader_options>?, _ size: Int
) { drs_loader_options.initialise(options, size: size) }

@c @implementation public func drs_loader_create(
    _ sets: UnsafePointer<drs_loader_set>?, _ set_count: Int, _ options: UnsafePointer<drs_loader_options>?,
    _ loader: UnsafeMutablePointer<OpaquePointer?>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    answer(error) { () throws(ShardError) in
        let place = try place(loader)
        guard let sets, set_count > 0 else { throw .invalidArgument("a loader without a data set") }
        let options = try drs_loader_options.read(options).options()
        var loaded: [LoaderSet] = []
        for i in 0..<set_count {
            loaded.append(try LoaderSet(sets[i], threadCount: options.threadCount ?? 4))
        }
        place.pointee = Handle.make(LoaderObject(try PairedLoader(sets: loaded, options: options)))
    }
}

@c @implementation public func drs_loader_free(_ loader: OpaquePointer?) { Handle.free(loader, LoaderObject.self) }

@c @implementation public func drs_loader_arrays(
    _ loader: OpaquePointer?, _ arrays: UnsafeMutablePointer<UnsafePointer<drs_array>?>?,
    _ count: UnsafeMutablePointer<Int>?
) {
    guard let object = Handle.known(loader, LoaderObject.self) else { return }
    arrays?.pointee = UnsafePointer(object.arrayTable)
    count?.pointee = object.arrays.count
}

@c @implementation public func drs_loader_value_names(
    _ loader: OpaquePointer?, _ names: UnsafeMutablePointer<UnsafePointer<UnsafePointer<CChar>?>?>?,
    _ count: UnsafeMutablePointer<Int>?
) {
    guard let object = Handle.known(loader, LoaderObject.self) else { return }
    names?.pointee = UnsafePointer(object.nameTable)
    count?.pointee = object.valueNames.count
}

@c @implementation public func drs_loader_size(
    _ loader: OpaquePointer?, _ epoch: Int64, _ step_count: UnsafeMutablePointer<Int64>?,
    _ sample_count: UnsafeMutablePointer<Int64>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    answer(error) { () throws(ShardError) in
        let loader = try Handle.object(loader, LoaderObject.self).loader
        let plan = try loader.plan(epoch: Int(epoch))
        step_count?.pointee = Int64(plan.stepCount)
        sample_count?.pointee = Int64(loader.sampleCount(plan))
    }
}

// MARK: State

@c @implementation public func drs_loader_state(
    _ loader: OpaquePointer?, _ epoch: Int64, _ step: Int64,
    _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    answer(json, error) { () throws(ShardError) in
        let loader = try Handle.object(loader, LoaderObject.self).loader
        return LoaderStateJSON.text(loader.state(epoch: Int(epoch), step: Int(step)))
    }
}

@c @implementation public func drs_loader_resume(
    _ loader: OpaquePointer?, _ state: UnsafePointer<CChar>?, _ epoch: UnsafeMutablePointer<Int64>?,
    _ step: UnsafeMutablePointer<Int64>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    answer(error) { () throws(ShardError) in
        let loader = try Handle.object(loader, LoaderObject.self).loader
        let state = try LoaderStateJSON.state(try text(state, "the state"), like: loader.state(epoch: 0, step: 0))
        // Says what does not fit; the epoch behind a complete one is the caller's to begin.
        _ = try loader.epoch(resuming: state)
        epoch?.pointee = Int64(state.epoch)
        step?.pointee = Int64(state.step)
    }
}

@c @implementation public func drs_loader_quarantine(
    _ loader: OpaquePointer?, _ set: Int, _ text: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    answer(text, error) { () throws(ShardError) in
        let loader = try Handle.object(loader, LoaderObject.self).loader
        guard loader.dataSets.indices.contains(set) else { throw .invalidArgument("there is no set \(set)") }
        let digest = loader.dataSets[set].rowSetDigest
        return loader.quarantines.first { $0.rowSetDigest == digest }?.text
    }
}

@c @implementation public func drs_loader_explain(
    _ loader: OpaquePointer?, _ epoch: Int64, _ step: Int64,
    _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    answer(json, error) { () throws(ShardError) in
        let loader = try Handle.object(loader, LoaderObject.self).loader
        return JSONText.array(try loader.explain(epoch: Int(epoch), step: Int(step)).map(ExplanationJSON.text))
    }
}

@c @implementation public func drs_loader_count(
    _ loader: OpaquePointer?, _ counts: UnsafeMutablePointer<drs_loader_counts>?
) {
    guard let loader = Handle.known(loader, LoaderObject.self)?.loader else { return }
    let known = loader.counts
    counts?.pointee = drs_loader_counts(
        batch_count: known.batchCount, sample_count: known.sampleCount,
        delivered_byte_count: known.deliveredByteCount, read_byte_count: known.reads.byteCount,
        read_count: known.reads.requestCount, read_nanoseconds: known.reads.nanoseconds,
        wait_nanoseconds: known.waitNanoseconds, work_nanoseconds: known.workNanoseconds,
        idle_nanoseconds: known.idleNanoseconds, ready_batch_count: known.readyBatchCount,
        lost_row_count: known.lostRowCount, live_batch_count: UInt64(loader.liveBatchCount))
}

// MARK: Epochs

@c @implementation public func drs_epoch_start(
    _ loader: OpaquePointer?, _ epoch: Int64, _ step: Int64, _ stride: Int64,
    _ started: UnsafeMutablePointer<OpaquePointer?>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    answer(error) { () throws(ShardError) in
        let place = try place(started)
        let object = try Handle.object(loader, LoaderObject.self)
        let epoch = try object.loader.epoch(Int(epoch), startingAt: Int(step), stride: Int(stride))
        place.pointee = Handle.make(EpochObject(epoch, object))
    }
}

@c @implementation public func drs_epoch_next(
    _ epoch: OpaquePointer?, _ nanoseconds: Int64, _ info: UnsafeMutablePointer<drs_batch_info>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    var code = Code.ok
    let answered = answer(error) { () throws(ShardError) in
        let place = try place(info)
        let object = try Handle.object(epoch, EpochObject.self)
        let limit = nanoseconds < 0 ? UInt64.max : UInt64(nanoseconds)
        switch try object.epoch.next(waitingAtMost: limit) {
        case .end: code = Code.end
        case .notYet: code = Code.notYet
        case .batch(let batch):
            let memory = batch.memory
            place.pointee = drs_batch_info(
                batch: Handle.make(BatchObject(batch, object.loader)), epoch: Int64(batch.epoch),
                step: Int64(batch.step), count: Int64(batch.count), data: memory.baseAddress, byte_count: memory.count)
        }
    }
    return answered == Code.ok ? code : answered
}

@c @implementation public func drs_epoch_cancel(_ epoch: OpaquePointer?) {
    Handle.known(epoch, EpochObject.self)?.epoch.cancellation.cancel()
}

@c @implementation public func drs_epoch_free(_ epoch: OpaquePointer?) { Handle.free(epoch, EpochObject.self) }
