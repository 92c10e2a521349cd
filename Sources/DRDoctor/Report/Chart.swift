/// Small charts as inline SVG: colours come from the page's style, so that they follow light and dark.
enum Chart {
    /// A set of values that is drawn as one line of a histogram.
    struct Line {
        var name: String
        var histogram: Histogram
    }
    /// A place on the axis that is marked.
    struct Mark {
        var value: Double
        var label: String
    }

    private static let width = 500.0
    private static let left = 8.0

    /// Histograms over one axis, each scaled to its own sum: shares, so that counts need not be alike.
    /// - Parameters:
    ///   - lines: histograms of one kind; those without a number are left out.
    ///   - range: the part of the axis that is shown; nil: where there is something.
    ///   - parts: of the range that are drawn, at most.
    static func histogram(
        _ lines: [Line], title: String, range: ClosedRange<Double>? = nil, marks: [Mark] = [], parts: Int = 80,
        label: ((Double) -> String)? = nil
    ) -> String {
        let lines = lines.filter { $0.histogram.total > 0 }
        guard let first = lines.first?.histogram else { return "<p class=\"none\">Nothing to show.</p>" }
        let bins = range.map { first.bins(in: $0) } ?? filledBins(lines.map(\.histogram))
        // Whole bins in each part, or some parts would have more of them than others.
        let group = max(1, (bins.count + parts - 1) / parts)
        let count = (bins.count + group - 1) / group
        let low = first.range.lowerBound + Double(bins.lowerBound) * first.partWidth
        let shown = low...low + Double(count * group) * first.partWidth
        let shares = lines.map { Self.shares($0.histogram, bins, group: group, count: count) }
        let (height, base) = (190.0, 162.0)
        let top = max(shares.joined().max() ?? 0, 1e-9)
        var svg = opening(width, height, title)
        for (value, words) in ticks(shown, label) {
            let x = position(value, shown)
            svg += "<line class=\"grid\" x1=\"\(f(x))\" y1=\"8\" x2=\"\(f(x))\" y2=\"\(f(base))\"/>"
            let anchor = x < left + 14 ? "start" : x > width - left - 14 ? "end" : "middle"
            svg += text(x, base + 18, words, anchor: anchor)
        }
        for (i, values) in shares.enumerated() { svg += area(values, top: top, base: base, series: i) }
        svg += "<line class=\"axis\" x1=\"\(f(left))\" y1=\"\(f(base))\" x2=\"\(f(width - left))\" y2=\"\(f(base))\"/>"
        for mark in marks where shown.contains(mark.value) {
            let x = position(mark.value, shown)
            svg += "<line class=\"mark\" x1=\"\(f(x))\" y1=\"8\" x2=\"\(f(x))\" y2=\"\(f(base))\"/>"
            let isRight = x > width * 0.7
            svg += text(x + (isRight ? -5 : 5), 18, mark.label, anchor: isRight ? "end" : "start", strong: true)
        }
        svg += "</svg>"
        return svg + (lines.count > 1 ? legend(lines.map(\.name)) : "")
    }

    private static func shares(_ histogram: Histogram, _ bins: Range<Int>, group: Int, count: Int) -> [Double] {
        var shares = Array(repeating: 0.0, count: count)
        for bin in bins {
            shares[(bin - bins.lowerBound) / group] += Double(histogram.counts[bin]) / Double(histogram.total)
        }
        return shares
    }

    /// The bins where there is something, with some beside them.
    private static func filledBins(_ histograms: [Histogram]) -> Range<Int> {
        let filled = histograms.flatMap { histogram in
            [histogram.counts.firstIndex { $0 > 0 }, histogram.counts.lastIndex { $0 > 0 }].compactMap { $0 }
        }
        let (low, high) = (filled.min() ?? 0, filled.max() ?? 0)
        let room = max(1, (high - low) / 20)
        return max(0, low - room)..<min(histograms[0].counts.count, high + room + 1)
    }

