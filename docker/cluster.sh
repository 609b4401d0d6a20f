#!/usr/bin/env bash
# A cluster on this machine without a container engine: nodes with addresses of their own
# (127.0.1.1, 127.0.1.2, ..), in replica groups, over the broker and the S3 server of services.sh.
# Everything it makes lies under target/cluster.
#
#   docker/cluster.sh up [NODES [GROUPS]]   start services and nodes (3 nodes, 2 groups); prints
#                                           where each answers
#   docker/cluster.sh start|stop|kill N     one node: start it (also a new one), TERM it, KILL it
#   docker/cluster.sh status                what the nodes say; exit 0 only if all are ready
#   docker/cluster.sh down                  end the nodes; services and data stay
#   docker/cluster.sh wipe                  down, and forget the nodes' data
#
# PUMICE=BINARY runs that binary instead of a release build of this tree; CLUSTER_ARGS are added to
# every node's command line.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly STATE=$PWD/target/cluster
# The groups' names.
readonly LETTERS=abcdefghijklmnopqrstuvwxyz

fail() {
    echo "cluster: $*" >&2
    exit 1
}

address() { echo "127.0.1.$1"; }
pid_of() { cat "$STATE/$1/pid" 2>/dev/null; }

# A pid file may outlive its process: it is ours only with our data directory among its arguments.
runs() {
    local pid
    pid=$(pid_of "$1") && grep -aqF -- "$STATE/$1/data" "/proc/$pid/cmdline" 2>/dev/null
}

nodes() { find "$STATE" -mindepth 2 -maxdepth 2 -name group -printf '%h\n' 2>/dev/null | sed 's|.*/||' | sort -n; }

binary() {
    if [ -n "${PUMICE:-}" ]; then
        echo "$PUMICE"
    else
        cargo build --release --quiet -p pumice
        echo "${CARGO_TARGET_DIR:-target}/release/pumice"
    fi
}

# All nodes that were ever started are seeds: each may name itself.
seeds() {
    local node list=()
    for node in $(nodes); do list+=("$(address "$node"):8192"); done
    (IFS=, && echo "${list[*]}")
}

start() {
    local node=$1 group=${2:-} at
    at=$(address "$node")
    runs "$node" && return
    mkdir -p "$STATE/$node"
    [ -z "$group" ] || echo "$group" >"$STATE/$node/group"
    [ -s "$STATE/$node/group" ] || echo a >"$STATE/$node/group"
    # shellcheck disable=SC2086
    setsid "$(binary)" serve --data-dir "$STATE/$node/data" --cores 1 \
        --http "$at:8190" --admin "$at:8191" --gossip "$at:8192" --seeds "$(seeds)" \
        --node-id "node-$node" --replica-group "$(<"$STATE/$node/group")" \
        --log kafka --kafka-brokers "$PUMICE_TEST_KAFKA" \
        --objects "s3://$PUMICE_TEST_BUCKET/cluster" --s3-endpoint "$PUMICE_TEST_S3" \
        --s3-region "$AWS_REGION" ${CLUSTER_ARGS:-} \
        </dev/null >>"$STATE/$node/log" 2>&1 &
    echo $! >"$STATE/$node/pid"
    echo "node-$node: http://$at:8190, admin http://$at:8191, group $(<"$STATE/$node/group"), log $STATE/$node/log"
}

end() { # NODE SIGNAL
    local pid
    runs "$1" || return 0
    pid=$(pid_of "$1")
    kill "-$2" "$pid"
    for _ in {1..600}; do
        runs "$1" || return 0
        sleep 0.1
    done
    fail "node-$1 (pid $pid) is still there a minute after SIG$2"
}

with_services() {
    eval "$(docker/services.sh up | grep '^export ')"
    : "${PUMICE_TEST_KAFKA:?services.sh gave no broker}"
}

status() {
    local node at all=0
    for node in $(nodes); do
        at=$(address "$node")
        if ! runs "$node"; then
            echo "node-$node: does not run"
            all=1
        elif ! "${PUMICE:-${CARGO_TARGET_DIR:-target}/release/pumice}" status --admin "http://$at:8191"; then
            all=1
        fi
    done
    return "$all"
}

case ${1-} in
    up)
        with_services
        count=${2:-3} groups=${3:-2}
        # Known before any of them starts, so that each has all the seeds.
        for ((node = 1; node <= count; node++)); do
            mkdir -p "$STATE/$node"
            # The groups' names are letters, dealt out in turn.
            [ -s "$STATE/$node/group" ] ||
                echo "${LETTERS:$(((node - 1) % groups)):1}" >"$STATE/$node/group"
        done
        for ((node = 1; node <= count; node++)); do start "$node"; done
        ;;
    start)
        with_services
        start "${2:?which node?}" "${3:-}"
        ;;
    stop) end "${2:?which node?}" TERM ;;
    kill) end "${2:?which node?}" KILL ;;
    status) status ;;
    down) for node in $(nodes); do end "$node" TERM; done ;;
    wipe)
        for node in $(nodes); do end "$node" TERM; done
        rm -rf "$STATE"
        ;;
    *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' docker/cluster.sh >&2 && exit 64 ;;
esac
