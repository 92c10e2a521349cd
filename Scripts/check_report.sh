#!/bin/bash
# A report of a sample, loaded by a real browser: every section is there, nothing is asked from the network, no caption
# has become an element. Skipped where there is no Chromium, unless DRSHARD_BROWSER=required.
#   check_report.sh DRSHARD
set -euo pipefail
cd "$(dirname "$0")/.."

drshard=$1
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
if [ -z "$browser" ]; then
    echo "report: SKIPPED, there is no chromium (apt-get install --no-install-recommends chromium)"
    [ "${DRSHARD_BROWSER:-}" != required ] || exit 1
    exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
    echo "report: $1" >&2
    exit 1
}

"$drshard" sample "$work/in" --samples 40 --shards 2 --views 4 --dims 64 >"$work/log"
# Captions that would be more than text if they could.
mkdir "$work/hostile"
for tar in "$work"/in/captions/*.tar; do
    mkdir "$work/unpacked"
    tar -xf "$tar" -C "$work/unpacked"
    for text in "$work"/unpacked/*.txt; do
        printf '%s' '<script>document.title="hostile"</script><img src="http://127.0.0.1:9/hostile" onerror="x">' \
            '<b class=hostile>&lt;' >"$text"
    done
    (cd "$work/unpacked" && tar --sort=name -cf "$work/hostile/$(basename "$tar")" -- *)
    rm -rf "$work/unpacked"
done
"$drshard" convert "$work/in/reinforced" --captions "$work/hostile" --output "$work/shards" \
    --teacher '<script>teacher</script>:0:64' --licence 'made up=<b class="hostile">none</b>' >"$work/log"
"$drshard" report "$work/shards" --output "$work/report.html" >"$work/log"

run() {
    "$browser" --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$work/profile" "$@" \
        "file://$work/report.html" 2>"$work/browser"
}
run --window-size=1200,2000 --log-net-log="$work/net.json" --dump-dom >"$work/dom"
for id in summary findings bytes storages norms cosines captions tokens crops operations views samples; do
    grep -q "<section id=\"$id\"" "$work/dom" || fail "there is no section \"$id\""
done
[ "$(grep -o '<article class="sample">' "$work/dom" | wc -l)" = 6 ] || fail "there are not six rows with pictures"
# The words are there, as text, and nothing of them is an element.
grep -q '&lt;script&gt;document.title' "$work/dom" || fail "the hostile caption is not shown"
if grep -Eq '<script|<img|<b |<iframe|<link|<title>hostile' "$work/dom"; then
    fail "a caption has become an element"
fi
# Of tags alone: in text, where < is escaped, such words are only words.
if grep -Eo '<[^<>]*(src|href)="[^"]{0,40}' "$work/dom" | grep -v '="data:image/\(png\|jpeg\);base64,'; then
    fail "the page refers to something outside"
fi
if grep -q '127\.0\.0\.1:9' "$work/net.json"; then fail "the page asked the network"; fi
for size in 1200,2000 420,2000; do
    run --window-size="$size" --screenshot="$work/$size.png" >/dev/null
    [ "$(wc -c <"$work/$size.png")" -gt 20000 ] || fail "the picture of $size is empty"
done
echo "report: 12 sections, 6 pictures, no request, no hostile element, in $("$browser" --version 2>/dev/null)"
