internal import DRConvert
internal import DRShardFormat

/// What a dry run shows.
extension DryRun {
    func print(json: Bool) throws {
        if json { return try Console.json(Output(self)) }
        try Console.line("\(inputCount) inputs, \(Console.bytes(inputByteCount))")
        try Console.line(
            "\(probedRowCount) samples looked at: about \(estimatedRowCount) rows, "
                + "about \(Console.bytes(estimatedByteCount)) of shards (images and captions that are joined not counted)"
        )
        if let freeByteCount { try Console.line("\(Console.bytes(freeByteCount)) free in the output's file system") }
        if !existingShards.isEmpty {
            try Console.line("\(existingShards.count) shards are there already, such as \(existingShards[0])")
        }
        if let duplicate = duplicateTextRow {
            try Console.line(
                "rows \(duplicate.kept) and \(duplicate.left) of text_emb are equal; row \(duplicate.left) would be left out"
            )
        }
        for cost in counts.precision {
            try Console.line(
                "bfloat16 costs \(cost.name): 1 - cosine \(cost.mean) on average, \(cost.largest) at most")
        }
        if counts.leftOut > 0 { try Console.line("\(counts.leftOut) of the samples looked at would be left out") }
        try Console.line("")
        try SchemaText.print(schema)
    }

    private struct Output: Encodable {
        var inputs: Int
        var inputBytes: UInt64
        var existingShards: [String]
        var probedRows: Int
        var estimatedRows: UInt64
        var estimatedBytes: UInt64
        var freeBytes: UInt64?
        var duplicateTextRow: [Int]?
        var schema: SchemaOutput

        init(_ run: DryRun) {
            inputs = run.inputCount
            inputBytes = run.inputByteCount
            existingShards = run.existingShards
            probedRows = run.probedRowCount
            estimatedRows = run.estimatedRowCount
            estimatedBytes = run.estimatedByteCount
            freeBytes = run.freeByteCount
            duplicateTextRow = run.duplicateTextRow.map { [$0.left, $0.kept] }
            schema = SchemaOutput(run.schema)
        }
    }
}
