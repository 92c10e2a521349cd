internal import DRShard
package import DRShardFormat
internal import Foundation

/// A page about a set of shards: one file of HTML that needs no network and no script.
///
/// Whatever comes from data is escaped, and the page forbids itself everything but its own style and the pictures in it
/// (a content security policy), so that no caption can become more than text.
package struct ReportPage {
    let title: String
    let subject: Subject
    let profile: Profile
    let set: DataSet
    let statistics: [ColumnStatistics]
    let storages: [StorageReport]
    let pictures: [ReportPicture]
    /// What could not be computed, and why.
    let gaps: [String]

    /// Looks at a set.
    /// - Parameter path: a shard, or a folder of shards. What is damaged is left out, and named.
    /// - Throws: what `Doctor.examine` throws; `.schemaMismatch` if there are no shards; `.corrupt` if none can be opened.
    /// Cost: that of the doctor, and up to 16 MiB a column that are encoded once more.
    package init(path: String, options: DoctorOptions, progress: Doctor.Progress? = nil) throws(ShardError) {
        let found = try Doctor.examine([path], options: options, progress: progress).first { $0.kind == .shards }
        guard let found else {
            throw ShardError.schemaMismatch("there are no shards; a report is about converted sets").with(
                .init(path: path))
        }
        guard let profile = found.profile else {
            throw ShardError.corrupt("no shard can be opened; see drshard doctor").with(.init(path: path))
        }
        (subject, self.profile) = (found, profile)
        set = try ReportPage.open(found.files, path)
        title = URL(fileURLWithPath: path).lastPathComponent
        pictures = ReportPicture.choose(set, profile.layout)
        var gaps: [String] = []
        do throws(ShardError) { statistics = try set.statistics() } catch {
            statistics = []
            gaps.append("Bytes by column: \(error.description)")
        }
        do throws(ShardError) { storages = try set.storageReports() } catch {
            storages = []
            gaps.append("Other storages: \(error.description)")
        }
        self.gaps = gaps
    }

    /// The shards that can be opened and belong to the first.
    private static func open(_ files: [String], _ path: String) throws(ShardError) -> DataSet {
        var shards: [ShardReader] = []
        for file in files {
            guard let shard = try? ShardReader(path: file) else { continue }
            let first = shards.first ?? shard
            guard shard.schema == first.schema, shard.header.rowsPerGroup == first.header.rowsPerGroup else { continue }
            shards.append(shard)
        }
        return try DataSet(path: path, shards: shards)
    }

    /// The whole page.
    package var html: String {
        let sections = [
            findings, bytes, storage, norms, cosines, texts, tokens, crops, operations, views, samples,
        ]
        let digest = Base64.encode(SHA256.digest(Array(ReportStyle.sheet.utf8)))
        let policy =
            "default-src 'none'; img-src data:; style-src 'sha256-\(digest)'; base-uri 'none'; form-action 'none'"
        return """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta http-equiv="Content-Security-Policy" content="\(policy)">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>\(HTMLText.escape(title)): a report by drshard</title>
            <style>\(ReportStyle.sheet)</style>
            </head>
            <body>
            <main>
            \(summary)
            \(sections.joined(separator: "\n"))
            <footer><p>Numbers are those of \(examined). Made by drshard; this page loads nothing and runs no script.</p></footer>
            </main>
            </body>
            </html>

            """
    }

    var examined: String {
        let total = HTMLText.count(subject.rowTotal)
        guard subject.rowsExamined < subject.rowTotal else { return "all \(total) rows" }
        return "\(HTMLText.count(subject.rowsExamined)) of \(total) rows, spread evenly"
    }

    /// A part of the page.
    func section(_ id: String, _ heading: String, _ lead: String, _ body: String) -> String {
        "<section id=\"\(id)\" aria-labelledby=\"\(id)-heading\"><h2 id=\"\(id)-heading\">\(heading)</h2>"
            + "<p class=\"lead\">\(lead)</p>\(body)</section>"
    }

    /// A table; columns of numbers are flush right. Cells are escaped here.
    func table(_ head: [String], _ rows: [[String]], numbers: Set<Int>) -> String {
        func row(_ cells: [String], _ tag: String) -> String {
            let html = cells.enumerated().map { i, cell in
                "<\(tag)\(tag == "th" ? " scope=\"col\"" : "")\(numbers.contains(i) ? " class=\"n\"" : "")>"
                    + "\(HTMLText.escape(cell))</\(tag)>"
            }
            return "<tr>\(html.joined())</tr>"
        }
        return "<div class=\"scroll\"><table><thead>\(row(head, "th"))</thead>"
            + "<tbody>\(rows.map { row($0, "td") }.joined())</tbody></table></div>"
    }

    func figure(_ chart: String, _ caption: String) -> String {
        "<figure>\(chart)<figcaption>\(HTMLText.escape(caption))</figcaption></figure>"
    }
}
