#!/usr/bin/env bash
# A cluster on this machine without a container engine: nodes with addresses of their own
# (127.0.1.1, 127.0.1.2, ..), in replica groups, over the broker and the S3 server of services.sh.
# Everything it makes lies under target/cluster.
#
#   docker/cluster.sh up [NODES [GROUPS]] [--latency MS]
#                                           start services and nodes (3 nodes, 2 groups); prints
#                                           where each answers. With a latency each group is a region
#                                           of its own, in a network namespace, and what goes to or
#                                           from the first, where the services are, is MS late each
#                                           way; needs root and python3, and lasts until `wipe`
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

# With latency: the first region is this namespace, and all regions are on one bridge.
readonly BRIDGE=pumice-regions NET=198.18.77
latency() { cat "$STATE/latency" 2>/dev/null; }
address() { if [ -e "$STATE/latency" ]; then echo "$NET.$1"; else echo "127.0.1.$1"; fi; }
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
    group=$(<"$STATE/$node/group")
    local within=() region=default
    if [ -e "$STATE/latency" ]; then
        region=$group
        place "$at" "$group"
        [ "$group" = a ] || within=(ip netns exec "pumice-$group")
    fi
    # shellcheck disable=SC2086
    setsid "${within[@]}" "$(binary)" serve --data-dir "$STATE/$node/data" --cores 1 \
        --http "$at:8190" --admin "$at:8191" --gossip "$at:8192" --seeds "$(seeds)" \
        --node-id "node-$node" --replica-group "$group" --region "$region" \
        --log kafka --kafka-brokers "$PUMICE_TEST_KAFKA" \
        --objects "s3://$PUMICE_TEST_BUCKET/cluster" --s3-endpoint "$PUMICE_TEST_S3" \
        --s3-region "$AWS_REGION" ${CLUSTER_ARGS:-} \
        </dev/null >>"$STATE/$node/log" 2>&1 &
    echo $! >"$STATE/$node/pid"
    echo "node-$node: http://$at:8190, admin http://$at:8191, group $group, log $STATE/$node/log"
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

# Starts a process of the wires, which `unwire` ends.
carry() {
    setsid "$@" </dev/null >>"$STATE/wires.log" 2>&1 &
    echo $! >>"$STATE/wires"
}

# The ports of the services on this machine.
ports() { echo "${PUMICE_TEST_KAFKA##*:} ${PUMICE_TEST_S3##*:}"; }

# Gives a node its address, in its region; makes the region where it is not there yet.
place() { # ADDRESS REGION
    local at=$1 region=$2 space=pumice-$2
    if ! ip link show "$BRIDGE" >/dev/null 2>&1; then
        ip link add "$BRIDGE" type bridge
        ip addr add "$NET.254/24" dev "$BRIDGE"
        ip link set "$BRIDGE" up
        # shellcheck disable=SC2046
        carry docker/wire.py relay "$NET.254" 127.0.0.1 $(ports)
    fi
    if [ "$region" = a ]; then
        ip addr replace "$at/32" dev "$BRIDGE"
        return
    fi
    if [ ! -e "/run/netns/$space" ]; then
        ip netns add "$space"
        ip -n "$space" link set lo up
        carry docker/wire.py tap "$(latency)" "pumice-$region" "far-$region"
        for _ in {1..100}; do
            ip link show "far-$region" >/dev/null 2>&1 && break
            sleep 0.1
        done
        ip link set "pumice-$region" master "$BRIDGE" up
        ip link set "far-$region" netns "$space"
        ip -n "$space" link set "far-$region" up
        # Brokers and objects are where they say that they are, from here too.
        # shellcheck disable=SC2046
        carry ip netns exec "$space" docker/wire.py relay 127.0.0.1 "$NET.254" $(ports)
    fi
    ip -n "$space" addr replace "$at/24" dev "far-$region"
}

# Ends the wires and the regions.
unwire() {
    local pid space
    while read -r pid; do
        # Ours only with our program among its arguments.
        if grep -aqF docker/wire.py "/proc/$pid/cmdline" 2>/dev/null; then kill "$pid"; fi
    done < <(cat "$STATE/wires" 2>/dev/null)
    rm -f "$STATE/wires"
    for space in $(ip netns list 2>/dev/null | grep -o '^pumice-[a-z]\b'); do ip netns del "$space"; done
    if ip link show "$BRIDGE" >/dev/null 2>&1; then ip link del "$BRIDGE"; fi
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
        latency=
        if [ "${*: -2:1}" = --latency ]; then
            latency=${*: -1} && set -- "${@:1:$#-2}"
            [ -z "$(nodes)" ] || [ -e "$STATE/latency" ] || fail 'these nodes have no latency: wipe'
            mkdir -p "$STATE" && echo "$latency" >"$STATE/latency"
        fi
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
    down)
        for node in $(nodes); do end "$node" TERM; done
        unwire
        ;;
    wipe)
        for node in $(nodes); do end "$node" TERM; done
        unwire
        rm -rf "$STATE"
        ;;
    *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' docker/cluster.sh >&2 && exit 64 ;;
esac
