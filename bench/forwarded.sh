#!/usr/bin/env bash
# What a read costs that another node answers, against one that is answered where it is asked:
#
#   bench/forwarded.sh       two nodes of one replica group on one CPU, over a real broker; the same
#                            reads of what node 2 holds, asked of node 2 and asked of node 1, in
#                            turns; then of all keys at node 1, which holds half; then all of them
#                            at half of their rates, for their times. ROUNDS (5) of SECONDS_EACH (3)
#
# CPU of both nodes a read. The nodes run on SERVER_CPU (0), the load generator on CLIENT_CPU (1).
# Needs what docker/services.sh needs, and python3.
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=${ROUNDS:-5} seconds=${SECONDS_EACH:-3} server_cpu=${SERVER_CPU:-0} client_cpu=${CLIENT_CPU:-1}
[ -n "${NO_BUILD:-}" ] || cargo build --release --quiet --workspace --bins
binaries=$(cd "${CARGO_TARGET_DIR:-target}/release" && pwd)
export PUMICE=$binaries/pumice CLUSTER_ARGS="--namespace forwarded --pin $server_cpu"
work=$(mktemp -d)
docker/services.sh status >/dev/null 2>&1 || started=yes
cleanup() {
    docker/cluster.sh wipe >/dev/null 2>&1 || true
    [ -z "${started:-}" ] || docker/services.sh down >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap cleanup EXIT

docker/cluster.sh wipe >/dev/null 2>&1 || true
docker/cluster.sh up 2 1 >/dev/null 2>&1
for _ in $(seq 120); do
    docker/cluster.sh status >/dev/null 2>&1 && break
    sleep 1
done
node() { echo "http://127.0.1.$1:8190"; }
loadgen() { "$binaries/loadgen" "$@" --cpus "$client_cpu" --records 100k --quiet; }
loadgen load --target "$(node 1)" >/dev/null

# The keys of the partitions that node 2 alone holds.
python3 - "$(node 1)" >"$work/keys" <<'P'
import json, sys, urllib.request
node = sys.argv[1]
get = lambda path: json.load(urllib.request.urlopen(node + path))
routes = get('/v1/routes')
two = [n['id'] for n in routes['nodes']].index('node-2')
theirs = [p for p, holders in enumerate(routes['holders']) if [h[0] for h in holders] == [two]]
if not theirs:
    sys.exit('node 2 holds nothing alone')
listed = '/v1/records?limit=10000&partitions=' + ','.join(map(str, theirs))
following = ''
while True:
    page = get(listed + following)
    for record in page['records']:
        print(json.dumps({'pk': record['pk'], 'sk': record['sk']}))
    if 'next' not in page:
        break
    following = '&next=' + page['next']
P
echo "$(wc -l <"$work/keys") of 100000 keys are held by node 2 alone"

ticks() { # user and system time of both nodes
    local sum=0 node
    for node in 1 2; do
        sum=$((sum + $(awk '{print $14 + $15}' "/proc/$(cat "target/cluster/$node/pid")/stat")))
    done
    echo "$sum"
}
field() { sed -n "s/.*\"$1\": *\([0-9.]*\).*/\1/p" "$work/json" | head -1; }

# NAME NODE KEYS: one closed run; adds "rate microseconds" to $work/NAME.
closed() {
    local before after rate
    before=$(ticks)
    loadgen run --closed --warm-up 0s --target "$(node "$2")" --keys "$3" \
        --duration "${seconds}s" --json "$work/json" >/dev/null
    after=$(ticks)
    rate=$(field answered)
    awk -v ticks=$((after - before)) -v answered="$rate" -v s="$seconds" -v hz="$(getconf CLK_TCK)" \
        'BEGIN { printf "%.0f %.3f\n", answered / s, ticks / hz * 1e6 / answered }' >>"$work/$1"
}
median() { sort -n -k "$2" "$work/$1" | awk -v k="$2" '{v[NR] = $k} END {print v[int((NR + 1) / 2)]}'; }

for _ in $(seq "$rounds"); do
    closed here 2 "file:$work/keys"
    closed away 1 "file:$work/keys"
    closed half 1 uniform
done
printf '%-34s %10s %8s   %s\n' '8 x 100 over HTTP/2, closed' reads/s 'us CPU' 'each round'
for run in here away half; do
    case $run in
        here) name='asked where it is held' ;;
        away) name='asked of the other node' ;;
        half) name='half held where it is asked' ;;
    esac
    printf '%-34s %10s %8s   %s\n' "$name" "$(median $run 1)" "$(median $run 2)" \
        "$(awk '{print $2}' "$work/$run" | paste -sd' ')"
done
awk -v away="$(median away 2)" -v here="$(median here 2)" -v half="$(median half 2)" 'BEGIN {
    printf "a forwarded read costs %.2f local ones; of half and half, %.2f\n", away / here,
        (2 * half - here) / here }'

# NAME NODE KEYS: at half of the closed run's rate.
paced() {
    loadgen run --rate $(($(median "$1" 1) / 2)) --warm-up 1s --target "$(node "$2")" --keys "$3" \
        --duration "${seconds}s" --json "$work/json" >/dev/null
    printf '%-34s at %s reads/s: p50 %s us, p99 %s us, p99.9 %s us\n' "$1" \
        "$(($(median "$1" 1) / 2))" "$(($(field p50) / 1000))" "$(($(field p99) / 1000))" \
        "$(($(field p999) / 1000))"
}
paced here 2 "file:$work/keys"
paced away 1 "file:$work/keys"
paced half 1 uniform
