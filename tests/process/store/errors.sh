#!/bin/bash
# shellcheck disable=SC2154  # tool and work come from common.sh
# SPDX-License-Identifier: Apache-2.0
# Lets each system call that changes something fail once. An apply that fails must leave the tree as it
# was; one that succeeds must have done its work; and the next revert must bring back the original.
. "$(dirname "$0")/common.sh"
strace -o /dev/null true 2>/dev/null || skip "strace cannot trace here"

faults="mkdirat:EACCES openat:EMFILE read:EIO write:ENOSPC fchmod:EPERM utimensat:EPERM fsync:EIO
  linkat:EMLINK renameat:EIO renameat2:EIO unlinkat:EROFS flock:ENOLCK"
strict="chromium=force_proxy firefox=force_proxy brave=force_proxy"
make_root "$work/plain"
original=$(snapshot "$work/plain")
cp -a "$work/plain" "$work/applied" && "$tool" "$work/applied" apply $strict >/dev/null

run() {
  local start=$work/$1
  shift
  local before failures=0 total
  before=$(snapshot "$start")
  for fault in $faults; do
    local call=${fault%:*} problem=${fault#*:}
    rm -rf "$work/count" && cp -a "$start" "$work/count"
    strace -f -o "$work/trace" -e "trace=$call" "$tool" "$work/count" "$@" >/dev/null
    total=$(grep -c "^[0-9]* *$call(" "$work/trace" || true)
    for n in $(seq 1 "$total"); do
      rm -rf "$work/now" && cp -a "$start" "$work/now"
      if strace -f -o /dev/null -e "trace=$call" -e "inject=$call:error=$problem:when=$n" \
        "$tool" "$work/now" "$@" >"$work/said" 2>&1; then
        if [ "$1" = apply ]; then
          [ "$("$tool" "$work/now" installed chromium firefox brave | grep -cE "force_proxy|disabled")" = 3 ] ||
            fail "$call $n: said done, but is not ($(cat "$work/said"))"
        fi
      else
        failures=$((failures + 1))
        [ "$1" != apply ] || same "$before" "$(snapshot "$work/now")" \
          "changed although it failed: $call $n $problem ($(cat "$work/said"))"
      fi
      "$tool" "$work/now" revert >/dev/null || fail "revert after $call $n"
      same "$original" "$(snapshot "$work/now")" "not as before after $call $n $problem ($*)"
    done
  done
  echo "$*: $failures failures"
  [ "$failures" -gt 20 ] || fail "too few failures: the faults did not arrive"
}

run plain apply $strict
run applied apply firefox=disabled chrome=force_proxy
run applied revert
