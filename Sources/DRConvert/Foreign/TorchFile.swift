package import DRShardFormat

/// A dictionary of tensors as `torch.save` writes it (the zip format of torch 1.6 and later).
///
/// Runs no code from the file.
package enum TorchFile {
    /// The tensors of a `.pth` file, in file order. Their bytes share storage with the file.
    ///
    /// - Parameters:
    ///   - limit: most bytes that one member of the zip may have.
    /// - Throws: what `ZipReader` and `PickleMachine` throw; `.unsupportedFeature` for the format before torch 1.6,
    ///   big-endian files and tensors that are not contiguous; `.corrupt` if a tensor does not fit into its storage.
    package static func read(
        _ bytes: ArraySlice<UInt8>, limit: Int, with inflater: Inflater
    ) throws(ShardError) -> [(name: String, array: ForeignArray)] {
        // The old format begins with a pickled magic number.
        if bytes.has([0x80, 0x02, 0x8A, 0x0A]) {
            throw .unsupportedFeature("torch file of the format before torch 1.6; load it and save it again")
        }
        let zip = try ZipReader(bytes)
        let pickles = zip.entries.filter { $0.name == "data.pkl" || $0.name.hasSuffix("/data.pkl") }
        guard pickles.count == 1, let pickle = pickles.first else {
            throw .corrupt("torch file with \(pickles.count) members data.pkl, there must be one")
        }
        let folder = String(pickle.name.dropLast("data.pkl".count))
        if let entry = zip.entry(named: folder + "byteorder") {
            let order = try zip.read(entry, limit: 16, with: inflater)
            guard order.elementsEqual("little".utf8) else {
                throw .unsupportedFeature("torch file of byte order \"\(String(decoding: order, as: UTF8.self))\"")
            }
        }
        let entries: [(key: String, tensor: PickleMachine.Tensor)]
        do throws(ShardError) {
            entries = try PickleMachine.run(
                try zip.read(pickle, limit: PickleMachine.maximumByteCount, with: inflater))
        } catch { throw error.inside(pickle.name) }
        var storages: [String: ArraySlice<UInt8>] = [:]
        var arrays: [(name: String, array: ForeignArray)] = []
        for (key, tensor) in entries {
            let name = folder + "data/" + tensor.storageKey
            if storages[name] == nil {
                guard let entry = zip.entry(named: name) else {
                    throw .corrupt("tensor \"\(key)\" needs the member \"\(name)\", which is not there")
                }
                storages[name] = try zip.read(entry, limit: limit, with: inflater)
            }
            do throws(ShardError) {
                arrays.append((key, try array(tensor, in: storages[name] ?? [])))
            } catch { throw ShardError(error.code, "tensor \"\(key)\": \(error.reason)") }
        }
        return arrays
    }

    private static func array(
        _ tensor: PickleMachine.Tensor, in storage: ArraySlice<UInt8>
    ) throws(ShardError) -> ForeignArray {
        let width = tensor.element.byteCount
        guard tensor.storageElementCount <= storage.count / width else {
            throw .corrupt(
                "storage \"\(tensor.storageKey)\" has \(storage.count) bytes, "
                    + "\(tensor.storageElementCount) elements of \(width) are declared")
        }
        guard let byteCount = ForeignArray.byteCount(tensor.element, tensor.shape),
            tensor.offset <= tensor.storageElementCount, byteCount / width <= tensor.storageElementCount - tensor.offset
        else {
            throw .corrupt(
                "shape \(tensor.shape) from element \(tensor.offset) on, the storage has \(tensor.storageElementCount)")
        }
        guard isContiguous(tensor) else {
            throw .unsupportedFeature(
                "shape \(tensor.shape) with strides \(tensor.strides), only contiguous tensors are read")
        }
        return ForeignArray(
            element: tensor.element, shape: tensor.shape,
            bytes: try storage.part(tensor.offset * width, byteCount, "tensor"))
    }

    /// Row-major without gaps; the stride of an axis of one or of an empty tensor does not matter.
    private static func isContiguous(_ tensor: PickleMachine.Tensor) -> Bool {
        if tensor.shape.contains(0) { return true }
        var expected = 1
        for (extent, stride) in zip(tensor.shape, tensor.strides).reversed() where extent != 1 {
            guard stride == expected else { return false }
            expected *= extent
        }
        return true
    }
}
