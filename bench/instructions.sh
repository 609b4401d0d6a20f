#!/usr/bin/env bash
# Instructions of one run of each hot micro-bench, counted by callgrind: a figure that a noisy
# machine does not change. Each bench runs N and 2N times; the difference over N is free of what it
# costs to start. Usage: bench/instructions.sh [NAME ..]     needs valgrind
set -euo pipefail
cd "$(dirname "$0")/.."
command -v valgrind >/dev/null || { echo 'instructions.sh: valgrind is missing' >&2; exit 1; }
times=${TIMES:-200}
names=("$@")
[ $# -gt 0 ] || names=(key-codec archive-access condition-judge entry-decode point-read
    batch-read-100 hpack-decode hpack-encode lane-hop)
micro=$(cargo bench --quiet --package pumice-bench --bench micro --no-run --message-format=json |
    sed -n 's/.*"executable":"\([^"]*micro[^"]*\)".*/\1/p' | tail -1)
out=$(mktemp)
trap 'rm -f "$out"' EXIT

count() { # NAME TIMES: instructions of the whole process
    valgrind --tool=callgrind --callgrind-out-file="$out" "$micro" --count "$1" "$2" 2>/dev/null
    sed -n 's/^\(summary\|totals\): \([0-9]*\).*/\2/p' "$out" | head -1
}

echo "commit $(git rev-parse --short HEAD), instructions each, over $times:"
for name in "${names[@]}"; do
    once=$(count "$name" "$times")
    twice=$(count "$name" $((2 * times)))
    printf '%-18s %8d\n' "$name" $(((twice - once) / times))
done
