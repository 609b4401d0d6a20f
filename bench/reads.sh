#!/usr/bin/env bash
# Point reads of existing keys over HTTP/2, pumice beside hyper on tokio's constant answer, in
# interleaved rounds: one serving core, one client core. Prints a line a round and the medians.
# Usage: bench/reads.sh [ROUNDS] [REQUESTS]     needs h2load (Debian: nghttp2-client) and taskset
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-5} requests=${2:-400000}
server_cpu=${SERVER_CPU:-0} client_cpu=${CLIENT_CPU:-1}
for tool in h2load taskset; do
    command -v "$tool" >/dev/null || { echo "reads.sh: $tool is missing" >&2; exit 1; }
done
[ -n "${NO_BUILD:-}" ] || cargo build --release --quiet --workspace
target=${CARGO_TARGET_DIR:-target}/release
work=$(mktemp -d)
pids=()
cleanup() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait
    rm -rf "$work"
}
trap cleanup EXIT
answers() { # PORT: waits until it does
    for _ in $(seq 100); do
        (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
        sleep 0.1
    done
    echo "reads.sh: nothing answers on port $1" >&2
    exit 1
}

"$target/pumice" serve --pin "$server_cpu" --data-dir "$work/data" --http 127.0.0.1:18190 \
    --admin 127.0.0.1:18191 --log-level warn &
pids+=($!)
taskset -c "$server_cpu" "$target/hyper_tokio" 127.0.0.1:18290 >/dev/null &
pids+=($!)
answers 18190
answers 18290
"$target/pumice" import src/cli/sample/cities.ndjson.gz --to http://127.0.0.1:18190 >/dev/null
zcat src/cli/sample/cities.ndjson.gz | shuf -n 20000 --random-source=<(yes) |
    python3 -c '
import json, sys, urllib.parse
for line in sys.stdin:
    record = json.loads(line)
    pk, sk = (urllib.parse.quote(record[key], safe="") for key in ("pk", "sk"))
    print(f"/v1/records/{pk}/{sk}")' >"$work/paths"
for port in 18190 18290; do sed "s|^|http://127.0.0.1:$port|" "$work/paths" >"$work/uris.$port"; done

round() { # PORT CONNECTIONS STREAMS: requests a second
    local out
    out=$(taskset -c "$client_cpu" h2load -c "$2" -m "$3" -n "$requests" -i "$work/uris.$1" 2>&1)
    grep -q "$requests succeeded" <<<"$out" && grep -q "status codes: $requests 2xx" <<<"$out" ||
        { echo "$out" >&2; exit 1; }
    sed -n 's/^finished in .*, \([0-9.]*\) req\/s.*/\1/p' <<<"$out"
}
cpu() { awk '{print $14 + $15}' "/proc/$1/stat"; } # ticks of 10 ms

echo "commit $(git rev-parse --short HEAD)  $(nproc) CPUs: $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)"
for shape in "8 100" "64 1"; do
    read -r connections streams <<<"$shape"
    : >"$work/ratios"
    for number in $(seq "$rounds"); do
        before=$(cpu "${pids[0]}")
        ours=$(round 18190 "$connections" "$streams")
        spent=$(($(cpu "${pids[0]}") - before))
        before=$(cpu "${pids[1]}")
        theirs=$(round 18290 "$connections" "$streams")
        spent_theirs=$(($(cpu "${pids[1]}") - before))
        awk -v o="$ours" -v t="$theirs" -v so="$spent" -v st="$spent_theirs" -v n="$requests" \
            'BEGIN { printf "%.3f %.0f %.0f %.2f %.2f\n", o / t, o, t, so * 1e4 / n, st * 1e4 / n }' \
            | tee -a "$work/ratios" |
            sed "s/^/-c $connections -m $streams round $number: ratio, pumice req\/s, hyper req\/s, us CPU each: /"
    done
    sort -n "$work/ratios" | awk -v c="$connections" -v m="$streams" \
        '{ all[NR] = $0 } END { print "-c " c " -m " m " median by ratio: " all[int((NR + 1) / 2)] }'
done
