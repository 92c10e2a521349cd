internal import CDRKernels
internal import DRShardFormat

/// Encodes what the bytes say, damages it as they say, and decodes it with every level of the kernels that runs here:
/// all must write the same units, find the same faults, and give the same values.
enum KernelBody {
    /// The input, taken from the front; zeros behind its end.
    private struct Input {
        var bytes: ArraySlice<UInt8>
        mutating func byte() -> UInt8 { bytes.popFirst() ?? 0 }
        mutating func count(upTo most: Int) -> Int { (Int(byte()) | Int(byte()) << 8) % (most + 1) }
        /// Places and bits of damage.
        mutating func damage(_ target: inout [UInt8]) {
            for _ in 0..<Int(byte() % 4) where !target.isEmpty {
                let place = count(upTo: 65_535) % target.count
                target[place] ^= byte()
            }
            // Often shorter or longer by little.
            let change = Int(Int8(bitPattern: byte()))
            if change < -96 { target.removeLast(min(target.count, -change - 96)) }
            if change > 96 { target.append(contentsOf: (96..<change).map { _ in byte() }) }
        }
    }

    private static let storages: [ColumnStorage] = [.fast, .balanced, .archive, .tokenRanks, .operationTable]

    static func run(_ bytes: [UInt8]) {
        var input = Input(bytes: bytes[...])
        let storage = storages[Int(input.byte()) % storages.count]
        let type = type(of: storage, &input)
        let variantCount = storage == .archive ? 1 + input.count(upTo: 7) : 1
        let rowCount = 1 + input.count(upTo: type.cellByteCount == nil ? 40 : 3)
        guard let kind = storage.tableKind else { return }
        let planes = planes(type, rowCount: rowCount, variantCount: variantCount, &input)
        guard var payload = try? UnitTable.choose(kind, for: storage, planes: planes, level: 1) else { return }
        input.damage(&payload)
        var plain: [UInt8] = []
        Plane.appendPlain(planes, rows: 0..<rowCount, to: &plain)
        let outcomes = levels.map { level in
            precondition(cdr_level_force(level) == 1)
            var input = input
            return outcome(payload, kind, storage, type, rowCount, variantCount, plain, &input)
        }
        cdr_level_force(CDR_LEVEL_BEST)
        for other in outcomes.dropFirst() { precondition(other == outcomes[0], "two levels differ") }
    }

    private static let levels = [CDR_LEVEL_PLAIN, CDR_LEVEL_AVX2, CDR_LEVEL_AVX512, CDR_LEVEL_NEON].filter {
        cdr_level_available($0) == 1
    }

    private static func type(of storage: ColumnStorage, _ input: inout Input) -> ColumnType {
        switch storage {
        case .tokenRanks: input.byte() & 1 == 0 ? .ragged(.u16) : .ragged(.i32)
        case .operationTable: .operations
        default: .tensor(.bf16, dims: [1 + input.count(upTo: 299)])
        }
    }

    private static func planes(
        _ type: ColumnType, rowCount: Int, variantCount: Int, _ input: inout Input
    ) -> [Plane] {
        (0..<variantCount).map { _ in
            var plane = Plane(type: type, maximumRowCount: rowCount)
            for _ in 0..<rowCount { plane.append(value(type, &input).span) }
            return plane
        }
    }

    private static func value(_ type: ColumnType, _ input: inout Input) -> [UInt8] {
        switch type {
        case .ragged(let element): return tokens(element, &input)
        case .operations: return record(&input)
        default: break
        }
        let byteCount = type.cellByteCount ?? 0
        // Exponents as they are, or any bytes: a bit of one byte says which, for eight values.
        var bytes: [UInt8] = []
        while bytes.count < byteCount {
            let choice = input.byte()
            for i in 0..<8 where bytes.count < byteCount {
                let (a, b) = (input.byte(), choice >> i & 1 == 0 ? input.byte() & 1 | 0x3C : input.byte())
                bytes += [a, b]
            }
        }
        return bytes
    }

