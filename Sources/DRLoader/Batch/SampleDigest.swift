public import DRShardFormat

extension PairedBatch {
    /// A digest of every sample, all that the batch says of it, in their order: of a stream of batches, and of ranks'
    /// parts of them, the digests join to that of the whole (FORMAT.md 8.2). For comparing runs.
    ///
    /// Cost: about 1 GB/s.
    public var sampleDigest: SequenceDigest {
        var digest = SequenceDigest()
        let parts = PartKind.allCases.indices.map { BatchPart(number: $0, batch: self) }
        let matrices = ([rowNumbers, rowIDs].compactMap { $0 }) + parts.flatMap(\.matrices)
        let values = (0..<lease.memory.layout.raggedCount).map { BatchValues($0, lease, count: count) }
        let (sets, repetitions) = (sets, Set(repetitions))
        for sample in 0..<count {
            var hash = SHA256()
            hash.update([UInt8(truncatingIfNeeded: sets[sample]), repetitions.contains(sample) ? 1 : 0])
            for matrix in matrices {
                let start = sample * matrix.rowStride
                matrix.withBytes { hash.update($0.extracting(start..<start + matrix.rowByteCount)) }
            }
            for values in values { hash.update(values[sample] ?? [0xFF]) }
            let bytes = hash.finish()
            digest.append(SequenceDigest.single(of: bytes.span), count: 1)
        }
        return digest
    }
}

extension PairedBatch.BatchPart {
    fileprivate var matrices: [BatchMatrix] {
        [layout.drawn, layout.delivered, layout.tokens, layout.tokenLengths].compactMap { $0 }
            .map { BatchMatrix($0, batch.lease, rowCount: batch.count) } + embeddings
    }
}
