internal import CDRShard
internal import DRLoader
internal import DRShard
internal import DRShardFormat

/// A struct of options whose first member is its size: a caller that was built with an older header has a shorter one,
/// whose missing members are what is usual.
protocol SizedOptions {
    var size: Int { get set }
    static var usual: Self { get }
}

extension SizedOptions {
    /// - Throws: `.invalidArgument` for a size that no header had.
    static func read(_ options: UnsafePointer<Self>?) throws(ShardError) -> Self {
        guard let options = options else { return usual }
        let size = options.pointee.size
        guard (MemoryLayout<Int>.size...MemoryLayout<Self>.size).contains(size) else {
            throw .invalidArgument(
                "options of \(size) bytes, where this library knows \(MemoryLayout<Self>.size): set them with the init function of its header"
            )
        }
        var known = usual
        // SAFETY: both are plain structs of C, and have so many bytes.
        withUnsafeMutableBytes(of: &known) { bytes in
            bytes.copyMemory(from: UnsafeRawBufferPointer(start: options, count: size))
        }
        return known
    }

    /// Fills what a caller has room for.
    static func initialise(_ options: UnsafeMutablePointer<Self>?, size: Int) {
        guard let options = options, size >= MemoryLayout<Int>.size else { return }
        var usual = usual
        let room = min(size, MemoryLayout<Self>.size)
        usual.size = room
        // SAFETY: both are plain structs of C, and have so many bytes.
        withUnsafeBytes(of: &usual) { all in
            let bytes = UnsafeRawBufferPointer(rebasing: all[..<room])
            UnsafeMutableRawBufferPointer(start: options, count: bytes.count).copyMemory(from: bytes)
        }
    }
}

extension drs_writer_options: SizedOptions {
    static var usual: drs_writer_options {
        let usual = WriterOptions(shardTag: 0)
        return drs_writer_options(
            size: MemoryLayout<drs_writer_options>.size, shard_tag: 0, rows_per_group: 0,
            group_byte_budget: Int64(usual.groupByteBudget), image_byte_budget: Int64(usual.imageByteBudget),
            compression_level: Int32(usual.compressionLevel), page_byte_count: Int64(usual.pageByteCount),
            packs_behind: 0, storage: nil, storage_count: 0)
    }

    func options(_ schema: Schema) throws(ShardError) -> WriterOptions {
        var options = WriterOptions(shardTag: shard_tag)
        options.rowsPerGroup = rows_per_group == 0 ? nil : Int(rows_per_group)
        options.groupByteBudget = try count(group_byte_budget, "the budget of a row group")
        options.imageByteBudget = try count(image_byte_budget, "the budget of images")
        // Their sum is multiplied by four, and budgets are of bytes that somebody has.
        guard max(options.groupByteBudget, options.imageByteBudget) <= 1 << 50 else {
            throw .invalidArgument("a budget above a petabyte")
        }
        options.compressionLevel = Int(compression_level)
        options.pageByteCount = try count(page_byte_count, "bytes of a page")
        options.packsBehind = packs_behind != 0
        var named: [String: ColumnStorage] = [:]
        for i in 0..<(try count(storage_count, "a number of storages")) {
            guard let item = storage.map({ $0[i] }) else { throw .invalidArgument("storage is NULL") }
            let name = try text(item.storage, "a storage")
            guard let storage = ColumnStorage(rawValue: name) else {
                let names = ColumnStorage.allCases.map(\.rawValue).joined(separator: ", ")
                throw .invalidArgument("there is no storage \"\(name)\"; there are \(names)")
            }
            named[try text(item.column, "a column")] = storage
        }
        options.storage = try WriterOptions.storage(named: named, of: schema)
        return options
    }
}

extension drs_loader_options: SizedOptions {
    static var usual: drs_loader_options {
        let usual = LoaderOptions()
        return drs_loader_options(
            size: MemoryLayout<drs_loader_options>.size, seed: usual.plan.seed,
            batch_size: Int64(usual.plan.batchSize), lanes: 0, block_rows: Int64(usual.plan.blockRows),
            window_blocks: 0, order: 0, variants: 0, tail: 0, epoch_steps: 0, rank: 0, world_size: 1,
            content: usual.content.rawValue, views: nil, view_count: 0, real: nil, real_count: 0, synthetic: nil,
            synthetic_count: 0, tokenizer: nil, embedding_element: 0, joins_embeddings: 0,
            token_element: Int32(ElementType.i32.rawValue), maximum_lost_rows: -1, thread_count: 0,
            prefetch_byte_count: Int64(usual.prefetchByteCount),
            read_ahead_byte_count: Int64(usual.readAheadByteCount))
    }

    func options() throws(ShardError) -> LoaderOptions {
        var options = LoaderOptions()
        options.plan = try plan()
        guard content >> 6 == 0 else { throw .invalidArgument("content \(content)") }
        options.content = BatchContent(rawValue: content)
        options.views = try axes(views, view_count)
        options.real = try axes(real, real_count)
        options.synthetic = try axes(synthetic, synthetic_count)
        options.tokenizer = try tokenizer.map { name throws(ShardError) in
            try text(name, "the tokenizer's name")
        }
        options.embeddingElement = try elementType(embedding_element)
        options.joinsEmbeddings = joins_embeddings != 0
        options.tokenElement = try elementType(token_element) ?? .i32
        options.damage =
            maximum_lost_rows < 0 ? .raise : .substitute(maximumRows: Int(maximum_lost_rows))
        options.threadCount = thread_count == 0 ? nil : Int(thread_count)
        options.prefetchByteCount = Int(prefetch_byte_count)
        options.readAheadByteCount = Int(read_ahead_byte_count)
        return options
    }

    private func plan() throws(ShardError) -> PlanOptions {
        var plan = PlanOptions()
        guard seed <= Int64.max else { throw .invalidArgument("a seed of \(seed): seeds are below 2^63") }
        plan.seed = seed
        plan.batchSize = Int(batch_size)
        plan.lanes = lanes == 0 ? nil : Int(lanes)
        plan.blockRows = Int(block_rows)
        plan.windowBlocks = window_blocks == 0 ? nil : Int(window_blocks)
        plan.order = try choice(order, [.blocks, .global, .none], "order")
        plan.variants = try choice(variants, [.balanced, .epoch, .independent], "variants")
        plan.tail = try choice(tail, [.drop, .pad, .short], "tail")
        plan.epochSteps = epoch_steps == 0 ? nil : Int(epoch_steps)
        plan.world = World(rank: Int(rank), worldSize: Int(world_size))
        return plan
    }

    private func choice<Choice>(_ number: Int32, _ choices: [Choice], _ what: String) throws(ShardError) -> Choice {
        guard choices.indices.contains(Int(number)) else { throw .invalidArgument("\(what): there is no \(number)") }
        return choices[Int(number)]
    }

    private func axes(_ axes: UnsafePointer<drs_axis>?, _ count: Int) throws(ShardError) -> [AxisChoice] {
        guard let axes = axes else { return [] }
        var choices: [AxisChoice] = []
        for i in 0..<(try DRShardC.count(count, "a number of axes")) {
            choices.append(
                AxisChoice(try text(axes[i].name, "an axis"), weight: Int(axes[i].weight)))
        }
        return choices
    }
}
