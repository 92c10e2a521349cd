internal import DRShard
internal import DRShardFormat
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// The memory of one batch, aligned to 64 bytes; used for one batch after the other.
// SAFETY: the storage is private, allocated in init and freed in deinit. While a batch is made, each sample's bytes are
// written by the one thread that reads it; the engine's lock orders that before the batch is handed out, and nobody
// writes after. It is used again only when the last holder of the batch is gone.
@safe final class BatchMemory: Sendable {
    let layout: BatchLayout
    let ragged: [RaggedMemory]
    private nonisolated(unsafe) let storage: UnsafeMutableRawBufferPointer
    /// From here on memory is asked for in huge pages, which a scatter over it needs few of.
    private static let hugePageByteCount = 2 << 20

    init(_ layout: BatchLayout) {
        self.layout = layout
        ragged = (0..<layout.raggedCount).map { _ in RaggedMemory(capacity: layout.capacity) }
        let isLarge = layout.byteCount >= Self.hugePageByteCount
        unsafe storage = .allocate(
            byteCount: max(1, layout.byteCount),
            alignment: isLarge ? Self.hugePageByteCount : FormatConstants.alignment)
        #if canImport(Glibc)
            // Advice: without huge pages all is as before.
            if isLarge { _ = unsafe madvise(storage.baseAddress, storage.count, MADV_HUGEPAGE) }
        #endif
    }
    deinit { unsafe storage.deallocate() }

    /// Makes it ready for another batch.
    func clear() { for part in ragged { part.clear() } }

    /// The whole memory.
    var all: UnsafeMutableRawBufferPointer { unsafe storage }

    /// Where the memory begins. Rows are reached through `BatchWindow`.
    fileprivate var base: UnsafeMutableRawPointer {
        // SAFETY: the storage is never empty, so it has an address.
        unsafe storage.baseAddress.unsafelyUnwrapped
    }

    /// The bytes of some rows of a matrix, and what lies between them.
    func bytes(_ matrix: MatrixLayout, rowCount: Int) -> UnsafeRawBufferPointer {
        let count = rowCount == 0 ? 0 : (rowCount - 1) * matrix.stride + matrix.rowByteCount
        // SAFETY: as in `place`.
        return unsafe UnsafeRawBufferPointer(rebasing: storage[matrix.offset..<matrix.offset + count])
    }
}

/// The memories of batches that one thread fills with a portion's rows.
// SAFETY: addresses are those of the memories, which the window holds; the layout made sure that all rows lie in them, and
// the portion that no other thread writes the same rows.
@safe struct BatchWindow {
    let memories: [BatchMemory]
    private let bases: [UnsafeMutableRawPointer]
    private let capacity: Int
    /// Whether the batches are more than a cache holds.
    let isLarge: Bool
    private static let cacheByteCount = 4 << 20

    init(_ memories: [BatchMemory]) {
        isLarge = memories.reduce(0) { $0 + $1.layout.byteCount } > Self.cacheByteCount
        self.memories = memories
        unsafe bases = memories.map { unsafe $0.base }
        capacity = memories.first?.layout.capacity ?? 0
    }

    /// The place of a row of a matrix. Cost: no reference is counted.
    func place(_ matrix: MatrixLayout, batch: Int, row: Int) -> UnsafeMutableRawPointer {
        precondition(row >= 0 && row < capacity, "row \(row) of \(capacity)")
        return unsafe bases[batch].advanced(by: matrix.offset + row * matrix.stride)
    }

    /// Writes a number into a matrix of such numbers.
    func set<Number: FixedWidthInteger & BitwiseCopyable>(
        _ matrix: MatrixLayout, batch: Int, row: Int, column: Int = 0, _ value: Number
    ) {
        precondition(matrix.element.byteCount * 8 == Number.bitWidth && column < matrix.width, "another matrix")
        unsafe place(matrix, batch: batch, row: row).storeBytes(
            of: value, toByteOffset: column * matrix.element.byteCount, as: Number.self)
    }
}

