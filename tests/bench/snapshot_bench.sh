#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# snapshot_bench.sh BINARY OUT.json: runs the benchmark in namespaces of an unprivileged user.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$(dirname "$2")"
"$here/../process/net/in_namespace.sh" "$1" --benchmark_format=json > "$2"
python3 - "$2" <<'PY'
import json, sys

runs = json.load(open(sys.argv[1]))["benchmarks"]
base = {"two_cards_routes": "two_cards", "full_tunnel_routes": "full_tunnel",
        "full_tunnel_two_cards_routes": "full_tunnel_two_cards", "laptop_routes": "laptop"}
median = {run["name"].split("/")[0]: run.get("median_us") for run in runs}
for run in runs:
    name = run["name"].split("/")[0]
    if run.get("error_occurred"):
        sys.exit(f"{name}: {run['error_message']}")
    ratio = next((run["median_us"] / median[to] for start, to in base.items()
                  if name.startswith(start)), None)
    print(f"{name:42} median {run['median_us']:8.1f} us  p95 {run['p95_us']:8.1f} us"
          f"  {'x%.2f' % ratio if ratio else '     '}  {run.get('label', '')}")
PY