    /// Mostly small numbers, often the same.
    private static func tokens(_ element: ElementType, _ input: inout Input) -> [UInt8] {
        (0..<input.count(upTo: 20)).flatMap { _ in
            let low = input.byte()
            let high = low & 3 == 3 ? [input.byte(), input.byte(), input.byte()] : [low & 1, 0, 0]
            return [low] + high.prefix(element.byteCount - 1)
        }
    }

    /// A crop and some operations, a flip, or a record of another kind.
    private static func record(_ input: inout Input) -> [UInt8] {
        let shape = input.byte()
        var bytes: [UInt8] = []
        if shape & 1 == 0 { bytes += [1] + (0..<4).flatMap { _ in [input.byte(), input.byte() & 1, 0, 0] } }
        if shape & 2 == 0 {
            let count = shape >> 2 & 3
            bytes +=
                [2, count] + (0..<count).flatMap { _ in [input.byte() & 3] + [0, 0, 0, 0, 0, 0, input.byte() & 3, 0] }
        }
        if shape & 16 != 0 { bytes += [3, input.byte() & 1] }
        if shape & 32 != 0 { bytes += [0x84] }
        if shape & 64 != 0 { bytes += [6] + (0..<8).map { _ in input.byte() } + [2, input.byte(), input.byte()] }
        return bytes
    }

    /// What one level makes of it.
    private struct Outcome: Equatable {
        var table: String?
        var encoded: [UInt8]?
        var plain: [UInt8]?
        var damaged: Result<[UInt8], ShardError>?
    }

    private static func outcome(
        _ payload: [UInt8], _ kind: AuxiliaryKind, _ storage: ColumnStorage, _ type: ColumnType, _ rowCount: Int,
        _ variantCount: Int, _ plain: [UInt8], _ input: inout Input
    ) -> Outcome {
        var outcome = Outcome()
        let table: UnitTable
        do throws(ShardError) {
            table = try UnitTable(parsing: payload, kind: kind, type: type)
            try table.check(for: storage.encoding)
        } catch {
            outcome.table = error.description
            return outcome
        }
        let encoder = UnitEncoder(
            storage: storage, table: (table, 0), type: type, variantCount: variantCount, level: 1)
        var stored: [UInt8] = []
        do throws(ShardError) {
            try encoder.append(plain, 0..<plain.count, rowCount: rowCount, to: &stored)
        } catch { preconditionFailure("encoding failed: \(error)") }
        outcome.encoded = stored
        func decoded(_ stored: [UInt8]) -> Result<[UInt8], ShardError> {
            decode(stored, storage, table, rowCount, variantCount, plain.count)
        }
        if stored.count < plain.count {
            guard decoded(stored) == .success(plain) else { preconditionFailure("a unit does not come back") }
        }
        input.damage(&stored)
        if !stored.isEmpty, stored.count != plain.count { outcome.damaged = decoded(stored) }
        return outcome
    }

    private static func decode(
        _ stored: [UInt8], _ storage: ColumnStorage, _ table: UnitTable, _ rowCount: Int, _ variantCount: Int,
        _ plainByteCount: Int
    ) -> Result<[UInt8], ShardError> {
        var page = BlockHeader(kind: .page, shardTag: 0)
        page.encoding = storage.encoding
        page.variantCount = variantCount
        // Exactly the unit and its slack, and exactly the target: the address sanitizer sees what reaches beyond.
        let source = UnsafeMutableRawBufferPointer.allocate(byteCount: stored.count + 64, alignment: 1)
        let target = UnsafeMutableRawBufferPointer.allocate(byteCount: plainByteCount, alignment: 1)
        defer {
            unsafe source.deallocate()
            unsafe target.deallocate()
        }
        unsafe source.initializeMemory(as: UInt8.self, repeating: 0xA5)
        unsafe source.copyBytes(from: stored)
        do throws(ShardError) {
            try unsafe UnitDecoder().decode(
                UnsafeRawBufferPointer(rebasing: source[0..<stored.count]), page: page, table: table,
                rowCount: rowCount, into: target)
            return .success(unsafe Array(target))
        } catch { return .failure(error) }
    }
}
