#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what the benchmarks need, builds them, and runs them all, or those that are named.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=installer/common.sh
. installer/common.sh

# Name, what it tells, and how it is run. The order is that of the way from the kernel to the icon.
benches=(
  'snapshot|a look at the network and its decision, by size of the network'
  'event|from the kernel'"'"'s message to the decision on the host'"'"'s output'
  'host|icelock-host: start to first reply, memory and wake-ups when idle'
  'obey|from the host'"'"'s push to what the extension read back, in Chromium and Firefox'
  'start|from the start of the background to locked; the popup'
  'watch|what the watch for old connections costs a page'
  'predict|icelock predict, with and without a STUN server'
  'policy|plan, apply and audit beside many files of others'
  'daemon|icelockd under load'
)
run() {
  case $1 in
    snapshot) tests/bench/snapshot_bench.sh build/bench/bin/snapshot_bench "$results/snapshot.json" ;;
    event) python3 -B tests/bench/event_latency.py ;;
    host) python3 -B tests/bench/host_cost.py ;;
    obey) for browser in chromium firefox; do node tests/bench/obey_latency.mjs 20 "$browser"; done ;;
    start) node tests/bench/extension_start.mjs ;;
    watch) node tests/bench/watch_cost.mjs ;;
    predict) tests/bench/predict.sh build/bench/bin ;;
    policy) python3 -B tests/bench/policy_cost.py build/bench/bin/icelock 200 ;;
    daemon) python3 -B tests/bench/daemon_load.py ;;
  esac
}

names=()
for bench in "${benches[@]}"; do names+=("${bench%%|*}"); done
case "${1:-}" in
  -h | --help)
    printf 'Usage: tests/bench/run.sh [NAME...]\n\n'
    printf 'Installs what the benchmarks need (apt, npm ci), builds them and icelock into build/bench (release), and\n'
    printf 'runs them one after the other, as root (a user with sudo is asked for it). What each prints is kept in\n'
    printf 'build/bench/results. A machine that does something else meanwhile gives other figures.\n\n'
    for bench in "${benches[@]}"; do printf '  %-9s %s\n' "${bench%%|*}" "${bench#*|}"; done
    exit 0
    ;;
esac
for name in "$@"; do
  case " ${names[*]} " in *" $name "*) ;; *) die "no benchmark '$name'; there are: ${names[*]}" ;; esac
done
if [ $# -gt 0 ]; then names=("$@"); fi
if [ "$(id -u)" -ne 0 ]; then exec sudo -- "$PWD/tests/bench/run.sh" "$@"; fi

require_supported_system
say 'Installing what the benchmarks need'
install_packages "${build_packages[@]}" libbenchmark-dev hyperfine chromium firefox-esr webext-browserpass python3 strace \
  iproute2 procps
install_node
(cd tests/extension && npm ci --silent --no-audit --no-fund)

say 'Building'
CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1 cmake -S . -B build/bench -G Ninja -DCMAKE_BUILD_TYPE=Release -DICELOCK_BENCH=ON \
  -DCMAKE_INSTALL_PREFIX=/usr -DICELOCK_TESTS=OFF >/dev/null
CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1 cmake --build build/bench -- --quiet
results=build/bench/results
mkdir -p "$results"
export ICELOCK_BIN=$PWD/build/bench/bin

# One that cannot run must not keep the others from it.
failed=()
for name in "${names[@]}"; do
  say "$name (load $(cut -d' ' -f1 /proc/loadavg))"
  (run "$name") 2>&1 | tee "$results/$name.txt" || failed+=("$name")
done
if [ ${#failed[@]} -gt 0 ]; then die "these failed: ${failed[*]}"; fi
say "done; $results has what each printed"
