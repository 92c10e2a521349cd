internal import DRShard
internal import DRShardFormat

/// The uids of a unit's rows: of arrays, of lines, or made of other ids.
struct RowIDs {
    private let pairs: RowArray?
    private let bytes: RowArray?
    private let numbers: RowArray?
    private let hashes: Bool

    /// - Throws: `.schemaMismatch` if there are no ids, or if they are none of those that were asked for.
    init(_ columns: ArrayColumns, hasLines: Bool, hashes: Bool, unit path: String) throws(ShardError) {
        (pairs, bytes, numbers, self.hashes) = (columns.uids, columns.uidBytes, columns.idNumbers, hashes)
        guard pairs != nil || bytes != nil || numbers != nil || hasLines else {
            throw .schemaMismatch(
                "there are no ids: give uids (u64 [rows, 2], or numpy's \"u8,u8\"), uid (u8 [rows, 16]), or lines with "
                    + "\"uid\", in \(TarFolder.name(of: path)).jsonl")
        }
        guard !hashes || numbers != nil || hasLines else {
            throw .schemaMismatch("--hash-ids is for ids that are no uids; those here are; leave it out")
        }
        guard hashes || numbers == nil else {
            throw .schemaMismatch(
                "\"\(numbers?.name ?? "")\" has a number for each row, which is no uid; --hash-ids makes uids of such ids: "
                    + ArrayReading.hashNote)
        }
    }

    /// The uid of a row.
    /// - Throws: `.schemaMismatch` if there is none, if two are there and differ, or for an id that is no uid.
    func uid(row: Int, _ line: RowLine?) throws(ShardError) -> String {
        var found: String?
        func add(_ uid: String, _ what: String) throws(ShardError) {
            guard found ?? uid == uid else {
                throw .schemaMismatch("uid \(uid) \(what), where the arrays have \(found ?? "another")")
            }
            found = uid
        }
        if let pairs {
            // Each number is little-endian, and has the first digit in its highest bits.
            let pair = Array(try pairs.row(row))
            try add(hex(pair[..<8].reversed() + pair[8...].reversed()), "of \(pairs.name)")
        }
        if let bytes { try add(hex(Array(try bytes.row(row))), "of \(bytes.name)") }
        if let numbers { try add(try ArrayReading.hashed(try RowIDs.decimal(numbers, row)), "of \(numbers.name)") }
        if let id = line?.id { try add(try uid(of: id), "of the line") }
        guard let found else { throw .schemaMismatch("there is no uid, neither in the line nor in an array") }
        guard !hashes || numbers != nil || line?.id != nil else {
            throw .schemaMismatch("there is no id in the line that --hash-ids could make a uid of")
        }
        return found
    }

    private func uid(of id: String) throws(ShardError) -> String {
        if hashes { return try ArrayReading.hashed(id) }
        do throws(ShardError) { _ = try UInt128(uid: id) } catch {
            throw error.adding("--hash-ids makes uids of such ids: \(ArrayReading.hashNote)")
        }
        return id
    }

    private static func decimal(_ array: RowArray, _ row: Int) throws(ShardError) -> String {
        let width = array.element.byteCount
        let bits = try array.row(row).number(0, width, "id")
        guard array.element.isSigned else { return String(bits) }
        let shift = UInt64(64 - 8 * width)
        return String(Int64(bitPattern: bits << shift) >> Int64(shift))
    }
}
