#!/usr/bin/env bash
# The log and the snapshots in one run: entries applied from a real broker against memory, snapshots
# against zstd and a copy, restores, reads while snapshots are taken, and memory. Rounds interleaved,
# medians of them, a verdict for each bar. Give the machine nothing else to do meanwhile.
# Usage: bench/log-and-snapshots.sh --kafka HOST:PORT [--rounds N] [--entries N] [--seconds N]
#        bench/log-and-snapshots.sh --only-snapshots [--rounds N] [--entries N]
#   The second needs no broker, and measures the rates of snapshots and restores alone.
#   docker/services.sh up prints a broker. BENCH_DIR=DIR is where the shards lie, about 6 GB; needs
#   chrt, nice, sync and taskset (Debian: util-linux, coreutils), as root for the priorities.
set -euo pipefail
cd "$(dirname "$0")/.."
case ${1-} in
--kafka | --only-snapshots) ;;
*) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 64 ;;
esac
for tool in chrt nice sync taskset; do
    command -v "$tool" >/dev/null || { echo "log-and-snapshots.sh: $tool is missing" >&2; exit 1; }
done
[ -n "${NO_BUILD:-}" ] ||
    cargo build --release --quiet -p pumice -p pumice-bench --bin pumice --bin log_and_snapshots
target=${CARGO_TARGET_DIR:-target}/release
work=$(mktemp -d "${BENCH_DIR:-${TMPDIR:-/tmp}}/pumice-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
dirty=$(git status --porcelain -- src model shards client bench Cargo.toml | grep -q . && echo ' and changes' || true)
echo "commit $(git rev-parse --short HEAD)$dirty  $(nproc) CPUs: $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)"
echo "$(free -g | awk '/^Mem/ {print $2}') GiB, Linux $(uname -r), $(rustc --version | cut -d' ' -f1,2)," \
    "$(findmnt -no FSTYPE -T "$work") on $(findmnt -no SOURCE -T "$work"), $(date -u +%FT%TZ)"
[ -z "${NO_BUILD:-}" ] || echo "built before, at $(date -ur "$target/pumice" +%FT%TZ)"
echo "load before: $(cut -d' ' -f1-3 /proc/loadavg)"
echo "command: bench/log-and-snapshots.sh $*"
"$target/log_and_snapshots" all --pumice "$target/pumice" --dir "$work" "$@"
echo "load after: $(cut -d' ' -f1-3 /proc/loadavg)"
