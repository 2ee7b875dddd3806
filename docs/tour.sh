#!/bin/sh
# Draws docs/timeline.svg, the README's picture, from a run of the tour on this machine.
set -eu
cd "$(dirname "$0")/.."
cargo build --quiet --release --example tour
events=$(mktemp)
TRINE_TIMELINE="$events" "${CARGO_TARGET_DIR:-target}/release/examples/tour"
cargo run --quiet -p trine-programs --bin timeline -- --out docs/timeline.svg "$events"
rm "$events"
