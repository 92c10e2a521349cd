/// Fullwidth forms of ASCII and halfwidth forms of katakana and its punctuation, made the usual ones as ftfy does.
///
/// Of all repairs of ftfy this is the one that ordinary Chinese and Japanese text needs (its comma is U+FF0C), and it
/// hangs on each code point alone. Halfwidth sound marks and Hangul, which may join their neighbours, stay in doubt.
enum CharacterWidth {
    /// The usual forms of U+FF5F to U+FF9D.
    private static let halfwidth: [UInt32] =
        "⦅⦆。「」、・ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン"
        .unicodeScalars.map(\.value)

    static func usual(_ scalar: UInt32) -> UInt32 {
        switch scalar {
        case 0xFF01...0xFF5E: scalar - 0xFEE0
        case 0xFF5F...0xFF9D: halfwidth[Int(scalar - 0xFF5F)]
        default: scalar
        }
    }

    /// The same text, if there is nothing to do: the common case costs one pass.
    static func usual(_ text: [UInt32]) -> [UInt32] {
        text.contains { 0xFF01...0xFF9D ~= $0 } ? text.map(usual) : text
    }
}
