internal import DRShard
internal import DRShardFormat

/// What the set is, what was found, and what it takes.
extension ReportPage {
    var summary: String {
        let stored = set.shards.reduce(UInt64(0)) { $0 + $1.fileByteCount }
        let plain = statistics.reduce(UInt64(0)) { $0 + $1.total.plainByteCount }
        func count(_ severity: Severity) -> Int { subject.findings.count { $0.severity == severity } }
        let (errors, warnings) = (count(.error), count(.warning))
        let state =
            errors > 0
            ? ("bad", plural(errors, "error"))
            : warnings > 0 ? ("warn", plural(warnings, "warning")) : ("good", "Sound")
        var tiles = [
            ("", HTMLText.count(subject.rowTotal), "rows"), ("", HTMLText.count(set.shards.count), "shards"),
            ("", HTMLText.bytes(stored), "in files"),
        ]
        if subject.rowTotal > 0 {
            tiles.append(("", HTMLText.bytes(stored / UInt64(max(1, set.rowCount))), "a row"))
        }
        if plain > 0, stored > 0 {
            tiles.append(("", HTMLText.fixed(Double(plain) / Double(stored), 2) + " : 1", "values to files"))
        }
        tiles.append((state.0, state.1, "doctor, \(HTMLText.count(count(.note))) notes"))
        let cards = tiles.map {
            "<div class=\"tile \($0.0)\"><b>\($0.1)</b><span>\(HTMLText.escape($0.2))</span></div>"
        }
        return "<header><h1>\(HTMLText.escape(title))</h1>"
            + "<p class=\"soft\">Row set <code>\(set.rowSetDigest)</code></p>"
            + "<div class=\"tiles\">\(cards.joined())</div></header>"
            + section(
                "summary", "What is in it", "Axes are what a row has several of; columns have one cell for each.",
                schema)
    }

    private func plural(_ count: Int, _ word: String) -> String { "\(count) \(word)\(count == 1 ? "" : "s")" }

    private var schema: String {
        let schema = set.schema
        let metadata = schema.metadata
        var facts: [(String, String)] = metadata.teachers.map { teacher in
            let parts = teacher.slices.map {
                "\(schema.columns[$0.column].name)[\($0.first)..<\($0.first + $0.count)]"
            }
            let scale = teacher.logitScale.map { ", logit scale \(HTMLText.fixed($0, 2))" } ?? ""
            return (
                "Teacher",
                "\(teacher.name): \(parts.joined(separator: ", ")); normalised: \(teacher.normalised)\(scale)"
            )
        }
        facts += metadata.captioners.map { ("Captioner", "\($0.name), of axis \(schema.axes[$0.axis].name)") }
        facts += metadata.tokenizers.map {
            ("Tokenizer", "\($0.name), \(HTMLText.count(Int($0.vocabularySize))) ids, context \($0.contextLength)")
        }
        facts += metadata.sources.map { ("Licence", "\($0.name): \($0.licence)") }
        facts += metadata.provenance.map { ($0.key, $0.value) }
        if metadata.sources.isEmpty { facts.append(("Licence", "not stored; the licences of the sources apply")) }
        let list = facts.map { "<dt>\(HTMLText.escape($0.0))</dt><dd>\(HTMLText.escape($0.1))</dd>" }
        let axes = table(
            ["axis", "variants", "kind", "exchangeable", "made by"],
            schema.axes.map { [$0.name, String($0.count), $0.kind.name, "\($0.exchangeable)", $0.source ?? "–"] },
            numbers: [1])
        let columns = table(
            ["column", "role", "type", "axis"],
            schema.columns.map { column in
                var type = column.type.name + (column.type.element.map { " \($0)" } ?? "")
                if case .tensor(_, let dims) = column.type {
                    type += "[\(dims.map(String.init).joined(separator: ", "))]"
                }
                return [column.name, column.role.name, type, column.axis.map { schema.axes[$0].name } ?? "–"]
            }, numbers: [])
        return "<dl>\(list.joined())</dl><div class=\"two\"><div><h3>Columns</h3>\(columns)</div>"
            + "<div><h3>Axes</h3>\(axes)</div></div>"
    }

