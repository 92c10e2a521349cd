internal import DRShard
internal import DRShardFormat

/// What the values are like.
extension ReportPage {
    var norms: String {
        let summaries = profile.normSummaries.filter { $0.moments.count > 0 }
        let columns = profile.layout.embeddings.compactMap { column -> String? in
            let lines = zip(profile.layout.slices, profile.normSummaries).filter { $0.0.column == column }.map {
                Chart.Line(name: $0.1.name, histogram: $0.1.histogram)
            }
            guard lines.contains(where: { $0.histogram.total > 0 }) else { return nil }
            let name = profile.name(column)
            return figure(
                Chart.histogram(
                    lines, title: "Norms of \(name)", marks: [.init(value: 1, label: "1")]), name)
        }
        let rows = summaries.map { summary in
            let moments = summary.moments
            let claim = summary.isClaimedNormalised.map { $0 ? "yes" : "no" } ?? "not said"
            return [
                summary.name, HTMLText.count(moments.count), HTMLText.fixed(moments.minimum, 4),
                HTMLText.fixed(moments.mean, 4), HTMLText.fixed(moments.maximum, 4),
                HTMLText.fixed(moments.standardDeviation, 4), HTMLText.count(summary.offCount), claim,
            ]
        }
        return section(
            "norms", "Lengths of embeddings",
            "By teacher, or by halves where no teacher is named. 1 is within one in a hundred.",
            "<div class=\"two\">\(columns.joined())</div>"
                + table(
                    ["embedding", "cells", "least", "mean", "greatest", "deviation", "not 1", "said to be 1"], rows,
                    numbers: [1, 2, 3, 4, 5, 6]))
    }

    var cosines: String {
        let cosines = profile.cosines.filter { $0.histogram.total > 0 }
        let views = cosines.filter { $0.name == "views" }.map { Chart.Line(name: $0.name, histogram: $0.histogram) }
        let captions = cosines.filter { $0.name != "views" }.map {
            Chart.Line(name: $0.name, histogram: $0.histogram)
        }
        var body = "<div class=\"two\">"
        body += figure(
            Chart.histogram(views, title: "Cosines between views"), "between neighbouring views of one image"
        )
        body += figure(
            Chart.histogram(captions, title: "Cosines between images and captions"),
            "between images and captions")
        body += "</div>"
        let rows = cosines.map { name, histogram in
            [name, HTMLText.count(histogram.total)]
                + [0.01, 0.25, 0.5, 0.75, 0.99].map { HTMLText.fixed(histogram.quantile($0) ?? .nan, 3) }
        }
        body += table(["of", "pairs", "1 %", "25 %", "median", "75 %", "99 %"], rows, numbers: Set(1...6))
        if let pairing = profile.pairingSummary {
            body += "<p class=\"soft\">An image is more similar to its own caption than to "
            body += "\(HTMLText.fixed(100 * pairing.share, 1)) % of other rows' captions "
            body += "(\(HTMLText.count(pairing.rows)) rows); captions in no order would make it 50 %.</p>"
        }
        return section(
            "cosines", "How similar embeddings are",
            "Whole rows, all teachers together. Captions of other rows are the measure for what is no similarity.", body
        )
    }

    var texts: String {
        let similar = profile.mostSimilarTexts.filter { $0.count > 0 }
        let all = Double(max(1, similar.reduce(0) { $0 + $1.count }))
        let bars = similar.map { ($0.name, Double($0.count), HTMLText.fixed(100 * Double($0.count) / all, 1) + " %") }
        var body = Chart.bars(bars, title: "Which caption is the most similar to the image")
        let equal = profile.equalTexts
        if !equal.isEmpty {
            let rows = equal.map { [$0.first, $0.second, HTMLText.count($0.count)] }
            body += "<h3>Embeddings that are equal, bit for bit</h3>"
            body += table(["", "and", "rows"], rows, numbers: [2])
        }
        return section(
            "captions", "Which caption is the most similar",
            "In how many rows each caption's embedding is nearer to the image's than all others of the row.", body)
    }

    var tokens: String {
        var body = ""
        for (column, lengths) in profile.tokenLengths.sorted(by: { $0.key < $1.key }) {
            guard let number = set.schema.columns[column].tokenizer else { continue }
            let room = Int(set.schema.metadata.tokenizers[number].contextLength) - 2
            var histogram = Histogram(0...Double(lengths.count), parts: lengths.count)
            for (length, count) in lengths.enumerated() where count > 0 {
                histogram.add(Double(length) + 0.5, count: count)
            }
            let longest = lengths.lastIndex { $0 > 0 } ?? 0
            let end = Double(min(lengths.count, max(longest + 2, room + 6)))
            let over = lengths.dropFirst(room + 1).reduce(0, +)
            let total = max(1, histogram.total)
            let share = HTMLText.fixed(100 * Double(over) / Double(total), 2)
            body += figure(
                Chart.histogram(
                    [.init(name: profile.name(column), histogram: histogram)],
                    title: "Tokens of \(profile.name(column))", range: 0...end,
                    marks: [.init(value: Double(room + 1), label: "context: \(room) fit")], parts: Int(end)),
                "\(profile.name(column)): median \(HTMLText.fixed((histogram.median ?? 0).rounded(.down), 0)) tokens, "
                    + "\(HTMLText.count(over)) captions (\(share) %) are longer than the context")
        }
        return section(
            "tokens", "Lengths of captions", "In tokens, start and end not counted.",
            body.isEmpty
                ? "<p class=\"none\">No tokens are stored: convert with --tokenizer.</p>"
                : "<div class=\"two\">\(body)</div>")
    }

