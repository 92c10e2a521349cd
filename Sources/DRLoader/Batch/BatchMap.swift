internal import DRShard
package import DRShardFormat

/// An array of every batch of a loader, `[samples, width]`, and where it lies in a batch's memory: for callers in C, who
/// get a batch as one piece of memory.
package struct BatchArray: Hashable, Sendable {
    package let name: String
    package let element: ElementType
    /// Elements of a row.
    package let width: Int
    /// Bytes from the start of the memory, and from one row to the next.
    package let offset: Int
    package let stride: Int

    init(_ name: String, _ matrix: MatrixLayout) {
        self.name = name
        element = matrix.element
        width = matrix.width
        offset = matrix.offset
        stride = matrix.stride
    }
}

extension PairedLoader {
    /// What batches call their parts: those of views, of real and of synthetic captions.
    private static let partNames = [
        (choice: "view", embeddings: "image_emb", tokens: "", texts: ""),
        (choice: "real", embeddings: "text_emb", tokens: "text", texts: "caption"),
        (choice: "synthetic", embeddings: "syn_text_emb", tokens: "syn_text", texts: "syn_caption"),
    ]

    /// All arrays of its batches. The names are those of drshard.h.
    package var batchArrays: [BatchArray] {
        let layout = context.layout
        var arrays = [
            BatchArray("row", layout.rows), BatchArray("named_row", layout.named),
            BatchArray("repetition", layout.repetitions),
        ]
        if let sets = layout.sets { arrays.append(BatchArray("set", sets)) }
        if let ids = layout.rowIDs { arrays.append(BatchArray("row_id", ids)) }
        for (number, (part, names)) in zip(layout.parts, PairedLoader.partNames).enumerated() {
            arrays.append(BatchArray(names.choice, part.delivered))
            arrays.append(BatchArray(names.choice + "_drawn", part.drawn))
            let axis = context.sets[0].columns.parts[number][0]
            for (matrix, column) in zip(part.matrices, axis.embeddings) {
                let name = context.sets[0].dataSet.schema.columns[column].name
                let isOne = part.matrices.count == 1
                arrays.append(BatchArray(names.embeddings + (isOne ? "" : "/" + name), matrix))
            }
            if let tokens = part.tokens { arrays.append(BatchArray(names.tokens, tokens)) }
            if let lengths = part.tokenLengths { arrays.append(BatchArray(names.tokens + "_length", lengths)) }
        }
        return arrays
    }

    /// The names of its batches' parts that have values of any length, in the order in which a batch numbers them.
    package var batchValueNames: [String] {
        var names = [String](repeating: "", count: context.layout.raggedCount)
        if let images = context.layout.images { names[images] = "image" }
        for (part, partNames) in zip(context.layout.parts, PairedLoader.partNames) {
            if let augmentations = part.augmentations { names[augmentations] = "augmentation" }
            if let texts = part.texts { names[texts] = partNames.texts }
        }
        return names
    }
}

extension PairedBatch {
    /// All its arrays, as `batchArrays` says where. Nobody but the batch's holders uses it, and they as long as they hold it.
    // SAFETY: who takes the memory or a table holds the batch as long, as the callers in C are told.
    package var memory: UnsafeMutableRawBufferPointer { unsafe lease.memory.all }

    /// The values of a part of any length, in memory that lives as long as the batch: of each sample an address, nil if its
    /// cell is not present, and a number of bytes.
    package func values(part: Int) -> UnsafeRawPointer { unsafe lease.memory.ragged[part].table }

    package var valuePartCount: Int { lease.memory.ragged.count }
}
