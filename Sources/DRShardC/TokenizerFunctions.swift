internal import CDRShard
internal import DRShard
internal import DRShardFormat
internal import DRText

/// What a `drs_tokenizer` points to. Its memory of words is used by one thread after the other.
final class TokenizerObject: Sendable {
    private let encoder: Guarded<CLIPTokenizer.Encoder>
    init(_ tokenizer: CLIPTokenizer) { encoder = Guarded(tokenizer.makeEncoder()) }

    func encode(_ text: String) -> [UInt16] { encoder.withLock { $0.encode(text) } }
}

private func text(_ start: UnsafePointer<CChar>?, _ count: Int) throws(ShardError) -> String {
    guard let text = String(validating: callersBytes(UnsafeRawPointer(start), max(0, count)), as: UTF8.self) else {
        throw .invalidArgument("the text is not UTF-8")
    }
    return text
}

@c @implementation public func drs_tokenizer_create(
    _ vocabulary: UnsafePointer<CChar>?, _ byte_count: Int, _ tokenizer: UnsafeMutablePointer<OpaquePointer?>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    answer(error) { () throws(ShardError) in
        let place = try place(tokenizer)
        let bytes = Array(callersBytes(UnsafeRawPointer(vocabulary), max(0, byte_count)))
        place.pointee = Handle.make(TokenizerObject(try CLIPTokenizer(vocabularyText: bytes)))
    }
}

@c @implementation public func drs_tokenizer_free(_ tokenizer: OpaquePointer?) {
    Handle.free(tokenizer, TokenizerObject.self)
}

@c @implementation public func drs_tokenizer_encode(
    _ tokenizer: OpaquePointer?, _ text: UnsafePointer<CChar>?, _ byte_count: Int,
    _ ids: UnsafeMutablePointer<UInt16>?, _ capacity: Int, _ count: UnsafeMutablePointer<Int>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    answer(error) { () throws(ShardError) in
        let place = try place(count)
        let object = try Handle.object(tokenizer, TokenizerObject.self)
        let found = object.encode(try DRShardC.text(text, byte_count))
        place.pointee = found.count
        guard let ids else { return }
        for (i, id) in found.prefix(max(0, capacity)).enumerated() { ids[i] = id }
    }
}

@c @implementation public func drs_tokenizer_doubt(
    _ text: UnsafePointer<CChar>?, _ byte_count: Int, _ reason: UnsafeMutablePointer<UnsafePointer<CChar>?>?,
    _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    answer(error) { () throws(ShardError) in
        let place = try place(reason)
        let doubt = CLIPTokenizer.repairDoubt(of: try DRShardC.text(text, byte_count))
        place.pointee = doubt.flatMap { doubt in StaticText.doubts.first { $0.0 == doubt }?.1.pointer }
    }
}
