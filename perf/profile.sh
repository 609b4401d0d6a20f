#!/usr/bin/env bash
# Profiles `pumice serve` under a named workload and leaves, in perf/runs/<date>-<machine>-<commit>/,
# a flame graph, the hottest functions, system calls by name and heap allocations, each per request.
#
#   perf/profile.sh WORKLOAD [--runtime glommio|tokio] [--out DIR]
#
# Workloads: h2-8x100, h2-64x1, h1-64, h1-64x16, batch-100, miss, put.
# Needs perf (as root) and taskset; inferno is built by cargo under target/tools. The build has frame
# pointers and a target directory of its own.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")/.."

fail() { echo "profile.sh: $*" >&2; exit 1; }

workload=${1-} runtime=auto out=
[ $# -gt 0 ] && shift
while [ $# -gt 0 ]; do
    case $1 in
        --runtime) runtime=$2 ;;
        --out) out=$2 ;;
        *) fail "unknown argument $1" ;;
    esac
    shift 2
done
case $workload in
    h2-8x100) drive=(--http 2 --connections 8 --streams 100) ;;
    h2-64x1) drive=(--http 2 --connections 64 --streams 1) ;;
    h1-64) drive=(--http 1.1 --connections 64) ;;
    h1-64x16) drive=(--http 1.1 --connections 64 --pipeline 16) ;;
    batch-100) drive=(--http 2 --connections 8 --streams 4 --mix get --batch 100) ;;
    miss) drive=(--http 2 --connections 8 --streams 100 --miss 1) ;;
    put) drive=(--http 2 --connections 8 --streams 100 --mix put) ;;
    *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' perf/profile.sh >&2 && exit 64 ;;
esac
for tool in perf taskset cargo git ldd; do
    command -v "$tool" >/dev/null || fail "$tool is missing"
done
[ "$(id -u)" = 0 ] || fail "root is missing: only root may add probes and count system calls"

server_cpu=${SERVER_CPU:-0} client_cpu=${CLIENT_CPU:-1} seconds=${SECONDS_EACH:-8}
records=${RECORDS:-1000000}
model=$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)
machine=$(grep -oiE 'epyc|xeon|ryzen|core|graviton' <<<"$model" | head -1 | tr '[:upper:]' '[:lower:]')
commit=$(git rev-parse --short HEAD)
out=${out:-perf/runs/$(date -u +%F)-${machine:-cpu}-$(nproc)cpu-$commit}

export CARGO_TARGET_DIR=$PWD/target/frames
RUSTFLAGS="-C force-frame-pointers=yes" CFLAGS="-fno-omit-frame-pointer" \
    cargo build --release --quiet --package pumice --package pumice-loadgen
binaries=$CARGO_TARGET_DIR/release
tools=$PWD/target/tools
[ -x "$tools/bin/inferno-flamegraph" ] ||
    cargo install --quiet --locked --root "$tools" --target-dir "$tools/build" inferno@0.12.8

work=$(mktemp -d)
server=
cleanup() {
    [ -z "$server" ] || { kill "$server" 2>/dev/null && wait "$server"; } || true
    perf probe --quiet --del 'profile:*' 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

port=$((20000 + RANDOM % 10000))
taskset -c "$server_cpu" "$binaries/pumice" serve --cores 1 --runtime "$runtime" --log-level warn \
    --data-dir "$work/data" --http "127.0.0.1:$port" --admin "127.0.0.1:$((port + 1))" >/dev/null &
server=$!
for _ in $(seq 100); do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
    sleep 0.1
done
target=(--target "http://127.0.0.1:$port" --records "$records")
"$binaries/loadgen" load --quiet "${target[@]}"

# CPU time of the server so far, in nanoseconds.
spent() { awk '{s += $1} END {printf "%.0f\n", s}' "/proc/$server"/task/*/schedstat; }
# Drives once more; prints how many requests were answered.
driven() {
    "$binaries/loadgen" run --quiet --closed --warm-up 0s --duration "${seconds}s" --json "$work/json" \
        --cpus "$client_cpu" "${target[@]}" "${drive[@]}"
    # The first is of the whole run, the others of each operation and second.
    awk 'match($0, /"answered": *[0-9]+/) { print substr($0, RSTART + 11, RLENGTH - 11) + 0; exit }' \
        "$work/json"
}
# Runs a perf that watches the server while it is driven; sets `requests`.
watched() {
    "$@" >/dev/null 2>"$work/perf.err" &
    local watcher=$!
    sleep 0.5
    requests=$(driven)
    kill -INT "$watcher" 2>/dev/null || { cat "$work/perf.err" >&2 && fail "perf could not watch"; }
    wait "$watcher" || true
}

driven >/dev/null # warm
watched perf record -e cpu-clock -F 1999 --call-graph fp -o "$work/perf.data" -p "$server"
perf script -i "$work/perf.data" 2>/dev/null | "$tools/bin/inferno-collapse-perf" >"$work/stacks"
"$tools/bin/inferno-flamegraph" --title "$workload, $commit" "$work/stacks" >"$work/flame.svg"

{
    echo "# $workload at $commit"
    echo
    echo "* machine: $(nproc) CPUs, $model, Linux $(uname -r), load before: $(cut -d' ' -f1-3 /proc/loadavg)"
    echo "* command: \`perf/profile.sh $workload --runtime $runtime\`, $records records of 200 bytes"
    before=$(spent)
    requests=$(driven)
    after=$(spent)
    echo "* $requests requests in $seconds s, $(((after - before) / requests)) ns of CPU each"
    echo
    echo "## Functions with the most samples of their own"
    echo
    echo '```'
    perf report -i "$work/perf.data" --no-children --percent-limit 1 --stdio -g none 2>/dev/null |
        grep -vE '^#|^$' | head -40
    echo '```'
    calls=(recvfrom sendto read write writev epoll_wait io_uring_enter futex accept4 timerfd_settime)
    events=$(printf ',syscalls:sys_enter_%s' "${calls[@]}")
    watched perf stat -x ';' -o "$work/calls" -e "raw_syscalls:sys_enter$events" -p "$server"
    echo
    echo "## System calls a request"
    echo
    awk -F';' -v n="$requests" '$1 + 0 > 0 { printf "* %s: %.5f\n", $3, $1 / n }' "$work/calls"
    libc=$(ldd "$binaries/pumice" | awk '/libc\.so/ {print $3}')
    for function in malloc calloc realloc; do
        perf probe --quiet -x "$libc" --add "profile:$function=$function"
    done
    for function in mi_malloc_aligned mi_zalloc_aligned mi_realloc_aligned; do
        perf probe --quiet -x "$binaries/pumice" --add "profile:$function=$function"
    done
    watched perf stat -x ';' -o "$work/heap" -e 'profile:*' -p "$server"
    echo
    echo "## Heap allocations a request (malloc is LMDB's and the C library's, mi_ are ours)"
    echo
    awk -F';' -v n="$requests" 'NF > 2 { printf "* %s: %.5f\n", $3, $1 / n }' "$work/heap"
} >"$work/report.md"
mkdir -p "$out"
mv "$work/flame.svg" "$out/$workload.svg"
mv "$work/report.md" "$out/$workload.md"
echo "$out/$workload.md"
