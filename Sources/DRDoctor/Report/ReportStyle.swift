/// The look of a report: one style sheet, no script, no file beside it.
enum ReportStyle {
    static let sheet = """
        :root{color-scheme:light dark;--ground:#f6f7f9;--card:#fff;--ink:#1c2430;--soft:#5b6675;--line:#dfe3e9;
        --a:#2563a8;--b:#c2621b;--c:#2d8659;--d:#8a4fa3;--e:#b0323f;--f:#6b7280;--bad:#b3261e;--warn:#9a5b00;
        --good:#1f7a4d;--badground:#fbe9e7;--warnground:#fdf1dc;--noteground:#eef2f7}
        @media (prefers-color-scheme:dark){:root{--ground:#14171c;--card:#1c2128;--ink:#e6e9ee;--soft:#9aa5b4;
        --line:#313843;--a:#6ea8e8;--b:#eb9a5b;--c:#6cc297;--d:#c493dc;--e:#ea7f89;--f:#9aa3b0;--bad:#ff9d94;
        --warn:#f2bd68;--good:#76cfa2;--badground:#3a2120;--warnground:#372c18;--noteground:#252c36}}
        *{box-sizing:border-box}
        body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",
        Roboto,"Helvetica Neue","DejaVu Sans",sans-serif;overflow-wrap:anywhere}
        main{max-width:1120px;margin:0 auto;padding:28px 20px 60px}
        h1{font-size:1.6rem;line-height:1.25;margin:0 0 4px}
        h2{font-size:1.15rem;margin:0 0 4px}
        h3{font-size:.95rem;margin:18px 0 6px}
        p{margin:4px 0 12px}
        .soft,.lead,figcaption,.none{color:var(--soft)}
        .lead{max-width:88ch}
        section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:18px 20px;margin:16px 0}
        .tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(140px,1fr));gap:10px;margin:18px 0 0}
        .tile{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 14px}
        .tile b{display:block;font-size:1.3rem;line-height:1.3;font-weight:600}
        .tile span{color:var(--soft);font-size:.82rem}
        .tile.bad b{color:var(--bad)}.tile.warn b{color:var(--warn)}.tile.good b{color:var(--good)}
        .two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,430px),1fr));gap:8px 28px}
        .two>*{min-width:0}
        .scroll{overflow-x:auto}
        table{border-collapse:collapse;width:100%;font-size:.86rem;font-variant-numeric:tabular-nums}
        th,td{text-align:left;padding:5px 12px 5px 0;border-bottom:1px solid var(--line);vertical-align:top;
        overflow-wrap:normal}
        th{color:var(--soft);font-weight:500}td.n,th.n{text-align:right;white-space:nowrap}tr:last-child td{border-bottom:0}
        td:last-child,th:last-child{padding-right:0}
        dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 18px;margin:6px 0;font-size:.9rem}
        dt{color:var(--soft)}dd{margin:0;min-width:0}
        figure{margin:10px 0 4px}figcaption{font-size:.84rem;margin-top:4px}
        .chart{display:block;width:100%;height:auto}
        .chart text{fill:var(--soft);font-size:12px}.chart text.strong{fill:var(--ink);font-weight:600}
        .grid{stroke:var(--line)}.axis{stroke:var(--soft)}.mark{stroke:var(--bad);stroke-dasharray:4 3;stroke-width:1.5}
        .area{opacity:.16}.line{fill:none;stroke-width:1.6;stroke-linejoin:round}
        .area.s0,.key.s0{fill:var(--a);background:var(--a)}.line.s0{stroke:var(--a)}
        .area.s1,.key.s1{fill:var(--b);background:var(--b)}.line.s1{stroke:var(--b)}
        .area.s2,.key.s2{fill:var(--c);background:var(--c)}.line.s2{stroke:var(--c)}
        .area.s3,.key.s3{fill:var(--d);background:var(--d)}.line.s3{stroke:var(--d)}
        .area.s4,.key.s4{fill:var(--e);background:var(--e)}.line.s4{stroke:var(--e)}
        .area.s5,.key.s5{fill:var(--f);background:var(--f)}.line.s5{stroke:var(--f)}
        .heat{max-width:300px;border:1px solid var(--line);border-radius:6px}.heat rect{fill:var(--a)}
        .legend{list-style:none;margin:4px 0 0;padding:0;display:flex;flex-wrap:wrap;gap:2px 18px;font-size:.84rem;
        color:var(--soft)}
        .key{display:inline-block;width:10px;height:10px;border-radius:2px;margin-right:7px}
        .bars{font-size:.86rem;font-variant-numeric:tabular-nums}
        .bar{display:grid;grid-template-columns:minmax(70px,25%) 1fr minmax(90px,max-content);gap:12px;
        align-items:center;padding:3px 0}
        .bar .track{display:block;width:100%;background:var(--noteground);border-radius:4px;height:14px}
        .bar .fill{fill:var(--a)}
        .bar .value{text-align:right;color:var(--soft)}
        .wide .bar{grid-template-columns:minmax(90px,18%) 1fr minmax(220px,max-content)}
        .finding{border-left:4px solid var(--f);background:var(--noteground);border-radius:0 8px 8px 0;
        padding:9px 14px;margin:10px 0}
        .finding.error{border-color:var(--bad);background:var(--badground)}
        .finding.warning{border-color:var(--warn);background:var(--warnground)}
        .finding p{margin:2px 0}.finding ul{margin:6px 0 2px;padding-left:18px;font-size:.84rem;color:var(--soft)}
        .badge{font-weight:600;text-transform:uppercase;font-size:.72rem;letter-spacing:.04em;margin-right:8px}
        .error .badge{color:var(--bad)}.warning .badge{color:var(--warn)}.note .badge{color:var(--soft)}
        code{font:.88em ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
        .samples{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,300px),1fr));gap:18px;
        margin-top:10px}
        .sample{border:1px solid var(--line);border-radius:8px;overflow:hidden;background:var(--ground)}
        .picture{position:relative;background:var(--noteground);line-height:0}
        .picture svg{display:block;width:100%;height:auto;max-height:260px}
        .picture .box{fill:none;stroke-width:2;vector-effect:non-scaling-stroke}
        .picture .s0{stroke:var(--a)}.picture .s1{stroke:var(--b)}.picture .s2{stroke:var(--c)}
        .picture .s3{stroke:var(--d)}.picture .s4{stroke:var(--e)}.picture .s5{stroke:var(--f)}
        .picture .under{fill:none;stroke:#fff;stroke-width:3.6;opacity:.6;vector-effect:non-scaling-stroke}
        .words{padding:10px 14px 12px;font-size:.87rem}.words p{margin:0 0 6px}.words ol{margin:0;padding-left:20px}
        .words .id{font-size:.76rem;color:var(--soft);margin:8px 0 0}
        footer{color:var(--soft);font-size:.82rem}
        @media (max-width:640px){main{padding:18px 12px 40px}section{padding:14px}h1{font-size:1.3rem}
        dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:8px}
        .bar,.wide .bar{grid-template-columns:1fr auto;gap:1px 10px}.bar .track{grid-column:1/3;grid-row:2}
        .wide .bar .value{grid-column:1/3;grid-row:3;text-align:left}}
        @media print{body{background:#fff;font-size:11pt}section,.sample,figure{break-inside:avoid}
        main{max-width:none;padding:0}}
        """
}