    var findings: String {
        var body = subject.findings.map { finding in
            let what = finding.subject.map { " in \(HTMLText.escape($0))" } ?? ""
            let places = finding.places.map { "<li>\(HTMLText.escape(short($0).description))</li>" }.joined()
            let more = finding.count - finding.places.count
            let rest = more > 0 && !finding.places.isEmpty ? "<li>and \(HTMLText.count(more)) more</li>" : ""
            return
                "<div class=\"finding \(finding.severity.name)\"><p><span class=\"badge\">\(finding.severity.name)</span>"
                + "<code>\(finding.kind.rawValue)</code>\(what), \(finding.count == 1 ? "once" : HTMLText.count(finding.count) + " times")</p>"
                + "<p>\(HTMLText.escape(finding.kind.meaning))</p>\(places.isEmpty ? "" : "<ul>\(places)\(rest)</ul>")</div>"
        }.joined()
        if body.isEmpty { body = "<p>Nothing.</p>" }
        body += gaps.map { "<p class=\"soft\">Not shown: \(HTMLText.escape($0))</p>" }.joined()
        return section(
            "findings", "What the doctor found",
            "Errors make training go wrong, warnings are probably not meant, notes are worth knowing.", body)
    }

    /// A place without the folder, which is the same for all.
    private func short(_ place: FindingPlace) -> FindingPlace {
        var place = place
        place.path = place.path.flatMap { $0.split(separator: "/").last.map(String.init) }
        place.detail = place.detail.map { HTMLText.shortened($0.replacingFolder(of: set.path), 300) }
        return place
    }

    var bytes: String {
        let columns = statistics.filter { $0.storedByteCount > 0 }.sorted { $0.storedByteCount > $1.storedByteCount }
        let all = max(1, columns.reduce(0) { $0 + $1.storedByteCount })
        let bars = columns.map { column in
            let total = column.total
            let ratio = Double(total.plainByteCount) / Double(max(1, column.storedByteCount))
            let share = 100 * Double(column.storedByteCount) / Double(all)
            return (
                column.name, Double(column.storedByteCount),
                "\(HTMLText.bytes(column.storedByteCount)), \(HTMLText.fixed(share, 1)) %, ratio \(HTMLText.fixed(ratio, 2))"
            )
        }
        return section(
            "bytes", "Bytes by column", "Everything that a column takes in the files, and its values divided by that.",
            Chart.bars(bars, title: "Stored bytes of each column", isWide: true)
                + "<h3>How pages are stored</h3>"
                + table(
                    ["column", "values", "stored", "ratio", "pages by encoding and codec"],
                    columns.map { column in
                        let total = column.total
                        let codecs = total.codecs.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
                        let ratio = Double(total.plainByteCount) / Double(max(1, column.storedByteCount))
                        return [
                            column.name, HTMLText.bytes(total.plainByteCount), HTMLText.bytes(column.storedByteCount),
                            HTMLText.fixed(ratio, 3), codecs.joined(separator: ", "),
                        ]
                    }, numbers: [1, 2, 3]))
    }

    var storage: String {
        let names = ColumnStorage.allCases.map(\.rawValue)
        let rows = storages.filter { !$0.ratios.isEmpty }.map { report in
            let ratios = names.map { name in
                report.ratios.first { $0.storage.rawValue == name }.map { HTMLText.fixed($0.ratio, 2) } ?? "–"
            }
            return [report.column, report.stored.joined(separator: "; ")] + ratios
        }
        return section(
            "storages", "Other storages",
            "Values divided by their pages, if a sample of the column were stored in each way, without tables.",
            table(["column", "stored as"] + names, rows, numbers: Set(2..<names.count + 2)))
    }
}

extension String {
    /// Without the folder of a set in front of names of files in it.
    fileprivate func replacingFolder(of path: String) -> String {
        let folder = path.hasSuffix("/") ? path : path + "/"
        return split(separator: " ", omittingEmptySubsequences: false).map { word in
            word.hasPrefix(folder) ? String(word.dropFirst(folder.count)) : String(word)
        }.joined(separator: " ")
    }
}