    /// Round numbers of an axis: three to six of them, with as many decimals as they need.
    static func ticks(_ range: ClosedRange<Double>, _ label: ((Double) -> String)?) -> [(Double, String)] {
        let length = range.upperBound - range.lowerBound
        var (step, decimals) = (1.0, 0)
        while step > length / 3 { (step, decimals) = (step / 10, decimals + 1) }
        while step <= length / 30 { (step, decimals) = (step * 10, decimals - 1) }
        if length / step > 15 { step *= 5 } else if length / step > 6 { step *= 2 }
        let first = (range.lowerBound / step - 1e-9).rounded(.up)
        return (0...6).map { (first + Double($0)) * step }.filter { $0 <= range.upperBound + step * 1e-9 }.map {
            ($0, label?($0) ?? HTMLText.fixed($0, max(0, decimals)))
        }
    }

    private static func area(_ values: [Double], top: Double, base: Double, series: Int) -> String {
        let step = (width - 2 * left) / Double(values.count)
        var outline = ""
        for (i, value) in values.enumerated() {
            let y = base - value / top * (base - 28)
            let x = left + Double(i) * step
            outline += "\(i == 0 ? "" : "L")\(f(x)) \(f(y))L\(f(x + step)) \(f(y))"
        }
        let style = "s\(series % 6)"
        return "<path class=\"area \(style)\" d=\"M\(f(left)) \(f(base))L\(outline)L\(f(width - left)) \(f(base))Z\"/>"
            + "<path class=\"line \(style)\" d=\"M\(outline)\"/>"
    }

    /// Bars with names in front of them and words behind.
    /// - Parameter isWide: whether the words need as much room as the bars.
    static func bars(
        _ rows: [(name: String, value: Double, label: String)], title: String, isWide: Bool = false
    ) -> String {
        guard !rows.isEmpty else { return "<p class=\"none\">Nothing to show.</p>" }
        let top = max(rows.map(\.value).max() ?? 0, 1e-9)
        var html = "<div class=\"bars\(isWide ? " wide" : "")\" role=\"img\" aria-label=\"\(HTMLText.escape(title))\">"
        for row in rows {
            let part = 100 * max(0, row.value) / top
            html += "<div class=\"bar\"><span class=\"name\">\(HTMLText.escape(row.name))</span>"
            html += "<svg class=\"track\" viewBox=\"0 0 100 1\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
            html += "<rect class=\"fill\" width=\"\(f(max(0.2, part)))\" height=\"1\"/></svg>"
            html += "<span class=\"value\">\(HTMLText.escape(row.label))</span></div>"
        }
        return html + "</div>"
    }

    /// A square of cells, each as strong as its value says.
    static func heatMap(_ values: [Double], side: Int, title: String) -> String {
        let size = 320.0
        let cell = size / Double(side)
        var svg =
            "<svg class=\"chart heat\" shape-rendering=\"crispEdges\" viewBox=\"0 0 \(f(size)) \(f(size))\" role=\"img\">"
        svg += "<title>\(HTMLText.escape(title))</title>"
        let top = max(values.max() ?? 0, 1e-9)
        for (i, value) in values.enumerated() {
            let (x, y) = (Double(i % side) * cell, Double(i / side) * cell)
            svg +=
                "<rect x=\"\(f(x))\" y=\"\(f(y))\" width=\"\(f(cell))\" height=\"\(f(cell))\" "
                + "opacity=\"\(HTMLText.fixed(0.04 + 0.96 * value / top, 3))\"/>"
        }
        return svg + "</svg>"
    }

    static func legend(_ names: [String]) -> String {
        let items = names.enumerated().map { i, name in
            "<li><span class=\"key s\(i % 6)\"></span>\(HTMLText.escape(name))</li>"
        }
        return "<ul class=\"legend\">\(items.joined())</ul>"
    }

    private static func opening(_ width: Double, _ height: Double, _ title: String) -> String {
        "<svg class=\"chart\" viewBox=\"0 0 \(f(width)) \(f(height))\" role=\"img\">"
            + "<title>\(HTMLText.escape(title))</title>"
    }

    private static func text(_ x: Double, _ y: Double, _ label: String, anchor: String, strong: Bool = false) -> String
    {
        "<text x=\"\(f(x))\" y=\"\(f(y))\" text-anchor=\"\(anchor)\"\(strong ? " class=\"strong\"" : "")>"
            + "\(HTMLText.escape(label))</text>"
    }

    private static func position(_ value: Double, _ range: ClosedRange<Double>) -> Double {
        left + (value - range.lowerBound) / (range.upperBound - range.lowerBound) * (width - 2 * left)
    }

    /// A coordinate.
    private static func f(_ value: Double) -> String { HTMLText.fixed(value, 1) }
}
