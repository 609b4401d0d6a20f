#!/usr/bin/env bash
# Pumice at three limits, each against what the machine itself does meanwhile:
#
#   bench/limits.sh tails    reads at half of the highest rate while 20,000 records a second are
#                            written, beside a sleeper on the same CPU
#   bench/limits.sh idle     anonymous memory of 10,000 idle HTTP/2 connections
#   bench/limits.sh cold     zipfian reads over ten times more data than the process may have of
#                            memory (cgroup, as root), beside a reader of the same file
#
# One serving core (SERVER_CPU), one client core (CLIENT_CPU).
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { echo "limits.sh: $*" >&2; exit 1; }

command -v taskset >/dev/null || fail 'taskset is missing (util-linux)'
what=${1-} server_cpu=${SERVER_CPU:-0} client_cpu=${CLIENT_CPU:-1} seconds=${SECONDS_EACH:-10}
runtime=${RUNTIME:-auto}
case $what in
    tails | idle | cold) ;;
    *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' bench/limits.sh >&2 && exit 64 ;;
esac
[ -n "${NO_BUILD:-}" ] || cargo build --release --quiet --workspace --bins
binaries=${CARGO_TARGET_DIR:-target}/release
work=$(mktemp -d)
pids=()
cgroup=
cleanup() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" || true; done
    [ -z "$cgroup" ] || rmdir "$cgroup" || true
    rm -rf "$work"
}
trap cleanup EXIT

port=$((20000 + RANDOM % 10000))
# PREFIX..: starts the server on $work/data; sets `server`.
serve() {
    "$@" taskset -c "$server_cpu" "$binaries/pumice" serve --cores 1 --runtime "$runtime" \
        --log-level warn --data-dir "$work/data" --http "127.0.0.1:$port" \
        --admin "127.0.0.1:$((port + 1))" >/dev/null &
    server=$!
    pids+=("$server")
    for _ in $(seq 300); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return
        sleep 0.1
    done
    fail "the server does not answer on port $port"
}
stop() {
    kill "$server"
    wait "$server" || true
}
drive() { # ARGUMENTS..: runs the load generator on its CPU
    "$binaries/loadgen" "$1" --target "http://127.0.0.1:$port" --cpus "$client_cpu" "${@:2}"
}
field() { # NAME: the first number of that name in the last report
    sed -n "s/.*\"$1\": *\([0-9.]*\).*/\1/p" "$work/json" | head -1
}
anonymous() { awk '/^RssAnon/ {print $2}' "/proc/$server/status"; }

echo "commit $(git rev-parse --short HEAD), $(nproc) CPUs:$(sed -n 's/^model name.*://p' /proc/cpuinfo | head -1)," \
    "load before: $(cut -d' ' -f1-3 /proc/loadavg), runtime $runtime"

tails() {
    serve
    drive load --quiet --records 1m
    drive run --quiet --closed --duration "${seconds}s" --records 1m --json "$work/json"
    local half
    half=$(awk -v max="$(field requests_per_s)" 'BEGIN { printf "%d", max / 2 }')
    echo "half of the highest rate: $half reads a second; 20,000 writes a second beside them"
    "$binaries/stalls" --cpu "$server_cpu" --seconds "$seconds" >"$work/control" &
    pids+=($!)
    # Writes come from a generator of their own, so that reads have a schedule of their own.
    drive run --quiet --rate 20000 --mix put --records 1m --duration "${seconds}s" \
        --json "$work/writes" >/dev/null &
    local writing=$!
    drive run --rate "$half" --records 1m --duration "${seconds}s" --json "$work/json"
    wait "$writing" || echo 'the writer says that something failed'
    echo "the sleeper on the serving CPU:"
    cat "$work/control"
}

idle() {
    serve
    drive load --quiet --records 100k
    drive run --quiet --closed --duration 2s --records 100k
    local before during
    sleep 2
    before=$(anonymous)
    drive run --rate 1000 --connections 10000 --streams 1 --records 100k --duration 20s \
        --json "$work/json" --verify >"$work/report" &
    local driving=$!
    sleep 15
    during=$(anonymous)
    echo "connections held: $(ss -Htn state established "sport = :$port" | wc -l)"
    wait "$driving" || { cat "$work/report"; fail 'reads failed meanwhile'; }
    echo "anonymous memory: $before KiB before, $during KiB with 10,000 connections:" \
        "$(awk -v a="$before" -v b="$during" 'BEGIN { printf "%.2f KiB each", (b - a) / 10000 }')"
    tail -n 12 "$work/report"
}

cold() {
    local limit=${LIMIT_MIB:-256} records=${RECORDS:-8m}
    cgroup=/sys/fs/cgroup/memory/pumice-bench-$$
    if [ -d /sys/fs/cgroup/memory ]; then
        mkdir "$cgroup"
        local limited=$cgroup/memory.limit_in_bytes
    else
        cgroup=/sys/fs/cgroup/pumice-bench-$$
        mkdir "$cgroup"
        local limited=$cgroup/memory.max
    fi
    serve
    drive load --quiet --records "$records"
    stop
    sync
    echo 3 >/proc/sys/vm/drop_caches
    echo $((limit << 20)) >"$limited"
    # shellcheck disable=SC2016
    serve bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$cgroup"
    echo "$(du -sm "$work/data" | cut -f1) MiB of data, $limit MiB of memory"
    local file
    file=$(find "$work/data" -name data.mdb -printf '%s %p\n' | sort -n | tail -1 | cut -d' ' -f2)
    drive run --closed --streams 10 --keys zipfian --records "$records" --duration "${seconds}s" \
        --json "$work/json" --quiet
    local rate
    rate=$(awk -v max="$(field requests_per_s)" 'BEGIN { printf "%d", max / 2 }')
    bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$cgroup" \
        "$binaries/stalls" --cpu "$server_cpu" --seconds "$seconds" --file "$file" >"$work/control" &
    pids+=($!)
    drive run --rate "$rate" --keys zipfian --records "$records" --duration "${seconds}s"
    echo "major faults of the server: $(awk '{print $12}' "/proc/$server/stat")"
    echo 'the reader of the same file on the serving CPU:'
    cat "$work/control"
    stop
}

"$what"
