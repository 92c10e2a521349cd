internal import DRLoader
internal import DRShardFormat
internal import DRText

/// A loader's state as JSON. Spec: ORDER.md section 9.
enum LoaderStateJSON {
    static func text(_ state: LoaderState) -> String {
        let parts = state.parts.sorted { $0.key < $1.key }.map { name, axes in
            (key: name, value: JSONText.array(axes.map(text)))
        }
        return JSONText.object([
            ("plan_version", String(state.planVersion)),
            ("row_sets", JSONText.array(state.rowSets.map(JSONText.string))),
            ("seed", String(state.seed)), ("batch_size", String(state.batchSize)), ("lanes", String(state.lanes)),
            ("block_rows", String(state.blockRows)), ("window_blocks", String(state.windowBlocks)),
            ("order", JSONText.string(state.order.rawValue)), ("variants", JSONText.string(state.variants.rawValue)),
            ("tail", JSONText.string(state.tail.rawValue)), ("parts", JSONText.object(parts)),
            ("weights", JSONText.array(state.weights.map { String($0) })),
            ("epoch_steps", state.epochSteps.map { String($0) } ?? "null"), ("epoch", String(state.epoch)),
            ("step", String(state.step)),
        ])
    }

    private static func text(_ axis: LoaderState.Axis) -> String {
        JSONText.object([
            ("name", JSONText.string(axis.name)), ("count", String(axis.count)),
            ("exchangeable", axis.exchangeable ? "true" : "false"), ("weight", String(axis.weight)),
        ])
    }

    /// Reads a state.
    /// - Parameter own: any state of the loader, whose members are overwritten.
    /// - Throws: `.invalidArgument` for a text that is no state.
    static func state(_ text: String, like own: LoaderState) throws(ShardError) -> LoaderState {
        let value: JSONValue
        do throws(ShardError) { value = try JSON.parse(Array(text.utf8)).value } catch {
            throw .invalidArgument("the state is not JSON: \(error.reason)")
        }
        let fields = StateFields(value: value)
        var state = own
        state.planVersion = try fields.number("plan_version")
        state.rowSets = try fields.list("row_sets") { if case .string(let text) = $0 { text } else { nil } }
        state.seed = try fields.number("seed")
        state.batchSize = try fields.number("batch_size")
        state.lanes = try fields.number("lanes")
        state.blockRows = try fields.number("block_rows")
        state.windowBlocks = try fields.number("window_blocks")
        state.order = try fields.choice("order")
        state.variants = try fields.choice("variants")
        state.tail = try fields.choice("tail")
        state.weights = try fields.list("weights") { if case .int(let number) = $0 { Int(number) } else { nil } }
        state.epochSteps = value["epoch_steps"] == .null ? nil : try fields.number("epoch_steps")
        state.epoch = try fields.number("epoch")
        state.step = try fields.number("step")
        state.parts = [:]
        let parts = StateFields(value: value["parts"] ?? .null)
        for name in own.parts.keys { state.parts[name] = try parts.list(name, axis) }
        return state
    }

    private static func axis(_ value: JSONValue) -> LoaderState.Axis? {
        guard case .string(let name) = value["name"], case .int(let count) = value["count"],
            case .bool(let exchangeable) = value["exchangeable"], case .int(let weight) = value["weight"]
        else { return nil }
        return LoaderState.Axis(name: name, count: Int(count), exchangeable: exchangeable, weight: Int(weight))
    }
}

private struct StateFields {
    let value: JSONValue

    private func failure(_ key: String) -> ShardError {
        .invalidArgument("the state has no \"\(key)\" that can be read: it is none of a loader of this version")
    }

    func number<Number: FixedWidthInteger>(_ key: String) throws(ShardError) -> Number {
        guard case .int(let number) = value[key], let result = Number(exactly: number) else { throw failure(key) }
        return result
    }

    func choice<Choice: RawRepresentable<String>>(_ key: String) throws(ShardError) -> Choice {
        guard case .string(let name) = value[key], let choice = Choice(rawValue: name) else { throw failure(key) }
        return choice
    }

    func list<Item>(_ key: String, _ item: (JSONValue) -> Item?) throws(ShardError) -> [Item] {
        guard case .array(let values) = value[key] else { throw failure(key) }
        let items = values.compactMap(item)
        guard items.count == values.count else { throw failure(key) }
        return items
    }
}

/// Where a sample comes from, as JSON.
enum ExplanationJSON {
    static func text(_ sample: SampleExplanation) -> String {
        JSONText.object([
            ("slot", String(sample.slot)), ("set", String(sample.set)), ("setEpoch", String(sample.setEpoch)),
            ("shard", JSONText.string(sample.shard)), ("shardRow", String(sample.shardRow)),
            ("row", String(sample.row)), ("namedRow", String(sample.namedRow)),
            ("isRepetition", sample.isRepetition ? "true" : "false"), ("view", text(sample.view)),
            ("real", text(sample.real)), ("synthetic", text(sample.synthetic)),
        ])
    }

    private static func text(_ part: SampleExplanation.Part?) -> String {
        guard let part else { return "null" }
        return JSONText.object([
            ("axis", JSONText.string(part.axis)), ("variant", String(part.variant)),
            ("deliveredAxis", JSONText.string(part.deliveredAxis)),
            ("deliveredVariant", String(part.deliveredVariant)),
        ])
    }
}
