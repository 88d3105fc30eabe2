#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fuzzes one target for real: tests/fuzz/fuzz.sh TARGET [SECONDS]. Needs clang-19 and libclang-rt-19-dev.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
target=${1:?usage: tests/fuzz/fuzz.sh TARGET [SECONDS]}
seconds=${2:-60}
ipc='host/ipc/frame.cpp host/ipc/message.cpp host/ipc/operations.cpp host/base/error.cpp'
declare -A sources=([request]="host/ipc/frame_codec.cpp $ipc" [http]="host/ipc/http_codec.cpp host/ipc/http_head.cpp $ipc")
mkdir -p "build/fuzz/corpus-$target"
# shellcheck disable=SC2086  # a list of files
clang++-19 -std=c++23 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Ihost \
  "tests/fuzz/${target}_fuzz.cpp" ${sources[$target]} -o "build/fuzz/$target"
"build/fuzz/$target" -max_total_time="$seconds" -print_final_stats=1 \
  "build/fuzz/corpus-$target" "tests/fuzz/seeds/$target"
