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
for run in runs:
    name = run["name"].split("/")[0]
    if run.get("error_occurred"):
        sys.exit(f"{name}: {run['error_message']}")
    plain = run.get("plain_us")
    ratio = f"x{run['median_us'] / plain:.2f} of {plain:5.1f}" if plain else ""
    print(f"{name:34} median {run['median_us']:7.1f} us  p95 {run['p95_us']:7.1f}"
          f"  first {run['first_us']:8.1f} (at most {run['limit_us']:6.0f})  {ratio:16} {run.get('label', '')}")
PY