    var crops: String {
        let crops = profile.crops
        var body = ""
        if crops.sizedCount > 0 {
            let coverage = crops.coverage
            let least = HTMLText.fixed(100 * (coverage.min() ?? 0), 0)
            let most = HTMLText.fixed(100 * (coverage.max() ?? 0), 0)
            body += "<div class=\"two\">"
            body += figure(
                Chart.heatMap(coverage, side: CropProfile.side, title: "How much each part of the image is covered"),
                "Share of the boxes that cover each part of the image: \(least) to \(most) %.")
            body += "<div>"
            body += figure(
                Chart.histogram(
                    [.init(name: "area", histogram: crops.areas)], title: "Areas of crop boxes", range: 0...1,
                    parts: 40,
                    label: { HTMLText.fixed(100 * $0, 0) + " %" }), "Area of a box, as a part of the image")
            body += figure(
                Chart.histogram(
                    [.init(name: "aspect", histogram: crops.aspects)], title: "Shapes of crop boxes", range: -2...2,
                    marks: [.init(value: 0, label: "square")], parts: 40, label: { ReportPage.aspect($0) }),
                "Width to height of a box")
            body += "</div></div>"
        } else {
            let why = crops.count > 0 ? "The sizes of the images are not known." : "There are no crop boxes."
            body = "<p class=\"none\">\(why)</p>"
        }
        return section(
            "crops", "Crop boxes",
            "\(HTMLText.count(crops.count)) boxes, relative to the original image, or the stored one.", body)
    }

    /// A binary logarithm as a ratio of sides.
    private static func aspect(_ log: Double) -> String {
        switch log {
        case -2: "1 : 4"
        case -1: "1 : 2"
        case 0: "1 : 1"
        case 1: "2 : 1"
        case 2: "4 : 1"
        default: ""
        }
    }

    var operations: String {
        let uses = profile.operations.sorted {
            ($0.key.operation, $0.key.magnitude) < ($1.key.operation, $1.key.magnitude)
        }
        let shown = uses.count > 60 ? Array(uses.sorted { $0.value > $1.value }.prefix(60)) : uses
        let all = Double(max(1, uses.reduce(0) { $0 + $1.value }))
        let bars = shown.map { use, count in
            let share = HTMLText.fixed(100 * Double(count) / all, 2)
            return (
                "\(profile.operationName(use.operation)), \(Profile.short(use.magnitude))", Double(count),
                "\(HTMLText.count(count)), \(share) %"
            )
        }
        return section(
            "operations", "Operations by magnitude",
            uses.count > shown.count
                ? "The most frequent \(shown.count) of \(uses.count)." : "What the records draw, and how often.",
            Chart.bars(bars, title: "How often each operation has each magnitude"))
    }

    var views: String {
        let tests = profile.viewTests
        let rows = tests.filter { $0.measure.rowCount > 0 }.map { name, measure, isDependent in
            let extreme = measure.extreme
            return [
                name, HTMLText.count(measure.rowCount), Profile.short(measure.statistic),
                Profile.short(measure.chiSquaredP), Profile.short(measure.boundP),
                extreme.map { "\($0.view)" } ?? "–", isDependent ? "yes" : "no",
            ]
        }
        let limit = Profile.short(Profile.falseAlarmProbability / Double(max(1, tests.count)))
        return section(
            "views", "Does a view depend on its number?",
            "For exchangeable views of independent rows each bound is an upper limit of the probability to look so; below "
                + "\(limit) a measure is flagged, so that such a set is flagged with a probability below 1e-6.",
            rows.isEmpty
                ? "<p class=\"none\">There are no views to compare.</p>"
                : table(
                    ["measure", "rows", "chi-squared", "p about", "p at most", "most in view", "depends"], rows,
                    numbers: [1, 2, 3, 4, 5]))
    }

    var samples: String {
        section(
            "samples", "Some rows",
            "Spread over the set, with crop boxes of some views; the real caption first, then synthetic ones.",
            pictures.isEmpty
                ? "<p class=\"none\">No picture is stored that a browser shows (PNG or JPEG of at most 200 KiB).</p>"
                : "<div class=\"samples\">\(pictures.map(\.html).joined())</div>")
    }
}
