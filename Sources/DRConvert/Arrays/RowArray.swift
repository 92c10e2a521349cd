internal import DRShard
internal import DRShardFormat

/// An array of a unit, of which rows are asked for in ascending order; a block of them is held. One thread at a time.
final class RowArray {
    enum Storage {
        /// - Parameter crc32: what the bytes of header and rows must have; nil: nobody says.
        case npy(NpyFile, crc32: UInt32?)
        case tensor(SafetensorsReader, SafetensorsReader.Tensor)
        case memory(ForeignArray, path: String)
    }

    /// As the unit has it.
    let name: String
    let element: ElementType
    /// Extents, outermost first; at least one.
    let shape: [Int]
    let rowByteCount: Int
    private let storage: Storage
    /// Rows that are read at once.
    var blockRowCount = 1
    private var window = 0..<0
    private var bytes: [UInt8] = []
    private var sum: UInt32 = 0
    private var summedRowCount = 0

    /// - Throws: `.schemaMismatch` for a single number.
    init(name: String, _ storage: Storage) throws(ShardError) {
        self.name = name
        self.storage = storage
        switch storage {
        case .npy(let file, _): (element, shape) = (file.element, file.shape)
        case .tensor(_, let tensor): (element, shape) = (tensor.element, tensor.shape)
        case .memory(let array, _): (element, shape) = (array.element, array.shape)
        }
        guard let rows = shape.first else { throw .schemaMismatch("\"\(name)\" is a single number") }
        // Files were compared with their shapes: the product fits.
        rowByteCount = rows == 0 ? 0 : shape.dropFirst().reduce(element.byteCount, *)
    }

    var rowCount: Int { shape[0] }

    var path: String {
        switch storage {
        case .npy(let file, _): file.path
        case .tensor(let file, _): file.path
        case .memory(_, let path): path
        }
    }

    /// Where a row lies in the file; nil if it is not there as it is.
    func position(of row: Int) -> UInt64? {
        let offset = UInt64(row) * UInt64(rowByteCount)
        return switch storage {
        case .npy(let file, _): file.dataPosition + offset
        case .tensor(_, let tensor): tensor.position + offset
        case .memory: nil
        }
    }

    /// The bytes of a row.
    /// - Throws: `.io`; `.truncated` if the file became shorter; `.checksumMismatch` with the last block of an array
    ///   whose bytes have not the checksum that is stored for them.
    func row(_ row: Int) throws(ShardError) -> ArraySlice<UInt8> {
        if case .memory(let array, _) = storage {
            let start = array.bytes.startIndex + row * rowByteCount
            return array.bytes[start..<start + rowByteCount]
        }
        if !window.contains(row) {
            let rows = row..<min(row + blockRowCount, rowCount)
            bytes = try read(rows)
            window = rows
            try check(rows)
        }
        let start = (row - window.lowerBound) * rowByteCount
        return bytes[start..<start + rowByteCount]
    }

    private func read(_ rows: Range<Int>) throws(ShardError) -> [UInt8] {
        switch storage {
        case .npy(let file, _): try file.bytes(rows: rows)
        case .tensor(let file, let tensor): try file.bytes(of: tensor, rows: rows)
        case .memory: []
        }
    }

    private func check(_ rows: Range<Int>) throws(ShardError) {
        guard case .npy(let file, let expected?) = storage, rows.lowerBound == summedRowCount else { return }
        if rows.lowerBound == 0 { sum = Deflate.crc32(try file.headerBytes()[...]) }
        sum = Deflate.crc32(bytes[...], after: sum)
        summedRowCount = rows.upperBound
        guard summedRowCount < rowCount || sum == expected else {
            throw ShardError.checksumMismatch("CRC-32 \(sum), the zip directory says \(expected)").inside(name + ".npy")
                .with(.init(path: path))
        }
    }
}
