public import CDRShard
internal import DRLoader
internal import DRShardFormat

@c @implementation public func drs_batch_values(
    _ batch: OpaquePointer?, _ part: Int, _ values: UnsafeMutablePointer<UnsafePointer<drs_value>?>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    answer(error) { () throws(ShardError) in
        let place = try place(values)
        let batch = try Handle.object(batch, BatchObject.self).batch
        guard (0..<batch.valuePartCount).contains(part) else {
            throw .invalidArgument("there is no part \(part) of values")
        }
        // SAFETY: the table's entries are an address and a number of 64 bits, as drs_value is.
        place.pointee = batch.values(part: part).assumingMemoryBound(to: drs_value.self)
    }
}

@c @implementation public func drs_batch_free(_ batch: OpaquePointer?) { Handle.free(batch, BatchObject.self) }

// MARK: DLPack

/// DLPack's managed tensor, as its header lays it out.
private struct ManagedTensor {
    var data: UnsafeMutableRawPointer?
    var deviceType: Int32
    var deviceID: Int32
    var dimensionCount: Int32
    var typeCode: UInt8
    var bits: UInt8
    var lanes: UInt16
    var shape: UnsafeMutablePointer<Int64>?
    var strides: UnsafeMutablePointer<Int64>?
    var byteOffset: UInt64
    var manager: UnsafeMutableRawPointer?
    var deleter: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?
}

extension ElementType {
    /// DLPack's code: 0 signed, 1 unsigned, 2 float, 4 bfloat.
    fileprivate var typeCode: UInt8 {
        switch self {
        case .u8, .u16, .u32, .u64: 1
        case .i8, .i16, .i32, .i64: 0
        case .f16, .f32, .f64: 2
        case .bf16: 4
        }
    }
}

@c @implementation public func drs_batch_dlpack(
    _ batch: OpaquePointer?, _ array: Int, _ managed_tensor: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    answer(error) { () throws(ShardError) in
        let place = try place(managed_tensor)
        let object = try Handle.object(batch, BatchObject.self)
        guard object.loader.arrays.indices.contains(array) else { throw .invalidArgument("there is no array \(array)") }
        let layout = object.loader.arrays[array]
        let shape = UnsafeMutablePointer<Int64>.allocate(capacity: 4)
        shape[0] = Int64(object.batch.count)
        shape[1] = Int64(layout.width)
        shape[2] = Int64(layout.stride / layout.element.byteCount)
        shape[3] = 1
        let tensor = UnsafeMutablePointer<ManagedTensor>.allocate(capacity: 1)
        tensor.initialize(
            to: ManagedTensor(
                data: object.batch.memory.baseAddress?.advanced(by: layout.offset), deviceType: 1, deviceID: 0,
                dimensionCount: 2, typeCode: layout.element.typeCode, bits: UInt8(layout.element.byteCount * 8),
                lanes: 1, shape: shape, strides: shape + 2, byteOffset: 0,
                manager: Unmanaged.passRetained(object).toOpaque(), deleter: deleteTensor))
        place.pointee = UnsafeMutableRawPointer(tensor)
    }
}

private func deleteTensor(_ pointer: UnsafeMutableRawPointer?) {
    guard let tensor = pointer?.assumingMemoryBound(to: ManagedTensor.self) else { return }
    if let manager = tensor.pointee.manager { Unmanaged<BatchObject>.fromOpaque(manager).release() }
    tensor.pointee.shape?.deallocate()
    tensor.deallocate()
}
