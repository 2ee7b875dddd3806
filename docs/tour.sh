#!/bin/sh
# Draws docs/tour.svg and docs/timeline.svg, the README's pictures, from a run of the tour here and
# now.
set -eu
cd "$(dirname "$0")/.."
cargo build --quiet --release --example tour
events=$(mktemp)
report=$(TRINE_TIMELINE="$events" "${CARGO_TARGET_DIR:-target}/release/examples/tour")
cargo run --quiet -p trine-programs --bin timeline -- --out docs/timeline.svg "$events"
rm "$events"

printf '%s\n' "$report" | awk '
BEGIN { text[0] = "$ cargo run --release --example tour"; color[0] = "#8b949e"; count = 1 }
{
    gsub(/&/, "\\&amp;"); gsub(/</, "\\&lt;"); gsub(/>/, "\\&gt;")
    text[count] = $0
    color[count] = "#c9d1d9"
    if (/^(in sequence|threads|process|async) /) color[count] = "#79c0ff"
    if (/^The answers agree|to the same answer/) color[count] = "#7ee787"
    if (/crashed:|timed out/) color[count] = "#ff7b72"
    count++
}
END {
    height = 19 * count + 30
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"720\" height=\"%d\" ", height
    printf "viewBox=\"0 0 720 %d\" role=\"img\" aria-label=\"The output of the tour\">\n", height
    print "<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#0d1117\"/>"
    printf "<g font-size=\"14\" xml:space=\"preserve\" "
    print "font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, monospace\">"
    for (line = 0; line < count; line++) if (text[line] != "")
        printf "<text x=\"20\" y=\"%d\" fill=\"%s\">%s</text>\n",
            19 * line + 32, color[line], text[line]
    print "</g>\n</svg>"
}' > docs/tour.svg
