import DRConvert
import DRShardFormat
import Testing

/// A tar of so many samples, those of some numbers without their syn.json.
private func writeTar(_ path: String, count: Int, spoilt: Set<Int>) throws {
    let tar = try TarWriter(path: path)
    for number in 0..<count {
        let uid = uid(number)
        let array = ForeignArray(
            element: .bf16, shape: [2, 8], bytes: randomBytes(32, seed: UInt64(number), 0...100)[...])
        try tar.add("\(uid).json", Array(#"{"uid": "\#(uid)"}"#.utf8))
        try tar.add("\(uid).url.txt", Array("https://example.com".utf8))
        if !spoilt.contains(number) { try tar.add("\(uid).syn.json", Array(#"{"syn_text": ["a cat"]}"#.utf8)) }
        try tar.add("\(uid).paug.json", Array(#"{"param_aug": [[[0,0,8,8],[]],[[1,1,4,4],[]]]}"#.utf8))
        try tar.add(
            "\(uid).pth.gz",
            try Deflate.compress(
                try TorchWriter.write([("image_emb", array), ("text_emb", array)]), as: .gzip, level: 1))
    }
    try tar.finish()
}

private func uid(_ number: Int) -> String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 32 - digits.count) + digits
}

private func source(_ path: String) throws -> TarRowSource {
    try TarRowSource(path: path, options: .init(), textRows: TextRows(real: 0, synthetic: [1]))
}

@Suite struct TarRowSourceTests {
    @Test func rowsComeInTheOrderOfTheTarAndOneThatIsWrongIsOneError() throws {
        try withFolder { folder in
            let spoilt: Set = [0, 7, 8, 150, 299]
            try writeTar(folder + "/a.tar", count: 300, spoilt: spoilt)
            for _ in 0..<3 {
                let source = try source(folder + "/a.tar")
                for number in 0..<300 {
                    let row: SourceRow?
                    do { row = try source.next() } catch let error as ShardError {
                        #expect(spoilt.contains(number) && source.canGoOn && error.context.position != nil)
                        #expect(source.rowName == uid(number))
                        continue
                    }
                    #expect(row?.uid == uid(number) && source.rowName == uid(number))
                    let bytes = randomBytes(32, seed: UInt64(number), 0...100)
                    #expect(row.map { Array($0.matrices[0].array.bytes) } == bytes)
                }
                #expect(try source.next() == nil && source.next() == nil)
            }
        }
    }

    @Test func damageOfTheTarEndsItsRowsBehindThoseBeforeIt() throws {
        try withFolder { folder in
            try writeTar(folder + "/a.tar", count: 50, spoilt: [])
            let bytes = try readFile(folder + "/a.tar")
            try writeFile(folder + "/b.tar", bytes[..<(bytes.count / 2)])
            let source = try source(folder + "/b.tar")
            var rows = 0
            let error = failure { while try source.next() != nil { rows += 1 } }
            #expect(error.code == .truncated && !source.canGoOn && (15..<35).contains(rows))
            #expect(try source.next() == nil)
        }
    }

    @Test func aSourceThatIsDroppedEarlyEndsItsThread() throws {
        try withFolder { folder in
            try writeTar(folder + "/a.tar", count: 200, spoilt: [3])
            for taken in 0..<30 {
                let source = try source(folder + "/a.tar")
                for _ in 0..<taken { _ = try? source.next() }
            }
        }
    }
}
