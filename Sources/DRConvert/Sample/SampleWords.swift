/// Captions out of common words: no sense, but the lengths, the alphabets and the odd characters of real ones.
enum SampleWords {
    private static let subjects = """
        dog cat woman man child boy girl bird horse group couple player cyclist painter dancer chef tourist farmer
        fisherman teacher car truck train boat bicycle airplane house church bridge castle garden street market kitchen
        bedroom table chair lamp clock vase cake pizza salad sandwich coffee bottle basket flower tree
        mountain lake river beach sunset
        """.split(whereSeparator: \.isWhitespace)
    private static let looks = """
        red blue green yellow black white brown golden old new small large tall wooden plastic empty crowded quiet sunny
        snowy wet dusty vintage modern colorful bright dark striped spotted happy tired
        """.split(whereSeparator: \.isWhitespace)
    private static let verbs = """
        standing sitting running walking jumping sleeping playing eating looking leaning riding floating resting waiting
        """.split(whereSeparator: \.isWhitespace)
    private static let places = """
        on|the|grass next|to|a|wall in|front|of|a|window under|the|sky near|the|water at|night in|the|rain
        behind|a|fence on|a|shelf in|a|field by|the|road with|a|ball
        """.split(whereSeparator: \.isWhitespace).map { $0.split(separator: "|").joined(separator: " ") }
    private static let oddities = [
        "\u{1F525}\u{1F525}", "&amp; more", "caf\u{E9} cr\u{E8}me", "\u{65B0}\u{54C1} \u{9001}\u{6599}\u{7121}\u{6599}",
        "&quot;limited&quot;", "\u{1F469}\u{200D}\u{1F680}", "| Free Shipping", "50% OFF!!",
        "\u{C11C}\u{C6B8} \u{C5EC}\u{D589}",
        "\u{43A}\u{440}\u{430}\u{441}\u{43D}\u{44B}\u{439}", "100\u{A0}\u{20AC}", "IMG_2041.JPG",
        "&lt;b&gt;sale&lt;/b&gt;",
    ]

    private static func pick<Text>(_ list: [Text], _ generator: inout SampleGenerator) -> Text {
        list[generator.integer(0...list.count - 1)]
    }

    /// A sentence as a captioning model writes it; now and then an empty one, as in the real data.
    static func synthetic(_ generator: inout SampleGenerator) -> String {
        if generator.integer(0...49) == 0 { return "" }
        let look = pick(looks, &generator)
        let article = "aeiou".contains(look.first ?? " ") ? "an" : "a"
        return
            "\(article) \(look) \(pick(subjects, &generator)) \(pick(verbs, &generator)) \(pick(places, &generator)) ."
    }

    /// A line as people write it beside an image.
    static func real(_ generator: inout SampleGenerator) -> String {
        var words: [String] = []
        for _ in 0..<generator.integer(2...9) {
            let isLook = generator.integer(0...2) == 0
            words.append(String(pick(isLook ? looks : subjects, &generator)))
        }
        if generator.integer(0...3) == 0 { words.append(pick(oddities, &generator)) }
        return words.joined(separator: " ")
    }
}
