#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# predict.sh [BIN]: what `icelock predict` takes, without STUN and with a server that never answers, in a network of its
# own in which nothing is there but a card. Needs root and hyperfine. Leaves build/bench/predict.json.
set -euo pipefail
root=$(dirname "$(readlink -f "$0")")/../..
bin=$(readlink -f "${1:-$root/build/release/bin}")
mkdir -p "$root/build/bench"
if [[ ${ICELOCK_BENCH_INSIDE:-} != 1 ]]; then
  ICELOCK_BENCH_INSIDE=1 exec unshare -n "$0" "$bin"
fi
ip link set lo up
ip link add card0 type veth peer name far0
ip link set card0 up
ip link set far0 up
ip address add 192.168.77.10/24 dev card0
ip neighbour add 192.168.77.1 lladdr 02:00:00:00:00:01 dev card0
ip route add default via 192.168.77.1
hyperfine -N --warmup 5 --export-json "$root/build/bench/predict.json" \
  "$bin/icelock predict --json" "$bin/icelock predict --json --stun 203.0.113.1"
