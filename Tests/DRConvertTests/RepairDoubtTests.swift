import DRConvert
import DRText
import Testing

@Suite struct RepairDoubtTests {
    @Test func plainTextIsNeverInDoubt() {
        let texts = [
            "", " ", "a photo of a cat", "tab\tand\nline\r\nbreaks", "a & b &c &; &#", "R&D <b>x</b>",
            "'quoted' \"too\"",
        ]
        for text in texts { #expect(CLIPTokenizer.repairDoubt(of: text) == nil, "\(text.debugDescription)") }
        let printable = String(String.UnicodeScalarView((0x20..<0x7F).compactMap(Unicode.Scalar.init)))
        #expect(CLIPTokenizer.repairDoubt(of: printable) == nil)
    }

    @Test func ordinaryTextOfManyScriptsIsNotInDoubt() {
        let texts = [
            "caf\u{E9} na\u{EF}ve fa\u{E7}ade", "\u{C9}COLE \u{C0} bient\u{F4}t",
            "20\u{B0}C \u{2013} \u{A3}5 \u{2014} \u{20AC}10",
            "\u{41F}\u{440}\u{438}\u{432}\u{435}\u{442}, \u{AB}\u{41B}\u{451}\u{448}\u{430}\u{BB}",
            "\u{4F60}\u{597D}", "\u{3B1}\u{3C3}", "\u{1F600}\u{1F468}\u{200D}\u{1F469}", "\u{928}\u{92E}\u{938}\u{94D}",
            "\u{E2A}\u{E27}\u{E31}\u{E2A}\u{E14}\u{E35}", "\u{153}uvre", "\u{FFFD}", "a\u{3000}b\u{2028}c",
            "\u{FF21}\u{FF22} \u{FF11}", "\u{4F60}\u{FF0C}\u{597D}\u{FF01}", "\u{FF76}\u{FF85}",
        ]
        for text in texts { #expect(CLIPTokenizer.repairDoubt(of: text) == nil, "\(text.debugDescription)") }
    }

    @Test(arguments: [
        ("a\u{1B}[0m", RepairDoubt.controlCharacter), ("a\u{0}", .controlCharacter), ("a\u{FEFF}", .controlCharacter),
        ("a\u{99}", .controlCharacter), ("don\u{2019}t", .curlyQuote), ("\u{201C}a\u{201D}", .curlyQuote),
        ("\u{FB01}sh", .ligature), ("\u{133}", .ligature), ("\u{FF76}\u{FF9E}", .characterWidth),
        ("\u{FFA1}", .characterWidth), ("\u{FFE3}", .characterWidth), ("\u{FF06}amp;", .characterWidth),
        ("&#xFF21;", .characterWidth), ("\u{FF21} &amp;", .characterWidth), ("\u{FF21}e\u{301}", .normalization),
        ("cafe\u{301}", .normalization), ("\u{212B}", .normalization), ("\u{5D0}\u{5BC}\u{5B8}", .normalization),
        ("caf\u{C3}\u{A9}", .mojibake), ("\u{C2}\u{A9} 2020", .mojibake), ("\u{432}\u{402}\u{2014}", .mojibake),
        ("voil\u{C3} le travail", .mojibake), ("\u{378}", .recentCharacter),
        ("&#x378", .recentCharacter), ("&amp;#x378;", .recentCharacter),
        ("&rsquo;", .curlyQuote), ("&Atilde;&copy;", .mojibake), ("&EACUTE;", .characterReference),
        ("&amp;amp;amp;lt;", .characterReference),
    ])
    func eachRepairHasItsReason(text: String, reason: RepairDoubt) {
        #expect(CLIPTokenizer.repairDoubt(of: text) == reason, "\(text.debugDescription)")
    }

    @Test func referencesThatComeOutTheSameAreNotInDoubt() {
        for text in ["&amp;", "&amp;lt;", "caf&eacute;", "&#39;s", "&nbsp;", "&lt;b&gt;", "&copy 2020", "&notit;"] {
            #expect(CLIPTokenizer.repairDoubt(of: text) == nil, "\(text)")
        }
    }

    @Test func referencesInMarkupAreLeftAlone() {
        #expect(CLIPTokenizer.repairDoubt(of: "<b>&EACUTE;") == nil)
        #expect(CLIPTokenizer.repairDoubt(of: "<b>\n&EACUTE;") == nil)
        #expect(CLIPTokenizer.repairDoubt(of: "&EACUTE;\n<b>") == .characterReference)
    }

    @Test func aLineThatIsTooLongIsInDoubt() {
        let million = String(repeating: "\u{E9} ", count: 500_000)
        #expect(CLIPTokenizer.repairDoubt(of: million + "a") == .longLine)
    }

    @Test func longRunsOfSequencesTakeLinearTime() {
        #expect(CLIPTokenizer.repairDoubt(of: String(repeating: "\u{41B}\u{451}", count: 20_000)) == nil)
        #expect(CLIPTokenizer.repairDoubt(of: String(repeating: "&amp;", count: 20_000)) == nil)
        #expect(CLIPTokenizer.repairDoubt(of: "&" + String(repeating: "amp;", count: 20_000)) != nil)
    }
}
