internal import DRShardFormat

/// The rows of a unit of arrays.
final class ArrayRowSource: RowSource {
    private let reader: ArrayRowReader
    private let textRows: TextRows
    private let byteCount: UInt64

    /// - Throws: what `ArrayRowReader` throws.
    init(_ unit: ArrayUnit, _ reading: ArrayReading, textRows: TextRows) throws(ShardError) {
        reader = try ArrayRowReader(unit, reading)
        self.textRows = textRows
        byteCount = unit.byteCount
    }

    var canGoOn: Bool { reader.canGoOn }
    var rowName: String? { reader.rowName }
    var doneByteCount: UInt64 { UInt64(Double(byteCount) * reader.doneShare) }

    /// Of its image embeddings, where they are in the unit's only file.
    var rowPosition: UInt64? {
        guard reader.unit.form != .npy, reader.rowCount > 0 else { return nil }
        return reader.columns.image.array.position(of: reader.rowCount - 1)
    }

    func next() throws(ShardError) -> SourceRow? {
        guard let row = try reader.next() else { return nil }
        do throws(ShardError) { return try row.sourceRow(textRows) } catch {
            throw ShardError(error.code, "sample \(row.uid): \(error.reason)", context: error.context).with(
                .init(path: reader.unit.path, row: row.number))
        }
    }
}

extension ArrayRowReader {
    /// Rows that are done, of all.
    var doneShare: Double { columns.rowCount == 0 ? 1 : Double(rowCount) / Double(columns.rowCount) }
}

extension SetProbe {
    /// The first rows of the first unit that has some.
    /// - Throws: the first error; under `.skip` only those that make rows of all inputs impossible.
    static func rows(
        _ units: [ArrayUnit], _ options: ConvertOptions, _ reading: inout ConversionInput.Reading,
        _ byteCount: inout UInt64, _ trouble: inout ShardError?
    ) throws(ShardError) -> [SourceRow] {
        for unit in units {
            var found: [ArrayRow] = []
            let reader: ArrayRowReader
            do throws(ShardError) { reader = try ArrayRowReader(unit, reading.arrays) } catch {
                if options.onError == .stop { throw options.onError.advised(error) }
                trouble = trouble ?? error
                continue
            }
            while found.count < SetLayout.probeCount {
                do throws(ShardError) {
                    guard let row = try reader.next() else { break }
                    found.append(row)
                } catch {
                    if options.onError == .stop { throw options.onError.advised(error) }
                    trouble = trouble ?? error
                    guard reader.canGoOn else { break }
                }
            }
            guard !found.isEmpty else { continue }
            byteCount = UInt64(Double(unit.byteCount) * reader.doneShare)
            var rows: [SourceRow] = []
            do throws(ShardError) {
                try checkFields(reader, options.columnNames)
                reading.textRows = try TextRows.choose(found, given: options.textRows)
            } catch { throw error.with(.init(path: unit.path)) }
            for row in found {
                do throws(ShardError) { rows.append(try row.sourceRow(reading.textRows)) } catch {
                    trouble = trouble ?? error.with(.init(path: unit.path, row: row.number))
                }
            }
            if !rows.isEmpty { return rows }
        }
        return []
    }

    /// A field that is said to be there and is in no line was misspelled.
    private static func checkFields(_ reader: ArrayRowReader, _ names: ColumnNames) throws(ShardError) {
        for (ours, theirs) in names.fields.sorted(by: { $0.key < $1.key })
        where !reader.seenFields.contains(theirs) {
            throw .schemaMismatch(
                "none of the first \(reader.rowCount) rows has a line with the field \"\(theirs)\", which --columns says "
                    + "is \(ours)")
        }
    }
}
