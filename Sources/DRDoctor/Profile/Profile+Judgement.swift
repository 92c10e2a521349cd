internal import DRShardFormat

/// What only the whole set can tell.
extension Profile {
    /// The part of embeddings that must have length 1 for the others to be taken as mistakes, where nobody says.
    private static let nearlyAll = 0.95
    /// How likely it may be, over all measures, that exchangeable views are taken as dependent.
    package static let falseAlarmProbability = 1e-6
    /// Rows that are needed to say that captions are in no order, and how far above chance those in order must be.
    private static let pairedRowCount = 32
    private static let pairedSigmas = 2.5
    /// The part of a column's captions, and their number, above which empty ones are no accident.
    private static let emptyShare = 0.05
    private static let emptyCount = 10

    /// Everything that was found in the rows.
    package var judged: FindingList {
        var list = findings
        judgeNorms(&list)
        judgeViews(&list)
        judgePairing(&list)
        for column in layout.texts {
            let empty = list.count(.emptyCaption, subject: name(column))
            let isMuch = Double(empty) > Self.emptyShare * Double(present[column])
            if isMuch && empty >= Self.emptyCount { list.set(.warning, of: .emptyCaption, subject: name(column)) }
        }
        return list
    }

    private func judgeNorms(_ list: inout FindingList) {
        for (slice, norm) in zip(layout.slices, norms) where norm.offCount > 0 {
            let count = Double(norm.moments.count)
            let isClaimed = slice.normalised == true
            guard isClaimed || (slice.normalised == nil && Double(norm.offCount) <= (1 - Self.nearlyAll) * count)
            else { continue }
            for place in norm.offPlaces { list.add(.notNormalised, subject: slice.name, at: place) }
            // Of the others no place was kept.
            list.add(.notNormalised, subject: slice.name, count: norm.offCount - norm.offPlaces.count, at: nil)
            list.set(isClaimed ? .error : .warning, of: .notNormalised, subject: slice.name)
        }
    }

    /// Measures of views by name, and whether each shows that views are not exchangeable.
    package var viewTests: [(name: String, measure: ViewMeasure, isDependent: Bool)] {
        // Operation 2 comes before operation 10.
        func key(_ name: String) -> (String, Int) {
            let words = name.split(separator: " ")
            let number = words.firstIndex { Int($0) != nil }
            return (words.prefix(number ?? words.count).joined(separator: " "), number.flatMap { Int(words[$0]) } ?? 0)
        }
        return viewMeasures.sorted { key($0.key) == key($1.key) ? $0.key < $1.key : key($0.key) < key($1.key) }.map {
            name, measure in
            (name, measure, measure.boundP * Double(viewMeasures.count) < Self.falseAlarmProbability)
        }
    }

    private func judgeViews(_ list: inout FindingList) {
        let severity: Severity =
            switch layout.viewsExchangeable {
            case .yes: .error
            case .unknown: .warning
            case .no: .note
            }
        let claim =
            switch layout.viewsExchangeable {
            case .yes: "the schema says that views are exchangeable"
            case .unknown: "the schema does not say whether views are exchangeable"
            case .no: "the schema says that views are not exchangeable"
            }
        for test in viewTests where test.isDependent {
            guard let (view, difference) = test.measure.extreme else { continue }
            let text =
                "p below \(Profile.short(test.measure.boundP)) in \(test.measure.rowCount) rows, chi-squared "
                + "\(Profile.short(test.measure.statistic)), most in view \(view), by \(Profile.short(difference)) of "
                + "the range; \(claim)"
            list.add(
                .viewDependent, severity: severity, subject: test.name, at: FindingPlace(variant: view, detail: text))
        }
    }

    private func judgePairing(_ list: inout FindingList) {
        guard pairing.shares.count >= Self.pairedRowCount, pairing.sigmas < Self.pairedSigmas else { return }
        let own = realCosines.median ?? .nan
        let other = otherCosines.median ?? .nan
        let column = layout.textRows.first.map { name($0.column) }
        list.add(
            .captionsShuffled, subject: column, count: pairing.shares.count,
            at: FindingPlace(
                column: column,
                detail: "median cosine \(Profile.short(own)) with the own caption, \(Profile.short(other)) with other "
                    + "rows'; the own is above \(Profile.short(100 * pairing.shares.mean)) % of the others"))
    }

    /// A number with three or four digits that count, the same everywhere.
    package static func short(_ value: Double) -> String {
        guard value.isFinite, value != 0 else { return "\(value)" }
        let size = abs(value)
        if size >= 1e6 || size < 1e-3 {
            var exponent = 0
            var mantissa = size
            while mantissa >= 9.95 { (mantissa, exponent) = (mantissa / 10, exponent + 1) }
            while mantissa < 0.995, exponent > -400 { (mantissa, exponent) = (mantissa * 10, exponent - 1) }
            return (value < 0 ? "-" : "") + "\((mantissa * 10).rounded() / 10)e\(exponent)"
        }
        let scale = size >= 100 ? 10.0 : size >= 10 ? 100.0 : 1000.0
        return "\((value * scale).rounded() / scale)"
    }
}