/// Values of any length, one a sample, in memory that is kept from batch to batch.
// SAFETY: entries and chunks are private; they are changed under the lock while the batch is made, and only read after.
@safe final class RaggedMemory: Sendable {
    @safe private struct Chunks {
        var all: [UnsafeMutableRawBufferPointer] = unsafe []
        var current = 0
        var used = 0
    }
    /// As a struct of C with a pointer and a number of 64 bits: callers in C get the table.
    @safe private struct Entry {
        var start: UnsafeRawPointer?
        var count: Int
    }
    private let chunks = Guarded(Chunks())
    private nonisolated(unsafe) let entries: UnsafeMutableBufferPointer<Entry>
    private static let smallestChunk = 64 << 10

    init(capacity: Int) {
        // Also of no samples, so that there is an address.
        unsafe entries = .allocate(capacity: max(1, capacity))
        unsafe entries.initialize(repeating: Entry(start: nil, count: 0))
    }
    deinit {
        unsafe entries.deallocate()
        chunks.withLock { unsafe $0.all.forEach { unsafe $0.deallocate() } }
    }

    func clear() {
        chunks.withLock {
            $0.current = 0
            $0.used = 0
        }
        unsafe entries.update(repeating: Entry(start: nil, count: 0))
    }

    /// Keeps a copy of a sample's value; nil: it has none.
    func set(_ row: Int, _ value: UnsafeRawBufferPointer?) {
        guard let value = unsafe value else {
            unsafe entries[row] = Entry(start: nil, count: 0)
            return
        }
        let room = unsafe room(value.count)
        unsafe room.copyMemory(from: value)
        unsafe entries[row] = Entry(start: UnsafeRawPointer(room.baseAddress), count: value.count)
    }

    /// Bytes that nobody else gets.
    private func room(_ count: Int) -> UnsafeMutableRawBufferPointer {
        // SAFETY: every call gets another part of a chunk.
        unsafe chunks.withLock { chunks in
            while unsafe chunks.current < chunks.all.count {
                if unsafe chunks.all[chunks.current].count - chunks.used >= count { break }
                chunks.current += 1
                chunks.used = 0
            }
            if unsafe chunks.current == chunks.all.count {
                let size = unsafe max(count, Self.smallestChunk << min(chunks.all.count, 8))
                unsafe chunks.all.append(.allocate(byteCount: size, alignment: FormatConstants.alignment))
                chunks.used = 0
            }
            let start = chunks.used
            chunks.used += count
            return unsafe UnsafeMutableRawBufferPointer(rebasing: chunks.all[chunks.current][start..<start + count])
        }
    }

    /// The entries of all samples.
    var table: UnsafeRawPointer { unsafe UnsafeRawPointer(entries.baseAddress.unsafelyUnwrapped) }

    /// A sample's value; nil if it has none.
    func value(_ row: Int) -> UnsafeRawBufferPointer? {
        let entry = unsafe entries[row]
        return unsafe entry.start.map { unsafe UnsafeRawBufferPointer(start: $0, count: entry.count) }
    }
}

/// Memory of batches that nobody holds, and how much there is.
final class BatchPool: Sendable {
    private let free = Guarded<[BatchMemory]>([])
    private let live = Atomic<Int>(0)
    /// Memories that are kept.
    private let keptCount: Int
    let layout: BatchLayout

    init(layout: BatchLayout, keptCount: Int) {
        self.layout = layout
        self.keptCount = keptCount
    }

    /// Memories that batches hold.
    var liveCount: Int { live.load(ordering: .relaxed) }

    func take() -> BatchMemory {
        live.wrappingAdd(1, ordering: .relaxed)
        let memory = free.withLock { $0.popLast() } ?? BatchMemory(layout)
        memory.clear()
        return memory
    }

    func giveBack(_ memory: BatchMemory) {
        live.wrappingSubtract(1, ordering: .relaxed)
        free.withLock { if $0.count < keptCount { $0.append(memory) } }
    }
}

/// Holds the memory of a batch that was handed out; the last holder gives it back.
final class BatchLease: Sendable {
    let memory: BatchMemory
    private let pool: BatchPool
    init(_ memory: BatchMemory, pool: BatchPool) {
        self.memory = memory
        self.pool = pool
    }
    deinit { pool.giveBack(memory) }
}
