import DRConvert
import DRShardFormat
import DRText
import Testing

/// The long way: a tree of JSON values, then records.
private func parsed(_ bytes: [UInt8]) -> [Augmentation]? {
    guard let document = try? JSON.parse(bytes).value, let value = document["param_aug"] else { return nil }
    return try? AugmentationList.parse(value)
}

private let sample = Array(
    (#"{"param_aug": [[[14, 347, 370, 427], [[0, 0.0], [6, 0.26999998092651367]]], "#
        + #"[[0,0,1,1],[[11,178.5],[3,-30.45317268371582],[12,-0.0]]]]}"#).utf8)

@Suite struct AugmentationScannerTests {
    @Test func theUsualSpellingIsReadAsTheLongWayReadsIt() throws {
        let records = try #require(AugmentationScanner.records(sample))
        #expect(records.count == 2 && records == parsed(sample))
        #expect(records[1].operations.last?.magnitude.sign == .minus)
        let blanks = Array(" \n{ \"param_aug\" : [ [ [ 1 , 2 , 3 , 4 ] , [ [ 5 ,\t9.0 ] ] ] ] }\r\n".utf8)
        #expect(
            AugmentationScanner.records(blanks)?.count == 1 && AugmentationScanner.records(blanks) == parsed(blanks))
    }

    @Test(arguments: [
        "", "{", "[]", #"{"param_aug": []}"#, #"{"param_aug": "[]"}"#, #"{"param_aug": [[[1,2,3,4],null]]}"#,
        #"{"param_aug": [[[1,2,3,4],[]]]}"#, #"{"param_aug": [[[1,2,3,4],[[1,2]]]]}"#,
        #"{"param_aug": [[[1,2,3,4],[[1,2e1]]]]}"#, #"{"param_aug": [[[1,2,3,4],[[1,2.5e1]]]]}"#,
        #"{"param_aug": [[[1,2,3,4],[[1,2.5]]]], "x": 1}"#, #"{"x": 1, "param_aug": [[[1,2,3,4],[[1,2.5]]]]}"#,
        #"{"param_aug": [[[01,2,3,4],[[1,2.5]]]]}"#, #"{"param_aug": [[[1,2,3,4],[[1,02.5]]]]}"#,
        #"{"param_aug": [[[1,2,3,4],[[1,.5]]]]}"#, #"{"param_aug": [[[1,2,3,4],[[1,2.]]]]}"#,
        #"{"param_aug": [[[1,2,0,4],[[1,2.5]]]]}"#, #"{"param_aug": [[[-1,2,3,4],[[1,2.5]]]]}"#,
        #"{"param_aug": [[[1,2,3,4],[[14,2.5]]]]}"#, #"{"param_aug": [[[1234567890,2,3,4],[[1,2.5]]]]}"#,
        #"{"param_aug": [[[1,2,3,4],[[1,2.5]]]]} x"#, #"{"param_aug": [[[1,2,3,4],[[1,2.5],]]]}"#,
        #"{"param_aug": [[[1,2,3,4],[[1,0.1234567890123456789012345678901]]]]}"#,
    ])
    func everythingElseIsLeftToTheLongWay(_ text: String) {
        #expect(AugmentationScanner.records(Array(text.utf8)) == nil)
    }

    /// Whatever a byte is changed to: what the scanner reads, the long way reads alike.
    @Test func noChangeOfAByteMakesADifference() {
        var read = 0
        for at in sample.indices {
            for byte in Array("0123456789.,-+eE[]{}\" \n\u{0B}\\nul:".utf8) + [0, 0xFF] {
                var changed = sample
                changed[at] = byte
                guard let records = AugmentationScanner.records(changed) else { continue }
                read += 1
                #expect(records == parsed(changed), "\(String(decoding: changed, as: UTF8.self))")
            }
        }
        #expect(read > 500)
    }
}
