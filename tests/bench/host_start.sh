#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# icelock-host against Debian's browserpass-native (package webext-browserpass), in one hyperfine run: start,
# one request, its reply, end of input, exit. Also resident memory, wake-ups when idle, time to exit.
set -euo pipefail
bin=$(realpath "${ICELOCK_BIN:-build/release/bin}")
peer=/usr/lib/browserpass/browserpass-native
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
id=$(sed -n 's/.*chromium_extension_id = "\(.*\)";/\1/p' "$here/../../host/policy/browsers.h")
export HOME=$work XDG_CONFIG_HOME=$work XDG_RUNTIME_DIR=$work
python3 - "$work" <<'PY'
import struct, sys
frame = lambda text: struct.pack("=I", len(text)) + text
folder = sys.argv[1]
open(folder + "/icelock", "wb").write(frame(b'{"v":1,"id":1,"op":"status"}'))
open(folder + "/browserpass", "wb").write(frame(b'{"action":"configure","settings":{"stores":{}}}'))
PY
mkdir -p build/bench
hyperfine -N --warmup 20 --runs 300 --export-json build/bench/host_start.json \
  --input "$work/icelock" -n icelock-host "$bin/icelock-host chrome-extension://$id/" >/dev/null
hyperfine -N --warmup 20 --runs 300 --export-json build/bench/browserpass_start.json \
  --input "$work/browserpass" -n browserpass-native -i "$peer" >/dev/null
ICELOCK_BIN=$bin python3 "$here/host_resources.py" build/bench/host_start.json build/bench/browserpass_start.json
